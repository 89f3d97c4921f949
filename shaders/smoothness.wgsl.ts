// Differences to the right and lower neighbour, weighted by image edges. The weights leave the forward kernel as a
// second output, so that the backward one needs neither the image nor exp.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** cost[k] = wx |d(right) - d| + wy |d(below) - d|, with wx = e^(-mean_c |I(right) - I|) / count, wy alike, 0 at ends. */
export const smoothness = () => wgsl`
fn weight(k: u32, other: u32) -> f32 {
  var total = 0.0;
  for (var c = 0u; c < p.c; c++) { total += abs(image[other * p.c + c] - image[k * p.c + c]); }
  return exp(-total / f32(p.c));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * p.h * p.w) { return; }
  let here = disp[k];
  var total = 0.0;
  var w = vec2f(0.0);
  if (k % p.w + 1u < p.w) {
    w.x = weight(k, k + 1u) / f32(p.n * p.h * (p.w - 1u));
    total += w.x * abs(disp[k + 1u] - here);
  }
  if (k / p.w % p.h + 1u < p.h) {
    w.y = weight(k, k + p.w) / f32(p.n * (p.h - 1u) * p.w);
    total += w.y * abs(disp[k + p.w] - here);
  }
  weights[2u * k] = w.x;
  weights[2u * k + 1u] = w.y;
  cost[k] = total;
}
`;

/** dDisp[k] = sum over the four neighbours of the edge's cotangent and weight times the sign of the difference. */
export const smoothnessGrad = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * p.h * p.w) { return; }
  let x = k % p.w;
  let y = k / p.w % p.h;
  let here = disp[k];
  var total = 0.0;
  if (x + 1u < p.w) { total -= g[k] * weights[2u * k] * sign(disp[k + 1u] - here); }
  if (y + 1u < p.h) { total -= g[k] * weights[2u * k + 1u] * sign(disp[k + p.w] - here); }
  if (x > 0u) { total += g[k - 1u] * weights[2u * k - 2u] * sign(here - disp[k - 1u]); }
  if (y > 0u) { total += g[k - p.w] * weights[2u * (k - p.w) + 1u] * sign(here - disp[k - p.w]); }
  dDisp[k] = total;
}
`;
