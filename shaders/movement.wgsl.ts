// Kernels that only move values: transposes, slices, flips, repeats, zero padding, concatenation.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkLines } from './channels.wgsl.ts';

const coordinates = wgsl`
  var rest = k;
  let c4 = i32(rest % p.d4); rest /= p.d4;
  let c3 = i32(rest % p.d3); rest /= p.d3;
  let c2 = i32(rest % p.d2); rest /= p.d2;
  let c1 = i32(rest % p.d1); rest /= p.d1;
  let c0 = i32(rest);
`;

/** y[c] = x[offset + c . s]: a strided view of x, copied. The naive version. */
export const gather = (type: string) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n) { return; }
  ${coordinates}
  y[k] = ${type}(x[u32(p.offset + c0 * p.s0 + c1 * p.s1 + c2 * p.s2 + c3 * p.s3 + c4 * p.s4)]);
}
`;

/** Four neighbours along y's last axis per invocation, so one set of divisions for four values. y is vec4. */
export const gather4 = (type: string) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups) * 4u;
  if (k >= p.n) { return; }
  ${coordinates}
  let at = p.offset + c0 * p.s0 + c1 * p.s1 + c2 * p.s2 + c3 * p.s3 + c4 * p.s4;
  y[k / 4u] = vec4<${type}>(x[u32(at)], x[u32(at + p.s4)], x[u32(at + 2 * p.s4)], x[u32(at + 3 * p.s4)]);
}
`;

/**
 * Neighbours along y's last two axes, counted instead of divided for: a line is one place of the first three. `vector`: x and y are
 * vec4, and so is whatever lies between two places of x.
 */
export const gatherRun = (vector: boolean) => wgsl`
${lanes(vector)}
${walkLines(
  'p.n / (p.d3 * p.d4)',
  'p.d3 * p.d4 / LANES',
  wgsl`
  let c2 = i32(line % p.d2);
  let outer = line / p.d2;
  let c1 = i32(outer % p.d1);
  let c0 = i32(outer / p.d1);
  let base = p.offset + c0 * p.s0 + c1 * p.s1 + c2 * p.s2;
  let width = p.d4 / LANES;
  var c3 = begin / width;
  var c4 = begin - c3 * width;
`,
  wgsl`
    y[k] = x[u32(base + i32(c3) * p.s3 + i32(c4 * LANES) * p.s4) / LANES];
    c4 += 1u;
    let past = c4 == width;
    c4 = select(c4, 0u, past);
    c3 += select(0u, 1u, past);
`,
)}
`;

/** y[c] = x[(c - before) / step] where that is whole and inside x, else 0: the adjoint of a slice. */
export const spread = () => wgsl`
fn source(c: i32, before: i32, step: i32, size: i32) -> i32 {
  let shifted = c - before;
  // Integer division rounds toward zero, so the sign is tested first.
  let back = shifted / step;
  return select(-1, back, back * step == shifted && back >= 0 && back < size);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n) { return; }
  ${coordinates}
  let x0 = source(c0, p.b0, p.t0, p.x0);
  let x1 = source(c1, p.b1, p.t1, p.x1);
  let x2 = source(c2, p.b2, p.t2, p.x2);
  let x3 = source(c3, p.b3, p.t3, p.x3);
  let x4 = source(c4, p.b4, p.t4, p.x4);
  if (min(min(min(x0, x1), min(x2, x3)), x4) < 0) {
    y[k] = 0.0;
    return;
  }
  y[k] = x[u32((((x0 * p.x1 + x1) * p.x2 + x2) * p.x3 + x3) * p.x4 + x4)];
}
`;

/** y[o, at + r, i] = x[o, r, i]: one input of a concatenation along the middle axis. The naive version. */
export const insert = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  let row = p.part * p.inner;
  if (k >= p.outer * row) { return; }
  y[(k / row) * p.whole * p.inner + p.at * p.inner + k % row] = x[k];
}
`;

/**
 * Neighbours of x, whose places in y are counted instead of divided for. `vector`: x and y are vec4, rows of x and their places in y begin
 * at multiples of four.
 */
export const insertRun = (vector: boolean) => wgsl`
${lanes(vector)}
${walkLines(
  '1u',
  'p.outer * (p.part * p.inner / LANES)',
  wgsl`
  let row = p.part * p.inner / LANES;
  let skipped = (p.whole - p.part) * p.inner / LANES;
  let above = begin / row;
  var left = (above + 1u) * row - begin;
  var at = begin + above * skipped + p.at * p.inner / LANES;
`,
  wgsl`
    y[at] = x[k];
    left -= 1u;
    let past = left == 0u;
    left = select(left, row, past);
    at += select(1u, skipped + 1u, past);
`,
)}
`;

/** Four values per invocation and one division: x is vec4, the four may lie in several rows. */
export const insertAcross = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups) * 4u;
  let row = p.part * p.inner;
  if (k >= p.outer * row) { return; }
  let values = x[k / 4u];
  let skipped = (p.whole - p.part) * p.inner;
  var left = row - k % row;
  var at = (k / row) * p.whole * p.inner + p.at * p.inner + k % row;
${[0, 1, 2, 3]
  .map(
    (r) => `  y[at] = values[${r}];
  left -= 1u;
  at += 1u;
  if (left == 0u) { left = row; at += skipped; }`,
  )
  .join('\n')}
}
`;
