// Convolution and its gradients for GPUs, as products of matrices that are never written down (implicit GEMM).
//
//   forward          y  [pixels, K]     = X [pixels, taps C] W [taps C, K]      X: the window under each output pixel
//   input gradient   dx [pixels, C]     = G [pixels, taps K] wt [taps K, C]     G: the outputs that each input pixel meets
//   weight gradient  dw [taps C, K]     = X^T [taps C, pixels] g [pixels, K]    one partial sum per split of the rows
//
// A workgroup of `down` times `across` invocations computes a block of 8 down rows times 4 vectors across columns, each invocation
// 8 rows of `vectors` vectors of four columns. Sixteen steps of the inner sum at a time, both operands are brought into workgroup
// memory; then each invocation takes them from there. With 16 x 8 invocations of 8 x 8 values, one value from storage serves 43
// multiply-adds and a vector from workgroup memory 16.
//
// Two things keep the inner loop at multiply-adds. WGSL holds every index against the length of its array. What an invocation reads of
// workgroup memory in a turn lies in one innermost array, at places known when the shader is written (conv2dBlocks.wgsl.ts); so the indices
// that are not are held once a turn, and every read has a fixed offset. And the values of the next turn are loaded from storage before
// those of this one are used, so that memory and arithmetic work at the same time.
//
// Everything moves as vectors of four channels; per group, channel counts are multiples of four. Beyond an edge zeros are brought in.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { type Epilogue, finished, finishing } from './activation.wgsl.ts';
import { each } from './conv2d.wgsl.ts';
import { type BlockProduct, DEPTH, leftVectors, type TileForm, tileRows } from './conv2dBlocks.wgsl.ts';

/** Which block of which product a workgroup computes: rows come first, so that neighbours share weights. */
const place = (rows: string, columns: string, form: TileForm, products: string) => wgsl`
  let across = (${columns} + ${form.vectors * form.across - 1}u) / ${form.vectors * form.across}u;
  let down = (${rows} + ${tileRows(form) - 1}u) / ${tileRows(form)}u;
  let index = workgroup.x + workgroup.y * groups.x;
  if (index >= across * down * (${products})) { return; }
  let row0 = (index % down) * ${tileRows(form)}u;
  let column0 = ((index / down) % across) * ${form.vectors * form.across}u;
  let product = index / (down * across);
`;

/** Workgroup memory and entry point. */
const entry = ({ down, across }: TileForm, { memory, builtins }: BlockProduct) => wgsl`
${memory}
@compute @workgroup_size(${down * across})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,${builtins}
) {`;

/**
 * y from x and w, or with `transposed` dx from g and wt.
 *
 * Pixels of dx that lie one stride apart, a `phase`, meet the same taps: a block has pixels of one phase. `tap0` is the first of its taps,
 * `tap_step` the distance to the next, `apart` how far that moves the place in g.
 *
 * Of the windows of its pixels (`at`: where they begin, `start`: the index of that place) an invocation brings in one `vector` of channels of one
 * `tap`, counted in steps from the first, and of the weights those of its steps and column.
 */
