// The first non-finite number of a training step, in two kernels. After every dispatch `nonFiniteScan` looks through what
// it wrote and `nonFiniteFirst` notes the scan that found something first, so one small read-back at the end of a step says
// which dispatch it was.
import * as shader from '../shaders/anomaly.wgsl.ts';
import { groupsFor, type Kernel } from '../src/gpu/kernel.ts';

/** In `found` and `first`: nothing. */
export const NONE = 0xffffffff;

/** In `found` and `first`: what was found. */
export const KINDS = ['finite', 'NaN', 'infinity', '-infinity'] as const;

const kindOf = (x: number) => (Number.isFinite(x) ? 0 : Number.isNaN(x) ? 1 : x > 0 ? 2 : 3);

export type NonFiniteScanParams = { n: number; walkers: number };

export const nonFiniteScan: Kernel<NonFiniteScanParams> = {
  name: 'nonFiniteScan',
  summary: 'for each invocation, the first of its elements that is NaN or infinite',
  formula: 'found[k] = (min {i = k mod walkers: exponent bits of x[i] all set}, kind)',
  source: 'IEEE 754, 3.4',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'found', type: 'u32', access: 'write' },
  ],
  params: { n: 'u32', walkers: 'u32' },
  variants: [
    {
      name: 'walk',
      summary: 'neighbouring invocations read neighbouring elements',
      applies: () => true,
      code: shader.nonFiniteScan,
      workgroups: (p) => groupsFor(p.walkers),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 4 * p.n + 8 * p.walkers }),
  reference: (p, { x, found }) => {
    for (let k = 0; k < p.walkers; k++) {
      let i = k;
      while (i < p.n && Number.isFinite(x[i])) i += p.walkers;
      found[2 * k] = i < p.n ? i : NONE;
      found[2 * k + 1] = i < p.n ? kindOf(x[i]) : 0;
    }
  },
};

export type NonFiniteFirstParams = { walkers: number };

export const nonFiniteFirst: Kernel<NonFiniteFirstParams> = {
  name: 'nonFiniteFirst',
  summary: 'counts scans and keeps what the first successful one found',
  formula: 'first = (scans, number of the scan, index, kind)',
  source: 'integers',
  bindings: [
    { name: 'found', type: 'u32', access: 'read' },
    { name: 'first', type: 'u32', access: 'update' },
  ],
  params: { walkers: 'u32' },
  variants: [
    {
      name: 'walk',
      summary: 'one invocation',
      applies: () => true,
      code: shader.nonFiniteFirst,
      workgroups: () => 1,
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 8 * p.walkers + 32 }),
  reference: (p, { found, first }) => {
    const scan = first[0];
    first[0] += 1;
    if (first[1] !== NONE) return;
    for (let k = 0; k < p.walkers; k++) {
      const index = found[2 * k];
      if (index !== NONE && (first[1] === NONE || index < first[2])) {
        first.set([scan, index, found[2 * k + 1]], 1);
      }
    }
  },
};
