// Counts of (true class, predicted class). Integer sums: the order of counting cannot change the result.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** Invocation k counts pixels k, k + walkers, ... into its own matrix partial[k]. */
export const confusionPartial = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.walkers) { return; }
  let cells = p.classes * p.classes;
  let own = k * cells;
  for (var i = 0u; i < cells; i++) { partial[own + i] = 0u; }
  let classes = i32(p.classes);
  for (var i = k; i < p.pixels; i += p.walkers) {
    let t = label[i];
    let q = prediction[i];
    if (t != p.ignore && t >= 0 && t < classes && q >= 0 && q < classes) {
      partial[own + u32(t * classes + q)] += 1u;
    }
  }
}
`;

/** counts += sum of the partial matrices. One invocation per cell. */
export const confusionAdd = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat(gid, groups);
  let cells = p.classes * p.classes;
  if (i >= cells) { return; }
  var total = counts[i];
  for (var k = 0u; k < p.walkers; k++) { total += partial[k * cells + i]; }
  counts[i] = total;
}
`;
