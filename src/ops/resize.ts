import * as kernels from '../../kernels/resize.ts';
import { record } from '../autograd/tape.ts';
import { empty, launch, sizeOf, type Tensor } from '../autograd/tensor.ts';
import { imageShape, sizeTo } from './image.ts';

type Size = readonly [number, number];

/**
 * x resized to `size` = [OH, OW]: output [o, q] copies input [floor(o H / OH), floor(q W / OW)].
 * @param x [N,H,W,C], f32
 * @returns [N,OH,OW,C]
 * @throws ShapeError for other shapes, sizes below 1, and axes of which old and new size have a product above 2^30.
 * Source: torch.nn.functional.interpolate, mode 'nearest'.
 */
export function resizeNearest(x: Tensor, size: Size): Tensor {
  const shape = imageShape('resizeNearest', x);
  const [oh, ow] = sizeTo('resizeNearest', shape, size);
  return nearest(x, { ...shape, oh, ow });
}

function nearest(x: Tensor, p: kernels.ResizeParams): Tensor {
  const y = empty([p.n, p.oh, p.ow, p.c], 'f32', x.device);
  launch(kernels.nearest, p, { x, y });
  return record('resizeNearest', [x], y, (g) => [nearestAdjoint(g, p)]);
}

function nearestAdjoint(g: Tensor, p: kernels.ResizeParams): Tensor {
  const dx = empty([p.n, p.h, p.w, p.c], 'f32', g.device);
  launch(kernels.nearestAdjoint, p, { g, dx });
  return record('resizeNearestAdjoint', [g], dx, (c) => [nearest(c, p)]);
}

/**
 * x resized to `size` = [OH, OW] with bilinear weights, without smoothing when it shrinks.
 * Source positions are (o + 1/2) H / OH - 1/2, not below 0, or with `alignCorners` o (H - 1) / (OH - 1).
 * @param x [N,H,W,C], f32
 * @returns [N,OH,OW,C]
 * @throws ShapeError for other shapes, sizes below 1, and axes of which old and new size have a product above 2^30.
 * Source: torch.nn.functional.interpolate, mode 'bilinear'.
 */
export function resizeBilinear(x: Tensor, size: Size, options: { alignCorners?: boolean } = {}): Tensor {
  const shape = imageShape('resizeBilinear', x);
  const { h, w, c } = shape;
  const [oh, ow] = sizeTo('resizeBilinear', shape, size);
  const alignCorners = options.alignCorners ? 1 : 0;
  // Without four channels to a vector, the pass along H still has them, in W C.
  if (c % 4 !== 0) return alongAxis(alongAxis(x, 2, ow, alignCorners), 1, oh, alignCorners);
  const y = empty([shape.n, oh, ow, c], 'f32', x.device);
  launch(kernels.bilinear, { ...shape, oh, ow, alignCorners }, { x, y });
  return record('resizeBilinear', [x], y, (g) => [
    alongAxisAdjoint(alongAxisAdjoint(g, 1, h, alignCorners), 2, w, alignCorners),
  ]);
}

const withSize = (x: Tensor, axis: number, size: number): number[] =>
  x.shape.map((d, i) => (i === axis ? size : d));

/** Linear interpolation along one axis. */
function alongAxis(x: Tensor, axis: number, count: number, alignCorners: number): Tensor {
  const size = x.shape[axis];
  const y = empty(withSize(x, axis, count), 'f32', x.device);
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  launch(kernels.linearAxis, { outer, size, count, inner, alignCorners }, { x, y });
  return record('resizeLinear', [x], y, (g) => [alongAxisAdjoint(g, axis, size, alignCorners)]);
}

/** The adjoint of `alongAxis` from `size` values. */
function alongAxisAdjoint(g: Tensor, axis: number, size: number, alignCorners: number): Tensor {
  const count = g.shape[axis];
  const dx = empty(withSize(g, axis, size), 'f32', g.device);
  const outer = sizeOf(g.shape.slice(0, axis));
  const inner = sizeOf(g.shape.slice(axis + 1));
  launch(kernels.linearAxisAdjoint, { outer, size, count, inner, alignCorners }, { g, dx });
  return record('resizeLinearAdjoint', [g], dx, (c) => [alongAxis(c, axis, count, alignCorners)]);
}
