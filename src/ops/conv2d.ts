import * as kernels from '../../kernels/conv2d.ts';
import { reduceSum } from '../../kernels/reduce.ts';
import { noGrad, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { type Activation, activate, activationGradient } from './activation.ts';
import { add } from './elementwise.ts';
import { type Pair, pairOf } from './image.ts';
import { permute } from './movement.ts';
import { fold, sum } from './sum.ts';

export interface Conv2dOptions {
  stride?: Pair;
  /** Zeros around the image, pixels. */
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
}

/** The options with their defaults, whole numbers all. */
function numbers(op: string, options: Conv2dOptions) {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1)
    throw new ShapeError(`${op}: groups must be a whole number from 1 on, got ${groups}`);
  const [sy, sx] = pairOf(op, 'stride', stride, 1);
  const [py, px] = pairOf(op, 'padding', padding, 0);
  const [dy, dx] = pairOf(op, 'dilation', dilation, 1);
  return { sy, sx, py, px, dy, dx, groups };
}

function checkBias(op: string, bias: Tensor | null, k: number): void {
  if (bias && shapeText(bias.shape) !== `[${k}]`)
    throw new ShapeError(`${op}: bias ${shapeText(bias.shape)} for ${k} output channels`);
}

/** Kernel parameters for an input [N,H,W,C] and weights [KH,KW,C/groups,K], with all shapes checked. */
function geometry(
  op: string,
  input: readonly number[],
  weight: readonly number[],
  options: Conv2dOptions,
): kernels.Conv2dParams {
  const { sy, sx, py, px, dy, dx, groups } = numbers(op, options);
  if (input.length !== 4 || weight.length !== 4) {
    throw new ShapeError(
      `${op}: needs x [N,H,W,C] and weights [KH,KW,C/groups,K], got ${shapeText(input)} and ${shapeText(weight)}`,
    );
  }
  const [n, h, w, c] = input;
  const [kh, kw, ci, k] = weight;
  if (c !== ci * groups || k % groups !== 0) {
    throw new ShapeError(
      `${op}: ${c} input channels, ${groups} group(s) and weights ${shapeText(weight)} do not fit; ` +
        `weights need ${c / groups} input channels and a multiple of ${groups} outputs`,
    );
  }
  if (kh < 1 || kw < 1) throw new ShapeError(`${op}: weights ${shapeText(weight)} hold no kernel`);
  const oh = Math.floor((h + 2 * py - dy * (kh - 1) - 1) / sy) + 1;
  const ow = Math.floor((w + 2 * px - dx * (kw - 1) - 1) / sx) + 1;
  if (oh < 1 || ow < 1) {
    throw new ShapeError(
      `${op}: a ${h}x${w} image is smaller than the ${kh}x${kw} kernel (dilation ${dy}, padding ${py})`,
    );
  }
  return { n, h, w, c, oh, ow, k, kh, kw, sy, sx, py, px, dy, dx, groups };
}

