// The photometric term of self-supervised depth in few passes: views warped through a disparity, and the least
// photometric error over them. Images are RGB or so: shaders are written out for the number of views and channels.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { type Direction, mirrored, run as runOf, similarity, slopes } from './ssim.wgsl.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const each = (count: number, line: (i: number) => string, between = '\n') =>
  upTo(count).map(line).join(between);

/** projection[v] = K (R K^-1 | t) for T = (R | t): one invocation per value; K is that of view v's image, v % n. */
export const pixelProjection = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.views * p.n * 12u) { return; }
  let view = k / 12u;
  let n = view % p.n;
  let i = k / 4u % 3u;
  let j = k % 4u;
  var total = 0.0;
  for (var m = 0u; m < 3u; m++) {
    let row = 16u * view + 4u * m;
    var turned = pose[row + 3u];
    if (j < 3u) {
      let column = 9u * n + j;
      turned = pose[row] * inverseK[column] + pose[row + 1u] * inverseK[column + 3u] + pose[row + 2u] * inverseK[column + 6u];
    }
    total += intrinsics[9u * n + 3u * i + m] * turned;
  }
  projection[k] = total;
}
`;

/** dPose[v] = K^T g (K^-T | 1), and a last row of zeros. */
export const pixelProjectionGrad = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.views * p.n * 16u) { return; }
  let view = k / 16u;
  let n = view % p.n;
  let m = k / 4u % 4u;
  let j = k % 4u;
  var total = 0.0;
  if (m < 3u) {
    for (var i = 0u; i < 3u; i++) {
      let row = 12u * view + 4u * i;
      var turned = g[row + 3u];
      if (j < 3u) {
        let column = 9u * n + 3u * j;
        turned = g[row] * inverseK[column] + g[row + 1u] * inverseK[column + 1u] + g[row + 2u] * inverseK[column + 2u];
      }
      total += intrinsics[9u * n + 3u * i + m] * turned;
    }
  }
  dPose[k] = total;
}
`;

/** Where a pixel lies in a view, and the four pixels around that place. Rows of the projection are r0, r1 and r2. */
const landing = wgsl`
struct Landing { ray: vec3f, depth: f32, z: f32, at: vec2f, free: vec2<bool>, part: vec2f, corner: u32, right: u32, below: u32 }

fn landing(view: u32, r0: vec4f, r1: vec4f, r2: vec4f, pixel: vec2f, disparity: f32) -> Landing {
  let depth = 1.0 / (p.slope * disparity + p.least);
  let whole = vec3f(pixel, 1.0);
  let ray = vec3f(dot(r0.xyz, whole), dot(r1.xyz, whole), dot(r2.xyz, whole));
  let abc = depth * ray + vec3f(r0.w, r1.w, r2.w);
  let z = 1.0 / (abc.z + 1e-7);
  let last = vec2f(f32(p.w - 1u), f32(p.h - 1u));
  // The border is repeated. Comparisons and not clamp, which on a CPU takes the time of ten additions.
  let positive = abc.xy * z > vec2f(0.0);
  let free = positive & (abc.xy * z < last);
  let at = select(select(vec2f(0.0), last, positive), abc.xy * z, free);
  let low = floor(at);
  // On the last row or column the next one has weight 0, and the same address does for it.
  let next = select(vec2u(0u), vec2u(p.c, p.w * p.c), free);
  let corner = ((view * p.h + u32(low.y)) * p.w + u32(low.x)) * p.c;
  return Landing(ray, depth, z, at, free, at - low, corner, next.x, next.y);
}
`;

/** warped[view, k] = sources[view] at the place where pixel k lies in it. */
export const viewSynthesis = (direction: Direction, channels: number) => wgsl`
${mirrored}
${landing}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${runOf(direction, 'p.views * p.n')}
  let view = line1 / (p.h * p.w);
  let from_view = view % p.n * p.h * p.w - view * p.h * p.w;
  let r0 = projection[3u * view];
  let r1 = projection[3u * view + 1u];
  let r2 = projection[3u * view + 2u];
#if ${direction === 'along'}
  var pixel = vec2f(f32(first), f32(beside));
  let further = vec2f(1.0, 0.0);
#else
  var pixel = vec2f(f32(beside), f32(first));
  let further = vec2f(0.0, 1.0);
#endif
  for (var at = first; at < last; at++) {
    let k = line1 + at * next;
    let q = landing(view, r0, r1, r2, pixel, disparity[k + from_view]);
    pixel += further;
    let lower = q.corner + q.below;
    let out = k * p.c;
    ${each(
      channels,
      (c) => `warped[out + ${c}u] = mix(
      mix(sources[q.corner + ${c}u], sources[q.corner + q.right + ${c}u], q.part.x),
      mix(sources[lower + ${c}u], sources[lower + q.right + ${c}u], q.part.x),
      q.part.y,
    );`,
    )}
  }
}
`;

