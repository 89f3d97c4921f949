"""Prints torchvision-jitter.json: what torchvision's colour jitter makes of an image, for factors in several orders.

With torchvision 0.14.1: python3 test/ops/torchvision-jitter.py > test/ops/torchvision-jitter.json
"""

import json

import torch
from torchvision.transforms import functional as F

STEPS = {
    "brightness": F.adjust_brightness,
    "contrast": F.adjust_contrast,
    "saturation": F.adjust_saturation,
    "hue": F.adjust_hue,
}
CASES = [
    (["brightness", "contrast", "saturation", "hue"], {"brightness": 1.2, "contrast": 0.8, "saturation": 1.15, "hue": 0.1}),
    (["hue", "saturation", "contrast", "brightness"], {"brightness": 0.85, "contrast": 1.2, "saturation": 0.8, "hue": -0.1}),
    (["saturation", "hue", "brightness", "contrast"], {"brightness": 1.4, "contrast": 1.5, "saturation": 1.6, "hue": 0.45}),
    (["contrast", "brightness", "hue", "saturation"], {"brightness": 0.5, "contrast": 0.3, "saturation": 0.0, "hue": -0.5}),
]

height, width = 5, 7
# Greys, clamped colours and equal channels are among them.
image = torch.tensor([(k * k * 7 + 13 * k) % 256 for k in range(3 * height * width)], dtype=torch.uint8)
image[:9] = torch.tensor([0, 0, 0, 255, 255, 255, 90, 90, 90], dtype=torch.uint8)
image[9:18] = torch.tensor([200, 200, 10, 10, 200, 200, 200, 10, 200], dtype=torch.uint8)

results = []
for order, factors in CASES:
    # Channels first, as torchvision wants them.
    y = image.reshape(height, width, 3).permute(2, 0, 1).double() / 255
    for step in order:
        y = STEPS[step](y, factors[step])
    values = [round(v, 7) for v in y.permute(1, 2, 0).flatten().tolist()]
    results.append({"order": order, **factors, "values": values})

print(json.dumps({"width": width, "height": height, "image": image.tolist(), "jitters": results}))
