import * as kernels from '../../kernels/geometry.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { reshape } from './movement.ts';
import { sum } from './sum.ts';

function expectShape(op: string, what: string, x: Tensor, shape: readonly number[]): void {
  if (shapeText(x.shape) !== shapeText(shape) || x.dtype !== 'f32') {
    throw new ShapeError(
      `${op}: ${what} is ${shapeText(x.shape)} ${x.dtype}, expected ${shapeText(shape)} f32`,
    );
  }
}

function expectDepth(op: string, depth: Tensor): { n: number; h: number; w: number } {
  const [n, h, w, one] = depth.shape;
  if (depth.shape.length !== 4 || one !== 1 || depth.dtype !== 'f32') {
    throw new ShapeError(`${op}: depth is ${shapeText(depth.shape)} ${depth.dtype}, expected [N,H,W,1] f32`);
  }
  return { n, h, w };
}

/**
 * Rigid transforms from axis-angle vectors and translations: Trans(t) Rot(v), or with `invert` its inverse
 * Rot(v)^T Trans(-t). Right for every angle; at zero rotation the gradient is the limit, not zero. First order only.
 * @param axisAngle [N,3], radians: the direction is the axis, the length the angle.
 * @param translation [N,3], in the unit of the depth.
 * @returns [N,4,4], row-major, acting on column vectors.
 * Source: Monodepth2 layers.py, whose axis v / (|v| + 1e-7) is taken without the 1e-7.
 */
export function poseMatrix(
  axisAngle: Tensor,
  translation: Tensor,
  options: { invert?: boolean } = {},
): Tensor {
  const n = axisAngle.shape[0];
  expectShape('poseMatrix', 'axisAngle', axisAngle, [n, 3]);
  expectShape('poseMatrix', 'translation', translation, [n, 3]);
  const params = { n, invert: options.invert ? 1 : 0 };
  const matrix = empty([n, 4, 4], 'f32', axisAngle.device);
  launch(kernels.poseMatrix, params, { axisAngle, translation, matrix });
  const inputs = [axisAngle, translation];
  return record('poseMatrix', inputs, matrix, (g, [needAxis, needShift]) => {
    const dAxisAngle = empty([n, 3], 'f32', g.device);
    const dTranslation = empty([n, 3], 'f32', g.device);
    launch(kernels.poseMatrixGrad, params, { axisAngle, translation, g, dAxisAngle, dTranslation });
    return [
      needAxis ? firstOrderOnly('poseMatrixGrad', [...inputs, g], dAxisAngle) : null,
      needShift ? firstOrderOnly('poseMatrixGrad', [...inputs, g], dTranslation) : null,
    ];
  });
}

/**
 * K T without the last row: what takes a point in one camera to pixels of the other. Differentiable in T only.
 * @param K [N,3,3] in pixels.
 * @param T [N,4,4] from the one camera to the other.
 * @returns [N,3,4].
 */
export function composeProjection(K: Tensor, T: Tensor): Tensor {
  const n = K.shape[0];
  expectShape('composeProjection', 'K', K, [n, 3, 3]);
  expectShape('composeProjection', 'T', T, [n, 4, 4]);
  const projection = empty([n, 3, 4], 'f32', T.device);
  launch(kernels.composeProjection, { n }, { intrinsics: K, pose: T, projection });
  return record('composeProjection', [T], projection, (g) => [composeGrad(K, g)]);
}

function composeGrad(K: Tensor, g: Tensor): Tensor {
  const n = K.shape[0];
  const dPose = empty([n, 4, 4], 'f32', g.device);
  launch(kernels.composeProjectionGrad, { n }, { intrinsics: K, g, dPose });
  return record('composeProjectionGrad', [g], dPose, (c) => [composeProjection(K, c)]);
}

/**
 * Points in camera coordinates, P = D K^-1 (x, y, 1), pixel centres at integers. Differentiable in the depth only.
 * @param depth [N,H,W,1], z-depth (not the length of the ray).
 * @param inverseK [N,3,3].
 * @returns [N,H,W,3], in the unit of the depth.
 */
export function backproject(depth: Tensor, inverseK: Tensor): Tensor {
  const p = expectDepth('backproject', depth);
  expectShape('backproject', 'inverseK', inverseK, [p.n, 3, 3]);
  const points = empty([p.n, p.h, p.w, 3], 'f32', depth.device);
  launch(kernels.backproject, p, { depth, inverseK, points });
  return record('backproject', [depth], points, (g) => [backprojectGrad(g, inverseK)]);
}

function backprojectGrad(g: Tensor, inverseK: Tensor): Tensor {
  const [n, h, w] = g.shape;
  const dDepth = empty([n, h, w, 1], 'f32', g.device);
  launch(kernels.backprojectGrad, { n, h, w }, { inverseK, g, dDepth });
  return record('backprojectGrad', [g], dDepth, (c) => [backproject(c, inverseK)]);
}

// Pixels whose twelve sums one invocation gathers.
const CHUNK = 128;

/**
 * Where each pixel of a depth map lies in another camera, as a grid for `gridSample` with `alignCorners: true`:
 * P = D K^-1 (x, y, 1), (a, b, c) = projection (P, 1), u = a / (c + 1e-7), v = b / (c + 1e-7), then
 * (2 u / (W-1) - 1, 2 v / (H-1) - 1).
 *
 * As in the source nothing guards c <= 0: a point behind the other camera lands, mirrored, wherever the division
 * puts it, usually outside the image. Differentiable once, in depth and projection; K gets no gradient.
 * @param depth [N,H,W,1], z-depth; H, W >= 2.
 * @param inverseK [N,3,3] of the camera that sees the depth.
 * @param projection [N,3,4], see `composeProjection`.
 * @returns [N,H,W,2] as (x, y).
 * Source: Monodepth2 layers.py, BackprojectDepth and Project3D.
 */
export function projectGrid(depth: Tensor, inverseK: Tensor, projection: Tensor): Tensor {
  const p = expectDepth('projectGrid', depth);
  if (p.h < 2 || p.w < 2)
    throw new ShapeError(`projectGrid: depth is ${shapeText(depth.shape)}, H and W must be at least 2`);
  expectShape('projectGrid', 'inverseK', inverseK, [p.n, 3, 3]);
  expectShape('projectGrid', 'projection', projection, [p.n, 3, 4]);
  const grid = empty([p.n, p.h, p.w, 2], 'f32', depth.device);
  launch(kernels.projectGrid, p, { depth, inverseK, projection, grid });
  const inputs = [depth, projection];
  return record('projectGrid', inputs, grid, (g, [needDepth, needProjection]) => {
    let dDepth: Tensor | null = null;
    if (needDepth) {
      dDepth = empty(depth.shape, 'f32', g.device);
      launch(kernels.projectGridGradDepth, p, { depth, inverseK, projection, g, dDepth });
      firstOrderOnly('projectGridGradDepth', [...inputs, g], dDepth);
    }
    if (!needProjection) return [dDepth, null];
    const params = { ...p, chunk: CHUNK };
    const partial = empty([p.n, kernels.chunksOf(params), 12], 'f32', g.device);
    launch(kernels.projectGridGradProjection, params, { depth, inverseK, projection, g, partial });
    firstOrderOnly('projectGridGradProjection', [...inputs, g], partial);
    return [dDepth, reshape(sum(partial, [1]), [p.n, 3, 4])];
  });
}
