import * as kernels from '../../kernels/optim.ts';
import { colocate, stretches } from '../autograd/block.ts';
import { empty, launch, ShapeError, step, type Tensor, tensor } from '../autograd/tensor.ts';
import { padded } from '../gpu/block.ts';
import { WORKGROUP } from '../gpu/kernel.ts';
import { sum } from '../ops/sum.ts';

/** Pieces of neighbouring values, none of which is in two tensors or in padding: the first index of each, and the one after its last. */
function chunksOf(parts: readonly Tensor[]): [begin: number, end: number][] {
  const chunks: [number, number][] = [];
  let begin = 0;
  for (const { size } of parts) {
    for (let from = 0; from < size; from += kernels.CHUNK)
      chunks.push([begin + from, begin + Math.min(size, from + kernels.CHUNK)]);
    begin += padded(size);
  }
  return chunks;
}

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
  colocate(gradients);
  const norm = empty([], 'f32', device);
  const scale = empty([], 'f32', device);
  step(() => {
    const rows = stretches([gradients]).map(([x]) => ({ x, chunks: chunksOf(x.parts ?? [x]) }));
    const count = rows.reduce((total, { chunks }) => total + chunks.length, 0);
    const partials = empty([WORKGROUP * count], 'f32', device);
    let at = 0;
    for (const { x, chunks } of rows) {
      const bounds = tensor(chunks.flat(), [chunks.length, 2], 'u32');
      launch(kernels.squareSums, { n: x.size, chunks: chunks.length, at }, { x, bounds, y: partials });
      at += WORKGROUP * chunks.length;
    }
    launch(kernels.clipFactor, { maxNorm }, { total: sum(partials), norm, clip: scale });
  });
  return { scale, norm };
}
