// Optimiser steps in place, over one parameter or over many side by side; the padding between those is updated with them, to no
// harm. What changes from step to step (learning rate, bias corrections, the clipping factor, the averaging rate) is read from buffers, so that a recorded step can be replayed.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkElements } from './channels.wgsl.ts';

/** b = momentum b + d, w -= lr (b, or d + momentum b with Nesterov), d = clip g + decay w. */
export const sgd = (vector: boolean, nesterov: boolean) => wgsl`
${lanes(vector)}
${walkElements(
  wgsl`
  let factor = clip[0];
  let lr = hyper[p.group];`,
  wgsl`
    let d = factor * g[i] + p.weightDecay * w[i];
    let b = p.momentum * momentum[i] + d;
    momentum[i] = b;
#if ${nesterov}
    w[i] -= lr * (d + p.momentum * b);
#else
    w[i] -= lr * b;
#endif
`,
)}
`;

/** m and v are moving means of d and d^2; w -= lr (m c1) / (sqrt(v c2) + eps), c1 and c2 undoing their zero start. */
export const adam = (vector: boolean, decoupled: boolean) => wgsl`
${lanes(vector)}
${walkElements(
  wgsl`
  let factor = clip[0];
  let c1 = hyper[0];
  let c2 = hyper[1];
  let lr = hyper[2u + p.group];`,
  wgsl`
#if ${decoupled}
    let d = factor * g[i];
#else
    let d = factor * g[i] + p.weightDecay * w[i];
#endif
    let m1 = p.beta1 * m[i] + p.rest1 * d;
    let v1 = p.beta2 * v[i] + p.rest2 * (d * d);
    m[i] = m1;
    v[i] = v1;
    var change = (m1 * c1) / (sqrt(v1 * c2) + p.eps);
#if ${decoupled}
    // Added to the change: as a factor, 1 - lr decay would lose most digits of a decay of 1e-5.
    change += p.weightDecay * w[i];
#endif
    w[i] -= lr * change;
`,
)}
`;

/** average = rate average + (1 - rate) x. */
export const ema = (vector: boolean) => wgsl`
${lanes(vector)}
${walkElements('let kept = rate[0];', 'average[i] = kept * average[i] + (1.0 - kept) * x[i];')}
`;

/**
 * Partial sums of squares: the 64 invocations of a workgroup share a chunk of neighbouring values of one tensor, invocation `lane`
 * taking every 64th, so that loads are of neighbours and no barrier is needed. One partial sum per invocation. What lies between
 * chunks is never read.
 */
export const squareSums = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  let chunk = k / 64u;
  if (chunk >= p.chunks) { return; }
  let end = bounds[2u * chunk + 1u];
  var total = 0.0;
  for (var i = bounds[2u * chunk] + k % 64u; i < end; i += 64u) { total += x[i] * x[i]; }
  y[p.at + k] = total;
}
`;

/** norm = sqrt(total), clip = min(1, maxNorm / norm). */
export const clipFactor = () => wgsl`
@compute @workgroup_size(1)
fn main() {
  let length = sqrt(total[0]);
  var factor = 1.0;
  if (length > p.maxNorm) { factor = p.maxNorm / length; }
  norm[0] = length;
  clip[0] = factor;
}
`;
