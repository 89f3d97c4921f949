import * as shader from '../shaders/movement.wgsl.ts';
import { type Element, groupsFor, type Kernel } from '../src/gpu/kernel.ts';
import { alongLines } from './channels.ts';

/** Output axes d0..d4 (d0 is n over the rest), and one input stride per axis. */
export type GatherParams = Record<
  'n' | 'd1' | 'd2' | 'd3' | 'd4' | 'offset' | 's0' | 's1' | 's2' | 's3' | 's4',
  number
>;

/** Neighbours along y's last axis are neighbours in x, and begin at multiples of four. */
const inFours = (p: GatherParams): boolean =>
  p.s4 === 1 && [p.d4, p.offset, p.s0, p.s1, p.s2, p.s3].every((d) => d % 4 === 0);

const [vec4Run, scalarRun] = alongLines<GatherParams>(
  shader.gatherRun,
  ['x', 'y'],
  (p) => (inFours(p) ? 4 : 1),
  (p) => (p.n === 0 ? 0 : p.n / (p.d3 * p.d4)),
  (p) => p.d3 * p.d4,
);

const gatherOf = (type: Element): Kernel<GatherParams> => ({
  name: type === 'f32' ? 'gather' : `gather.${type}`,
  summary: 'copies a strided view: transpose, slice, flip, repeat',
  formula: 'y[c] = x[offset + c . s]',
  source: 'data movement',
  bindings: [
    { name: 'x', type, access: 'read' },
    { name: 'y', type, access: 'write' },
  ],
  params: {
    n: 'u32',
    d1: 'u32',
    d2: 'u32',
    d3: 'u32',
    d4: 'u32',
    offset: 'i32',
    s0: 'i32',
    s1: 'i32',
    s2: 'i32',
    s3: 'i32',
    s4: 'i32',
  },
  variants: [
    vec4Run,
    scalarRun,
    {
      name: 'vec4',
      summary: 'four neighbours of y per invocation',
      applies: (p) => p.d4 % 4 === 0,
      vec4: ['y'],
      code: () => shader.gather4(type),
      workgroups: (p) => groupsFor(p.n / 4),
    },
    {
      name: 'scalar',
      summary: 'one element per invocation',
      applies: () => true,
      code: () => shader.gather(type),
      workgroups: (p) => groupsFor(p.n),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 8 * p.n }),
  reference: (p, { x, y }) => {
    for (let k = 0; k < p.n; k++) {
      const c4 = k % p.d4;
      const c3 = Math.floor(k / p.d4) % p.d3;
      const c2 = Math.floor(k / (p.d4 * p.d3)) % p.d2;
      const c1 = Math.floor(k / (p.d4 * p.d3 * p.d2)) % p.d1;
      const c0 = Math.floor(k / (p.d4 * p.d3 * p.d2 * p.d1));
      y[k] = x[p.offset + c0 * p.s0 + c1 * p.s1 + c2 * p.s2 + c3 * p.s3 + c4 * p.s4];
    }
  },
});

export const gather = { f32: gatherOf('f32'), i32: gatherOf('i32'), u32: gatherOf('u32') };

/** Output axes d0..d4, zeros before (b) each axis, step (t) between values, input axes x0..x4. */
export type SpreadParams = Record<
  | 'n'
  | 'd1'
  | 'd2'
  | 'd3'
  | 'd4'
  | 'b0'
  | 'b1'
  | 'b2'
  | 'b3'
  | 'b4'
  | 't0'
  | 't1'
  | 't2'
  | 't3'
  | 't4'
  | 'x0'
  | 'x1'
  | 'x2'
  | 'x3'
  | 'x4',
  number
>;

export const spread: Kernel<SpreadParams> = {
  name: 'spread',
  summary: 'places values among zeros: zero padding and the adjoint of a slice',
  formula: 'y[c] = x[(c - b) / t] where whole and inside, else 0',
  source: 'data movement',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: {
    n: 'u32',
    d1: 'u32',
    d2: 'u32',
    d3: 'u32',
    d4: 'u32',
    b0: 'i32',
    b1: 'i32',
    b2: 'i32',
    b3: 'i32',
    b4: 'i32',
    t0: 'i32',
    t1: 'i32',
    t2: 'i32',
    t3: 'i32',
    t4: 'i32',
    x0: 'i32',
    x1: 'i32',
    x2: 'i32',
    x3: 'i32',
    x4: 'i32',
  },
  variants: [
    {
      name: 'scalar',
      summary: 'one element per invocation',
      applies: () => true,
      code: shader.spread,
      workgroups: (p) => groupsFor(p.n),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 4 * (p.n + p.x0 * p.x1 * p.x2 * p.x3 * p.x4) }),
  reference: (p, { x, y }) => {
    const sizes = [p.x0, p.x1, p.x2, p.x3, p.x4];
    const before = [p.b0, p.b1, p.b2, p.b3, p.b4];
    const steps = [p.t0, p.t1, p.t2, p.t3, p.t4];
    const out = [p.n / (p.d1 * p.d2 * p.d3 * p.d4), p.d1, p.d2, p.d3, p.d4];
    y.fill(0);
    const total = sizes.reduce((a, b) => a * b, 1);
    for (let k = 0; k < total; k++) {
      let rest = k;
      let at = 0;
      let scale = 1;
      let inside = true;
      for (let axis = 4; axis >= 0; axis--) {
        const c = before[axis] + steps[axis] * (rest % sizes[axis]);
        rest = Math.floor(rest / sizes[axis]);
        if (c < 0 || c >= out[axis]) inside = false;
        at += c * scale;
        scale *= out[axis];
      }
      if (inside) y[at] = x[k];
    }
  },
};

/** x is [outer, part, inner]; y is [outer, whole, inner] and gets x from index `at` of the middle axis. */
export type InsertParams = Record<'outer' | 'part' | 'inner' | 'whole' | 'at', number>;

const [insertVec4Run, insertScalarRun, insertVec4] = alongLines<InsertParams>(
  shader.insertRun,
  ['x', 'y'],
  (p) => ([p.part, p.whole, p.at].every((d) => (d * p.inner) % 4 === 0) ? 4 : 1),
  () => 1,
  (p) => p.outer * p.part * p.inner,
);

export const insert: Kernel<InsertParams> = {
  name: 'insert',
  summary: 'writes one input of a concatenation into its place',
  formula: 'y[o, at + r, i] = x[o, r, i]',
  source: 'data movement',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'update' },
  ],
  params: { outer: 'u32', part: 'u32', inner: 'u32', whole: 'u32', at: 'u32' },
  variants: [
    insertVec4Run,
    insertVec4,
    {
      name: 'across',
      summary: 'four elements per invocation, of one row or more',
      applies: (p) => (p.outer * p.part * p.inner) % 4 === 0,
      vec4: ['x'],
      code: shader.insertAcross,
      workgroups: (p) => groupsFor((p.outer * p.part * p.inner) / 4),
    },
    insertScalarRun,
    {
      name: 'naive',
      summary: 'one element per invocation',
      applies: () => true,
      code: shader.insert,
      workgroups: (p) => groupsFor(p.outer * p.part * p.inner),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 8 * p.outer * p.part * p.inner }),
  reference: (p, { x, y }) => {
    for (let o = 0; o < p.outer; o++) {
      for (let r = 0; r < p.part; r++) {
        for (let i = 0; i < p.inner; i++) {
          y[(o * p.whole + p.at + r) * p.inner + i] = x[(o * p.part + r) * p.inner + i];
        }
      }
    }
  },
};
