// Batch, instance and group normalisation of x seen as [N, S, C], S = H W. Statistics are taken in two passes: one
// invocation per chunk of S and channel, then one merge per normalised group, both in a fixed order.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes } from './channels.wgsl.ts';
import { expm1 } from './elementwise.wgsl.ts';

// Which chunk of which sample, and which channels, an invocation of the first pass has.
const chunkOf = wgsl`
  let k = flat(gid, groups);
  let width = p.c / LANES;
  let chunks = (p.s + p.chunk - 1u) / p.chunk;
  let block = k / width;
  if (block >= p.n * chunks) { return; }
  let c = k - block * width;
  let sample = block / chunks;
  let first = (block - sample * chunks) * p.chunk;
  let count = min(p.chunk, p.s - first);
  var at = (sample * p.s + first) * width + c;
`;

/** Rows fetched before the first of them is used: enough loads in flight to hide how long one takes. */
const AHEAD = 4;

/** Walks the rows of a chunk, `AHEAD` at a time: `fetch` loads what row r has at a place, `use` takes it. */
const walkRows = (fetch: (r: number, place: string) => string, use: (r: number) => string) => {
  const rows = Array.from({ length: AHEAD }, (_, r) => r);
  return wgsl`
  let end = at + count * width;
  let unrolledEnd = at + (count - count % ${AHEAD}u) * width;
  for (; at < unrolledEnd; at += ${AHEAD}u * width) {
    ${rows.map((r) => fetch(r, `at + ${r}u * width`)).join('\n    ')}
    ${rows.map(use).join('\n    ')}
  }
  for (; at < end; at += width) {
    ${fetch(0, 'at')}
    ${use(0)}
  }`;
};

/**
 * Mean and M2 = sum (x - mean)^2 of every chunk, in one walk over values less the chunk's first value x0. With
 * D = sum (x - x0): M2 = sum (x - x0)^2 - D^2 / count. x0 is itself one of the values, so what is subtracted is at most
 * `count` times what remains: the cancellation that ruins E[x^2] - E[x]^2 is bounded whatever the mean.
 */
export const partialsShifted = () => wgsl`
${lanes(true)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${chunkOf}
  let shift = x[at];
  var total = T();
  var squares = T();
  ${walkRows(
    (r, place) => `let d${r} = x[${place}] - shift;`,
    (r) => `total += d${r}; squares += d${r} * d${r};`,
  )}
  let offset = total / f32(count);
  partMean[k] = shift + offset;
  partM2[k] = max(squares - total * offset, T());
}
`;

/** The definition: the mean first, then the squared deviations from it. */
export const partialsNaive = () => wgsl`
${lanes(false)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${chunkOf}
  var total = 0.0;
  for (var r = 0u; r < count; r++) { total += x[at + r * width]; }
  let mean = total / f32(count);
  var m2 = 0.0;
  for (var r = 0u; r < count; r++) {
    let d = x[at + r * width] - mean;
    m2 += d * d;
  }
  partMean[k] = mean;
  partM2[k] = m2;
}
`;

// Chan's update: statistics of two disjoint sets joined. x = count, y = mean, z = M2.
const join = wgsl`
fn join(a: vec3f, b: vec3f) -> vec3f {
  let total = a.x + b.x;
  let share = b.x / max(total, 1.0);
  let delta = b.y - a.y;
  return vec3f(total, a.y + delta * share, a.z + b.z + delta * delta * a.x * share);
}
`;

// A normalised group: `p.width` channels of the set `setAt`, which is one sample, or all of them where p.sets is 1.
const groupOf = wgsl`
  let perSet = p.c / p.width;
  let setAt = q / perSet;
  let c0 = (q - setAt * perSet) * p.width;
  let chunks = (p.s + p.chunk - 1u) / p.chunk;
  let rows = p.n / p.sets * chunks;
`;

// Statistics of member j of the group: rows outside, channels inside.
const member = wgsl`
fn member(j: u32, row0: u32, c0: u32, chunks: u32) -> vec3f {
  let row = row0 + j / p.width;
  let size = min(p.chunk, p.s - (row % chunks) * p.chunk);
  let at = row * p.c + c0 + j % p.width;
  return vec3f(f32(size), partMean[at], partM2[at]);
}
`;

// What a merge writes to each channel of its group, [sets, C]: the mean and 1 / sqrt(variance + eps). Batch norm also moves its
// running statistics, with the variance made unbiased by `p.correction` = m / (m - 1).
const writeStatistics = (running: boolean) => wgsl`
    mean[at] = all.y;
    rstd[at] = inverseSqrt(v + p.eps);
#if ${running}
    runningMean[at] += p.momentum * (all.y - runningMean[at]);
    runningVar[at] += p.momentum * (v * p.correction - runningVar[at]);
#endif
`;

/** Statistics of every group, from those of its chunks. `running`: moves running ones toward them, for sets = width = 1. */
export const mergeWalk = (running: boolean) => wgsl`
${join}
${member}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let q = flat(gid, groups);
  if (q >= p.sets * (p.c / p.width)) { return; }
  ${groupOf}
  var all = vec3f();
  for (var j = 0u; j < rows * p.width; j++) { all = join(all, member(j, setAt * rows, c0, chunks)); }
  let v = all.z / all.x;
  for (var i = 0u; i < p.width; i++) {
    let at = setAt * p.c + c0 + i;
    ${writeStatistics(running)}
  }
}
`;