export const imageTiles = (epilogue: Epilogue, form: TileForm, transposed: boolean, blocks: BlockProduct) => {
  const { down, across, vectors } = form;
  // What an invocation brings in per turn: of the images one vector of the inner sum for every (down across / DEPTH)th pixel, of the
  // weights one column of every (down / vectors)th step.
  const [images, weights] = [leftVectors(form, 'steps'), (4 * DEPTH * vectors) / down];
  const load = wgsl`
    {
      let shift = vec2i(tap) * apart;
      let moved = (shift.x * from_size.y + shift.y) * i32(inner) + i32(channel0 + vector);
      ${each(
        images,
        (i) => `{
        let source = vec2u(at${i} + shift);
        let inside = (source.x < u32(from_size.x)) & (source.y < u32(from_size.y)) & (tap.x < taps.x);
        x${i} = select(vec4f(), ${transposed ? 'g' : 'x'}[u32(start${i} + moved)], inside);
      }`,
      )}
      ${each(
        weights,
        (i) => `{
        let place = tap0 + tap_w${i} * tap_step;
        let row = ((place.x * p.kw + place.y) * ${transposed ? 'inner' : 'innerGroup'}${transposed ? ' + channel0' : ''} + vector_w${i}) * 4u + step_w % 4u;
        let weight = ${transposed ? 'wt[row * outerGroup + column_w]' : 'w[row * outer + batch * outerGroup + column_w]'};
        w${i} = select(vec4f(), weight, (tap_w${i}.x < taps.x) & (column_w < outerGroup));
      }`,
      )}
    }`;
  // Brings a vector back below those of a group, by going to the next taps.
  const settle = (vector: string, tap: string) => `
    while (${vector} >= innerGroup) {
      ${vector} -= innerGroup;
      ${tap}.y += 1u;
      if (${tap}.y == taps.y) { ${tap} = vec2u(${tap}.x + 1u, 0u); }
    }`;
  const advance = `${settle('vector', 'tap')}${each(weights, (i) => settle(`vector_w${i}`, `tap_w${i}`))}`;
  return wgsl`
${finishing(epilogue, 'vec4f')}
${entry(form, blocks)}
#if ${transposed}
  let size = vec2u(p.h, p.w);
  let from_size = vec2i(i32(p.oh), i32(p.ow));
  let inner = p.k / 4u;
  let outer = p.c / 4u;
  let phases = vec2u(p.sy, p.sx);
#else
  let size = vec2u(p.oh, p.ow);
  let from_size = vec2i(i32(p.h), i32(p.w));
  let inner = p.c / 4u;
  let outer = p.k / 4u;
  let phases = vec2u(1u);
#endif
  let innerGroup = inner / p.groups;
  let outerGroup = outer / p.groups;
  let extent = (size + phases - 1u) / phases;
  let pixels = p.n * extent.x * extent.y;
  ${place('pixels', 'outerGroup', form, 'p.groups * phases.x * phases.y')}
  let phase = vec2u(product / p.groups / phases.y, product / p.groups % phases.y);
  let batch = product % p.groups;
  let channel0 = batch * innerGroup;
  let stride = vec2i(i32(p.sy), i32(p.sx));
  let pad = vec2i(i32(p.py), i32(p.px));
  let dilation = vec2i(i32(p.dy), i32(p.dx));
#if ${transposed}
  var tap0 = vec2u();
  var tap_step = vec2u(1u);
  for (; tap0.x < p.kh && (i32(phase.x) + pad.x - i32(tap0.x) * dilation.x) % stride.x != 0; tap0.x++) {}
  for (; tap0.y < p.kw && (i32(phase.y) + pad.y - i32(tap0.y) * dilation.y) % stride.y != 0; tap0.y++) {}
  for (; tap_step.x * p.dy % p.sy != 0u; tap_step.x++) {}
  for (; tap_step.y * p.dx % p.sx != 0u; tap_step.y++) {}
  let apart = -(vec2i(tap_step) * dilation / stride);
  let taps = (vec2u(p.kh, p.kw) - tap0 + tap_step - 1u) / tap_step;
  let origin = (vec2i(phase) + pad - vec2i(tap0) * dilation) / stride;
#else
  let tap0 = vec2u();
  let tap_step = vec2u(1u);
  let apart = dilation;
  let taps = vec2u(p.kh, p.kw);
  let origin = -pad;
#endif
  let steps = taps.x * taps.y * innerGroup;
  ${each(
    images,
    (i) => `var at${i} = vec2i(-0x100000);
  var start${i} = 0;
  {
    let pixel = row0 + local / ${DEPTH}u + ${(i * down * across) / DEPTH}u;
    if (pixel < pixels) {
      let n = i32(pixel / (extent.x * extent.y));
      at${i} = vec2i(vec2u(pixel / extent.y % extent.x, pixel % extent.y))${transposed ? '' : ' * stride'} + origin;
      start${i} = ((n * from_size.x + at${i}.x) * from_size.y + at${i}.y) * i32(inner);
    }
  }`,
  )}
  var vector = local % ${DEPTH}u;
  var tap = vec2u();
  let column_w = column0 + local % ${vectors * across}u;
  let step_w = local / ${vectors * across}u;
  ${each(
    weights,
    (i) => `var vector_w${i} = (step_w + ${(i * down) / vectors}u) / 4u;
  var tap_w${i} = vec2u();`,
  )}
  ${each(images, (i) => `var x${i}: vec4f;`)}
  ${each(weights, (i) => `var w${i}: vec4f;`)}
  ${blocks.sums}
  if (steps > 0u) {
    ${advance}
    ${load}
  }
  for (var step = 0u; step < steps; step += ${DEPTH}u) {
    ${each(images, (i) => blocks.left(i, `x${i}`))}
    ${each(weights, (i) => blocks.right(i, `w${i}`))}
    workgroupBarrier();
    vector += ${DEPTH}u;
    ${each(weights, (i) => `vector_w${i} += ${DEPTH}u;`)}
    ${advance}
    ${load}
    ${blocks.multiply}
    workgroupBarrier();
  }
  ${blocks.results(
    (row, columns) => `{
    let pixel = row0 + ${row};
    if (pixel < pixels) {
${
  transposed
    ? `let here = vec2u(pixel / extent.y % extent.x, pixel % extent.y) * phases + phase;
      let inside = all(here < size);
      let to = ((pixel / (extent.x * extent.y) * size.x + here.x) * size.y + here.y) * outer + batch * outerGroup;`
    : `let inside = true;
      let to = pixel * outer + batch * outerGroup;`
}
      ${columns
        .map(
          ({ column, value }) => `{
        let column = column0 + ${column};
        if (inside && column < outerGroup) {
          ${transposed ? 'dx' : 'y'}[to + column] = ${finished(epilogue, `${value}${epilogue.bias ? ' + b[batch * outerGroup + column]' : ''}`)};
        }
      }`,
        )
        .join('\n')}
    }
  }`,
  )}
}
`;
};

