// Convolution and its gradients for GPUs, as products of matrices that are never written down (implicit GEMM).
//
//   forward          y  [pixels, K]     = X [pixels, taps C] W [taps C, K]      X: the window under each output pixel
//   input gradient   dx [pixels, C]     = G [pixels, taps K] wt [taps K, C]     G: the outputs that each input pixel meets
//   weight gradient  dw [taps C, K]     = X^T [taps C, pixels] g [pixels, K]    one partial sum per split of the rows
//
// A workgroup of 64 computes a block of 64 rows times 32 or 64 columns. Sixteen steps of the inner sum at a time, both operands
// are brought into workgroup memory; then each invocation takes them from there for its 8 x 4 or 8 x 8 values. One value from
// storage thus serves 32 to 64 multiply-adds, and a vector from workgroup memory 16.
//
// Everything moves as vectors of four channels; per group, channel counts are multiples of four. Beyond an edge zeros are brought in.
// 1 KiB of workgroup memory per 16 x 16 values: 8 KiB at most. With `half` it holds f16 (f16.wgsl.ts): 4 KiB.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { each } from './conv2d.wgsl.ts';
import { staging } from './f16.wgsl.ts';

/** Rows of a block. */
export const TILE_ROWS = 64;

/** Columns of a block: 32 per vector of four that an invocation holds. */
export const tileColumns = (vectors: number) => 32 * vectors;

/** Which block of which group (and split) a workgroup computes: rows come first, so that neighbours share weights. */
const place = (rows: string, columns: string, vectors: number, batches: string) => wgsl`
  let across = (${columns} + ${8 * vectors - 1}u) / ${8 * vectors}u;
  let down = (${rows} + ${TILE_ROWS - 1}u) / ${TILE_ROWS}u;
  let index = workgroup.x + workgroup.y * groups.x;
  if (index >= across * down * ${batches}) { return; }
  let row0 = (index % down) * ${TILE_ROWS}u;
  let column0 = ((index / down) % across) * ${8 * vectors}u;
  let batch = index / (down * across);
  // An invocation has every eighth row and every eighth vector of the block: neighbours read neighbours, without bank conflicts.
  let tx = local % 8u;
  let ty = local / 8u;
`;

const entry = `
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {`;

/** y from x and w, or with `transposed` dx from g and wt. `vectors` of four output channels per invocation. */
export const imageTiles = (bias: boolean, vectors: number, transposed: boolean, half: boolean) => wgsl`
${staging(half, 4)}
var<workgroup> left: array<Staged, 256>; // [4 vectors of the inner sum][64 pixels]
var<workgroup> right: array<Staged, ${128 * vectors}>; // [16 steps of the inner sum][8 x ${vectors} vectors of channels]
${entry}
#if ${transposed}
  let size = vec2u(p.h, p.w);
  let from_size = vec2i(i32(p.oh), i32(p.ow));
  let inner = p.k / 4u;
  let outer = p.c / 4u;
#else
  let size = vec2u(p.oh, p.ow);
  let from_size = vec2i(i32(p.h), i32(p.w));
  let inner = p.c / 4u;
  let outer = p.k / 4u;
#endif
  let innerGroup = inner / p.groups;
  let outerGroup = outer / p.groups;
  let pixels = p.n * size.x * size.y;
  ${place('pixels', 'outerGroup', vectors, 'p.groups')}
  // The pixel whose window this invocation brings in.
  let mine = row0 + local;
  let n = mine / (size.x * size.y);
  let at = vec2i(vec2u(mine / size.y % size.x, mine % size.y));
  let stride = vec2i(i32(p.sy), i32(p.sx));
  let pad = vec2i(i32(p.py), i32(p.px));
  let dilation = vec2i(i32(p.dy), i32(p.dx));
  let steps = p.kh * p.kw * innerGroup;
  ${each(8, (j) => each(vectors, (b) => `var a${j}_${b} = vec4f();`))}
  for (var step0 = 0u; step0 < steps; step0 += 4u) {
    for (var s = 0u; s < 4u; s++) {
      let step = step0 + s;
      let tap = step / innerGroup;
      let kernel = vec2i(vec2u(tap / p.kw, tap % p.kw)) * dilation;
#if ${transposed}
      let reached = at + pad - kernel;
      let source = reached / stride;
      let whole = all(source * stride == reached) && all(reached >= vec2i());
#else
      let source = at * stride + kernel - pad;
      let whole = all(source >= vec2i());
#endif
      let valid = whole && all(source < from_size) && mine < pixels && step < steps;
      let near = clamp(source, vec2i(), from_size - 1);
      let pixel = (i32(n) * from_size.x + near.x) * from_size.y + near.y;
      let channel = batch * innerGroup + step % innerGroup;
      left[s * 64u + local] = staged(select(vec4f(), ${transposed ? 'g' : 'x'}[u32(pixel) * inner + channel], valid));
    }
    for (var s = local; s < ${128 * vectors}u; s += 64u) {
      let row = step0 * 4u + s / ${8 * vectors}u;
      let column = column0 + s % ${8 * vectors}u;
      let valid = row < steps * 4u && column < outerGroup;
#if ${transposed}
      let tap = row / (innerGroup * 4u);
      let weight = wt[(tap * p.k + batch * innerGroup * 4u + row % (innerGroup * 4u)) * outerGroup + column];
#else
      let weight = w[row * outer + batch * outerGroup + column];
#endif
      right[s] = staged(select(vec4f(), weight, valid));
    }
    workgroupBarrier();
    for (var s = 0u; s < 4u; s++) {
      ${each(
        vectors,
        (b) => `let w${b} = mat4x4f(
        vec4f(right[(s * 4u + 0u) * ${8 * vectors}u + tx + ${8 * b}u]),
        vec4f(right[(s * 4u + 1u) * ${8 * vectors}u + tx + ${8 * b}u]),
        vec4f(right[(s * 4u + 2u) * ${8 * vectors}u + tx + ${8 * b}u]),
        vec4f(right[(s * 4u + 3u) * ${8 * vectors}u + tx + ${8 * b}u]));`,
      )}
      ${each(
        8,
        (j) => `{
        let v = vec4f(left[s * 64u + ty + ${8 * j}u]);
        ${each(vectors, (b) => `a${j}_${b} += w${b} * v;`)}
      }`,
      )}
    }
    workgroupBarrier();
  }
  ${each(8, (j) =>
    each(
      vectors,
      (b) => `{
    let pixel = row0 + ty + ${8 * j}u;
    let column = column0 + tx + ${8 * b}u;
    let to = pixel * outer + batch * outerGroup + column;
    if (pixel < pixels && column < outerGroup) {
      ${transposed ? 'dx' : 'y'}[to] = a${j}_${b}${bias ? ' + b[batch * outerGroup + column]' : ''};
    }
  }`,
    ),
  )}
}
`;