/** The same with a workgroup per group: 64 walks, then a tree of fixed shape. */
export const mergeTree = (running: boolean) => wgsl`
${join}
${member}
var<workgroup> parts: array<vec3f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let q = wid.x + wid.y * groups.x;
  if (q >= p.sets * (p.c / p.width)) { return; }
  ${groupOf}
  var own = vec3f();
  for (var j = lane; j < rows * p.width; j += 64u) { own = join(own, member(j, setAt * rows, c0, chunks)); }
  parts[lane] = own;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) { parts[lane] = join(parts[lane], parts[lane + half]); }
    workgroupBarrier();
  }
  let all = parts[0];
  let v = all.z / all.x;
  for (var i = lane; i < p.width; i += 64u) {
    let at = setAt * p.c + c0 + i;
    ${writeStatistics(running)}
  }
}
`;

// ROWS of S that one invocation of an element-wise pass walks, so that a channel's statistics are read once for all.
const rowsOf = wgsl`
  let k = flat(gid, groups);
  let width = p.c / LANES;
  let blocks = (p.s + ROWS - 1u) / ROWS;
  let block = k / width;
  if (block >= p.n * blocks) { return; }
  let c = k - block * width;
  let sample = block / blocks;
  let first = (block - sample * blocks) * ROWS;
  let last = min(first + ROWS, p.s);
  let stat = select(0u, sample, p.sets > 1u) * width + c;
  var at = (sample * p.s + first) * width + c;
`;

/** y = f((x - mean) rstd gamma + beta). `activation` is f, WGSL in `z` (T) and `expm1`. */
export const apply = (affine: boolean, activation: string, vector: boolean) => wgsl`
${lanes(vector)}
#if ${activation.includes('expm1')}
${expm1}
#endif
override ROWS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${rowsOf}
  let centre = mean[stat];
#if ${affine}
  let scale = rstd[stat] * gamma[c];
  let shift = beta[c];
#else
  let scale = rstd[stat];
  let shift = T();
#endif
  for (var s = first; s < last; s++) {
    let z = (x[at] - centre) * scale + shift;
    y[at] = ${activation};
    at += width;
  }
}
`;

/** Sums of g and of g xhat over every chunk. */
export const gradPartials = (vector: boolean) => wgsl`
${lanes(vector)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${chunkOf}
  let stat = select(0u, sample, p.sets > 1u) * width + c;
  let centre = mean[stat];
  var sumOne = T();
  var sumX = T();
  ${walkRows(
    (r, place) => `let v${r} = g[${place}]; let x${r} = x[${place}];`,
    (r) => `sumOne += v${r}; sumX += v${r} * (x${r} - centre);`,
  )}
  partG[k] = sumOne;
  partGX[k] = sumX * rstd[stat];
}
`;

/** Per set and channel the sums of g and g xhat; per group the means of gamma g and gamma g xhat. */
export const gradMergeWalk = (affine: boolean) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let q = flat(gid, groups);
  if (q >= p.sets * (p.c / p.width)) { return; }
  ${groupOf}
  var both = vec2f();
  for (var i = 0u; i < p.width; i++) {
    let c = c0 + i;
    var own = vec2f();
    for (var row = setAt * rows; row < (setAt + 1u) * rows; row++) {
      own += vec2f(partG[row * p.c + c], partGX[row * p.c + c]);
    }
    sumG[setAt * p.c + c] = own.x;
    sumGX[setAt * p.c + c] = own.y;
#if ${affine}
    both += gamma[c] * own;
#else
    both += own;
#endif
  }
  both /= f32(p.n / p.sets * p.s * p.width);
  for (var i = 0u; i < p.width; i++) {
    meanG[setAt * p.c + c0 + i] = both.x;
    meanGX[setAt * p.c + c0 + i] = both.y;
  }
}
`;

/** The same with a workgroup per group: for each channel 64 walks, then a tree of fixed shape. */
export const gradMergeTree = (affine: boolean) => wgsl`
var<workgroup> parts: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let q = wid.x + wid.y * groups.x;
  if (q >= p.sets * (p.c / p.width)) { return; }
  ${groupOf}
  var both = vec2f();
  for (var i = 0u; i < p.width; i++) {
    let c = c0 + i;
    var own = vec2f();
    for (var row = setAt * rows + lane; row < (setAt + 1u) * rows; row += 64u) {
      own += vec2f(partG[row * p.c + c], partGX[row * p.c + c]);
    }
    parts[lane] = own;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
      if (lane < half) { parts[lane] += parts[lane + half]; }
      workgroupBarrier();
    }
    let all = parts[0];
    // The next channel overwrites the parts.
    workgroupBarrier();
    if (lane == 0u) {
      sumG[setAt * p.c + c] = all.x;
      sumGX[setAt * p.c + c] = all.y;
    }
#if ${affine}
    both += gamma[c] * all;
#else
    both += all;
#endif
  }
  both /= f32(p.n / p.sets * p.s * p.width);
  for (var i = lane; i < p.width; i += 64u) {
    meanG[setAt * p.c + c0 + i] = both.x;
    meanGX[setAt * p.c + c0 + i] = both.y;
  }
}
`;

/** dx = rstd (gamma g - mean(gamma g) - xhat mean(gamma g xhat)). */
export const gradInput = (affine: boolean, vector: boolean) => wgsl`
${lanes(vector)}
override ROWS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${rowsOf}
  let centre = mean[stat];
  let r = rstd[stat];
  let a = meanG[stat];
  let b = meanGX[stat] * r;
#if ${affine}
  let scale = gamma[c];
#else
  let scale = T(1.0);
#endif
  for (var s = first; s < last; s++) {
    dx[at] = r * (scale * g[at] - a - (x[at] - centre) * b);
    at += width;
  }
}
`;
