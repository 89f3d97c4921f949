// Pooling of x [N,H,W,C] to y [N,OH,OW,C] over windows. Output o of an axis sees the inputs
//   fixed:     o stride - pad .. o stride - pad + kernel - 1, those inside the image
//   adaptive:  floor(o H / OH) .. ceil((o + 1) H / OH) - 1
// maxPool keeps where the maximum was, and its adjoint gathers g from the windows that point here. Average pooling is
// linear: forward and adjoint are each other's gradient.
import * as shader from '../shaders/pool.wgsl.ts';
import type { Kernel, Numbers, Variant } from '../src/gpu/kernel.ts';
import { alongPixels } from './channels.ts';

/** x [n,h,w,c], y [n,oh,ow,c]. */
export type AdaptivePoolParams = { n: number; h: number; w: number; c: number; oh: number; ow: number };

/** Kernel, stride and padding along H and W. */
export type PoolParams = AdaptivePoolParams & {
  kh: number;
  kw: number;
  sh: number;
  sw: number;
  ph: number;
  pw: number;
};

/** `includePad` 1: a mean over padded windows counts the zeros of the padding. */
export type AveragePoolParams = PoolParams & { includePad: number };

const adaptiveParams = { n: 'u32', h: 'u32', w: 'u32', c: 'u32', oh: 'u32', ow: 'u32' } as const;
const poolParams = {
  ...adaptiveParams,
  kh: 'u32',
  kw: 'u32',
  sh: 'u32',
  sw: 'u32',
  ph: 'u32',
  pw: 'u32',
} as const;

const inputs = (p: AdaptivePoolParams) => p.n * p.h * p.w * p.c;
const outputs = (p: AdaptivePoolParams) => p.n * p.oh * p.ow * p.c;
const [inRows, inCols] = [(p: AdaptivePoolParams) => p.h, (p: AdaptivePoolParams) => p.w];
const [outRows, outCols] = [(p: AdaptivePoolParams) => p.oh, (p: AdaptivePoolParams) => p.ow];

/** Calls `visit` for every pair of an output and an input in its window, outputs and inputs in row-major order. */
function eachPair(
  p: AdaptivePoolParams,
  window: (o: number, axis: 0 | 1) => [number, number],
  visit: (output: number, input: number, row: number, col: number) => void,
): void {
  for (let out = 0; out < outputs(p); out++) {
    const c = out % p.c;
    const [h0, h1] = window(Math.floor(out / (p.c * p.ow)) % p.oh, 0);
    const [w0, w1] = window(Math.floor(out / p.c) % p.ow, 1);
    const sample = Math.floor(out / (p.c * p.ow * p.oh));
    for (let h = h0; h < h1; h++) {
      for (let w = w0; w < w1; w++) {
        if (h < 0 || h >= p.h || w < 0 || w >= p.w) continue;
        visit(out, ((sample * p.h + h) * p.w + w) * p.c + c, h, w);
      }
    }
  }
}

const fixed =
  (p: PoolParams) =>
  (o: number, axis: 0 | 1): [number, number] =>
    axis === 0 ? [o * p.sh - p.ph, o * p.sh - p.ph + p.kh] : [o * p.sw - p.pw, o * p.sw - p.pw + p.kw];

const adaptive =
  (p: AdaptivePoolParams) =>
  (o: number, axis: 0 | 1): [number, number] =>
    axis === 0
      ? [Math.floor((o * p.h) / p.oh), Math.ceil(((o + 1) * p.h) / p.oh)]
      : [Math.floor((o * p.w) / p.ow), Math.ceil(((o + 1) * p.w) / p.ow)];

export const maxPool: Kernel<PoolParams> = {
  name: 'maxPool',
  summary: 'greatest value of every window and where it was; the first of equal ones',
  formula: 'y = max over the window of x, index = h W + w of the maximum',
  source: 'torch.nn.MaxPool2d',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
    { name: 'index', type: 'i32', access: 'write' },
  ],
  params: poolParams,
  variants: alongPixels(shader.maxPool, ['x', 'y', 'index'], outRows, outCols),
  cost: (p) => ({ flops: outputs(p) * p.kh * p.kw, bytes: 4 * (inputs(p) + 2 * outputs(p)) }),
  reference: (p, { x, y, index }) => {
    y.fill(-Infinity);
    eachPair(p, fixed(p), (out, at, h, w) => {
      if (x[at] > y[out]) {
        y[out] = x[at];
        index[out] = h * p.w + w;
      }
    });
  },
};

export const maxPoolAdjoint: Kernel<PoolParams> = {
  name: 'maxPoolAdjoint',
  summary: 'gradient of maxPool: g goes back to where the maximum was',
  formula: 'dx[i] = sum over windows o with index[o] = i of g[o]',
  source: 'torch.nn.MaxPool2d, as a gather',
  bindings: [
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'index', type: 'i32', access: 'read' },
    { name: 'dx', type: 'f32', access: 'write' },
  ],
  params: poolParams,
  variants: alongPixels(shader.maxPoolAdjoint, ['g', 'index', 'dx'], inRows, inCols),
  cost: (p) => ({ flops: outputs(p) * p.kh * p.kw, bytes: 4 * (inputs(p) + 2 * outputs(p)) }),
  reference: (p, { g, index, dx }) => {
    dx.fill(0);
    for (let out = 0; out < outputs(p); out++) {
      const sample = Math.floor(out / (p.c * p.ow * p.oh));
      dx[(sample * p.h * p.w + index[out]) * p.c + (out % p.c)] += g[out];
    }
  },
};

