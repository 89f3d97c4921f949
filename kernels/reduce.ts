import * as shader from '../shaders/reduce.wgsl.ts';
import { pitch, ROOM } from '../shaders/staged.wgsl.ts';
import { type Element, groupsFor, type Kernel, type Numbers, type Variant } from '../src/gpu/kernel.ts';

/** x is [outer, reduce, inner]; `chunk` values of the middle axis go into one partial result. */
export type ReduceParams = { outer: number; reduce: number; inner: number; chunk: number };

/** x is [outer, reduce, inner]. */
export type AxisParams = { outer: number; reduce: number; inner: number };

const axisParams = { outer: 'u32', reduce: 'u32', inner: 'u32' } as const;

/** At least one, so that an axis of no values has a result as well. */
const chunksOf = (p: ReduceParams) => Math.max(1, Math.ceil(p.reduce / p.chunk));

/** Lines that leave most of a GPU idle where each has one invocation. */
const FEW_LINES = 1024;

function reduction(
  name: string,
  formula: string,
  start: string,
  fold: string,
  across: string,
  begin: number,
  plain: (total: number, value: number) => number,
): Kernel<ReduceParams> {
  return {
    name,
    summary: `${name} over the middle axis of [outer, reduce, inner], one result per chunk of the axis`,
    formula,
    source: 'two-pass reduction in a fixed order',
    bindings: [
      { name: 'x', type: 'f32', access: 'read' },
      { name: 'y', type: 'f32', access: 'write' },
    ],
    params: { ...axisParams, chunk: 'u32' },
    variants: [
      {
        name: 'vec4',
        summary: 'one invocation walks one chunk of four neighbouring lines',
        applies: (p) => p.inner % 4 === 0,
        vec4: ['x', 'y'],
        code: () => shader.reduce(start, fold, true),
        workgroups: (p) => groupsFor((p.outer * chunksOf(p) * p.inner) / 4),
      },
      {
        name: 'subgroups',
        summary: 'one workgroup per chunk of few lines, folded by subgroups: for GPUs, other bits of a sum',
        needs: 'subgroups',
        applies: (p) => p.inner < 8 && p.chunk >= 16,
        code: () => shader.reduceWorkgroup(start, fold, across),
        workgroups: (p) => p.outer * chunksOf(p) * p.inner,
      },
      {
        name: 'tree',
        summary: 'one workgroup per chunk, folded by a tree: for GPUs, where chunks are long or lines few',
        applies: (p, { software }) =>
          !software && p.inner < 8 && (p.chunk >= 128 || (p.chunk >= 16 && p.outer * p.inner <= FEW_LINES)),
        code: () => shader.reduceWorkgroup(start, fold, null),
        workgroups: (p) => p.outer * chunksOf(p) * p.inner,
      },
      {
        name: 'walk',
        summary: 'one invocation walks one chunk',
        applies: () => true,
        code: () => shader.reduce(start, fold, false),
        workgroups: (p) => groupsFor(p.outer * chunksOf(p) * p.inner),
      },
    ],
    cost: (p) => ({
      flops: p.outer * p.reduce * p.inner,
      bytes: 4 * p.outer * p.inner * (p.reduce + chunksOf(p)),
    }),
    reference: (p, { x, y }) => {
      const chunks = chunksOf(p);
      for (let o = 0; o < p.outer; o++) {
        for (let c = 0; c < chunks; c++) {
          for (let i = 0; i < p.inner; i++) {
            let total = begin;
            for (let r = c * p.chunk; r < Math.min(p.reduce, (c + 1) * p.chunk); r++) {
              total = plain(total, x[(o * p.reduce + r) * p.inner + i]);
            }
            y[(o * chunks + c) * p.inner + i] = total;
          }
        }
      }
    },
  };
}

export const reduceSum = reduction(
  'reduceSum',
  'y = sum_r x',
  '0.0',
  'total + value',
  'subgroupAdd',
  0,
  (t, v) => t + v,
);
export const reduceMax = reduction(
  'reduceMax',
  'y = max_r x',
  'x[at]',
  'max(total, value)',
  'subgroupMax',
  -Infinity,
  Math.max,
);
export const reduceMin = reduction(
  'reduceMin',
  'y = min_r x',
  'x[at]',
  'min(total, value)',
  'subgroupMin',
  Infinity,
  Math.min,
);

const lines = (p: AxisParams) => p.outer * p.inner;

const throughWorkgroup = (code: (count: number) => string, arrays: number): Variant<AxisParams> => ({
  name: 'staged',
  summary: '64 lines of few neighbouring values through workgroup memory: for GPUs',
  applies: (p, { software }) =>
    !software && p.inner === 1 && p.reduce > 0 && arrays * pitch(p.reduce) <= ROOM,
  code: (p) => code(p.reduce),
  workgroups: (p) => groupsFor(p.outer),
});

/** Of a kernel whose result has a value for each that it reads: its `staged` variant, and how many arrays it reads. */
interface WholeLines {
  staged: (count: number) => string;
  reads: number;
}