/**
 * Gradient of viewSynthesis to the disparity, summed over views, and partial sums of the one to the projection: one
 * invocation walks p.rows pixels down a column, in every view.
 */
export const viewSynthesisGrad = (channels: number) => wgsl`
${landing}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let id = flat(gid, groups);
  let blocks = (p.h + p.rows - 1u) / p.rows;
  let block = id / p.w;
  let n = block / blocks;
  if (n >= p.n) { return; }
  let x = id - block * p.w;
  let top = (block - n * blocks) * p.rows;
  for (var s = 0u; s < p.views; s++) {
    let view = s * p.n + n;
    let r0 = projection[3u * view];
    let r1 = projection[3u * view + 1u];
    let r2 = projection[3u * view + 2u];
    var s0 = vec4f(0.0);
    var s1 = vec4f(0.0);
    var s2 = vec4f(0.0);
    var pixel = vec2f(f32(x), f32(top));
    for (var y = top; y < min(top + p.rows, p.h); y++) {
      let k = (n * p.h + y) * p.w + x;
      let q = landing(view, r0, r1, r2, pixel, disparity[k]);
      let lower = q.corner + q.below;
      let out = ((view * p.h + y) * p.w + x) * p.c;
      var along = vec2f(0.0);
      ${each(
        channels,
        (c) => `{
        let v00 = sources[q.corner + ${c}u];
        let v01 = sources[q.corner + q.right + ${c}u];
        let v10 = sources[lower + ${c}u];
        let v11 = sources[lower + q.right + ${c}u];
        along += g[out + ${c}u] * vec2f(mix(v01 - v00, v11 - v10, q.part.y), mix(v10 - v00, v11 - v01, q.part.x));
      }`,
      )}
      // Along an axis where the border was repeated nothing moves.
      let d = select(vec2f(0.0), along * q.z, q.free);
      let abc = vec3f(d, -dot(d, q.at));
      let slope = -dot(abc, q.ray) * p.slope * q.depth * q.depth;
      let point = vec4f(q.depth * pixel, q.depth, 1.0);
      s0 += abc.x * point;
      s1 += abc.y * point;
      s2 += abc.z * point;
      dDisparity[k] = select(dDisparity[k] + slope, slope, s == 0u);
      pixel.y += 1.0;
    }
    let to = 3u * ((view * blocks + block - n * blocks) * p.w + x);
    partial[to] = s0;
    partial[to + 1u] = s1;
    partial[to + 2u] = s2;
  }
}
`;

const three = (array: string, offset: string) =>
  `vec3f(${[0, 1, 2].map((i) => `${array}[line${i} * p.c + ${offset}]`).join(', ')})`;

/**
 * Walks the windows of a run in all views and channels at once. \`body\` sees pixel k and, as \`windowS_C\`, the
 * similarity in view S and channel C, as \`apartS_C\` the difference.
 */
const eachWindow = (direction: Direction, views: number, channels: number, body: string) => {
  const all = (line: (s: number, c: number) => string) =>
    each(views * channels, (i) => line(Math.floor(i / channels), i % channels));
  const column = (s: number, c: number) =>
    `columnOf(${three('images', `here + ${s}u * size + ${c}u`)}, f${c})`;
  const columns = (at: string, name: string) => `{
    let here = ${at} * next * p.c;
    ${each(channels, (c) => `let f${c} = ${three('frame', `here + ${c}u`)};`)}
    ${all((s, c) => `${name}${s}_${c} = ${column(s, c)};`)}
  }`;
  return wgsl`
${mirrored}
${similarity}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${runOf(direction, 'p.n')}
  let size = p.n * p.h * p.w * p.c;
  ${all((s, c) => `var left${s}_${c}: Column; var middle${s}_${c}: Column; var right${s}_${c}: Column;`)}
  ${columns('before', 'left')}
  ${columns('first', 'middle')}
  for (var at = first; at < last; at++) {
    let k = line1 + at * next;
    ${columns('after(at, extent)', 'right')}
    ${all(
      (s, c) => `let window${s}_${c} = similarity(left${s}_${c}, middle${s}_${c}, right${s}_${c});
    let apart${s}_${c} = middle${s}_${c}.apart;`,
    )}
    ${body}
    ${all((s, c) => `left${s}_${c} = middle${s}_${c}; middle${s}_${c} = right${s}_${c};`)}
  }
}
`;
};

