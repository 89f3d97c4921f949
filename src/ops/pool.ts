import * as kernels from '../../kernels/pool.ts';
import { noGrad, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { imageShape, type Pair, pairOf, sizeTo } from './image.ts';
import { mean } from './reduce.ts';

/** Window of a pooling op, in pixels; `stride` is the kernel's size and `padding` 0 where left out. */
export interface PoolOptions {
  kernel: Pair;
  stride?: Pair;
  padding?: Pair;
}

function poolParams(op: string, x: Tensor, options: PoolOptions): kernels.PoolParams {
  const { n, h, w, c } = imageShape(op, x);
  const [kh, kw] = pairOf(op, 'kernel', options.kernel, 1);
  const [sh, sw] = pairOf(op, 'stride', options.stride ?? options.kernel, 1);
  const [ph, pw] = pairOf(op, 'padding', options.padding ?? 0, 0);
  // With more padding a window could hold nothing but padding.
  if (2 * ph > kh || 2 * pw > kw) {
    throw new ShapeError(`${op}: padding [${ph},${pw}] is more than half the kernel [${kh},${kw}]`);
  }
  const oh = Math.floor((h + 2 * ph - kh) / sh) + 1;
  const ow = Math.floor((w + 2 * pw - kw) / sw) + 1;
  if (oh < 1 || ow < 1) {
    throw new ShapeError(
      `${op}: kernel [${kh},${kw}] does not fit ${shapeText(x.shape)} with padding [${ph},${pw}]`,
    );
  }
  return { n, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw };
}

const inputShape = (p: kernels.AdaptivePoolParams) => [p.n, p.h, p.w, p.c];
const outputShape = (p: kernels.AdaptivePoolParams) => [p.n, p.oh, p.ow, p.c];

/**
 * Greatest value of every window; the gradient goes to the first of equal ones. Padding never wins.
 * @param x [N,H,W,C], f32
 * @returns [N,OH,OW,C], OH = floor((H + 2 padding - kernel) / stride) + 1
 * @throws ShapeError for other shapes, padding above half the kernel, and windows larger than the padded image.
 * Source: torch.nn.MaxPool2d.
 */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  const p = poolParams('maxPool2d', x, options);
  const y = empty(outputShape(p), 'f32', x.device);
  const index = empty(outputShape(p), 'i32', x.device);
  launch(kernels.maxPool, p, { x, y, index });
  return record('maxPool2d', [x], y, (g) => [unpool(g, index, p)]);
}

/** g at the places of the maxima, zeros elsewhere. */
function unpool(g: Tensor, index: Tensor, p: kernels.PoolParams): Tensor {
  const dx = empty(inputShape(p), 'f32', g.device);
  launch(kernels.maxPoolAdjoint, p, { g, index, dx });
  return record('unpool', [g], dx, (c) => [pickMaxima(c, index, p)]);
}

/** Values at the places of the maxima: the adjoint of `unpool`. */
function pickMaxima(x: Tensor, index: Tensor, p: kernels.PoolParams): Tensor {
  const y = empty(outputShape(p), 'f32', x.device);
  launch(kernels.maxPoolPick, p, { x, index, y });
  return record('pickMaxima', [x], y, (g) => [unpool(g, index, p)]);
}

/**
 * Mean of every window.
 * @param x [N,H,W,C], f32
 * @param options.countIncludePad whether the zeros of the padding count in the mean; true as in PyTorch
 * @returns [N,OH,OW,C], OH = floor((H + 2 padding - kernel) / stride) + 1
 * @throws ShapeError for other shapes, padding above half the kernel, and windows larger than the padded image.
 * Source: torch.nn.AvgPool2d.
 */
export function avgPool2d(x: Tensor, options: PoolOptions & { countIncludePad?: boolean }): Tensor {
  const includePad = (options.countIncludePad ?? true) ? 1 : 0;
  return average('avgPool2d', kernels.avgPool, { ...poolParams('avgPool2d', x, options), includePad }, x);
}

type Averages<P extends kernels.AdaptivePoolParams> = {
  forward: Kernel<P>;
  adjoint: Kernel<P>;
};

function average<P extends kernels.AdaptivePoolParams>(
  op: string,
  pair: Averages<P>,
  p: P,
  x: Tensor,
): Tensor {
  const y = empty(outputShape(p), 'f32', x.device);
  launch(pair.forward, p, { x, y });
  return record(op, [x], y, (g) => [averageAdjoint(op, pair, p, g)]);
}

function averageAdjoint<P extends kernels.AdaptivePoolParams>(
  op: string,
  pair: Averages<P>,
  p: P,
  g: Tensor,
): Tensor {
  const dx = empty(inputShape(p), 'f32', g.device);
  launch(pair.adjoint, p, { g, dx });
  return record(`${op}Adjoint`, [g], dx, (c) => [average(op, pair, p, c)]);
}

/**
 * Mean over `size[0]` by `size[1]` windows that cover the image: output o of H sees floor(o H / OH) up to
 * ceil((o + 1) H / OH).
 * @param x [N,H,W,C], f32
 * @returns [N,OH,OW,C]
 * @throws ShapeError for other shapes, sizes below 1, and axes of which old and new size have a product above 2^30.
 * Source: torch.nn.AdaptiveAvgPool2d.
 */
export function adaptiveAvgPool2d(x: Tensor, size: readonly [number, number]): Tensor {
  const shape = imageShape('adaptiveAvgPool2d', x);
  const [oh, ow] = sizeTo('adaptiveAvgPool2d', shape, size);
  const p = { ...shape, oh, ow };
  if (oh > 1 || ow > 1) return average('adaptiveAvgPool2d', kernels.adaptiveAvgPool, p, x);
  // One window over everything is one long walk per channel: a reduction in two passes spreads it.
  const y = noGrad(() => mean(x, [1, 2], true));
  return record('adaptiveAvgPool2d', [x], y, (g) => [
    averageAdjoint('adaptiveAvgPool2d', kernels.adaptiveAvgPool, p, g),
  ]);
}

/** Mean over all positions: [N,H,W,C] to [N,1,1,C]. */
export const globalAvgPool = (x: Tensor): Tensor => adaptiveAvgPool2d(x, [1, 1]);
