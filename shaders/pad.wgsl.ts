// Reflection padding of [N,H,W,C] along H and W, and its adjoint. Zero padding is a movement kernel.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, unpack } from './channels.wgsl.ts';

/** y[o, q] = x[mirror(o - pad), mirror(q - pad)]; the border pixel itself is not repeated. */
export const reflect = (vector: boolean) => wgsl`
${lanes(vector)}
fn mirror(o: u32, size: u32) -> u32 {
  let i = abs(i32(o) - i32(p.pad));
  let last = i32(size) - 1;
  return u32(last - abs(last - i));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${unpack('p.h + 2u * p.pad', 'p.w + 2u * p.pad')}
  y[k] = x[((sample * p.h + mirror(row, p.h)) * p.w + mirror(col, p.w)) * width + c];
}
`;

/** dx = sum of g over the pixel's copy and its mirror images, at most one beyond each border. */
export const reflectAdjoint = (vector: boolean) => wgsl`
${lanes(vector)}
struct Images { count: u32, at: array<u32, 3> }
fn images(i: u32, size: u32) -> Images {
  var found = Images(1u, array<u32, 3>(i + p.pad, 0u, 0u));
  if (i > 0u && i <= p.pad) {
    found.at[found.count] = p.pad - i;
    found.count++;
  }
  let fromLast = size - 1u - i;
  if (fromLast > 0u && fromLast <= p.pad) {
    found.at[found.count] = p.pad + size - 1u + fromLast;
    found.count++;
  }
  return found;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${unpack('p.h', 'p.w')}
  let rows = images(row, p.h);
  let cols = images(col, p.w);
  let across = p.w + 2u * p.pad;
  let base = sample * (p.h + 2u * p.pad);
  var total = T();
  for (var r = 0u; r < rows.count; r++) {
    for (var q = 0u; q < cols.count; q++) {
      total += g[((base + rows.at[r]) * across + cols.at[q]) * width + c];
    }
  }
  dx[k] = total;
}
`;
