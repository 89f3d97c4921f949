// Mixing of two images of a batch, and the labels made from a teacher's probabilities. No neighbours, no gradients.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** mask[i, s] = [d[i, s] >= d[j, s] - margin], j the next image of the batch. */
export const depthMixMask = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.images * p.pixels) { return; }
  let partner = (k / p.pixels + 1u) % p.images;
  mask[k] = select(0.0, 1.0, disparity[k] >= disparity[partner * p.pixels + k % p.pixels] - p.margin);
}
`;

/** y[i, s, c] = mask[i, s] ? a[i, s, c] : b[(i + shift) mod images, s, c]; `width` channels per invocation. */
export const mixByMask = (width: number) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  let channels = p.channels / ${width}u;
  let image = p.pixels * channels;
  if (k >= p.images * image) { return; }
  let other = ((k / image + p.shift) % p.images) * image + k % image;
  if (mask[k / channels] != 0.0) { y[k] = a[k]; } else { y[k] = b[other]; }
}
`;

/** The same for all channels of one pixel. */
export const mixByMaskRow = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  let image = k / p.pixels;
  if (image >= p.images) { return; }
  let pixel = k - image * p.pixels;
  let other = ((image + p.shift) % p.images * p.pixels + pixel) * p.channels;
  let own = k * p.channels;
  let keeps = mask[k] != 0.0;
  for (var c = 0u; c < p.channels; c++) { y[own + c] = select(b[other + c], a[own + c], keeps); }
}
`;

/** label = argmax over the classes, confidence = the greatest probability; an all-zero row is not labelled. */
export const pseudoLabel = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.pixels) { return; }
  var best = probabilities[k * p.classes];
  var at = 0;
  for (var c = 1u; c < p.classes; c++) {
    let value = probabilities[k * p.classes + c];
    if (value > best) { best = value; at = i32(c); }
  }
  label[k] = select(p.ignore, at, best > 0.0);
  confidence[k] = best;
}
`;

/** y[k, c] = [label[k] = c]. */
export const oneHot = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.pixels * p.classes) { return; }
  let own = label[k / p.classes];
  y[k] = select(0.0, 1.0, own == i32(k % p.classes) && own != p.ignore);
}
`;

/** The same for all classes of one pixel. */
export const oneHotRow = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.pixels) { return; }
  let own = select(label[k], -1, label[k] == p.ignore);
  for (var c = 0u; c < p.classes; c++) { y[k * p.classes + c] = select(0.0, 1.0, own == i32(c)); }
}
`;
