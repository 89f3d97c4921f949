"""What torchvision's ResNets give for weights and an image that test/models/pytorch.test.ts draws too: torchvision-maps.json.

    python3 test/models/torchvision-maps.py > test/models/torchvision-maps.json

Debian's python3-torchvision has all that it needs. The numbers of a network are drawn in the order of its state_dict, a stream
for each tensor, by Threefry-2x32 as in src/gpu/threefry.ts.
"""

import json
import math

import numpy as np
import torch
import torchvision

ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]]
SEED = 20
SIZE = 32
EVERY = 29  # of the values of a map, channels first: a prime, so that all channels and places have their turn


def randoms(shape, stream, low, high):
    count = math.prod(shape)
    key = [SEED, stream, 0x1BD11BDA ^ SEED ^ stream]
    wrap = np.uint64(0xFFFFFFFF)
    x0 = (np.arange(count, dtype=np.uint64) + np.uint64(key[0])) & wrap
    x1 = np.full(count, key[1], dtype=np.uint64)
    for block in range(5):
        for by in ROTATIONS[block % 2]:
            x0 = (x0 + x1) & wrap
            x1 = ((x1 << np.uint64(by)) | (x1 >> np.uint64(32 - by))) & wrap ^ x0
        x0 = (x0 + np.uint64(key[(block + 1) % 3])) & wrap
        x1 = (x1 + np.uint64(key[(block + 2) % 3] + block + 1)) & wrap
    uniform = (x0 >> np.uint64(8)).astype(np.float64) / 0x1000000
    return torch.from_numpy((low + (high - low) * uniform).astype(np.float32).reshape(shape))


def bounds(name, shape):
    if len(shape) == 4:
        most = math.sqrt(6 / math.prod(shape[1:]))
        return -most, most
    if name.startswith("fc."):
        return -0.1, 0.1
    if name.endswith("running_var"):
        return 0.5, 2
    if name.endswith(".weight"):
        return 0.5, 1.2
    return -0.3, 0.3


def short(value):
    return float(f"{value.item():.8g}")


def maps(make, stream):
    net = make(num_classes=10)
    drawn = {}
    for name, value in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        drawn[name] = randoms(tuple(value.shape), stream, *bounds(name, value.shape))
        stream += 1
    net.load_state_dict(drawn, strict=False)
    net.eval()
    image = randoms((1, SIZE, SIZE, 3), 1, 0, 1).permute(0, 3, 1, 2)
    with torch.no_grad():
        # Monodepth2 normalises every channel so.
        x = net.relu(net.bn1(net.conv1((image - 0.45) / 0.225)))
        found = [x]
        x = net.maxpool(x)
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            found.append(x)
    return [
        {"largest": short(one.abs().max()), "values": [short(value) for value in one.flatten()[::EVERY]]}
        for one in found
    ]


print(
    json.dumps(
        {
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "every": EVERY,
            "ResNet-18": maps(torchvision.models.resnet18, 1000),
            "ResNet-50": maps(torchvision.models.resnet50, 1000),
        }
    )
)
