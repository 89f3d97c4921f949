// Structural similarity on 3x3 windows after reflection padding, and what is built from it.
//
// With the window's means mx, my, variances vx, vy and vd = var(x - y):
//   n1 = 2 mx my + C1, d1 = mx^2 + my^2 + C1, n2 = 2 cov + C2, d2 = vx + vy + C2,  SSIM = n1 n2 / (d1 d2).
// d1 - n1 = (mx - my)^2 and d2 - n2 = vd, so 1 - SSIM = (d1 vd + n2 (mx - my)^2) / (d1 d2): no difference of nearly
// equal numbers, and exactly 0 for x = y. The variances are sums of squares too, never E[x^2] - E[x]^2: each column of
// three pixels has its mean and its squared deviations, and three columns merge by
//   9 v = sum_j S_j + 3 sum_j (m_j - m)^2      (Chan, Golub, LeVeque 1979).
// Columns are also what neighbouring windows share: an invocation walks RUN pixels of a row and reads three pixels per
// step instead of nine. RUN is 1 on GPUs, where neighbouring invocations find each other's reads in the cache and want
// adjacent addresses, and 16 on CPU adapters, where every load is paid for.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** The run of an invocation, pixels `first` to `last` of the row that begins at pixel `line`, and its three rows. */
const run = wgsl`
  let id = flat(gid, groups);
  let runs = (p.w + RUN - 1u) / RUN;
  if (id >= p.n * p.h * runs) { return; }
  let py = id / runs % p.h;
  let line = id / runs * p.w;
  let first = id % runs * RUN;
  let last = min(first + RUN, p.w);
  // Offsets of the rows above, through and below, mirrored at the border.
  let y1 = line * p.c;
  let y0 = select(y1 - p.w * p.c, y1 + p.w * p.c, py == 0u);
  let y2 = select(y1 + p.w * p.c, y1 - p.w * p.c, py + 1u == p.h);
  let before = select(first - 1u, 1u, first == 0u);
`;

const mirrored = wgsl`
override RUN: u32;
// The column to the right of px, mirrored at the border.
fn after(px: u32) -> u32 { return select(px + 1u, p.w - 2u, px + 1u == p.w); }
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

/** A kernel that does `body` for each channel c of each pixel k of its run; the body sees `s` and the middle column. */
const eachWindow = (body: string) => wgsl`
${mirrored}
${similarity}
fn column(top: u32, middle: u32, bottom: u32) -> Column {
  return columnOf(vec3f(x[top], x[middle], x[bottom]), vec3f(y[top], y[middle], y[bottom]));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${run}
  for (var c = 0u; c < p.c; c++) {
    var left = column(y0 + before * p.c + c, y1 + before * p.c + c, y2 + before * p.c + c);
    var middle = column(y0 + first * p.c + c, y1 + first * p.c + c, y2 + first * p.c + c);
    for (var px = first; px < last; px++) {
      let next = after(px) * p.c + c;
      let right = column(y0 + next, y1 + next, y2 + next);
      let s = similarity(left, middle, right);
      let k = line + px;
      ${body}
      left = middle;
      middle = right;
    }
  }
}
`;

/** error[k, c] = clamp((1 - SSIM) / 2, 0, 1). */
export const ssim = () => eachWindow('error[k * p.c + c] = dissimilarity(s);');

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
export const photometric = () =>
  eachWindow(wgsl`
      let term = p.alpha * dissimilarity(s) + (1.0 - p.alpha) * abs(middle.apart);
      error[k] = select(error[k], 0.0, c == 0u) + term / f32(p.c);
`);

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
export const ssimCoefficients = () => wgsl`
${slopes}
${eachWindow('coefficients[k * p.c + c] = slopes(s, cotangent[k * p.cotangents + c % p.cotangents] * p.scale / 9.0);')}
`;

/**
 * Sum over the windows that hold pixel k, twice where reflection puts it in a window twice, of the coefficients applied
 * to it; with `colour` also the gradient of scale |x - y|. `side` 0 gives the gradient to x, 1 to y.
 */
export const ssimGrad = (side: 0 | 1, colour: boolean) => wgsl`
${mirrored}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${run}
  // The pixel next to the border is also the mirror image beyond it: the border's window holds it twice. Past the
  // border there is no window; the weight 0 meets a mirrored address.
  let v0 = select(select(1.0, 2.0, py == 1u), 0.0, py == 0u);
  let v2 = select(select(1.0, 2.0, py + 2u == p.h), 0.0, py + 1u == p.h);
  for (var c = 0u; c < p.c; c++) {
    let above = y0 + c;
    let through = y1 + c;
    let below = y2 + c;
    let b = before * p.c;
    let f = first * p.c;
    var left = coefficients[above + b] * v0 + coefficients[through + b] + coefficients[below + b] * v2;
    var middle = coefficients[above + f] * v0 + coefficients[through + f] + coefficients[below + f] * v2;
    for (var px = first; px < last; px++) {
      let n = after(px) * p.c;
      let right = coefficients[above + n] * v0 + coefficients[through + n] + coefficients[below + n] * v2;
      let u0 = select(select(1.0, 2.0, px == 1u), 0.0, px == 0u);
      let u2 = select(select(1.0, 2.0, px + 2u == p.w), 0.0, px + 1u == p.w);
      let total = left * u0 + middle + right * u2;
      left = middle;
      middle = right;
      let q = through + px * p.c;
      let apart = x[q] - y[q];
#if ${side === 0}
      var slope = total.x + total.z * apart + total.w * y[q];
#else
      var slope = total.y - total.z * apart + total.w * x[q];
#endif
#if ${colour}
      slope ${side === 0 ? '+=' : '-='} p.scale * cotangent[line + px] * sign(apart);
#endif
      gradient[q] = slope;
    }
  }
}
`;
