// Transfer, the first of the three ways (Hoyer et al., CVPR 2021, section 3.2): segmentation starts from networks that have
// learned depth.

import type { Tensor } from '../autograd/tensor.ts';
import { copyState } from '../nn/module.ts';
import type { Transfer } from './choices.ts';

/** The prefixes of what is carried over; heads stay behind, the classifier is new. */
const CARRIED: Record<Transfer, readonly string[]> = {
  scratch: [],
  encoder: ['encoder.'],
  'encoder-decoder': ['encoder.', 'decoder.decoder.'],
};

/**
 * Copies what `transfer` names, parameters and running statistics, from a depth network into a segmentation network.
 * @param depth,segmentation states by name (`Module.state`), whose decoders have one shape.
 * @returns the names that were copied.
 */
export function transferWeights(
  depth: Record<string, Tensor>,
  segmentation: Record<string, Tensor>,
  transfer: Transfer,
): Promise<string[]> {
  const wanted = Object.entries(segmentation).filter(([name]) =>
    CARRIED[transfer].some((prefix) => name.startsWith(prefix)),
  );
  return copyState(depth, Object.fromEntries(wanted));
}

/**
 * Both decoders of a multi-task network start from that of a depth network, which keeps its disparity heads; the encoder comes
 * along. What the two tasks exchange is new.
 * @param depth,multiTask states by name.
 * @returns the names that were copied.
 */
export function transferToBoth(
  depth: Record<string, Tensor>,
  multiTask: Record<string, Tensor>,
): Promise<string[]> {
  const renamed = Object.entries(depth).flatMap(([name, x]): [string, Tensor][] => {
    if (name.startsWith('encoder.')) return [[name, x]];
    if (!name.startsWith('decoder.')) return [];
    const inner = name.slice('decoder.'.length);
    return [
      [`depth.${inner}`, x],
      [`segmentation.${inner}`, x],
    ];
  });
  return copyState(Object.fromEntries(renamed), multiTask);
}
