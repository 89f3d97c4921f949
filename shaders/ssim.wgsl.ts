// Structural similarity on 3x3 windows after reflection padding, and what is built from it. One invocation per pixel
// walks its channels, so the nine offsets of the window are computed once.
//
// With the window's means mx, my, variances vx, vy and vd = var(x - y):
//   n1 = 2 mx my + C1, d1 = mx^2 + my^2 + C1, n2 = 2 cov + C2, d2 = vx + vy + C2,  SSIM = n1 n2 / (d1 d2).
// d1 - n1 = (mx - my)^2 and d2 - n2 = vd, so 1 - SSIM = (d1 vd + n2 (mx - my)^2) / (d1 d2): no difference of nearly
// equal numbers, and exactly 0 for x = y. Moments are taken about the window's own centre pixel, where E[x^2] - E[x]^2
// loses no digits on smooth images.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** Pixel k of the invocation, and where the rows and columns of its window begin, mirrored at the border. */
const window = wgsl`
  let k = flat(gid, groups);
  if (k >= p.n * p.h * p.w) { return; }
  let px = k % p.w;
  let py = k / p.w % p.h;
  let y1 = (k - px) * p.c;
  let y0 = select(y1 - p.w * p.c, y1 + p.w * p.c, py == 0u);
  let y2 = select(y1 + p.w * p.c, y1 - p.w * p.c, py + 1u == p.h);
  let x1 = px * p.c;
  let x0 = select(x1 - p.c, p.c, px == 0u);
  let x2 = select(x1 + p.c, x1 - p.c, px + 1u == p.w);
`;

/** One line for each tap of the window; loops over so few steps cost more than their bodies. */
const eachTap = (line: (row: number, column: number) => string) =>
  [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => `  ${line(row, column)}`)).join('\n');

/** The terms above for one channel; the caller adds the channel to the rows of `window`. */
const similarity = wgsl`
struct Similarity { n1: f32, d1: f32, n2: f32, d2: f32, vd: f32, mx: f32, my: f32, md: f32 }

fn similarity(y0: u32, y1: u32, y2: u32, x0: u32, x1: u32, x2: u32) -> Similarity {
  let centre = vec2f(x[y1 + x1], y[y1 + x1]);
  // Sums of x, y and x - y about the centre, and of their squares.
  var first = vec3f(0.0);
  var second = vec3f(0.0);
  var a = vec2f(0.0);
  var d = vec3f(0.0);
${eachTap((row, column) => `a = vec2f(x[y${row} + x${column}], y[y${row} + x${column}]) - centre; d = vec3f(a, a.x - a.y); first += d; second += d * d;`)}
  let mean = first * (1.0 / 9.0);
  let v = max(second * (1.0 / 9.0) - mean * mean, vec3f(0.0));
  let mx = centre.x + mean.x;
  let my = centre.y + mean.y;
  let md = (centre.x - centre.y) + mean.z;
  let d1 = mx * mx + my * my + 1e-4;
  let d2 = v.x + v.y + 9e-4;
  return Similarity(d1 - md * md, d1, d2 - v.z, d2, v.z, mx, my, md);
}

fn ssimError(s: Similarity) -> f32 {
  return clamp((s.d1 * s.vd + s.n2 * s.md * s.md) / (2.0 * s.d1 * s.d2), 0.0, 1.0);
}
`;

/** error[k, c] = clamp((1 - SSIM) / 2, 0, 1). */
export const ssim = () => wgsl`
${similarity}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${window}
  for (var c = 0u; c < p.c; c++) {
    error[k * p.c + c] = ssimError(similarity(y0 + c, y1 + c, y2 + c, x0, x1, x2));
  }
}
`;

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
export const photometric = () => wgsl`
${similarity}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${window}
  var structure = 0.0;
  var colour = 0.0;
  for (var c = 0u; c < p.c; c++) {
    structure += ssimError(similarity(y0 + c, y1 + c, y2 + c, x0, x1, x2));
    colour += abs(x[k * p.c + c] - y[k * p.c + c]);
  }
  error[k] = (p.alpha * structure + (1.0 - p.alpha) * colour) / f32(p.c);
}
`;

/**
 * coefficients[k, c] = (ax, ay, b, e), for the window around k and each pixel q in it, multiplied by the cotangent:
 * d error / d x(q) = ax + b (x(q) - y(q)) + e y(q) and d error / d y(q) = ay + b (y(q) - x(q)) + e x(q).
 */
export const ssimCoefficients = () => wgsl`
${similarity}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${window}
  for (var c = 0u; c < p.c; c++) {
    let s = similarity(y0 + c, y1 + c, y2 + c, x0, x1, x2);
    // clamp's gradient passes on its bounds.
    let value = (s.d1 * s.vd + s.n2 * s.md * s.md) / (2.0 * s.d1 * s.d2);
    let g = select(0.0, cotangent[k * p.cotangents + c % p.cotangents] * p.scale / 9.0, value >= 0.0 && value <= 1.0);
    let outer = g / (s.d1 * s.d2);
    let b = outer * s.n1 * s.n2 / s.d2;
    let e = -outer * s.n1 * s.vd / s.d2;
    let gap = s.md * s.md / s.d1;
    let ax = outer * s.n2 * (s.md - s.mx * gap) - b * s.md - e * s.my;
    let ay = outer * s.n2 * (-s.md - s.my * gap) + b * s.md - e * s.mx;
    coefficients[k * p.c + c] = vec4f(ax, ay, b, e);
  }
}
`;

/**
 * Sum over the windows that hold pixel k, twice where reflection puts it in a window twice, of the coefficients applied
 * to it; with `colour` also the gradient of scale |x - y|. `side` 0 gives the gradient to x, 1 to y.
 */
export const ssimGrad = (side: 0 | 1, colour: boolean) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${window}
  // The pixel next to the border is also the mirror image beyond it: the border's window holds it twice. Past the
  // border there is no window; the weight 0 meets a mirrored address.
  let u0 = select(select(1.0, 2.0, px == 1u), 0.0, px == 0u);
  let u2 = select(select(1.0, 2.0, px + 2u == p.w), 0.0, px + 1u == p.w);
  let v0 = select(select(1.0, 2.0, py == 1u), 0.0, py == 0u);
  let v2 = select(select(1.0, 2.0, py + 2u == p.h), 0.0, py + 1u == p.h);
  for (var c = 0u; c < p.c; c++) {
    var total = vec4f(0.0);
${[0, 1, 2]
  .map((row) => {
    const sum = `coefficients[y${row} + x0 + c] * u0 + coefficients[y${row} + x1 + c] + coefficients[y${row} + x2 + c] * u2`;
    return row === 1 ? `    total += ${sum};` : `    total += (${sum}) * v${row};`;
  })
  .join('\n')}
    let q = k * p.c + c;
    let apart = x[q] - y[q];
#if ${side === 0}
    var slope = total.x + total.z * apart + total.w * y[q];
#else
    var slope = total.y - total.z * apart + total.w * x[q];
#endif
#if ${colour}
    slope += ${side === 0 ? '' : '-'}p.scale * cotangent[k] * sign(apart);
#endif
    gradient[q] = slope;
  }
}
`;
