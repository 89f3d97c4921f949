import * as kernels from '../../kernels/reduce.ts';
import { noGrad, record, stopGradient } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { add, affine, clamp, exp, log, mul, rsqrt, sqrt, square, sub } from './elementwise.ts';
import { axisOf, reshape } from './movement.ts';
import { expectValues, fold, middle, reducedAxes, reducedShape, sum } from './sum.ts';

/** Mean over `axes` (all when left out). */
export function mean(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const over = reducedAxes('mean', x, axes);
  expectValues('mean', x, over);
  const count = over.reduce((n, axis) => n * x.shape[axis], 1);
  return affine(sum(x, over, keepDims), 1 / count, 0);
}

/** Variance over `axes`, divided by the count (not the count less one). */
export function variance(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  return mean(square(sub(x, mean(x, axes, true))), axes, keepDims);
}

/** Euclidean norm of all values. Its gradient at zero is zero. */
export function l2Norm(x: Tensor): Tensor {
  const y = noGrad(() => sqrt(sum(square(x))));
  return record('l2Norm', [x], y, (g) => [
    // The tiny term makes 0 / 0 a zero; elsewhere it vanishes in f32.
    mul(x, mul(g, rsqrt(add(sum(square(x)), 1e-30)))),
  ]);
}

/** Greatest value along `axis`; the gradient goes to the first of equal ones. */
export const max = (x: Tensor, axis: number, keepDims = false): Tensor =>
  extreme('max', kernels.argmax, x, axis, keepDims);

/** Least value along `axis`; the gradient goes to the first of equal ones. */
export const min = (x: Tensor, axis: number, keepDims = false): Tensor =>
  extreme('min', kernels.argmin, x, axis, keepDims);

function extreme(
  op: string,
  kernel: typeof kernels.argmax,
  x: Tensor,
  axis: number,
  keepDims: boolean,
): Tensor {
  const at = axisOf(op, axis, x.shape.length);
  return pick(x, argReduce(op, kernel, x, at), at, keepDims);
}

function argReduce(op: string, kernel: typeof kernels.argmax, x: Tensor, at: number): Tensor {
  expectValues(op, x, [at]);
  const { outer, reduce, inner } = middle(x, [at]);
  const y = empty(reducedShape(x.shape, [at], false), 'i32', x.device);
  launch(kernel, { outer, reduce, inner }, { x, y });
  return y;
}

/** Index (i32) of the greatest value along `axis`; the first of equal ones. */
export const argmax = (x: Tensor, axis: number): Tensor =>
  argReduce('argmax', kernels.argmax, x, axisOf('argmax', axis, x.shape.length));

/** Index (i32) of the least value along `axis`; the first of equal ones. */
export const argmin = (x: Tensor, axis: number): Tensor =>
  argReduce('argmin', kernels.argmin, x, axisOf('argmin', axis, x.shape.length));

/**
 * Values at `index` (i32, x's shape without `axis`) along `axis`; every index within it, which nothing checks.
 * @throws ShapeError for an index of another shape.
 */
export function pick(x: Tensor, index: Tensor, axis: number, keepDims = false): Tensor {
  const at = axisOf('pick', axis, x.shape.length);
  const wanted = shapeText(reducedShape(x.shape, [at], false));
  if (shapeText(index.shape) !== wanted)
    throw new ShapeError(
      `pick: index ${shapeText(index.shape)} along axis ${at} of ${shapeText(x.shape)}, expected ${wanted}`,
    );
  const { outer, reduce, inner } = middle(x, [at]);
  const y = empty(reducedShape(x.shape, [at], keepDims), 'f32', x.device);
  launch(kernels.pick, { outer, reduce, inner }, { x, index, y });
  return record('pick', [x], y, (g) => [place(g, index, at, reduce, x.shape)]);
}

/** Adjoint of `pick`: values at their index along `axis`, zeros elsewhere. */
function place(x: Tensor, index: Tensor, at: number, reduce: number, shape: readonly number[]): Tensor {
  const y = empty(shape, 'f32', x.device);
  const outer = shape.slice(0, at).reduce((n, d) => n * d, 1);
  const inner = shape.slice(at + 1).reduce((n, d) => n * d, 1);
  launch(kernels.place, { outer, reduce, inner }, { x, index, y });
  return record('place', [x], y, (g) => [reshape(pick(g, index, at), x.shape)]);
}

/** Greatest of all values over `axes`, constant to every gradient. */
export function maxValue(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const over = reducedAxes('maxValue', x, axes);
  expectValues('maxValue', x, over);
  const m = middle(x, over);
  return fold(kernels.reduceMax, m.x, m.outer, m.reduce, m.inner).view(reducedShape(x.shape, over, keepDims));
}

/** Least of all values over `axes`, constant to every gradient. */
export function minValue(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const over = reducedAxes('minValue', x, axes);
  expectValues('minValue', x, over);
  const m = middle(x, over);
  return fold(kernels.reduceMin, m.x, m.outer, m.reduce, m.inner).view(reducedShape(x.shape, over, keepDims));
}

const LARGEST = 3.4028234663852886e38;

/** ln sum e^x over `axes`, with the maximum taken out first. */
export function logSumExp(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const over = reducedAxes('logSumExp', x, axes);
  // Of infinite values the largest finite one is taken out: infinity less infinity is no number.
  const top = stopGradient(noGrad(() => clamp(maxValue(x, over, true), -LARGEST, LARGEST)));
  const total = add(log(sum(exp(sub(x, top)), over, true)), top);
  return reshape(total, reducedShape(x.shape, over, keepDims));
}

/** e^x / sum e^x along `axis`. */
export function softmax(x: Tensor, axis: number): Tensor {
  const at = axisOf('softmax', axis, x.shape.length);
  const { outer, reduce, inner } = middle(x, [at]);
  const y = empty(x.shape, 'f32', x.device);
  launch(kernels.softmax, { outer, reduce, inner }, { x, y });
  return record('softmax', [x], y, (g) => [softmaxGrad(g, y, at)]);
}

function softmaxGrad(g: Tensor, y: Tensor, at: number): Tensor {
  const { outer, reduce, inner } = middle(y, [at]);
  const dx = empty(y.shape, 'f32', y.device);
  launch(kernels.softmaxGrad, { outer, reduce, inner }, { g, y, dx });
  // dx = y g - y sum(g y); c below is the cotangent of dx.
  return record('softmaxGrad', [g, y], dx, (c, [needG, needY]) => [
    needG ? softmaxGrad(c, y, at) : null,
    needY ? sub(mul(c, sub(g, sum(mul(g, y), [at], true))), mul(g, sum(mul(c, y), [at], true))) : null,
  ]);
}

/** x - ln sum e^x along `axis`. The maximum is taken out of x and never added back: scores of 1e5 keep their digits. */
export function logSoftmax(x: Tensor, axis: number): Tensor {
  const shifted = sub(x, stopGradient(noGrad(() => maxValue(x, [axis], true))));
  return sub(shifted, log(sum(exp(shifted), [axis], true)));
}
