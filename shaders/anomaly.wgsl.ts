// Finds NaN and infinity. WGSL lets a compiler take NaN and infinity for impossible ("Finite Math Assumption",
// https://www.w3.org/TR/WGSL/#floating-point-evaluation), so values are never compared: their exponent bits are.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** Invocation k looks at elements k, k + walkers, ... and stops at the first whose exponent bits are all set. */
export const nonFiniteScan = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.walkers) { return; }
  var index = 0xffffffffu;
  var kind = 0u;
  for (var i = k; i < p.n; i += p.walkers) {
    let bits = bitcast<u32>(x[i]);
    if ((bits & 0x7f800000u) == 0x7f800000u) {
      index = i;
      kind = select(2u + (bits >> 31u), 1u, (bits & 0x007fffffu) != 0u);
      break;
    }
  }
  found[2u * k] = index;
  found[2u * k + 1u] = kind;
}
`;

/** Counts one more scan; the first that found something leaves its number, the lowest index and the kind. */
export const nonFiniteFirst = () => wgsl`
@compute @workgroup_size(1)
fn main() {
  let scan = first[0];
  first[0] = scan + 1u;
  if (first[1] != 0xffffffffu) { return; }
  var index = 0xffffffffu;
  var kind = 0u;
  for (var k = 0u; k < p.walkers; k++) {
    if (found[2u * k] < index) {
      index = found[2u * k];
      kind = found[2u * k + 1u];
    }
  }
  if (index == 0xffffffffu) { return; }
  first[1] = scan;
  first[2] = index;
  first[3] = kind;
}
`;