/** dw, one partial sum per split. A row of a block is one input channel of one tap. */
export const weightTiles = (vectors: number, half: boolean) => wgsl`
${staging(half, 4)}
var<workgroup> left: array<Staged, 256>; // [16 pixels][16 vectors of rows]
var<workgroup> right: array<Staged, ${128 * vectors}>; // [16 pixels][8 x ${vectors} vectors of output channels]
${entry}
  let c = p.c / 4u;
  let k = p.k / 4u;
  let ci = c / p.groups;
  let ko = k / p.groups;
  let weights = p.kh * p.kw * ci * 4u;
  ${place('weights', 'ko', vectors, 'p.groups * p.splits')}
  let group = batch % p.groups;
  let split = batch / p.groups;
  let lines = p.n * p.oh;
  let perSplit = (lines + p.splits - 1u) / p.splits;
  let first = split * perSplit * p.ow;
  let last = min(lines, (split + 1u) * perSplit) * p.ow;
  // The vector of rows that this invocation brings in: four channels of one tap.
  let mine = row0 / 4u + local % 16u;
  let tap = mine / ci;
  let shift = vec2i(vec2u(tap / p.kw * p.dy, tap % p.kw * p.dx)) - vec2i(i32(p.py), i32(p.px));
  let size = vec2i(i32(p.h), i32(p.w));
  ${each(8, (j) => each(vectors, (b) => `var a${j}_${b} = vec4f();`))}
  for (var pixel0 = first; pixel0 < last; pixel0 += 16u) {
    for (var s = 0u; s < 4u; s++) {
      let pixel = pixel0 + s * 4u + local / 16u;
      let line = pixel / p.ow;
      let source = vec2i(vec2u(line % p.oh * p.sy, pixel % p.ow * p.sx)) + shift;
      let valid = all(source >= vec2i()) && all(source < size) && pixel < last && tap < p.kh * p.kw;
      let near = clamp(source, vec2i(), size - 1);
      let from_pixel = (i32(line / p.oh) * size.x + near.x) * size.y + near.y;
      left[s * 64u + local] = staged(select(vec4f(), x[u32(from_pixel) * c + group * ci + mine % ci], valid));
    }
    for (var s = local; s < ${128 * vectors}u; s += 64u) {
      let pixel = pixel0 + s / ${8 * vectors}u;
      let column = column0 + s % ${8 * vectors}u;
      right[s] = staged(select(vec4f(), g[pixel * k + group * ko + column], pixel < last && column < ko));
    }
    workgroupBarrier();
    for (var s = 0u; s < 16u; s++) {
      ${each(vectors, (b) => `let g${b} = vec4f(right[s * ${8 * vectors}u + tx + ${8 * b}u]);`)}
      ${each(
        2,
        (j) => `{
        let v = vec4f(left[s * 16u + ty + ${8 * j}u]);
        ${each(4, (e) => each(vectors, (b) => `a${4 * j + e}_${b} += v.${'xyzw'[e]} * g${b};`))}
      }`,
      )}
    }
    workgroupBarrier();
  }
  ${each(8, (j) =>
    each(
      vectors,
      (b) => `{
    let row = row0 + (ty + ${8 * (j >> 2)}u) * 4u + ${j & 3}u;
    let column = column0 + tx + ${8 * b}u;
    if (row < weights && column < ko) { dw[(split * weights + row) * k + group * ko + column] = a${j}_${b}; }
  }`,
    ),
  )}
}
`;
