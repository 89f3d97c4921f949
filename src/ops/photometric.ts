import * as kernels from '../../kernels/ssim.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { concat } from './movement.ts';
import { argmin, pick } from './reduce.ts';
import { imagePair, ssimCoefficients } from './ssim.ts';

/**
 * Photometric error per pixel: alpha mean_c ssimError + (1 - alpha) mean_c |prediction - target|, for images in
 * [0, 1]. First order only.
 * @param prediction, target [N,H,W,C], H, W >= 2.
 * @returns [N,H,W,1].
 * Source: Monodepth2 trainer.py, compute_reprojection_loss.
 */
export function photometricError(prediction: Tensor, target: Tensor, alpha = 0.85): Tensor {
  const p = imagePair('photometricError', prediction, target);
  const images = { x: prediction, y: target };
  const error = empty([p.n, p.h, p.w, 1], 'f32', prediction.device);
  launch(kernels.photometric, { ...p, alpha }, { ...images, error });
  return record('photometricError', [prediction, target], error, (g, needed) => {
    const coefficients = ssimCoefficients(prediction, target, g, alpha / p.c);
    const scale = (1 - alpha) / p.c;
    return needed.map((need, side) => {
      if (!need) return null;
      const gradient = empty(prediction.shape, 'f32', prediction.device);
      launch(
        kernels.photometricGrad,
        { ...p, side, scale },
        { coefficients, ...images, cotangent: g, gradient },
      );
      return firstOrderOnly('photometricGrad', [prediction, target, g], gradient);
    });
  });
}

/**
 * Least of several error maps at each pixel; the gradient goes to the winner, the first of equal ones. Where the
 * winner is an error of an unwarped source, the pixel is automasked: it moves neither depth nor pose.
 * @param errors each [N,H,W,1].
 * @returns `error` [N,H,W,1] and `winner` [N,H,W], i32, the index into `errors`.
 * Source: Monodepth2 trainer.py, compute_losses (minimum reprojection and automasking).
 */
export function minReprojection(errors: readonly Tensor[]): { error: Tensor; winner: Tensor } {
  if (errors.length === 0) throw new ShapeError('minReprojection: no error maps, expected at least one');
  for (const one of errors) {
    if (one.shape.length !== 4 || one.shape[3] !== 1)
      throw new ShapeError(`minReprojection: error map ${shapeText(one.shape)}, expected [N,H,W,1]`);
  }
  const all = concat(errors, 3);
  const winner = argmin(all, 3);
  return { error: pick(all, winner, 3, true), winner };
}
