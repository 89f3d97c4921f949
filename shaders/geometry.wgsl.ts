// Poses, back-projection and projection. Rotations avoid the built-in sin and cos, which may be off by 2^-11.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** c0 + s (c1 + s (c2 + ...)) as WGSL. */
const horner = (coefficients: number[]): string =>
  coefficients.length === 1
    ? `(${coefficients[0]})`
    : `(${coefficients[0]} + s * ${horner(coefficients.slice(1))})`;

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

// For s = angle^2 <= pi^2 the first term left out, s^10 / 21!, is below 2e-10.
const TERMS = 10;
const series = (offset: number) =>
  Array.from({ length: TERMS }, (_, k) => (k % 2 ? -1 : 1) / factorial(2 * k + offset));
const slope = (coefficients: number[]) => coefficients.slice(1).map((c, k) => c * (k + 1));

/**
 * `turn(v)`: R = I + a [v]x + b (v v^T - |v|^2 I), the rotation by |v| about v, with a = sin|v| / |v| and
 * b = (1 - cos|v|) / |v|^2 as functions of s = |v|^2, and their slopes along s.
 */
const rotation = wgsl`
struct Turn { a: f32, b: f32, slopeA: f32, slopeB: f32, s: f32 }

fn turn(v: vec3f) -> Turn {
  let full = dot(v, v);
  var s = full;
  var ratio = 1.0;
  // Beyond half a turn: take off whole turns. 2 pi in two parts, the first short enough for an exact product.
  if (full > 9.869605) {
    let angle = sqrt(full);
    let turns = round(angle * 0.15915494);
    let rest = (angle - turns * 6.28125) - turns * 0.0019353071795864769;
    ratio = rest / angle;
    s = rest * rest;
  }
  let a = ratio * ${horner(series(1))};
  let b = ${horner(series(2))};
  let cosine = 1.0 - s * b;
  let small = full <= 9.869605;
  let scaledB = b * ratio * ratio;
  return Turn(
    a,
    scaledB,
    select((cosine - a) / (2.0 * max(full, 1.0)), ${horner(slope(series(1)))}, small),
    select((a - 2.0 * scaledB) / (2.0 * max(full, 1.0)), ${horner(slope(series(2)))}, small),
    full,
  );
}

// Row-major R of v: rows r0, r1, r2.
fn rows(v: vec3f, t: Turn) -> mat3x3f {
  let w = t.a * v;
  let b = t.b;
  let d = 1.0 - b * t.s;
  return mat3x3f(
    vec3f(d + b * v.x * v.x, b * v.x * v.y - w.z, b * v.x * v.z + w.y),
    vec3f(b * v.x * v.y + w.z, d + b * v.y * v.y, b * v.y * v.z - w.x),
    vec3f(b * v.x * v.z - w.y, b * v.y * v.z + w.x, d + b * v.z * v.z),
  );
}

fn vector(n: u32) -> vec3f { return vec3f(axisAngle[3u * n], axisAngle[3u * n + 1u], axisAngle[3u * n + 2u]); }
fn shift(n: u32) -> vec3f { return vec3f(translation[3u * n], translation[3u * n + 1u], translation[3u * n + 2u]); }
`;

/** matrix[n] = Trans(t) Rot(v), or with `invert` Rot(v)^T Trans(-t). */
export const poseMatrix = (invert: boolean) => wgsl`
${rotation}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat(gid, groups);
  if (n >= p.n) { return; }
  let v = vector(n);
  let t = shift(n);
#if ${invert}
  let r = transpose(rows(v, turn(v)));
  let last = vec3f(-dot(r[0], t), -dot(r[1], t), -dot(r[2], t));
#else
  let r = rows(v, turn(v));
  let last = t;
#endif
  for (var i = 0u; i < 3u; i++) {
    for (var j = 0u; j < 3u; j++) { matrix[16u * n + 4u * i + j] = r[i][j]; }
    matrix[16u * n + 4u * i + 3u] = last[i];
  }
  matrix[16u * n + 12u] = 0.0;
  matrix[16u * n + 13u] = 0.0;
  matrix[16u * n + 14u] = 0.0;
  matrix[16u * n + 15u] = 1.0;
}
`;

/** Gradients of poseMatrix to the axis-angle vector and the translation. */
export const poseMatrixGrad = (invert: boolean) => wgsl`
${rotation}
fn row(at: u32) -> vec3f { return vec3f(g[at], g[at + 1u], g[at + 2u]); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat(gid, groups);
  if (n >= p.n) { return; }
  let v = vector(n);
  let t = shift(n);
  let q = turn(v);
  let at = 16u * n;
  // d[i] is row i of the cotangent of R.
  var d = mat3x3f(row(at), row(at + 4u), row(at + 8u));
  let last = vec3f(g[at + 3u], g[at + 7u], g[at + 11u]);
#if ${invert}
  let r = rows(v, q);
  let dt = -vec3f(dot(r[0], last), dot(r[1], last), dot(r[2], last));
  d = transpose(d);
  d = mat3x3f(d[0] - t.x * last, d[1] - t.y * last, d[2] - t.z * last);
#else
  let dt = last;
#endif
  let skew = vec3f(d[2].y - d[1].z, d[0].z - d[2].x, d[1].x - d[0].y);
  let trace = d[0].x + d[1].y + d[2].z;
  let dv = vec3f(dot(d[0], v), dot(d[1], v), dot(d[2], v));
  let along = q.slopeA * dot(skew, v) + q.slopeB * (dot(v, dv) - q.s * trace);
  // WGSL multiplies by columns: with rows in d[i], d * v is the transposed product.
  let whole = q.a * skew + q.b * (dv + d * v - 2.0 * trace * v) + 2.0 * along * v;
  for (var i = 0u; i < 3u; i++) {
    dAxisAngle[3u * n + i] = whole[i];
    dTranslation[3u * n + i] = dt[i];
  }
}
`;

