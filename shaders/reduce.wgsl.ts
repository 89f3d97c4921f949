// Reductions over the middle axis of [outer, reduce, inner]. Each invocation walks its values in order, so the result
// does not depend on scheduling. Long axes are cut into chunks, one partial result each, and reduced again.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { bringIn, heldAt, room, stagedEntry, takeOut } from './staged.wgsl.ts';

// Values fetched before the first of them is added: enough loads in flight to hide how long one takes.
const AHEAD = 4;

/**
 * y[o, chunk, i] = fold of x[o, r, i] over the chunk's r. `fold` is WGSL in `total` and `value`; `start` may read x[at], the chunk's
 * first value, because WGSL has no infinity for a greatest value to start from. The naive kernel is the second loop alone; the first
 * adds in the same order. With `vector`, x and y are vec4 along i.
 */
export const reduce = (start: string, fold: string, vector: boolean) => {
  const ahead = Array.from({ length: AHEAD }, (_, r) => r);
  return wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
#if ${vector}
  let inner = p.inner / 4u;
#else
  let inner = p.inner;
#endif
  let chunks = max(1u, (p.reduce + p.chunk - 1u) / p.chunk);
  if (k >= p.outer * chunks * inner) { return; }
  let chunk = (k / inner) % chunks;
  let first = chunk * p.chunk;
  let count = min(p.chunk, p.reduce - first);
  var at = ((k / (inner * chunks)) * p.reduce + first) * inner + k % inner;
#if ${vector}
  var total = vec4f(${start});
#else
  var total = ${start};
#endif
  let end = at + count * inner;
  let unrolledEnd = at + (count - count % ${AHEAD}u) * inner;
  for (; at < unrolledEnd; at += ${AHEAD}u * inner) {
    ${ahead.map((r) => `let v${r} = x[at + ${r}u * inner];`).join('\n    ')}
    ${ahead.map((r) => `total = ${fold.replace('value', `v${r}`)};`).join('\n    ')}
  }
  for (; at < end; at += inner) {
    let value = x[at];
    total = ${fold};
  }
  y[k] = total;
}
`;
};

/**
 * `folded(lane, idle, own)`: the fold of what the 64 invocations of a workgroup have, told to each; `across` folds a subgroup. WGSL does not
 * say how many invocations form a subgroup, or which: each subgroup leaves its result under the least index among its own, and the
 * other places hold `idle`, which changes nothing: 0 in a sum, any of the values where the greatest is asked for. Without `across` a tree does it.
 */
const foldWorkgroup = (fold: string, across: string | null) => wgsl`
var<workgroup> parts: array<f32, 64>;
fn folded(lane: u32, idle: f32, own: f32) -> f32 {
#if ${across !== null}
  parts[lane] = idle;
  workgroupBarrier();
  let folded = ${across}(own);
  if (subgroupMin(lane) == lane) { parts[lane] = folded; }
  workgroupBarrier();
  if (lane == 0u) {
    var total = parts[0];
    for (var part = 1u; part < 64u; part++) {
      let value = parts[part];
      total = ${fold};
    }
    parts[0] = total;
  }
#else
  parts[lane] = own;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let total = parts[lane];
      let value = parts[lane + half];
      parts[lane] = ${fold};
    }
  }
#endif
  return workgroupUniformLoad(&parts[0]);
}
`;

/**
 * As `reduce` with a workgroup per chunk: neighbouring invocations read neighbouring values, and fold what they have by subgroups where
 * `across` says how, else by a tree. Other order of additions than `reduce`.
 */
export const reduceWorkgroup = (start: string, fold: string, across: string | null) => wgsl`
${foldWorkgroup(fold, across)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let k = group.x + group.y * groups.x;
  let chunks = max(1u, (p.reduce + p.chunk - 1u) / p.chunk);
  if (k >= p.outer * chunks * p.inner) { return; }
  let first = ((k / p.inner) % chunks) * p.chunk;
  let base = (k / (p.inner * chunks)) * p.reduce * p.inner + k % p.inner;
  let end = base + min(first + p.chunk, p.reduce) * p.inner;
  let at = base + first * p.inner;
  var total = ${start};
  for (var i = at + lane * p.inner; i < end; i += 64u * p.inner) {
    let value = x[i];
    total = ${fold};
  }
  let all = folded(lane, ${start}, total);
  if (lane == 0u) { y[k] = all; }
}
`;

/** y[o, i] = first r with the greatest (or least) x[o, r, i]. */
export const argReduce = (better: string) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.outer * p.inner) { return; }
  let base = (k / p.inner) * p.reduce * p.inner + k % p.inner;
  var best = x[base];
  var at = 0u;
  for (var r = 1u; r < p.reduce; r++) {
    let value = x[base + r * p.inner];
    if (value ${better} best) { best = value; at = r; }
  }
  y[k] = i32(at);
}
`;

