import { type ReduceParams, reduceSum } from '../../kernels/reduce.ts';
import { record } from '../autograd/tape.ts';
import { empty, launch, type Shape, ShapeError, shapeText, sizeOf, type Tensor } from '../autograd/tensor.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { axisOf, permute, reshape, stridedCopy, stridesOf } from './movement.ts';

// Longer axes are reduced in chunks of this many values, and the chunks again. Few lines that are very long have longer chunks: a GPU
// gives each a workgroup, whose invocations should have more than a handful to add.
const CHUNK = 256;
const LONG_CHUNK = 1024;
const chunkOf = (reduce: number, inner: number) =>
  reduce <= 2 * CHUNK ? Math.max(1, reduce) : inner < 8 && reduce >= 2 ** 18 ? LONG_CHUNK : CHUNK;

/** Axes of a reduction, sorted; all of them when none are named. */
export function reducedAxes(op: string, x: Tensor, axes?: readonly number[]): number[] {
  const all = axes ?? x.shape.map((_, i) => i);
  return [...new Set(all.map((axis) => axisOf(op, axis, x.shape.length)))].sort((a, b) => a - b);
}

/** @throws ShapeError where there is nothing to reduce: no values have a mean or a maximum, only a sum. */
export function expectValues(op: string, x: Tensor, axes: readonly number[]): void {
  if (axes.some((axis) => x.shape[axis] === 0))
    throw new ShapeError(`${op}: no values along axes [${axes}] of ${shapeText(x.shape)}`);
}

/** x with the reduced axes adjacent, and the sizes before, in and after them. */
export function middle(
  x: Tensor,
  axes: readonly number[],
): { x: Tensor; outer: number; reduce: number; inner: number } {
  const adjacent = axes.every((axis, i) => i === 0 || axis === axes[i - 1] + 1);
  if (adjacent) {
    const first = axes[0] ?? 0;
    const last = axes.length > 0 ? axes[axes.length - 1] + 1 : 0;
    return {
      x,
      outer: sizeOf(x.shape.slice(0, first)),
      reduce: sizeOf(x.shape.slice(first, last)),
      inner: sizeOf(x.shape.slice(last)),
    };
  }
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  return {
    x: permute(x, [...kept, ...axes]),
    outer: kept.reduce((n, axis) => n * x.shape[axis], 1),
    reduce: axes.reduce((n, axis) => n * x.shape[axis], 1),
    inner: 1,
  };
}

/** Reduces the middle axis with a kernel, in as many passes as its length needs. */
export function fold(
  kernel: Kernel<ReduceParams>,
  x: Tensor,
  outer: number,
  reduce: number,
  inner: number,
): Tensor {
  const chunk = chunkOf(reduce, inner);
  const chunks = Math.max(1, Math.ceil(reduce / chunk));
  const y = empty([outer, chunks, inner], 'f32', x.device);
  launch(kernel, { outer, reduce, inner, chunk }, { x, y });
  return chunks === 1 ? y : fold(kernel, y, outer, chunks, inner);
}

/** Shape with the axes removed, or kept with length one. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepDims: boolean): number[] =>
  keepDims ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));

/** Sum over `axes` (all when left out). */
export function sum(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const over = reducedAxes('sum', x, axes);
  const shape = reducedShape(x.shape, over, keepDims);
  if (over.every((axis) => x.shape[axis] === 1)) return reshape(x, shape);
  const m = middle(x, over);
  const y = fold(reduceSum, m.x, m.outer, m.reduce, m.inner).view(shape);
  return record('sum', [x], y, (g) => [broadcastTo(reshape(g, reducedShape(x.shape, over, true)), x.shape)]);
}

/** Shape to which all given shapes broadcast, NumPy's rule. */
export function broadcastShape(op: string, ...shapes: Shape[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const shape of shapes) {
      const d = shape[i - rank + shape.length] ?? 1;
      if (d !== 1 && size !== 1 && d !== size) {
        throw new ShapeError(`${op}: ${shapes.map(shapeText).join(' and ')} do not broadcast`);
      }
      if (d !== 1) size = d;
    }
    return size;
  });
}

/** x repeated along axes of length one (and new leading axes) until it has `shape`. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (shapeText(x.shape) === shapeText(shape)) return x;
  if (x.shape.length > shape.length)
    throw new ShapeError(`broadcastTo: ${shapeText(x.shape)} has more axes than ${shapeText(shape)}`);
  const padded = [...new Array(shape.length - x.shape.length).fill(1), ...x.shape];
  if (shapeText(broadcastShape('broadcastTo', padded, shape)) !== shapeText(shape)) {
    throw new ShapeError(`broadcastTo: ${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}`);
  }
  const strides = stridesOf(padded).map((s, i) => (padded[i] === 1 ? 0 : s));
  const y = stridedCopy('broadcastTo', x, shape, strides, 0);
  return record('broadcastTo', [x], y, (g) => [sumTo(g, x.shape)]);
}

/**
 * Sum of x over every axis along which `shape` was repeated: the adjoint of `broadcastTo`.
 * @throws ShapeError where `shape` does not broadcast to that of x.
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (shapeText(x.shape) === shapeText(shape)) return x;
  const lead = x.shape.length - shape.length;
  if (lead < 0 || shapeText(broadcastShape('sumTo', x.shape, shape)) !== shapeText(x.shape))
    throw new ShapeError(`sumTo: ${shapeText(shape)} does not broadcast to ${shapeText(x.shape)}`);
  const axes = x.shape
    .map((_, i) => i)
    .filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  return reshape(sum(x, axes), shape);
}