export const maxPoolPick: Kernel<PoolParams> = {
  name: 'maxPoolPick',
  summary: 'values at the places that maxPool kept: the adjoint of maxPoolAdjoint',
  formula: 'y[o] = x[index[o]]',
  source: 'adjoint of maxPoolAdjoint',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'index', type: 'i32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: poolParams,
  variants: alongPixels<PoolParams>(shader.maxPoolPick, [], outRows, outCols).filter((v) =>
    v.name.startsWith('scalar'),
  ),
  cost: (p) => ({ flops: 0, bytes: 12 * outputs(p) }),
  reference: (p, { x, index, y }) => {
    for (let out = 0; out < outputs(p); out++) {
      const sample = Math.floor(out / (p.c * p.ow * p.oh));
      y[out] = x[(sample * p.h * p.w + index[out]) * p.c + (out % p.c)];
    }
  },
};

/** Number of inputs in each output's window, or kernel size where padding counts. */
function divisors<P extends AdaptivePoolParams>(
  p: P,
  window: (o: number, axis: 0 | 1) => [number, number],
  whole: number | null,
): Numbers {
  const count = new Float64Array(outputs(p));
  if (whole !== null) return count.fill(whole);
  eachPair(p, window, (out) => {
    count[out] += 1;
  });
  return count;
}

/** To exactly half the size. */
const halves = <P extends AdaptivePoolParams>(): Variant<P>[] =>
  alongPixels<P>(shader.averagePoolHalf, ['x', 'y'], outRows, outCols).map((variant) => ({
    ...variant,
    name: `half-${variant.name}`,
    summary: `half the size, without ranges: ${variant.summary}`,
    applies: (p, facts) => p.h === 2 * p.oh && p.w === 2 * p.ow && variant.applies(p, facts),
  }));

/** An averaging kernel and its adjoint. `whole` is the divisor where it does not depend on the window, else null. */
function averages<P extends AdaptivePoolParams>(
  name: string,
  source: string,
  params: Kernel<P>['params'],
  isAdaptive: boolean,
  windows: (p: P) => (o: number, axis: 0 | 1) => [number, number],
  whole: (p: P) => number | null,
  reads: (p: P) => number,
): { forward: Kernel<P>; adjoint: Kernel<P> } {
  const cost = (p: P) => ({ flops: reads(p), bytes: 4 * (inputs(p) + outputs(p)) });
  const forward: Kernel<P> = {
    name,
    summary: 'mean of every window',
    formula: 'y[o] = 1/d[o] sum over the window of x',
    source,
    bindings: [
      { name: 'x', type: 'f32', access: 'read' },
      { name: 'y', type: 'f32', access: 'write' },
    ],
    params,
    variants: [
      ...(isAdaptive ? halves<P>() : []),
      ...alongPixels<P>((vector) => shader.averagePool(isAdaptive, vector), ['x', 'y'], outRows, outCols),
    ],
    cost,
    reference: (p, { x, y }) => {
      const d = divisors(p, windows(p), whole(p));
      y.fill(0);
      eachPair(p, windows(p), (out, at) => {
        y[out] += x[at] / d[out];
      });
    },
  };
  const adjoint: Kernel<P> = {
    name: `${name}Adjoint`,
    summary: `adjoint of ${name}: every window spreads its g over its inputs`,
    formula: 'dx[i] = sum over windows o that hold i of g[o] / d[o]',
    source,
    bindings: [
      { name: 'g', type: 'f32', access: 'read' },
      { name: 'dx', type: 'f32', access: 'write' },
    ],
    params,
    variants: alongPixels(
      (vector) => shader.averagePoolAdjoint(isAdaptive, vector),
      ['g', 'dx'],
      inRows,
      inCols,
    ),
    cost,
    reference: (p, { g, dx }) => {
      const d = divisors(p, windows(p), whole(p));
      dx.fill(0);
      eachPair(p, windows(p), (out, at) => {
        dx[at] += g[out] / d[out];
      });
    },
  };
  return { forward, adjoint };
}

export const avgPool = averages<AveragePoolParams>(
  'avgPool',
  'torch.nn.AvgPool2d',
  { ...poolParams, includePad: 'u32' },
  false,
  fixed,
  (p) => (p.includePad === 1 ? p.kh * p.kw : null),
  (p) => outputs(p) * p.kh * p.kw,
);

export const adaptiveAvgPool = averages<AdaptivePoolParams>(
  'adaptiveAvgPool',
  'torch.nn.AdaptiveAvgPool2d',
  adaptiveParams,
  true,
  adaptive,
  () => null,
  inputs,
);
