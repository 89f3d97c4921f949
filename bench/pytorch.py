# The contestant of `warpmix bench pytorch`. Each line of standard input is a request, each line of standard output its answer, both JSON:
#   {"prepare": CASE, ...sizes}   makes the inputs, computes, and answers with values of the result spread over all of it
#   {"time": CASE}                computes again and answers with milliseconds, by the events of the device where there are any
# f32 throughout: TF32, with 10 of its 23 bits, is off. Images lie in memory as warpmix has them, channels last.
import json
import sys
import time

import torch
import torch.nn.functional as F

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
CUDA = torch.cuda.is_available()
# Between two events, so that the host is ahead of the device.
REPEATS = 10
DEVICE = torch.device("cuda" if CUDA else "cpu")


def filler(*shape, plus=0.0):
    count = 1
    for size in shape:
        count *= size
    values = (torch.arange(count, dtype=torch.int64) * 7919 % 1000).double() / 1000 - 0.5
    return (values.float() + plus).reshape(shape).to(DEVICE)


def image(*shape, plus=0.0):
    return filler(*shape, plus=plus).permute(0, 3, 1, 2)


def kernel(*shape, scale=1.0):
    return (filler(*shape) * scale).permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)


def convolution(n, h, w, c, k, size, part):
    x, weight, g = image(n, h, w, c), kernel(size, size, c, k), image(n, h, w, k)
    pad = [size // 2, size // 2]
    if part == "forward":
        return lambda: F.conv2d(x, weight, padding=pad)
    wanted = [part == "input gradient", part == "weight gradient", False]

    def backward():
        found = torch.ops.aten.convolution_backward(
            g, x, weight, None, [1, 1], pad, [1, 1], False, [0, 0], 1, wanted
        )
        return found[0] if wanted[0] else found[1].permute(2, 0, 3, 1)

    return backward


def warp(n, h, w):
    x = image(n, h, w, 3, plus=0.5)
    across = 1.96 * (torch.arange(w).double() / w) - 0.98
    down = 1.96 * (torch.arange(h).double() / h) - 0.98
    grid = torch.stack([across.expand(h, w), down[:, None].expand(h, w)], -1).float()
    grid = grid.expand(n, h, w, 2).contiguous().to(DEVICE)
    return lambda: F.grid_sample(x, grid, padding_mode="border", align_corners=True)


def ssim(n, h, w):
    x, y = image(n, h, w, 3, plus=0.5), image(n, h, w, 3, plus=0.25)

    def error():
        a, b = F.pad(x, (1, 1, 1, 1), "reflect"), F.pad(y, (1, 1, 1, 1), "reflect")
        mx, my = F.avg_pool2d(a, 3, 1), F.avg_pool2d(b, 3, 1)
        vx = F.avg_pool2d(a * a, 3, 1) - mx * mx
        vy = F.avg_pool2d(b * b, 3, 1) - my * my
        cov = F.avg_pool2d(a * b, 3, 1) - mx * my
        over = (2 * mx * my + 1e-4) * (2 * cov + 9e-4)
        return ((1 - over / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4))) / 2).clamp(0, 1)

    return error


def batch_norm(n, h, w, c, backward):
    x, g = image(n, h, w, c), image(n, h, w, c)
    ones, zeros = torch.ones(c, device=DEVICE), torch.zeros(c, device=DEVICE)
    mean, var = zeros.clone(), ones.clone()

    def forward():
        return F.relu(F.batch_norm(x, mean, var, ones, zeros, training=True))

    if not backward:
        return forward
    x.requires_grad_(True)
    return lambda: torch.autograd.grad(forward(), x, g)[0]


def cross_entropy(n, h, w, classes):
    logits = image(n, h, w, classes).requires_grad_(True)
    labels = (torch.arange(n * h * w) % classes).reshape(n, h, w).to(DEVICE)
    return lambda: torch.autograd.grad(F.cross_entropy(logits, labels), logits)[0]


def training(n, h, w, widths, strides, classes, lr):
    x = image(n, h, w, widths[0])
    layers = []
    for i, k in enumerate(widths[1:] + [classes]):
        size = 3 if i < len(strides) else 1
        scale = (24 / (size * size * widths[i])) ** 0.5
        bias = torch.zeros(k, device=DEVICE, requires_grad=True)
        layers.append((kernel(size, size, widths[i], k, scale=scale).requires_grad_(True), bias))
    by = 1
    for stride in strides:
        by *= stride
    labels = (torch.arange(n * h * w // by // by) // 7 % classes).reshape(n, h // by, w // by).to(DEVICE)
    params = [p for layer in layers for p in layer]

    def step():
        y = x
        for i, (weight, bias) in enumerate(layers):
            if i < len(strides):
                y = F.relu(F.conv2d(y, weight, bias, stride=strides[i], padding=1))
            else:
                y = F.conv2d(y, weight, bias)
        loss = F.cross_entropy(y, labels)
        for p, d in zip(params, torch.autograd.grad(loss, params)):
            p.data.sub_(d, alpha=lr)
        return loss.reshape(1)

    return step


CASES = {
    "convolution": convolution,
    "warp": warp,
    "ssim": ssim,
    "batchNorm": batch_norm,
    "crossEntropy": cross_entropy,
    "training": training,
}


def milliseconds(work, wall):
    if CUDA and not wall:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(REPEATS):
            work()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / REPEATS
    start = time.perf_counter()
    work()[0].sum().item()
    return 1000 * (time.perf_counter() - start)


def sampled(result, count=1009):
    if result.dim() == 4:
        result = result.permute(0, 2, 3, 1)
    flat = result.detach().reshape(-1)
    # JSON has no NaN; None differs from everything.
    found = flat[:: max(1, flat.numel() // count)].cpu().tolist()
    return [value if abs(value) < float("inf") else None for value in found]


def answer(message):
    print(json.dumps(message, allow_nan=False), flush=True)


threads = torch.get_num_threads()
name = torch.cuda.get_device_name() if CUDA else f"the processor, threads: {threads}, for want of CUDA"
answer({"version": torch.__version__, "device": name})
work, wall = None, False
for line in sys.stdin:
    request = json.loads(line)
    if "prepare" in request:
        case = request.pop("prepare")
        work = None
        work, wall = CASES[case](**request), case == "training"
        sample = sampled(work())
        for _ in range(0 if wall else 3):
            work()
        if CUDA:
            torch.cuda.synchronize()
        answer({"sample": sample})
    else:
        answer({"ms": milliseconds(work, wall)})
