import * as kernels from '../../kernels/depthmix.ts';
import { unaryKernels } from '../../kernels/elementwise.ts';
import { noGrad } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, sizeOf, type Tensor } from '../autograd/tensor.ts';
import { affine, div, sub } from './elementwise.ts';
import { maxValue, mean, minValue } from './reduce.ts';

const LARGEST = 3.4028234663852886e38;

function disparityShape(op: string, x: Tensor): void {
  if (x.dtype !== 'f32' || x.shape.length !== 4 || x.shape[3] !== 1)
    throw new ShapeError(`${op}: disparity is ${x.dtype} ${shapeText(x.shape)}, expected f32 [N,H,W,1]`);
}

/**
 * Each image's disparity stretched to [0, 1]: (d - min) / (max - min). An image of one value becomes zero. Constant to
 * every gradient.
 * @param disparity f32 [N,H,W,1].
 */
export function normalizeDisparity(disparity: Tensor): Tensor {
  disparityShape('normalizeDisparity', disparity);
  return noGrad(() => {
    const least = minValue(disparity, [1, 2, 3], true);
    // The tiny term is lost in any range above 1e-5 and makes 0 / 0 a zero.
    const range = affine(sub(maxValue(disparity, [1, 2, 3], true), least), 1, 1e-12);
    return div(sub(disparity, least), range);
  });
}

/**
 * DepthMix masks of a batch, both directions at once: image i keeps a pixel where it is nearer than image
 * j = (i + 1) mod N, or farther by no more than the margin. Where both are equally near both keep their own, so the
 * masks of i and j are not complements. Constant to every gradient.
 * @param disparity f32 [N,H,W,1], normalised (`normalizeDisparity`); large is near.
 * @param margin in the units of the disparity.
 * @returns f32 [N,H,W,1] of zeros and ones.
 * @throws ShapeError.
 */
export function depthMixMask(disparity: Tensor, margin = 0.03): Tensor {
  disparityShape('depthMixMask', disparity);
  const images = disparity.shape[0];
  if (images < 2) throw new ShapeError(`depthMixMask: a batch of ${images}, at least 2 images are mixed`);
  const mask = empty(disparity.shape, 'f32', disparity.device);
  launch(kernels.depthMixMask, { images, pixels: disparity.size / images, margin }, { disparity, mask });
  return mask;
}

function mix(op: string, mask: Tensor, a: Tensor, b: Tensor, shift: number): Tensor {
  const images = a.shape[0];
  const pixels = sizeOf(mask.shape.slice(1));
  const channels = a.shape.length === 4 ? a.shape[3] : 1;
  const [n, h, w] = mask.shape;
  if (
    shapeText(a.shape) !== shapeText(b.shape) ||
    shapeText(a.shape.slice(0, 3)) !== shapeText([n, h, w]) ||
    pixels !== h * w
  ) {
    throw new ShapeError(
      `${op}: mask ${shapeText(mask.shape)} with ${shapeText(a.shape)} and ${shapeText(b.shape)}, expected [N,H,W,1] with [N,H,W,C] or [N,H,W]`,
    );
  }
  const y = empty(a.shape, a.dtype, a.device);
  launch(kernels.mixByMask[a.dtype], { images, pixels, channels, shift }, { mask, a, b, y });
  return y;
}

/**
 * Pixels of a where the mask is not 0, of b elsewhere; bits are copied. Constant to every gradient.
 * @param mask f32 [N,H,W,1] or [N,H,W].
 * @param a [N,H,W,C] or [N,H,W], of any type: images, probabilities, labels.
 * @param b the same shape and type.
 * @throws ShapeError.
 */
export const mixByMask = (mask: Tensor, a: Tensor, b: Tensor): Tensor => mix('mixByMask', mask, a, b, 0);

/**
 * `mixByMask` of each image i of a batch with the image (i + 1) mod N: the partner that `depthMixMask` compares with.
 * @param mask f32 [N,H,W,1].
 * @param x [N,H,W,C] or [N,H,W].
 * @throws ShapeError.
 */
export const mixWithNext = (mask: Tensor, x: Tensor): Tensor => mix('mixWithNext', mask, x, x, 1);

/**
 * Hard labels from probabilities, and how sure they are. Constant to every gradient.
 * @param probabilities f32 [..., C].
 * @param options.ignore the label of pixels whose probabilities are all zero.
 * @returns label i32 [...] and confidence f32 [...], the greatest probability.
 */
export function pseudoLabel(
  probabilities: Tensor,
  options: { ignore?: number } = {},
): { label: Tensor; confidence: Tensor } {
  const { ignore = 255 } = options;
  const shape = probabilities.shape.slice(0, -1);
  const classes = probabilities.shape.at(-1);
  if (!classes) throw new ShapeError(`pseudoLabel: ${shapeText(probabilities.shape)} has no class axis`);
  const label = empty(shape, 'i32', probabilities.device);
  const confidence = empty(shape, 'f32', probabilities.device);
  launch(kernels.pseudoLabel, { pixels: label.size, classes, ignore }, { probabilities, label, confidence });
  return { label, confidence };
}

/**
 * Share q of all pixels whose confidence is at least the threshold: the weight of the pseudo-label loss in DACS and
 * DepthMix. Ignored pixels are counted in the total. Constant to every gradient.
 * @param confidence f32, any shape.
 * @returns scalar in [0, 1].
 */
export function confidentShare(confidence: Tensor, threshold = 0.968): Tensor {
  const sure = empty(confidence.shape, 'f32', confidence.device);
  // The threshold as f32, so that a confidence of just that value passes on every device.
  const bounds = { a: Math.fround(threshold), b: LARGEST };
  launch(unaryKernels.inside, { n: confidence.size, ...bounds }, { x: confidence, y: sure });
  return mean(sure);
}

/**
 * Labels as probabilities: 1 at the label's class, all zero where the label is `ignore` or outside [0, classes).
 * @param label i32, any shape.
 * @returns f32 [..., classes].
 */
export function oneHot(label: Tensor, classes: number, options: { ignore?: number } = {}): Tensor {
  const { ignore = 255 } = options;
  const y = empty([...label.shape, classes], 'f32', label.device);
  launch(kernels.oneHot, { pixels: label.size, classes, ignore }, { label, y });
  return y;
}
