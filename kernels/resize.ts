// Resizing of x [N,H,W,C] to y [N,OH,OW,C].
//
// Nearest: output o of an axis reads input floor(o H / OH), so input h is read by o in
// ceil(h OH / H) .. ceil((h + 1) OH / H) - 1, a range to sum over in the adjoint.
//
// Bilinear: output o reads at the source position s(o), the pixel before it with weight 1 - frac(s), the next with
// frac(s). It is separable: the adjoint runs along H, then along W, which takes H's and W's ranges one after the other
// instead of their product.
import * as shader from '../shaders/resize.wgsl.ts';
import type { Kernel, Variant } from '../src/gpu/kernel.ts';
import { alongLines, alongPixels } from './channels.ts';

/** x [n,h,w,c], y [n,oh,ow,c]. */
export type ResizeParams = { n: number; h: number; w: number; c: number; oh: number; ow: number };

/** x [outer,size,inner], y [outer,count,inner]; `alignCorners` 0 or 1. */
export type LinearAxisParams = {
  outer: number;
  size: number;
  count: number;
  inner: number;
  alignCorners: number;
};

const resizeParams = { n: 'u32', h: 'u32', w: 'u32', c: 'u32', oh: 'u32', ow: 'u32' } as const;
const axisParams = { outer: 'u32', size: 'u32', count: 'u32', inner: 'u32', alignCorners: 'u32' } as const;

const inputs = (p: ResizeParams) => p.n * p.h * p.w * p.c;
const outputs = (p: ResizeParams) => p.n * p.oh * p.ow * p.c;
const [inRows, inCols] = [(p: ResizeParams) => p.h, (p: ResizeParams) => p.w];
const [outRows, outCols] = [(p: ResizeParams) => p.oh, (p: ResizeParams) => p.ow];

/** Twice the size, four channels at a time. */
const doubled = (vec4: readonly string[], code: () => string): Variant<ResizeParams>[] =>
  alongPixels(code, vec4, inRows, inCols)
    .filter(({ name }) => name.startsWith('vec4'))
    .map((variant) => ({
      ...variant,
      name: variant.name.replace('vec4', 'double'),
      summary: `twice the size, four outputs at once: ${variant.summary}`,
      applies: (p, facts) => p.oh === 2 * p.h && p.ow === 2 * p.w && variant.applies(p, facts),
    }));

/** Index in x that output `out` reads. */
function nearestSource(p: ResizeParams, out: number): number {
  const c = out % p.c;
  const col = Math.floor(out / p.c) % p.ow;
  const row = Math.floor(out / (p.c * p.ow)) % p.oh;
  const sample = Math.floor(out / (p.c * p.ow * p.oh));
  const h = Math.floor((row * p.h) / p.oh);
  const w = Math.floor((col * p.w) / p.ow);
  return ((sample * p.h + h) * p.w + w) * p.c + c;
}

export const nearest: Kernel<ResizeParams> = {
  name: 'resizeNearest',
  summary: 'every output pixel copies one input pixel',
  formula: 'y[o, q] = x[floor(o H / OH), floor(q W / OW)]',
  source: "torch.nn.functional.interpolate, mode 'nearest'",
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: resizeParams,
  variants: [
    ...doubled(['x', 'y'], shader.nearestDouble),
    ...alongPixels(shader.nearest, ['x', 'y'], outRows, outCols),
  ],
  cost: (p) => ({ flops: 0, bytes: 4 * (Math.min(inputs(p), outputs(p)) + outputs(p)) }),
  reference: (p, { x, y }) => {
    for (let out = 0; out < outputs(p); out++) y[out] = x[nearestSource(p, out)];
  },
};

export const nearestAdjoint: Kernel<ResizeParams> = {
  name: 'resizeNearestAdjoint',
  summary: 'adjoint of resizeNearest: every input pixel sums the g of its copies',
  formula: 'dx[h, w] = sum over o, q with floor(o H / OH) = h, floor(q W / OW) = w of g[o, q]',
  source: 'adjoint of resizeNearest',
  bindings: [
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dx', type: 'f32', access: 'write' },
  ],
  params: resizeParams,
  variants: [
    ...doubled(['g', 'dx'], shader.nearestDoubleAdjoint),
    ...alongPixels(shader.nearestAdjoint, ['g', 'dx'], inRows, inCols),
  ],
  cost: (p) => ({ flops: outputs(p), bytes: 4 * (inputs(p) + outputs(p)) }),
  reference: (p, { g, dx }) => {
    dx.fill(0);
    for (let out = 0; out < outputs(p); out++) dx[nearestSource(p, out)] += g[out];
  },
};

