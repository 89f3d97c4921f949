// Lucas-Kanade flow on cells. The maths is at the head of kernels/opticalFlow.ts.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

const cell = wgsl`
  let k = flat(gid, groups);
  let rows = p.h / p.cell;
  let cols = p.w / p.cell;
  if (k >= p.n * rows * cols) { return; }
  let image = k / (rows * cols) * p.h;
  let top = k / cols % rows * p.cell;
  let left = k % cols * p.cell;
`;

const write = wgsl`
  let share = 1.0 / f32(p.cell * p.cell * p.c);
  m[5u * k] = squares.x * share;
  m[5u * k + 1u] = squares.y * share;
  m[5u * k + 2u] = squares.z * share;
  m[5u * k + 3u] = mixed.x * share;
  m[5u * k + 4u] = mixed.y * share;
`;

/** Ten loads per pixel and channel: both images at the pixel and its four neighbours. */
export const flowMomentsNaive = () => wgsl`
fn both(row: u32, col: u32, c: u32) -> f32 { let i = (row * p.w + col) * p.c + c; return 0.5 * (a[i] + b[i]); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${cell}
  var squares = vec3f(0.0);
  var mixed = vec2f(0.0);
  for (var y = top; y < top + p.cell; y++) {
    let above = image + max(y, 1u) - 1u;
    let below = image + min(y + 1u, p.h - 1u);
    for (var x = left; x < left + p.cell; x++) {
      for (var c = 0u; c < p.c; c++) {
        let i = ((image + y) * p.w + x) * p.c + c;
        let ix = 0.5 * (both(image + y, min(x + 1u, p.w - 1u), c) - both(image + y, max(x, 1u) - 1u, c));
        let iy = 0.5 * (both(below, x, c) - both(above, x, c));
        squares += vec3f(ix * ix, ix * iy, iy * iy);
        mixed += vec2f(ix, iy) * (b[i] - a[i]);
      }
    }
  }
  ${write}
}
`;

/**
 * Six loads: along a row the pixel to the right becomes the pixel, and the pixel the one to the left. `vec2f` holds a
 * pixel of both images.
 */
export const flowMoments = () => wgsl`
fn pixel(row: u32, col: u32, c: u32) -> vec2f { let i = (row * p.w + col) * p.c + c; return vec2f(a[i], b[i]); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${cell}
  var squares = vec3f(0.0);
  var mixed = vec2f(0.0);
  for (var c = 0u; c < p.c; c++) {
    for (var y = image + top; y < image + top + p.cell; y++) {
      let above = max(y, image + 1u) - 1u;
      let below = min(y + 1u, image + p.h - 1u);
      var before = pixel(y, max(left, 1u) - 1u, c);
      var here = pixel(y, left, c);
      for (var x = left; x < left + p.cell; x++) {
        let next = pixel(y, min(x + 1u, p.w - 1u), c);
        let down = pixel(below, x, c) - pixel(above, x, c);
        let across = next - before;
        let ix = 0.25 * (across.x + across.y);
        let iy = 0.25 * (down.x + down.y);
        squares += vec3f(ix * ix, ix * iy, iy * iy);
        mixed += vec2f(ix, iy) * (here.y - here.x);
        before = here;
        here = next;
      }
    }
  }
  ${write}
}
`;

/** The 2 x 2 system by Cramer's rule. The ridge keeps its determinant above zero where the picture is flat. */
export const solveFlow = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * p.rows * p.cols) { return; }
  let row = k / p.cols % p.rows;
  let col = k % p.cols;
  let first = k - row * p.cols - col;
  var squares = vec3f(0.0);
  var mixed = vec2f(0.0);
  var count = 0.0;
  for (var y = max(row, 1u) - 1u; y <= min(row + 1u, p.rows - 1u); y++) {
    for (var x = max(col, 1u) - 1u; x <= min(col + 1u, p.cols - 1u); x++) {
      let i = 5u * (first + y * p.cols + x);
      squares += vec3f(m[i], m[i + 1u], m[i + 2u]);
      mixed += vec2f(m[i + 3u], m[i + 4u]);
      count += 1.0;
    }
  }
  squares = squares / count + vec3f(p.ridge, 0.0, p.ridge);
  mixed /= count;
  let determinant = squares.x * squares.z - squares.y * squares.y;
  let u = (squares.y * mixed.y - squares.z * mixed.x) / determinant;
  let v = (squares.y * mixed.x - squares.x * mixed.y) / determinant;
  flow[2u * k] = clamp(u, -p.limit, p.limit);
  flow[2u * k + 1u] = clamp(v, -p.limit, p.limit);
}
`;
