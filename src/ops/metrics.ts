import * as kernels from '../../kernels/metrics.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';

// A matrix of its own for every 512 pixels, but at most 1024 of them: 1.4 MB at 19 classes.
const PIXELS_PER_WALKER = 512;
const MAX_WALKERS = 1024;

/**
 * Adds the pixels of a batch to a confusion matrix, in place.
 * @param counts u32 [C,C], row = true class, column = predicted class; at most 2^32 - 1 pixels per cell.
 * @param prediction i32, any shape.
 * @param label i32 of the same shape; pixels with the label `ignore`, or with no class on either side, do not count.
 * @throws ShapeError.
 */
export function countConfusions(counts: Tensor, prediction: Tensor, label: Tensor, ignore = 255): void {
  const [classes, columns] = counts.shape;
  if (counts.dtype !== 'u32' || counts.shape.length !== 2 || classes !== columns) {
    throw new ShapeError(
      `countConfusions: counts is ${counts.dtype} ${shapeText(counts.shape)}, expected u32 [C,C]`,
    );
  }
  if (shapeText(prediction.shape) !== shapeText(label.shape)) {
    throw new ShapeError(
      `countConfusions: prediction ${shapeText(prediction.shape)}, expected the label's ${shapeText(label.shape)}`,
    );
  }
  const pixels = label.size;
  const walkers = Math.min(MAX_WALKERS, Math.max(1, Math.ceil(pixels / PIXELS_PER_WALKER)));
  const partial = empty([walkers, classes, classes], 'u32', counts.device);
  launch(kernels.confusionPartial, { pixels, classes, ignore, walkers }, { prediction, label, partial });
  launch(kernels.confusionAdd, { classes, walkers }, { partial, counts });
  partial.dispose();
}
