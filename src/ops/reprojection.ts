import * as kernels from '../../kernels/reprojection.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { reshape } from './movement.ts';
import { sum } from './sum.ts';

/** How many times over `all` holds the `n` images of another tensor. */
function viewsOf(op: string, what: string, all: Tensor, n: number): number {
  const views = all.shape[0] / n;
  if (!Number.isInteger(views) || views < 1) {
    throw new ShapeError(
      `${op}: ${what} ${shapeText(all.shape)}, expected a whole number of views of ${n} images`,
    );
  }
  return views;
}

function expect(op: string, what: string, x: Tensor, shape: readonly number[], dtype = 'f32'): void {
  if (shapeText(x.shape) !== shapeText(shape) || x.dtype !== dtype) {
    throw new ShapeError(
      `${op}: ${what} is ${shapeText(x.shape)} ${x.dtype}, expected ${shapeText(shape)} ${dtype}`,
    );
  }
}

/**
 * What takes a pixel (x, y) of depth D to pixels of other views: K T[0:3] diag(K^-1, 1), to be applied to (D x, D y, D, 1).
 * Differentiable in T only.
 * @param K camera matrices [N,3,3] in pixels, the same for an image and its views.
 * @param inverseK [N,3,3].
 * @param T [S N,4,4], from an image's camera to those of its S views; entry s N + i belongs to image i.
 * @returns [S N,3,4].
 */
export function pixelProjection(K: Tensor, inverseK: Tensor, T: Tensor): Tensor {
  const n = K.shape[0];
  const views = viewsOf('pixelProjection', 'T', T, n);
  expect('pixelProjection', 'K', K, [n, 3, 3]);
  expect('pixelProjection', 'inverseK', inverseK, [n, 3, 3]);
  expect('pixelProjection', 'T', T, [views * n, 4, 4]);
  const projection = empty([views * n, 3, 4], 'f32', T.device);
  launch(kernels.pixelProjection, { n, views }, { intrinsics: K, inverseK, pose: T, projection });
  return record('pixelProjection', [T], projection, (g) => [pixelProjectionGrad(K, inverseK, g)]);
}

function pixelProjectionGrad(K: Tensor, inverseK: Tensor, g: Tensor): Tensor {
  const n = K.shape[0];
  const dPose = empty([g.shape[0], 4, 4], 'f32', g.device);
  launch(kernels.pixelProjectionGrad, { n, views: g.shape[0] / n }, { intrinsics: K, inverseK, g, dPose });
  return record('pixelProjectionGrad', [g], dPose, (c) => [pixelProjection(K, inverseK, c)]);
}

// Pixels of a column whose twelve sums one invocation gathers.
const ROWS = 32;

/**
 * Images painted with the colours of their views: `dispToDepth`, `projectGrid` and `gridSample` (bilinear, border padding,
 * pixel centres at integers) in one kernel. First order only, in disparity and projection; the sources are constants.
 * @param sources [S N,H,W,C], S views of N images; entry s N + i belongs to image i. H, W >= 2.
 * @param disparity [N,H,W,1] in (0, 1), large is near.
 * @param projection [S N,3,4], see `pixelProjection`. As in the source nothing guards points behind a view's camera.
 * @param range depth at disparity 1 and at 0, same unit.
 * @returns [S N,H,W,C].
 * Source: Monodepth2 layers.py and trainer.py (generate_images_pred).
 */
export function synthesizeViews(
  sources: Tensor,
  disparity: Tensor,
  projection: Tensor,
  range: { minDepth: number; maxDepth: number },
): Tensor {
  const [all, h, w, c] = sources.shape;
  const n = disparity.shape[0];
  const views = viewsOf('synthesizeViews', 'sources', sources, n);
  if (sources.shape.length !== 4 || h < 2 || w < 2 || c < 1 || sources.dtype !== 'f32') {
    throw new ShapeError(
      `synthesizeViews: sources ${shapeText(sources.shape)} ${sources.dtype}, expected [S N,H,W,C] f32 with H, W >= 2 and C >= 1`,
    );
  }
  expect('synthesizeViews', 'disparity', disparity, [n, h, w, 1]);
  expect('synthesizeViews', 'projection', projection, [all, 3, 4]);
  const least = 1 / range.maxDepth;
  const p = { n, h, w, c, views, slope: 1 / range.minDepth - least, least };
  const warped = empty(sources.shape, 'f32', sources.device);
  launch(kernels.viewSynthesis, p, { sources, disparity, projection, warped });
  const inputs = [disparity, projection];
  return record('synthesizeViews', inputs, warped, (g, [needDisparity, needProjection]) => {
    const params = { ...p, rows: ROWS };
    const dDisparity = empty(disparity.shape, 'f32', g.device);
    const partial = empty([all, kernels.partialsOf(params), 12], 'f32', g.device);
    launch(kernels.viewSynthesisGrad, params, { sources, disparity, projection, g, dDisparity, partial });
    for (const one of [dDisparity, partial]) firstOrderOnly('viewSynthesisGrad', [...inputs, g], one);
    return [
      needDisparity ? dDisparity : null,
      needProjection ? reshape(sum(partial, [1]), [all, 3, 4]) : null,
    ];
  });
}

/**
 * Least photometric error of several views at each pixel (see `photometricError`), or a bound where that is less:
 * `photometricError` of each and `minReprojection` in one kernel. The gradient goes to the winner, the first of equal ones;
 * where the bound wins, the pixel is automasked. First order only, in the views; frame and bound are constants.
 * @param images views [S N,H,W,C], in [0, 1]; entry s N + i belongs to image i. H, W >= 2.
 * @param frame [N,H,W,C].
 * @param bound [N,H,W,1], the least error of the unwarped views.
 * @returns `error` [N,H,W,1] and `winner` [N,H,W], i32: the view, or S where the bound won.
 * Source: Monodepth2 trainer.py, compute_losses.
 */
export function minPhotometricError(
  images: Tensor,
  frame: Tensor,
  bound: Tensor | null = null,
  alpha = 0.85,
): { error: Tensor; winner: Tensor } {
  const [n, h, w, c] = frame.shape;
  if (frame.shape.length !== 4 || h < 2 || w < 2 || c < 1 || frame.dtype !== 'f32') {
    throw new ShapeError(
      `minPhotometricError: frame ${shapeText(frame.shape)} ${frame.dtype}, expected [N,H,W,C] f32 with H, W >= 2 and C >= 1`,
    );
  }
  const views = viewsOf('minPhotometricError', 'images', images, n);
  expect('minPhotometricError', 'images', images, [views * n, h, w, c]);
  if (bound) expect('minPhotometricError', 'bound', bound, [n, h, w, 1]);
  const p = { n, h, w, c, views, alpha };
  const error = empty([n, h, w, 1], 'f32', frame.device);
  const winner = empty([n, h, w], 'i32', frame.device);
  launch(
    kernels.minPhotometric,
    { ...p, bounded: bound ? 1 : 0 },
    { images, frame, bound: bound ?? frame, error, winner },
  );
  record('minPhotometricError', [images], error, (cotangent) => {
    const coefficients = empty([n, h, w, c, 3], 'f32', frame.device);
    launch(kernels.minPhotometricCoefficients, p, { images, frame, winner, cotangent, coefficients });
    const gradient = empty(images.shape, 'f32', frame.device);
    launch(kernels.minPhotometricGrad, p, { coefficients, winner, cotangent, images, frame, gradient });
    return [firstOrderOnly('minPhotometricGrad', [images, cotangent], gradient)];
  });
  return { error, winner };
}
