import * as kernels from '../../kernels/colorJitter.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { mean } from './reduce.ts';

/**
 * Brightness, contrast, saturation and hue as torchvision's ColorJitter does them on float tensors: a product, a blend with the image's
 * mean grey, a blend with each pixel's grey, a turn of H in HSV; clamped to [0, 1] after each. Constant to every gradient.
 * @param images [M,H,W,3] in [0, 1].
 * @param steps [N,7,4] as in kernels/colorJitter.ts, M a multiple of N: image i takes those of i mod N.
 * @param before the same up to contrast, and nothing from there on.
 * @throws ShapeError for other shapes or types.
 * Source: torchvision, transforms/_functional_tensor.py.
 */
export function colorJitter(images: Tensor, { steps, before }: { steps: Tensor; before: Tensor }): Tensor {
  const [m, h, w] = images.shape;
  if (images.shape.length !== 4 || images.shape[3] !== 3 || images.dtype !== 'f32') {
    throw new ShapeError(
      `colorJitter: images ${shapeText(images.shape)} ${images.dtype}, expected [M,H,W,3] f32`,
    );
  }
  const n = steps.shape[0];
  for (const [name, { shape, dtype }] of Object.entries({ steps, before })) {
    if (shapeText(shape) !== shapeText([n, 7, 4]) || !(n > 0) || m % n !== 0 || dtype !== 'f32') {
      throw new ShapeError(
        `colorJitter: ${name} ${shapeText(shape)} ${dtype}, expected [N,7,4] f32 with N a divisor of ${m}`,
      );
    }
  }
  const params = { images: m, pixels: h * w, samples: n };
  const grey = empty([m, h * w], 'f32', images.device);
  launch(kernels.greyBeforeContrast, params, { x: images, steps: before, y: grey });
  const level = mean(grey, [1]);
  const y = empty(images.shape, 'f32', images.device);
  launch(kernels.colorJitter, params, { x: images, steps, level, y });
  return y;
}
