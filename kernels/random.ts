// bits = first word of Threefry-2x32 with key (seed, step) and counter (i, stream).
//   uniform: the upper 24 bits over 2^24; every value is a float, 0 occurs, 1 does not.
//   normal:  u = (2 k + 1) / 2^24 with k the upper 23 bits: in (0, 1), symmetric about 1/2 and exact in f32, as is
//            2 u - 1. Then the inverse of the normal distribution function. The largest value is 5.3.
import * as shader from '../shaders/random.wgsl.ts';
import { type Element, groupsFor, type Kernel } from '../src/gpu/kernel.ts';
import { threefry2x32 } from '../src/gpu/threefry.ts';

export type RandomParams = { n: number; stream: number };

function random(
  name: string,
  summary: string,
  formula: string,
  source: string,
  type: Element,
  expression: string,
  flops: number,
  plain: (bits: number) => number,
): Kernel<RandomParams> {
  return {
    name,
    summary,
    formula,
    source,
    bindings: [
      { name: 'key', type: 'u32', access: 'read' },
      { name: 'y', type, access: 'write' },
    ],
    params: { n: 'u32', stream: 'u32' },
    variants: [
      {
        name: 'scalar',
        summary: 'one element per invocation; key = (seed, step)',
        applies: () => true,
        code: () => shader.random(expression),
        workgroups: (p) => groupsFor(p.n),
      },
    ],
    // 20 rounds of five integer operations and five key injections.
    cost: (p) => ({ flops: (120 + flops) * p.n, bytes: 4 * p.n }),
    reference: (p, { key, y }) => {
      for (let i = 0; i < p.n; i++) y[i] = plain(threefry2x32(key[0], key[1], i, p.stream)[0]);
    },
  };
}

/** Distribution function of the standard normal less 1/2, by its series in z (Marsaglia 2004). For |z| < 6. */
function normalBelow(z: number): number {
  let term = z;
  let total = z;
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(total); k += 2) {
    term *= (z * z) / k;
    total += term;
  }
  return (total * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

/** The z with normalBelow(z) = half, by Newton's method from 0: monotone, because the function bends one way. */
function normalQuantile(half: number): number {
  let z = 0;
  for (let k = 0; k < 60; k++) z += (half - normalBelow(z)) * Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2);
  return z;
}

const THREEFRY = 'Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011';

export const randomBits = random(
  'randomBits',
  'random 32-bit words',
  'y[i] = threefry((seed, step), (i, stream)).x',
  THREEFRY,
  'u32',
  'bits',
  0,
  (bits) => bits,
);

export const randomUniform = random(
  'randomUniform',
  'random numbers in [0, 1)',
  'y = (bits >> 8) / 2^24',
  THREEFRY,
  'f32',
  'f32(bits >> 8u) * (1.0 / 16777216.0)',
  1,
  (bits) => (bits >>> 8) / 16777216,
);

export const randomNormal = random(
  'randomNormal',
  'random numbers of the standard normal distribution',
  'y = sqrt(2) erfinv(2 u - 1), u = (2 (bits >> 9) + 1) / 2^24',
  `${THREEFRY}; Giles, "Approximating the erfinv function", GPU Computing Gems, 2011`,
  'f32',
  'normalQuantile(f32(2 * i32(bits >> 9u) - 8388607) * (1.0 / 8388608.0))',
  30,
  (bits) => normalQuantile((2 * (bits >>> 9) + 1) / 16777216 - 0.5),
);