/** projection[n] = K[n] (rows 1 to 3 of T[n]); one invocation per value. */
export const composeProjection = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * 12u) { return; }
  let n = k / 12u;
  let i = k / 4u % 3u;
  let j = k % 4u;
  var total = 0.0;
  for (var m = 0u; m < 3u; m++) { total += intrinsics[9u * n + 3u * i + m] * pose[16u * n + 4u * m + j]; }
  projection[k] = total;
}
`;

/** dPose[n] = K[n]^T g[n], and a last row of zeros. */
export const composeProjectionGrad = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * 16u) { return; }
  let n = k / 16u;
  let m = k / 4u % 4u;
  let j = k % 4u;
  var total = 0.0;
  if (m < 3u) {
    for (var i = 0u; i < 3u; i++) { total += intrinsics[9u * n + 3u * i + m] * g[12u * n + 4u * i + j]; }
  }
  dPose[k] = total;
}
`;

/** `ray(n, x, y)` = K^-1 (x, y, 1). */
const ray = wgsl`
fn ray(n: u32, x: f32, y: f32) -> vec3f {
  let i = 9u * n;
  return vec3f(
    inverseK[i] * x + inverseK[i + 1u] * y + inverseK[i + 2u],
    inverseK[i + 3u] * x + inverseK[i + 4u] * y + inverseK[i + 5u],
    inverseK[i + 6u] * x + inverseK[i + 7u] * y + inverseK[i + 8u],
  );
}
`;

/** `turned(n, v)` = the 3x3 part of the projection times v; `fourth(n)` its last column. */
const projection = wgsl`
fn turned(n: u32, v: vec3f) -> vec3f {
  let i = 12u * n;
  return vec3f(
    projection[i] * v.x + projection[i + 1u] * v.y + projection[i + 2u] * v.z,
    projection[i + 4u] * v.x + projection[i + 5u] * v.y + projection[i + 6u] * v.z,
    projection[i + 8u] * v.x + projection[i + 9u] * v.y + projection[i + 10u] * v.z,
  );
}
fn fourth(n: u32) -> vec3f {
  return vec3f(projection[12u * n + 3u], projection[12u * n + 7u], projection[12u * n + 11u]);
}
`;

const pixel = wgsl`
  let k = flat(gid, groups);
  if (k >= p.n * p.h * p.w) { return; }
  let x = f32(k % p.w);
  let y = f32(k / p.w % p.h);
  let n = k / (p.w * p.h);
`;

/** points[k] = depth[k] K^-1 (x, y, 1). */
export const backproject = () => wgsl`
${ray}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${pixel}
  let point = depth[k] * ray(n, x, y);
  points[3u * k] = point.x;
  points[3u * k + 1u] = point.y;
  points[3u * k + 2u] = point.z;
}
`;

/** dDepth[k] = g[k] . K^-1 (x, y, 1). */
export const backprojectGrad = () => wgsl`
${ray}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${pixel}
  dDepth[k] = dot(vec3f(g[3u * k], g[3u * k + 1u], g[3u * k + 2u]), ray(n, x, y));
}
`;

/** grid[k] = normalised (u, v) of the back-projected pixel in the other camera. */
export const projectGrid = () => wgsl`
${ray}
${projection}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${pixel}
  let abc = depth[k] * turned(n, ray(n, x, y)) + fourth(n);
  let z = 1.0 / (abc.z + 1e-7);
  grid[2u * k] = abc.x * z * (2.0 / f32(p.w - 1u)) - 1.0;
  grid[2u * k + 1u] = abc.y * z * (2.0 / f32(p.h - 1u)) - 1.0;
}
`;

/** Cotangent of (a, b, c) from that of the grid at pixel k. */
const cotangent = wgsl`
fn cotangent(k: u32, abc: vec3f) -> vec3f {
  let z = 1.0 / (abc.z + 1e-7);
  let du = g[2u * k] * z * (2.0 / f32(p.w - 1u));
  let dv = g[2u * k + 1u] * z * (2.0 / f32(p.h - 1u));
  return vec3f(du, dv, -(du * abc.x + dv * abc.y) * z);
}
`;

/** dDepth[k] = d(a, b, c) . projection K^-1 (x, y, 1). */
export const projectGridGradDepth = () => wgsl`
${ray}
${projection}
${cotangent}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${pixel}
  let m = turned(n, ray(n, x, y));
  dDepth[k] = dot(cotangent(k, depth[k] * m + fourth(n)), m);
}
`;

/** partial[n, chunk] = sum over the chunk's pixels of d(a, b, c) (P, 1)^T: twelve values. */
export const projectGridGradProjection = () => wgsl`
${ray}
${projection}
${cotangent}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let id = flat(gid, groups);
  let each = p.h * p.w;
  let chunks = (each + p.chunk - 1u) / p.chunk;
  if (id >= p.n * chunks) { return; }
  let n = id / chunks;
  let first = id % chunks * p.chunk;
  var s0 = vec4f(0.0);
  var s1 = vec4f(0.0);
  var s2 = vec4f(0.0);
  let last = fourth(n);
  for (var i = first; i < min(first + p.chunk, each); i++) {
    let k = n * each + i;
    let point = depth[k] * ray(n, f32(i % p.w), f32(i / p.w));
    let c = cotangent(k, turned(n, point) + last);
    let whole = vec4f(point, 1.0);
    s0 += c.x * whole;
    s1 += c.y * whole;
    s2 += c.z * whole;
  }
  partial[3u * id] = s0;
  partial[3u * id + 1u] = s1;
  partial[3u * id + 2u] = s2;
}
`;