/** The two inputs that output o of an axis reads, and their weights. */
function linearSource(o: number, size: number, count: number, alignCorners: number): [number, number][] {
  const aligned = count > 1 ? (o * (size - 1)) / (count - 1) : 0;
  const at = alignCorners === 1 ? aligned : Math.max(((o + 0.5) * size) / count - 0.5, 0);
  const i = Math.min(Math.floor(at), size - 1);
  return [
    [i, 1 - (at - i)],
    [Math.min(i + 1, size - 1), at - i],
  ];
}

export const bilinear: Kernel<ResizeParams & { alignCorners: number }> = {
  name: 'resizeBilinear',
  summary: 'every output pixel is the bilinear mean of four input pixels',
  formula: 'y = (1 - v) ((1 - u) x00 + u x01) + v ((1 - u) x10 + u x11)',
  source: "torch.nn.functional.interpolate, mode 'bilinear'",
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: { ...resizeParams, alignCorners: 'u32' },
  variants: alongPixels(shader.bilinear, ['x', 'y'], outRows, outCols),
  cost: (p) => ({ flops: 9 * outputs(p), bytes: 4 * (inputs(p) + outputs(p)) }),
  reference: (p, { x, y }) => {
    for (let out = 0; out < outputs(p); out++) {
      const c = out % p.c;
      const col = Math.floor(out / p.c) % p.ow;
      const row = Math.floor(out / (p.c * p.ow)) % p.oh;
      const sample = Math.floor(out / (p.c * p.ow * p.oh));
      y[out] = 0;
      for (const [h, v] of linearSource(row, p.h, p.oh, p.alignCorners)) {
        for (const [w, u] of linearSource(col, p.w, p.ow, p.alignCorners)) {
          y[out] += v * u * x[((sample * p.h + h) * p.w + w) * p.c + c];
        }
      }
    }
  },
};

const axisInputs = (p: LinearAxisParams) => p.outer * p.size * p.inner;
const axisOutputs = (p: LinearAxisParams) => p.outer * p.count * p.inner;
const inner = (p: LinearAxisParams) => p.inner;

/** To exactly twice the size. */
const doubledAxis = (
  vec4: readonly string[],
  code: (vector: boolean) => string,
): Variant<LinearAxisParams>[] =>
  alongLines(code, vec4, inner, (p) => p.outer * p.size, inner).map((variant) => ({
    ...variant,
    name: `double-${variant.name}`,
    summary: `twice the size, one set of weights for all: ${variant.summary}`,
    applies: (p, facts) => p.alignCorners === 0 && p.count === 2 * p.size && variant.applies(p, facts),
  }));

/** Calls `visit` for every output and each of the two inputs it reads along the middle axis. */
function eachWeight(p: LinearAxisParams, visit: (out: number, at: number, weight: number) => void): void {
  for (let out = 0; out < axisOutputs(p); out++) {
    const i = out % p.inner;
    const j = Math.floor(out / p.inner) % p.count;
    const o = Math.floor(out / (p.inner * p.count));
    for (const [at, weight] of linearSource(j, p.size, p.count, p.alignCorners)) {
      visit(out, (o * p.size + at) * p.inner + i, weight);
    }
  }
}

export const linearAxis: Kernel<LinearAxisParams> = {
  name: 'resizeLinearAxis',
  summary: 'linear interpolation along the middle axis of [outer, size, inner]',
  formula: 'y[j] = (1 - frac s(j)) x[floor s(j)] + frac s(j) x[floor s(j) + 1]',
  source: "torch.nn.functional.interpolate, mode 'linear'",
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: axisParams,
  variants: [
    ...doubledAxis(['x', 'y'], shader.linearAxisDouble),
    ...alongLines(shader.linearAxis, ['x', 'y'], inner, (p) => p.outer * p.count, inner),
  ],
  cost: (p) => ({ flops: 3 * axisOutputs(p), bytes: 4 * (axisInputs(p) + axisOutputs(p)) }),
  reference: (p, { x, y }) => {
    y.fill(0);
    eachWeight(p, (out, at, weight) => {
      y[out] += weight * x[at];
    });
  },
};

export const linearAxisAdjoint: Kernel<LinearAxisParams> = {
  name: 'resizeLinearAxisAdjoint',
  summary: 'adjoint of resizeLinearAxis',
  formula: 'dx[i] = sum_j (weight of i in y[j]) g[j]',
  source: 'adjoint of resizeLinearAxis',
  bindings: [
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dx', type: 'f32', access: 'write' },
  ],
  params: axisParams,
  variants: [
    ...doubledAxis(['g', 'dx'], shader.linearAxisDoubleAdjoint),
    ...alongLines(shader.linearAxisAdjoint, ['g', 'dx'], inner, (p) => p.outer * p.size, inner),
  ],
  cost: (p) => ({ flops: 4 * axisOutputs(p), bytes: 4 * (axisInputs(p) + axisOutputs(p)) }),
  reference: (p, { g, dx }) => {
    dx.fill(0);
    eachWeight(p, (out, at, weight) => {
      dx[at] += weight * g[out];
    });
  },
};