/** y[o, i] = x[o, index[o, i], i]. */
export const pick = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.outer * p.inner) { return; }
  y[k] = x[((k / p.inner) * p.reduce + u32(index[k])) * p.inner + k % p.inner];
}
`;

/** y[o, r, i] = r == index[o, i] ? x[o, i] : 0. */
export const place = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.outer * p.reduce * p.inner) { return; }
  let r = (k / p.inner) % p.reduce;
  let source = (k / (p.inner * p.reduce)) * p.inner + k % p.inner;
  y[k] = select(0.0, x[source], i32(r) == index[source]);
}
`;

/** y = e^(x - max) / sum e^(x - max) along the middle axis. One invocation per [outer, inner]. */
export const softmax = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.outer * p.inner) { return; }
  let first = (k / p.inner) * p.reduce * p.inner + k % p.inner;
  let end = first + p.reduce * p.inner;
  var top = x[first];
  // Not max, whose care for NaN takes a CPU longer than the load.
  for (var i = first; i < end; i += p.inner) {
    let value = x[i];
    top = select(top, value, value > top);
  }
  var total = 0.0;
  for (var i = first; i < end; i += p.inner) {
    let e = exp(x[i] - top);
    y[i] = e;
    total += e;
  }
  let scale = 1.0 / total;
  for (var i = first; i < end; i += p.inner) { y[i] *= scale; }
}
`;

/** As `softmax`, to the bit, for lines of `count` neighbouring values, in workgroup memory. */
export const softmaxStaged = (count: number) => wgsl`
${room('held', count)}
${stagedEntry}
  ${bringIn('held', 'x', count)}
  workgroupBarrier();
  var top = held[${heldAt(count, '0u')}];
  for (var c = 1u; c < ${count}u; c++) {
    let value = held[${heldAt(count, 'c')}];
    top = select(top, value, value > top);
  }
  var total = 0.0;
  for (var c = 0u; c < ${count}u; c++) {
    let e = exp(held[${heldAt(count, 'c')}] - top);
    held[${heldAt(count, 'c')}] = e;
    total += e;
  }
  let scale = 1.0 / total;
  for (var c = 0u; c < ${count}u; c++) { held[${heldAt(count, 'c')}] *= scale; }
  workgroupBarrier();
  ${takeOut('held', 'y', count, 'p.outer')}
}
`;

/** As `softmaxGrad`, to the bit, likewise. */
export const softmaxGradStaged = (count: number) => wgsl`
${room('cotangent', count)}
${room('held', count)}
${stagedEntry}
  ${bringIn('cotangent', 'g', count)}
  ${bringIn('held', 'y', count)}
  workgroupBarrier();
  var total = 0.0;
  for (var c = 0u; c < ${count}u; c++) { total += cotangent[${heldAt(count, 'c')}] * held[${heldAt(count, 'c')}]; }
  for (var c = 0u; c < ${count}u; c++) { held[${heldAt(count, 'c')}] *= cotangent[${heldAt(count, 'c')}] - total; }
  workgroupBarrier();
  ${takeOut('held', 'dx', count, 'p.outer')}
}
`;

/** dx = y (g - sum g y) along the middle axis. */
export const softmaxGrad = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.outer * p.inner) { return; }
  let base = (k / p.inner) * p.reduce * p.inner + k % p.inner;
  var total = 0.0;
  for (var r = 0u; r < p.reduce; r++) { total += g[base + r * p.inner] * y[base + r * p.inner]; }
  for (var r = 0u; r < p.reduce; r++) {
    let at = base + r * p.inner;
    dx[at] = y[at] * (g[at] - total);
  }
}
`;
