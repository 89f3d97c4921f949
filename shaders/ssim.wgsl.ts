// Structural similarity on 3x3 windows after reflection padding, and what is built from it.
//
// With the window's means mx, my, variances vx, vy and vd = var(x - y):
//   n1 = 2 mx my + C1, d1 = mx^2 + my^2 + C1, n2 = 2 cov + C2, d2 = vx + vy + C2,  SSIM = n1 n2 / (d1 d2).
// d1 - n1 = (mx - my)^2 and d2 - n2 = vd, so 1 - SSIM = (d1 vd + n2 (mx - my)^2) / (d1 d2): no difference of nearly
// equal numbers, and exactly 0 for x = y. The variances are sums of squares too, never E[x^2] - E[x]^2: each column of
// three pixels has its mean and its squared deviations, and three columns merge by
//   9 v = sum_j S_j + 3 sum_j (m_j - m)^2      (Chan, Golub, LeVeque 1979).
// Columns are also what neighbouring windows share: an invocation walks RUN pixels of a line and reads three pixels per step instead of
// nine. CPU adapters, where every load is paid for, walk along rows. GPUs walk down columns, where neighbouring invocations read
// neighbouring addresses; then `column` below is a row of three pixels. With RUN 1 nothing is shared.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** Along rows, or down columns. */
export type Direction = 'along' | 'down';

/**
 * The run of an invocation among `images` images: the pixels `first` to `last` of a line, whose pixel `at` has the index
 * `line1 + at * next`; `line0` and `line2` are the lines beside it, mirrored at the border, `beside` is its place among them. A line
 * has `extent` pixels, an image `breadth` lines.
 */
export const run = (direction: Direction, images: string) => wgsl`
  let id = flat(gid, groups);
#if ${direction === 'along'}
  let extent = p.w;
  let breadth = p.h;
  let runs = (extent + RUN - 1u) / RUN;
  if (id >= ${images} * breadth * runs) { return; }
  let first = id % runs * RUN;
  let beside = id / runs % breadth;
  let line1 = id / runs * p.w;
  let next = 1u;
  let apart = p.w;
#else
  let extent = p.h;
  let breadth = p.w;
  let runs = (extent + RUN - 1u) / RUN;
  if (id >= ${images} * breadth * runs) { return; }
  let first = id / p.w % runs * RUN;
  let beside = id % p.w;
  let line1 = id / p.w / runs * p.h * p.w + beside;
  let next = p.w;
  let apart = 1u;
#endif
  let last = min(first + RUN, extent);
  let line0 = select(line1 - apart, line1 + apart, beside == 0u);
  let line2 = select(line1 + apart, line1 - apart, beside + 1u == breadth);
  let before = select(first - 1u, 1u, first == 0u);
`;

/** What `run` needs before the entry point. */
export const mirrored = wgsl`
override RUN: u32;
// The pixel after this one in a line of \`extent\` pixels, mirrored at the border.
fn after(at: u32, extent: u32) -> u32 { return select(at + 1u, extent - 2u, at + 1u == extent); }
`;