/** Pixels that workgroup memory holds of a block of the weight gradient. */
const PIXELS = 4 * DEPTH;

/**
 * dw, one partial sum per split. A row of a block is one input channel of one tap.
 *
 * An invocation brings in one vector of rows (`mine`: four channels of one tap) at a few pixels that follow one another: `at` is the line and
 * column of the output, from which padding leads below zero, which as a u32 is beyond every edge. No branches on the way: a software
 * adapter's compiler takes twice the time for each that follows another.
 */
export const weightTiles = (form: TileForm, blocks: BlockProduct) => {
  const { down, across, vectors } = form;
  // What an invocation brings in per turn: of x one vector of rows for as many pixels in a row, of g one column of every
  // (down / vectors)th pixel.
  const [images, gradients] = [leftVectors(form, 'rows'), (PIXELS * vectors) / down];
  const rowVectors = tileRows(form) / 4;
  const load = wgsl`
    while (at.y >= p.ow) {
      at = vec2u(at.x + 1u, at.y - p.ow);
      n += select(0u, 1u, at.x == p.oh);
      at.x = select(at.x, 0u, at.x == p.oh);
    }
    ${each(
      images,
      (i) => `{
      let source = at * vec2u(p.sy, p.sx) + shift;
      let inside = (source.x < p.h) & (source.y < p.w) & (tap < p.kh * p.kw) & (pixel + ${i}u < last);
      x${i} = select(vec4f(), x[((n * p.h + source.x) * p.w + source.y) * c + channel], inside);
      at = select(at + vec2u(0u, 1u), vec2u(at.x + 1u, 0u), at.y + 1u == p.ow);
      n += select(0u, 1u, at.x == p.oh);
      at.x = select(at.x, 0u, at.x == p.oh);
    }`,
    )}
    ${each(
      gradients,
      (i) => `{
      let pixel = pixel_g + ${(i * down) / vectors}u;
      g${i} = select(vec4f(), g[pixel * k + group * ko + column_g], (pixel < last) & (column_g < ko));
    }`,
    )}`;
  return wgsl`
${entry(form, blocks)}
  let c = p.c / 4u;
  let k = p.k / 4u;
  let ci = c / p.groups;
  let ko = k / p.groups;
  let weights = p.kh * p.kw * ci * 4u;
  ${place('weights', 'ko', form, 'p.groups * p.splits')}
  let group = product % p.groups;
  let split = product / p.groups;
  let lines = p.n * p.oh;
  let perSplit = (lines + p.splits - 1u) / p.splits;
  let first = min(lines, split * perSplit) * p.ow;
  let last = min(lines, (split + 1u) * perSplit) * p.ow;
  let mine = row0 / 4u + local % ${rowVectors}u;
  let tap = mine / ci;
  let channel = group * ci + mine % ci;
  let shift = vec2u(tap / p.kw * p.dy, tap % p.kw * p.dx) - vec2u(p.py, p.px);
  let column_g = column0 + local % ${vectors * across}u;
  var pixel_g = first + local / ${vectors * across}u;
  var pixel = first + local / ${rowVectors}u * ${images}u;
  var n = first / p.ow / p.oh;
  var at = vec2u(first / p.ow % p.oh, local / ${rowVectors}u * ${images}u);
  ${each(images, (i) => `var x${i}: vec4f;`)}
  ${each(gradients, (i) => `var g${i}: vec4f;`)}
  ${blocks.sums}
  ${load}
  for (var pixel0 = first; pixel0 < last; pixel0 += ${PIXELS}u) {
    ${each(images, (i) => blocks.left(i, `x${i}`))}
    ${each(gradients, (i) => blocks.right(i, `g${i}`))}
    workgroupBarrier();
    pixel_g += ${PIXELS}u;
    pixel += ${PIXELS}u;
    at.y += ${PIXELS - images}u;
    ${load}
    ${blocks.multiply}
    workgroupBarrier();
  }
  ${blocks.results((row, columns) =>
    columns
      .map(
        ({ column, value }) => `{
    let row = row0 + ${row};
    let column = column0 + ${column};
    if (row < weights && column < ko) { dw[(split * weights + row) * k + group * ko + column] = ${value}; }
  }`,
      )
      .join('\n'),
  )}
}
`;
};