function overAxis(
  name: string,
  summary: string,
  formula: string,
  bindings: [string, Element, 'read' | 'write'][],
  code: () => string,
  invocations: (p: AxisParams) => number,
  reference: (p: AxisParams, b: Record<string, Numbers>) => void,
  cost: (values: number, lines: number) => { flops: number; bytes: number },
  whole?: WholeLines,
): Kernel<AxisParams> {
  return {
    name,
    summary,
    formula,
    source: 'over the middle axis of [outer, reduce, inner]',
    bindings: bindings.map(([n, type, access]) => ({ name: n, type, access })),
    params: axisParams,
    variants: [
      ...(whole ? [throughWorkgroup(whole.staged, whole.reads)] : []),
      {
        name: 'walk',
        summary: 'one invocation per line or result',
        applies: () => true,
        code,
        workgroups: (p) => groupsFor(invocations(p)),
      },
    ],
    cost: (p) => cost(p.outer * p.reduce * p.inner, lines(p)),
    reference,
  };
}

const start = (p: AxisParams, k: number) => Math.floor(k / p.inner) * p.reduce * p.inner + (k % p.inner);

function argReduction(name: string, better: '<' | '>'): Kernel<AxisParams> {
  return overAxis(
    name,
    `${name} along the middle axis; the first of equal values wins`,
    better === '>' ? 'y = argmax_r x' : 'y = argmin_r x',
    [
      ['x', 'f32', 'read'],
      ['y', 'i32', 'write'],
    ],
    () => shader.argReduce(better),
    lines,
    (p, { x, y }) => {
      for (let k = 0; k < lines(p); k++) {
        let at = 0;
        for (let r = 1; r < p.reduce; r++) {
          const value = x[start(p, k) + r * p.inner];
          const best = x[start(p, k) + at * p.inner];
          if (better === '>' ? value > best : value < best) at = r;
        }
        y[k] = at;
      }
    },
    (values, lines) => ({ flops: values, bytes: 4 * (values + lines) }),
  );
}

export const argmax = argReduction('argmax', '>');
export const argmin = argReduction('argmin', '<');

export const pick = overAxis(
  'pick',
  'the value at a given index of the middle axis',
  'y[o,i] = x[o, index[o,i], i]',
  [
    ['x', 'f32', 'read'],
    ['index', 'i32', 'read'],
    ['y', 'f32', 'write'],
  ],
  shader.pick,
  lines,
  (p, { x, index, y }) => {
    for (let k = 0; k < lines(p); k++) y[k] = x[start(p, k) + index[k] * p.inner];
  },
  (_, lines) => ({ flops: 0, bytes: 12 * lines }),
);

export const place = overAxis(
  'place',
  'adjoint of pick: a value at its index of the middle axis, zeros elsewhere',
  'y[o,r,i] = [r = index[o,i]] x[o,i]',
  [
    ['x', 'f32', 'read'],
    ['index', 'i32', 'read'],
    ['y', 'f32', 'write'],
  ],
  shader.place,
  (p) => p.outer * p.reduce * p.inner,
  (p, { x, index, y }) => {
    for (let k = 0; k < lines(p); k++) {
      for (let r = 0; r < p.reduce; r++) y[start(p, k) + r * p.inner] = r === index[k] ? x[k] : 0;
    }
  },
  (values, lines) => ({ flops: 0, bytes: 4 * (values + 2 * lines) }),
);

export const softmax = overAxis(
  'softmax',
  'softmax along the middle axis',
  'y = e^(x - max) / sum_r e^(x - max)',
  [
    ['x', 'f32', 'read'],
    ['y', 'f32', 'write'],
  ],
  shader.softmax,
  lines,
  (p, { x, y }) => {
    for (let k = 0; k < lines(p); k++) {
      let top = -Infinity;
      for (let r = 0; r < p.reduce; r++) top = Math.max(top, x[start(p, k) + r * p.inner]);
      let total = 0;
      for (let r = 0; r < p.reduce; r++) total += Math.exp(x[start(p, k) + r * p.inner] - top);
      for (let r = 0; r < p.reduce; r++)
        y[start(p, k) + r * p.inner] = Math.exp(x[start(p, k) + r * p.inner] - top) / total;
    }
  },
  (values) => ({ flops: 2 * values, bytes: 8 * values }),
  { staged: shader.softmaxStaged, reads: 1 },
);

export const softmaxGrad = overAxis(
  'softmaxGrad',
  'gradient of softmax from its output',
  'dx = y (g - sum_r g y)',
  [
    ['g', 'f32', 'read'],
    ['y', 'f32', 'read'],
    ['dx', 'f32', 'write'],
  ],
  shader.softmaxGrad,
  lines,
  (p, { g, y, dx }) => {
    for (let k = 0; k < lines(p); k++) {
      let total = 0;
      for (let r = 0; r < p.reduce; r++) total += g[start(p, k) + r * p.inner] * y[start(p, k) + r * p.inner];
      for (let r = 0; r < p.reduce; r++) {
        const at = start(p, k) + r * p.inner;
        dx[at] = y[at] * (g[at] - total);
      }
    }
  },
  (values) => ({ flops: 2 * values, bytes: 12 * values }),
  { staged: shader.softmaxGradStaged, reads: 2 },
);
