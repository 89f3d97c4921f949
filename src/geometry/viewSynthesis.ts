// One view from another, through depth and relative pose: the warp of self-supervised depth (Monodepth2 layers.py, BackprojectDepth and Project3D).
import type { Tensor } from '../autograd/tensor.ts';
import { affine, reciprocal } from '../ops/elementwise.ts';
import { composeProjection, projectGrid } from '../ops/geometry.ts';
import { gridSample } from '../ops/gridSample.ts';

/**
 * Depth from the network's sigmoid output: 1 / (1/max + (1/min - 1/max) disp).
 * @param disp in (0, 1), any shape; large is near.
 * @param minDepth depth at disp = 1, such as 0.1.
 * @param maxDepth depth at disp = 0, such as 100; same unit.
 */
export const dispToDepth = (disp: Tensor, minDepth: number, maxDepth: number): Tensor =>
  reciprocal(affine(disp, 1 / minDepth - 1 / maxDepth, 1 / maxDepth));

/**
 * Where the pixels of a depth map lie in another view: a grid for `gridSample` with `alignCorners: true`.
 * @param depth [N,H,W,1], z-depth in the target view.
 * @param K camera matrix [N,3,3] in pixels, the same for both views.
 * @param inverseK [N,3,3].
 * @param T [N,4,4], target camera to source camera.
 * @returns [N,H,W,2]; nothing guards points behind the source camera, see `projectGrid`.
 */
export const project = (depth: Tensor, K: Tensor, inverseK: Tensor, T: Tensor): Tensor =>
  projectGrid(depth, inverseK, composeProjection(K, T));

/**
 * The target view painted with the source view's colours: bilinear, border padding, pixel centres at integers.
 * Gradients reach source, depth and T.
 * @param source [N,H,W,C]; the other arguments are those of `project`.
 * @returns [N,H,W,C].
 */
export const viewSynthesis = (
  source: Tensor,
  depth: Tensor,
  K: Tensor,
  inverseK: Tensor,
  T: Tensor,
): Tensor => gridSample(source, project(depth, K, inverseK, T), { padding: 'border', alignCorners: true });
