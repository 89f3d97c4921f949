import * as kernels from '../../kernels/optim.ts';
import { empty, launch, ShapeError, type Tensor } from '../autograd/tensor.ts';
import { sum } from '../ops/sum.ts';

// Values per partial sum.
const EACH = 64;

/**
 * Factor that brings the joint Euclidean norm of all gradients down to `maxNorm`. Nothing is read back, and the
 * gradients are read once: the optimiser multiplies by the factor as it goes (`step(gradients, { clip: scale })`).
 * @returns `scale`, a scalar of at most 1, and `norm`, a scalar: the norm before clipping.
 */
export function clipByGlobalNorm(
  gradients: readonly Tensor[],
  maxNorm: number,
): { scale: Tensor; norm: Tensor } {
  if (gradients.length === 0) throw new ShapeError('clipByGlobalNorm: no gradients, expected at least one');
  if (!(maxNorm > 0)) throw new ShapeError(`clipByGlobalNorm: maxNorm is ${maxNorm}, expected more than 0`);
  const device = gradients[0].device;
  const counts = gradients.map((g) => kernels.partialsOf(g.size, EACH));
  const partials = empty([counts.reduce((a, b) => a + b, 0)], 'f32', device);
  let at = 0;
  gradients.forEach((x, i) => {
    launch(kernels.squareSums, { n: x.size, at, each: EACH }, { x, y: partials });
    at += counts[i];
  });
  const total = sum(partials);
  const norm = empty([], 'f32', device);
  const scale = empty([], 'f32', device);
  launch(kernels.clipFactor, { maxNorm }, { total, norm, clip: scale });
  return { scale, norm };
}