/**
 * Cross-correlation of x [N,H,W,C] with weight [KH,KW,C/groups,K], plus bias [K]: [N,OH,OW,K] with
 * OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1. PyTorch's `nn.functional.conv2d`, channels last.
 * @param options.activation applied to the result; beside a bias in the same pass over memory.
 * @throws ShapeError for shapes that do not fit each other, and options that are no whole numbers or out of range.
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv2dOptions & { activation?: Activation } = {},
): Tensor {
  const { activation } = options;
  const p = geometry('conv2d', x.shape, weight.shape, options);
  checkBias('conv2d', bias, p.k);
  if (activation && !bias) return activate[activation](forward(x, weight, p));
  const y = empty([p.n, p.oh, p.ow, p.k], 'f32', x.device);
  if (bias) launch(kernels.conv2dBias[activation ?? 'plain'], p, { x, w: weight, b: bias, y });
  else launch(kernels.conv2d, p, { x, w: weight, y });
  return record('conv2d', bias ? [x, weight, bias] : [x, weight], y, (cotangent, [needX, needW, needB]) => {
    const g = activation ? activationGradient[activation](cotangent, y) : cotangent;
    return [
      needX ? inputGrad(g, weight, p) : null,
      needW ? weightGrad(x, g, p) : null,
      needB ? sum(g, [0, 1, 2]) : null,
    ];
  });
}

function inputGrad(g: Tensor, w: Tensor, p: kernels.Conv2dParams): Tensor {
  const dx = empty([p.n, p.h, p.w, p.c], 'f32', g.device);
  const wt = noGrad(() => permute(w, [0, 1, 3, 2]));
  launch(kernels.conv2dInputGrad, p, { g, wt, dx });
  return record('conv2dInputGrad', [g, w], dx, (c, [needG, needW]) => [
    needG ? forward(c, w, p) : null,
    needW ? weightGrad(c, g, p) : null,
  ]);
}

function weightGrad(x: Tensor, g: Tensor, p: kernels.Conv2dParams): Tensor {
  const splits = kernels.weightGradSplits(p);
  const shape = [p.kh, p.kw, p.c / p.groups, p.k];
  const size = shape.reduce((a, b) => a * b, 1);
  const parts = empty([splits, ...shape], 'f32', x.device);
  launch(kernels.conv2dWeightGrad, { ...p, splits }, { x, g, dw: parts });
  const dw = (splits === 1 ? parts : fold(reduceSum, parts, 1, splits, size)).view(shape);
  return record('conv2dWeightGrad', [x, g], dw, (c, [needX, needG]) => [
    needX ? inputGrad(g, c, p) : null,
    needG ? forward(x, c, p) : null,
  ]);
}

function forward(x: Tensor, w: Tensor, p: kernels.Conv2dParams): Tensor {
  return conv2d(x, w, null, {
    stride: [p.sy, p.sx],
    padding: [p.py, p.px],
    dilation: [p.dy, p.dx],
    groups: p.groups,
  });
}

/**
 * Transposed convolution: the input gradient of a convolution, run forward. x is [N,H,W,C]; weight [KH,KW,K/groups,C] is
 * that convolution's, from K to C channels; the result is [N,OH,OW,K] with
 * OH = (H - 1) stride - 2 padding + dilation (KH - 1) + outputPadding + 1.
 * PyTorch's `conv_transpose2d`, but that `outputPadding` must be less than the stride also where the dilation is larger.
 * @throws ShapeError as `conv2d`.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv2dOptions & { outputPadding?: Pair } = {},
): Tensor {
  const { sy, sx, py, px, dy, dx, groups } = numbers('convTranspose2d', options);
  const [ey, ex] = pairOf('convTranspose2d', 'outputPadding', options.outputPadding ?? 0, 0);
  if (x.shape.length !== 4 || weight.shape.length !== 4 || weight.shape[3] !== x.shape[3]) {
    throw new ShapeError(
      `convTranspose2d: needs x [N,H,W,C] and weights [KH,KW,K/groups,C], got ${shapeText(x.shape)} and ${shapeText(weight.shape)}`,
    );
  }
  const [n, h, w] = x.shape;
  const [kh, kw, perGroup] = weight.shape;
  const k = perGroup * groups;
  const oh = (h - 1) * sy - 2 * py + dy * (kh - 1) + ey + 1;
  const ow = (w - 1) * sx - 2 * px + dx * (kw - 1) + ex + 1;
  checkBias('convTranspose2d', bias, k);
  if (oh < 1 || ow < 1) {
    throw new ShapeError(
      `convTranspose2d: padding ${py},${px} leaves nothing of ${shapeText(x.shape)} under a ${kh}x${kw} kernel`,
    );
  }
  const p = geometry('convTranspose2d', [n, oh, ow, k], weight.shape, options);
  if (p.oh !== h || p.ow !== w) {
    throw new ShapeError(
      `convTranspose2d: output padding ${ey},${ex} must be smaller than the stride ${sy},${sx}`,
    );
  }
  const y = inputGrad(x, weight, p);
  return bias ? add(y, bias) : y;
}