/** SSIM of a window from its three columns, and a column from three pixels of each image. */
export const similarity = wgsl`
// Of x + y and x - y in a column of three pixels: means and sums of squared deviations; x - y in the middle.
struct Column { mean: vec2f, spread: vec2f, apart: f32 }

fn columnOf(x: vec3f, y: vec3f) -> Column {
  let sum = x + y;
  let apart = x - y;
  let a = vec2f(sum.x, apart.x);
  let b = vec2f(sum.y, apart.y);
  let c = vec2f(sum.z, apart.z);
  let mean = (a + b + c) * (1.0 / 3.0);
  let da = a - mean;
  let db = b - mean;
  let dc = c - mean;
  return Column(mean, da * da + db * db + dc * dc, apart.y);
}

struct Similarity { n1: f32, d1: f32, n2: f32, d2: f32, vd: f32, mean: vec2f }

fn similarity(left: Column, middle: Column, right: Column) -> Similarity {
  let mean = (left.mean + middle.mean + right.mean) * (1.0 / 3.0);
  let a = left.mean - mean;
  let b = middle.mean - mean;
  let c = right.mean - mean;
  let v = (left.spread + middle.spread + right.spread) * (1.0 / 9.0) + (a * a + b * b + c * c) * (1.0 / 3.0);
  let square = mean * mean;
  let d1 = 0.5 * (square.x + square.y) + 1e-4;
  let d2 = 0.5 * (v.x + v.y) + 9e-4;
  return Similarity(d1 - square.y, d1, d2 - v.y, d2, v.y, mean);
}

// (1 - SSIM) / 2. It cannot fall below 0, and its definition says not above 1.
fn dissimilarity(s: Similarity) -> f32 {
  let value = (s.d1 * s.vd + s.n2 * s.mean.y * s.mean.y) / (2.0 * s.d1 * s.d2);
  return select(value, 1.0, value > 1.0);
}
`;

/** A kernel that does `body` for each channel c of each pixel k of its run, value i; the body sees `s` and the middle column. */
const eachWindow = (direction: Direction, body: string) => wgsl`
${mirrored}
${similarity}
fn column(at: vec3u) -> Column {
  return columnOf(vec3f(x[at.x], x[at.y], x[at.z]), vec3f(y[at.x], y[at.y], y[at.z]));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${run(direction, 'p.n')}
  let step = next * p.c;
  for (var c = 0u; c < p.c; c++) {
    let lines = vec3u(line0, line1, line2) * p.c + c;
    var left = column(lines + before * step);
    var middle = column(lines + first * step);
    for (var at = first; at < last; at++) {
      let right = column(lines + after(at, extent) * step);
      let s = similarity(left, middle, right);
      let k = line1 + at * next;
      let i = lines.y + at * step;
      ${body}
      left = middle;
      middle = right;
    }
  }
}
`;

/** error[k, c] = clamp((1 - SSIM) / 2, 0, 1). */
export const ssim = (direction: Direction) => eachWindow(direction, 'error[i] = dissimilarity(s);');

/** The same from the definition, one invocation per pixel and channel: means first, then central moments. */
export const ssimNaive = () => wgsl`
fn mirror(at: i32, size: i32) -> i32 {
  let low = abs(at);
  return select(low, 2 * size - 2 - low, low >= size);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * p.h * p.w * p.c) { return; }
  let c = k % p.c;
  let px = i32(k / p.c % p.w);
  let py = i32(k / (p.c * p.w) % p.h);
  let n = k / (p.c * p.w * p.h);
  var mx = 0.0;
  var my = 0.0;
  for (var j = -1; j <= 1; j++) {
    for (var i = -1; i <= 1; i++) {
      let at = ((n * p.h + u32(mirror(py + j, i32(p.h)))) * p.w + u32(mirror(px + i, i32(p.w)))) * p.c + c;
      mx += x[at] / 9.0;
      my += y[at] / 9.0;
    }
  }
  var vx = 0.0;
  var vy = 0.0;
  var cov = 0.0;
  for (var j = -1; j <= 1; j++) {
    for (var i = -1; i <= 1; i++) {
      let at = ((n * p.h + u32(mirror(py + j, i32(p.h)))) * p.w + u32(mirror(px + i, i32(p.w)))) * p.c + c;
      vx += (x[at] - mx) * (x[at] - mx) / 9.0;
      vy += (y[at] - my) * (y[at] - my) / 9.0;
      cov += (x[at] - mx) * (y[at] - my) / 9.0;
    }
  }
  let similarity = (2.0 * mx * my + 1e-4) * (2.0 * cov + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
  error[k] = clamp((1.0 - similarity) / 2.0, 0.0, 1.0);
}
`;

