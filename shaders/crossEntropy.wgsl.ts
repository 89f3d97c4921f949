// Softmax cross entropy over rows of class scores, fused: the probabilities are never written to memory.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { bringIn, heldAt, room, stagedEntry } from './staged.wgsl.ts';

export interface CrossEntropyStructure {
  classWeighted: boolean;
  pixelWeighted: boolean;
  /** WGSL in `valid` (bool) and `weight` (f32): what the pixel adds to the denominator. */
  denominator: string;
}

// Everything after the row's maximum and its sum of exponentials.
const finish = (s: CrossEntropyStructure) => wgsl`
  let t = label[k];
  let valid = t >= 0 && t < i32(p.classes) && t != p.ignore;
  // A label outside the classes is never used as an index.
  let own = u32(select(0, t, valid));
  var weight = select(0.0, 1.0, valid);
#if ${s.classWeighted}
  weight *= classWeights[own];
#endif
#if ${s.pixelWeighted}
  weight *= pixelWeights[k];
#endif
  rows[2u * k] = top + log(total);
  rows[2u * k + 1u] = weight;
  // top - own first: the difference is exact when the true class leads, so that small losses keep their digits.
  terms[2u * k] = select(0.0, weight * ((top - score(base, own)) + log(total)), valid);
  terms[2u * k + 1u] = ${s.denominator};
`;

/** rows = (logsumexp, weight), terms = (weighted loss, part of the denominator). One invocation per pixel. */
export const crossEntropy = (s: CrossEntropyStructure) => wgsl`
fn score(base: u32, c: u32) -> f32 { return logits[base + c]; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.pixels) { return; }
  let base = k * p.classes;
  var top = logits[base];
  // Not max, whose care for NaN takes a CPU longer than the load.
  for (var i = base + 1u; i < base + p.classes; i++) {
    let value = logits[i];
    top = select(top, value, value > top);
  }
  var total = 0.0;
  for (var i = base; i < base + p.classes; i++) { total += exp(logits[i] - top); }
  ${finish(s)}
}
`;

/** As `crossEntropy`, to the bit, with the scores in workgroup memory. */
export const crossEntropyStaged = (s: CrossEntropyStructure, classes: number) => wgsl`
${room('scores', classes)}
fn score(lane: u32, c: u32) -> f32 { return scores[${heldAt(classes, 'c')}]; }
${stagedEntry}
  ${bringIn('scores', 'logits', classes)}
  workgroupBarrier();
  let k = first + lane;
  if (k >= p.pixels) { return; }
  let base = lane;
  var top = scores[${heldAt(classes, '0u')}];
  for (var c = 1u; c < ${classes}u; c++) {
    let value = scores[${heldAt(classes, 'c')}];
    top = select(top, value, value > top);
  }
  var total = 0.0;
  for (var c = 0u; c < ${classes}u; c++) { total += exp(scores[${heldAt(classes, 'c')}] - top); }
  ${finish(s)}
}
`;

/** loss = sums[0] / sums[1], and 0 where nothing was counted. */
export const weightedMean = () => wgsl`
@compute @workgroup_size(1)
fn main() {
  var y = 0.0;
  if (sums[1] > 0.0) { y = sums[0] / sums[1]; }
  loss[0] = y;
}
`;

// Scale of the whole gradient: the cotangent over the denominator, both on the device.
const scale = wgsl`
  var scale = 0.0;
  if (sums[1] > 0.0) { scale = g[0] / sums[1]; }
`;

/** dlogits = g / denominator * weight * (softmax - onehot). One invocation per score. `classes` are written out: a division by a constant is a multiplication. */
export const crossEntropyGrad = (classes: number) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat(gid, groups);
  if (i >= p.pixels * ${classes}u) { return; }
  let k = i / ${classes}u;
  let weight = rows[2u * k + 1u];
  if (weight == 0.0) {
    dlogits[i] = 0.0;
    return;
  }
  ${scale}
  let onehot = select(0.0, 1.0, i32(i % ${classes}u) == label[k]);
  dlogits[i] = scale * weight * (exp(logits[i] - rows[2u * k]) - onehot);
}
`;

/** The same for all scores of one pixel: neighbours read apart, and nothing is worked out per score but the exponential. */
export const crossEntropyGradRow = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.pixels) { return; }
  let weight = rows[2u * k + 1u];
  let lse = rows[2u * k];
  ${scale}
  let first = k * p.classes;
  let own = first + u32(max(label[k], 0));
  for (var i = first; i < first + p.classes; i++) {
    let value = scale * weight * (exp(logits[i] - lse) - select(0.0, 1.0, i == own));
    // A pixel without weight has no gradient, whatever its scores are.
    dlogits[i] = select(value, 0.0, weight == 0.0);
  }
}
`;
