import * as kernels from '../../kernels/crossEntropy.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { mul, neg } from './elementwise.ts';
import { logSoftmax, mean } from './reduce.ts';
import { sum } from './sum.ts';

export interface CrossEntropyOptions {
  /** Label of pixels without one. */
  ignore?: number;
  /** [C], f32. */
  classWeights?: Tensor;
  /** The shape of the labels, f32. A constant: it gets no gradient. */
  pixelWeights?: Tensor;
  /**
   * What the sum of the weighted losses is divided by: `valid` the number of labelled pixels, `weighted` the sum of
   * their weights (PyTorch's mean under class weights), `all` the number of all pixels (DACS, DepthMix).
   */
  reduction?: kernels.Reduction;
}

function expect(op: string, name: string, x: Tensor, dtype: string, shape: readonly number[]): void {
  if (x.dtype !== dtype || shapeText(x.shape) !== shapeText(shape)) {
    throw new ShapeError(
      `${op}: ${name} is ${x.dtype} ${shapeText(x.shape)}, expected ${dtype} ${shapeText(shape)}`,
    );
  }
}

/**
 * Mean softmax cross entropy of class scores against labels; 0 (not NaN) when no pixel is labelled.
 * Labels outside [0, C) count as ignored. Fused: it has first derivatives only.
 * @param logits f32 [..., C], usually [N,H,W,C].
 * @param label i32 [...].
 * @returns scalar.
 * @throws ShapeError.
 */
export function crossEntropy(logits: Tensor, label: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignore = 255, classWeights, pixelWeights, reduction = 'valid' } = options;
  const classes = logits.shape.at(-1);
  if (!classes) throw new ShapeError(`crossEntropy: logits ${shapeText(logits.shape)} have no class axis`);
  expect('crossEntropy', 'logits', logits, 'f32', logits.shape);
  expect('crossEntropy', 'label', label, 'i32', logits.shape.slice(0, -1));
  if (classWeights) expect('crossEntropy', 'classWeights', classWeights, 'f32', [classes]);
  if (pixelWeights) expect('crossEntropy', 'pixelWeights', pixelWeights, 'f32', label.shape);
  if (!kernels.REDUCTIONS.includes(reduction)) {
    throw new ShapeError(`crossEntropy: reduction '${reduction}', expected ${kernels.REDUCTIONS.join(', ')}`);
  }
  const pixels = label.size;
  const rows = empty([pixels, 2], 'f32', logits.device);
  const terms = empty([pixels, 2], 'f32', logits.device);
  launch(
    kernels.crossEntropy,
    {
      pixels,
      classes,
      ignore,
      classWeighted: classWeights ? 1 : 0,
      pixelWeighted: pixelWeights ? 1 : 0,
      reduction: kernels.REDUCTIONS.indexOf(reduction),
    },
    {
      logits,
      label,
      classWeights: classWeights ?? logits,
      pixelWeights: pixelWeights ?? logits,
      rows,
      terms,
    },
  );
  const sums = sum(terms, [0]);
  const loss = empty([], 'f32', logits.device);
  launch(kernels.weightedMean, {}, { sums, loss });
  return record('crossEntropy', [logits], loss, (g) => {
    const dlogits = empty(logits.shape, 'f32', logits.device);
    launch(kernels.crossEntropyGrad, { pixels, classes }, { logits, label, rows, sums, g, dlogits });
    return [firstOrderOnly('crossEntropyGrad', [g, logits], dlogits)];
  });
}

/**
 * Mean over pixels of -sum_c t_c ln softmax(x)_c.
 * @param logits f32 [..., C].
 * @param probabilities f32 of the same shape; rows sum to one, or are all zero to leave a pixel out of the sum (it
 *   still counts in the mean).
 * @returns scalar.
 * @throws ShapeError.
 */
export function crossEntropySoft(logits: Tensor, probabilities: Tensor): Tensor {
  expect('crossEntropySoft', 'probabilities', probabilities, 'f32', logits.shape);
  return neg(mean(sum(mul(probabilities, logSoftmax(logits, -1)), [-1])));
}