/** error[k] = alpha mean_c ssimError + (1 - alpha) mean_c |x - y|. */
export const photometric = (direction: Direction) =>
  eachWindow(
    direction,
    wgsl`
      let term = p.alpha * dissimilarity(s) + (1.0 - p.alpha) * abs(middle.apart);
      error[k] = select(error[k], 0.0, c == 0u) + term / f32(p.c);
`,
  );

/** (ax, ay, b, e) of a window with similarity s, multiplied by g. */
export const slopes = wgsl`
fn slopes(s: Similarity, g: f32) -> vec4f {
  let outer = g / (s.d1 * s.d2);
  let b = outer * s.n1 * s.n2 / s.d2;
  let e = -outer * s.n1 * s.vd / s.d2;
  let m = s.mean.y;
  let x = 0.5 * (s.mean.x + m);
  let y = x - m;
  let gap = m * m / s.d1;
  let ax = outer * s.n2 * (m - x * gap) - b * m - e * y;
  let ay = outer * s.n2 * (-m - y * gap) + b * m - e * x;
  return vec4f(ax, ay, b, e);
}
`;

/**
 * coefficients[k, c] = (ax, ay, b, e), for the window around k and each pixel q in it, multiplied by the cotangent:
 * d error / d x(q) = ax + b (x(q) - y(q)) + e y(q) and d error / d y(q) = ay + b (y(q) - x(q)) + e x(q).
 */
export const ssimCoefficients = (direction: Direction) => wgsl`
${slopes}
${eachWindow(direction, 'coefficients[i] = slopes(s, cotangent[k * p.cotangents + c % p.cotangents] * p.scale / 9.0);')}
`;

/**
 * Sum over the windows that hold pixel k, twice where reflection puts it in a window twice, of the coefficients applied
 * to it; with `colour` also the gradient of scale |x - y|. `side` 0 gives the gradient to x, 1 to y.
 */
export const ssimGrad = (direction: Direction, side: 0 | 1, colour: boolean) => wgsl`
${mirrored}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${run(direction, 'p.n')}
  // The pixel next to the border is also the mirror image beyond it: the border's window holds it twice. Past the
  // border there is no window; the weight 0 meets a mirrored address.
  let v0 = select(select(1.0, 2.0, beside == 1u), 0.0, beside == 0u);
  let v2 = select(select(1.0, 2.0, beside + 2u == breadth), 0.0, beside + 1u == breadth);
  for (var c = 0u; c < p.c; c++) {
    let l0 = line0 * p.c + c;
    let l1 = line1 * p.c + c;
    let l2 = line2 * p.c + c;
    let b = before * next * p.c;
    let f = first * next * p.c;
    var left = coefficients[l0 + b] * v0 + coefficients[l1 + b] + coefficients[l2 + b] * v2;
    var middle = coefficients[l0 + f] * v0 + coefficients[l1 + f] + coefficients[l2 + f] * v2;
    for (var at = first; at < last; at++) {
      let n = after(at, extent) * next * p.c;
      let right = coefficients[l0 + n] * v0 + coefficients[l1 + n] + coefficients[l2 + n] * v2;
      let u0 = select(select(1.0, 2.0, at == 1u), 0.0, at == 0u);
      let u2 = select(select(1.0, 2.0, at + 2u == extent), 0.0, at + 1u == extent);
      let total = left * u0 + middle + right * u2;
      left = middle;
      middle = right;
      let q = l1 + at * next * p.c;
      let apart = x[q] - y[q];
#if ${side === 0}
      var slope = total.x + total.z * apart + total.w * y[q];
#else
      var slope = total.y - total.z * apart + total.w * x[q];
#endif
#if ${colour}
      slope ${side === 0 ? '+=' : '-='} p.scale * cotangent[line1 + at * next] * sign(apart);
#endif
      gradient[q] = slope;
    }
  }
}
`;