/** error[k] = min over views of the photometric error at pixel k, and of the bound; winner[k] says whose it is. */
export const minPhotometric = (direction: Direction, views: number, channels: number) => wgsl`
fn term(s: Similarity, apart: f32) -> f32 {
  return p.alpha * dissimilarity(s) + (1.0 - p.alpha) * abs(apart);
}
${eachWindow(
  direction,
  views,
  channels,
  wgsl`
    ${each(views, (s) => `let e${s} = (${each(channels, (c) => `term(window${s}_${c}, apart${s}_${c})`, ' + ')}) * ${1 / channels};`)}
    var least = e0;
    var by = 0;
    ${each(views - 1, (s) => `if (e${s + 1} < least) { least = e${s + 1}; by = ${s + 1}; }`)}
    if (p.bounded == 1u && bound[k] < least) { least = bound[k]; by = ${views}; }
    error[k] = least;
    winner[k] = by;
`,
)}
`;

/** coefficients[k, c] = (ax, b, e), see ssim.wgsl.ts, of the window around k in the view that won there; else zeros. */
export const minPhotometricCoefficients = (direction: Direction, views: number, channels: number) => wgsl`
${slopes}
${eachWindow(
  direction,
  views,
  channels,
  wgsl`
    let by = winner[k];
    let g = select(0.0, cotangent[k] * p.alpha / ${(9 * channels).toFixed(1)}, by < ${views});
    ${each(
      channels,
      (c) => `{
      var s = window0_${c};
      ${each(views - 1, (s) => `if (by == ${s + 1}) { s = window${s + 1}_${c}; }`)}
      let found = slopes(s, g);
      let to = 3u * (k * p.c + ${c}u);
      coefficients[to] = found.x;
      coefficients[to + 1u] = found.z;
      coefficients[to + 2u] = found.w;
    }`,
    )}
`,
)}
`;

/**
 * gradient[view, q] = coefficients of the windows that hold q and that the view won, applied to q, and where it won at q
 * itself the slope of the absolute difference.
 */
export const minPhotometricGrad = (direction: Direction, views: number, channels: number) => {
  const all = (line: (s: number, c: number) => string) =>
    each(views * channels, (i) => line(Math.floor(i / channels), i % channels));
  const load = (at: string) => `{
    let here = ${at} * next;
    let by = vec3i(winner[line0 + here], winner[line1 + here], winner[line2 + here]);
    ${each(views, (s) => `let w${s} = select(vec3f(), v, by == vec3i(${s}));`)}
    ${each(
      channels,
      (c) => `{
      let a = coefficient((line0 + here) * p.c + ${c}u);
      let m = coefficient((line1 + here) * p.c + ${c}u);
      let b = coefficient((line2 + here) * p.c + ${c}u);
      ${each(views, (s) => `right${s}_${c} = a * w${s}.x + m * w${s}.y + b * w${s}.z;`)}
    }`,
    )}
  }`;
  return wgsl`
${mirrored}
fn coefficient(i: u32) -> vec3f { return vec3f(coefficients[3u * i], coefficients[3u * i + 1u], coefficients[3u * i + 2u]); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${runOf(direction, 'p.n')}
  let size = p.n * p.h * p.w * p.c;
  // The pixel next to the border is also the mirror image beyond it: the border's window holds it twice. Past the
  // border there is no window; the weight 0 meets a mirrored address.
  let v = vec3f(
    select(select(1.0, 2.0, beside == 1u), 0.0, beside == 0u),
    1.0,
    select(select(1.0, 2.0, beside + 2u == breadth), 0.0, beside + 1u == breadth),
  );
  ${all((s, c) => `var left${s}_${c}: vec3f; var middle${s}_${c}: vec3f; var right${s}_${c}: vec3f;`)}
  ${load('before')}
  ${all((s, c) => `left${s}_${c} = right${s}_${c};`)}
  ${load('first')}
  ${all((s, c) => `middle${s}_${c} = right${s}_${c};`)}
  for (var at = first; at < last; at++) {
    ${load('after(at, extent)')}
    let u0 = select(select(1.0, 2.0, at == 1u), 0.0, at == 0u);
    let u2 = select(select(1.0, 2.0, at + 2u == extent), 0.0, at + 1u == extent);
    let k = line1 + at * next;
    let by = winner[k];
    let colour = cotangent[k] * (1.0 - p.alpha) * ${1 / channels};
    ${each(
      channels,
      (c) => `{
      let q = k * p.c + ${c}u;
      let y = frame[q];
      ${each(
        views,
        (s) => `{
        let apart = images[${s}u * size + q] - y;
        let total = left${s}_${c} * u0 + middle${s}_${c} + right${s}_${c} * u2;
        gradient[${s}u * size + q] = total.x + total.y * apart + total.z * y + select(0.0, colour * sign(apart), by == ${s});
      }`,
      )}
    }`,
    )}
    ${all((s, c) => `left${s}_${c} = middle${s}_${c}; middle${s}_${c} = right${s}_${c};`)}
  }
}
`;
};
