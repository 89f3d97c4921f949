import * as kernels from '../../kernels/ssim.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';

/** Sizes of two images of one shape [N,H,W,C] with H, W >= 2 and C >= 1. */
export function imagePair(op: string, x: Tensor, y: Tensor): kernels.SsimParams {
  const [n, h, w, c] = x.shape;
  if (x.shape.length !== 4 || h < 2 || w < 2 || c < 1 || x.dtype !== 'f32') {
    throw new ShapeError(
      `${op}: image ${shapeText(x.shape)} ${x.dtype}, expected [N,H,W,C] f32 with H, W >= 2 and C >= 1`,
    );
  }
  if (shapeText(y.shape) !== shapeText(x.shape) || y.dtype !== 'f32') {
    throw new ShapeError(
      `${op}: second image ${shapeText(y.shape)} ${y.dtype}, expected ${shapeText(x.shape)} f32`,
    );
  }
  return { n, h, w, c };
}

/** Gradient of `scale` times the SSIM error, per window: [N,H,W,C,4]. `g` is [N,H,W,C], or [N,H,W,1] for all channels. */
export function ssimCoefficients(x: Tensor, y: Tensor, g: Tensor, scale: number): Tensor {
  const [n, h, w, c] = x.shape;
  const coefficients = empty([n, h, w, c, 4], 'f32', x.device);
  launch(
    kernels.ssimCoefficients,
    { n, h, w, c, cotangents: g.shape[3], scale },
    { x, y, cotangent: g, coefficients },
  );
  return coefficients;
}

/**
 * Structural dissimilarity per pixel and channel: clamp((1 - SSIM) / 2, 0, 1) with 3x3 mean windows after reflection
 * padding, C1 = 0.01^2, C2 = 0.03^2, for images in [0, 1]. First order only.
 * @param x, y images [N,H,W,C], H, W >= 2.
 * @returns [N,H,W,C].
 * Source: Monodepth2 layers.py, SSIM.
 */
export function ssimError(x: Tensor, y: Tensor): Tensor {
  const p = imagePair('ssimError', x, y);
  const error = empty(x.shape, 'f32', x.device);
  launch(kernels.ssim, p, { x, y, error });
  return record('ssimError', [x, y], error, (g, needed) => {
    const coefficients = ssimCoefficients(x, y, g, 1);
    return needed.map((need, side) => {
      if (!need) return null;
      const gradient = empty(x.shape, 'f32', x.device);
      launch(kernels.ssimGrad, { ...p, side }, { coefficients, x, y, gradient });
      return firstOrderOnly('ssimGrad', [x, y, g], gradient);
    });
  });
}
