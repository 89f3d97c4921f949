// Two-dimensional convolution, its input gradient and its weight gradient: a closed set, each the vjp of the others.
//
//   forward          y[n,oy,ox,o]   = bias[o] + sum over ky,kx,i of  x[n, oy S - P + ky D, ox S - P + kx D, i] w[ky,kx,i,o]
//   input gradient   dx[n,iy,ix,i]  = sum over ky,kx,o of  g[n,oy,ox,o] w[ky,kx,i,o]   with oy S = iy + P - ky D, if whole
//   weight gradient  dw[ky,kx,i,o]  = sum over n,oy,ox of  x[n, oy S - P + ky D, ox S - P + kx D, i] g[n,oy,ox,o]
//
// S stride, P zero padding, D dilation, each per axis. Images are [N,H,W,C], weights [KH,KW,C/groups,K]; input channel i
// of group q meets only the output channels of group q. The input gradient reads its weights with the channel axes exchanged,
// wt [KH,KW,K,C/groups], so that neighbouring input channels lie side by side there too.
//
// The ladder, for each of the three:
//   naive      one value per invocation, reads as the formula (this file)
//   registers  a small tile of values per invocation, so that what is loaded is used several times; any shape (this file;
//              weight gradient: conv2dWeight.wgsl.ts)
//   rows       weights held by the invocation, pixels streamed past them: for software adapters (conv2dRows.wgsl.ts)
//   tiles      blocks of both operands shared through workgroup memory: for GPUs (conv2dTiles.wgsl.ts)
//
// Facts about SwiftShader that shaped registers and rows. A load of a vec4 is sixteen scalar loads, one per component and lane,
// each behind a branch (https://github.com/google/swiftshader, src/Reactor/SIMD.hpp, Pointer::Load): the time of eighty
// multiply-adds, and 2.4 kB of code. A value carried around a loop is merged under a mask at every turn. The compiler (Subzero)
// keeps the running sum of `sum += dot(a, b)` in a register. It stores the four results of `matrix * vector` to the stack before
// it adds them, and every term of `sum += vector * scalar`.
//
// Outside the image a clamped address is read and the value replaced by zero: cheaper than a branch around each load.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { type Epilogue, finished, finishing } from './activation.wgsl.ts';

/** `count` copies of a line of WGSL. Unrolled by hand: values indexed in a loop would leave the registers. */
export const each = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

/** The arguments of a constructor. */
export const list = (count: number, item: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => item(index)).join(', ');

/** Greatest common divisor. */
export const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

export const forwardNaive = (epilogue: Epilogue) => wgsl`
${finishing(epilogue, 'f32')}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  if (index >= p.n * p.oh * p.ow * p.k) { return; }
  let o = index % p.k;
  let ox = (index / p.k) % p.ow;
  let oy = (index / (p.k * p.ow)) % p.oh;
  let n = index / (p.k * p.ow * p.oh);
  let ci = p.c / p.groups;
  let first = (o / (p.k / p.groups)) * ci;
#if ${epilogue.bias}
  var total = b[o];
#else
  var total = 0.0;
#endif
  for (var ky = 0u; ky < p.kh; ky++) {
    let iy = i32(oy * p.sy + ky * p.dy) - i32(p.py);
    if (iy < 0 || iy >= i32(p.h)) { continue; }
    for (var kx = 0u; kx < p.kw; kx++) {
      let ix = i32(ox * p.sx + kx * p.dx) - i32(p.px);
      if (ix < 0 || ix >= i32(p.w)) { continue; }
      for (var i = 0u; i < ci; i++) {
        total += x[((n * p.h + u32(iy)) * p.w + u32(ix)) * p.c + first + i] * w[((ky * p.kw + kx) * ci + i) * p.k + o];
      }
    }
  }
  y[index] = ${finished(epilogue, 'total')};
}
`;

/**
 * One invocation: `pixels` neighbouring outputs of a row times `outputs` output channels, in units of four where
 * `vectorOut`. x is read four channels at a time where `vectorIn`. Past the ends of row and group it computes on whatever
 * the clamped addresses yield and stores nothing.
 */
export const forwardRegisters = (
  epilogue: Epilogue,
  pixels: number,
  outputs: number,
  vectorIn: boolean,
  vectorOut: boolean,
) => wgsl`
${finishing(epilogue, vectorOut ? 'vec4f' : 'f32')}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  // Input channels are counted in units of ${vectorIn ? 'four' : 'one'}, output channels of ${vectorOut ? 'four' : 'one'}.
  let c = p.c / ${vectorIn ? 4 : 1}u;
  let k = p.k / ${vectorOut ? 4 : 1}u;
  let ci = c / p.groups;
  let ko = k / p.groups;
  let perGroup = (ko + ${outputs - 1}u) / ${outputs}u;
  let columns = perGroup * p.groups;
  let strips = (p.ow + ${pixels - 1}u) / ${pixels}u;
  if (index >= p.n * p.oh * strips * columns) { return; }
  let group = (index % columns) / perGroup;
  let within = (index % columns - group * perGroup) * ${outputs}u;
  let o = group * ko + within;
  let ox = ((index / columns) % strips) * ${pixels}u;
  let oy = (index / (columns * strips)) % p.oh;
  let n = index / (columns * strips * p.oh);
  let h = i32(p.h);
  let width = i32(p.w);
  let sx = i32(p.sx);
  ${each(pixels, (j) =>
    each(
      outputs,
      (b) =>
        `var a${j}_${b} = ${epilogue.bias ? `b[min(o + ${b}u, k - 1u)]` : vectorOut ? 'vec4f()' : '0.0'};`,
    ),
  )}
  for (var ky = 0u; ky < p.kh; ky++) {
    let iy = i32(oy * p.sy + ky * p.dy) - i32(p.py);
    if (iy < 0 || iy >= h) { continue; }
    let line = (i32(n) * h + iy) * width;
    for (var kx = 0u; kx < p.kw; kx++) {
      let ix = i32(ox * p.sx + kx * p.dx) - i32(p.px);
      ${each(
        pixels,
        (j) => `let ix${j} = ix + ${j} * sx;
      let at${j} = u32(line + clamp(ix${j}, 0, width - 1)) * c + group * ci;
      let in${j} = ix${j} >= 0 && ix${j} < width;`,
      )}
      var wi = (ky * p.kw + kx) * ci * ${vectorIn ? 4 : 1}u * k + o;
      for (var i = 0u; i < ci; i++) {
        ${each(pixels, (j) => `let x${j} = select(${vectorIn ? 'vec4f()' : '0.0'}, x[at${j} + i], in${j});`)}
        ${multiply('w', 'x', pixels, outputs, vectorIn, vectorOut, 'k')}
      }
    }
  }
  let out = ((n * p.oh + oy) * p.ow + ox) * k + o;
  ${each(pixels, (j) =>
    each(
      outputs,
      (b) =>
        `if (ox + ${j}u < p.ow && within + ${b}u < ko) { y[out + ${j}u * k + ${b}u] = ${finished(epilogue, `a${j}_${b}`)}; }`,
    ),
  )}
}
`;

/**
 * Adds to the sums a<pixel>_<output> the products of the values <from><pixel> and the next rows of the weights, and moves
 * `wi` past these rows.
 */
const multiply = (
  weights: string,
  source: string,
  pixels: number,
  outputs: number,
  vectorIn: boolean,
  vectorOut: boolean,
  row: string,
): string => {
  const load = (q: number, b: number) => `${weights}[wi + ${q}u * ${row} + ${b}u]`;
  const block = (b: number) =>
    !vectorIn ? load(0, b) : `${vectorOut ? 'mat4x4f' : 'vec4f'}(${list(4, (q) => load(q, b))})`;
  const product = (j: number, b: number) =>
    vectorIn && !vectorOut ? `dot(w${b}, ${source}${j})` : `w${b} * ${source}${j}`;
  return `${each(outputs, (b) => `let w${b} = ${block(b)};`)}
        ${each(pixels, (j) => each(outputs, (b) => `a${j}_${b} += ${product(j, b)};`))}
        wi += ${vectorIn ? `4u * ${row}` : row};`;
};

export const inputGradNaive = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  if (index >= p.n * p.h * p.w * p.c) { return; }
  let i = index % p.c;
  let ix = (index / p.c) % p.w;
  let iy = (index / (p.c * p.w)) % p.h;
  let n = index / (p.c * p.w * p.h);
  let ci = p.c / p.groups;
  let ko = p.k / p.groups;
  let first = (i / ci) * ko;
  var total = 0.0;
  for (var ky = 0u; ky < p.kh; ky++) {
    let up = i32(iy + p.py) - i32(ky * p.dy);
    if (up < 0 || u32(up) % p.sy != 0u || u32(up) / p.sy >= p.oh) { continue; }
    for (var kx = 0u; kx < p.kw; kx++) {
      let left = i32(ix + p.px) - i32(kx * p.dx);
      if (left < 0 || u32(left) % p.sx != 0u || u32(left) / p.sx >= p.ow) { continue; }
      let at = ((n * p.oh + u32(up) / p.sy) * p.ow + u32(left) / p.sx) * p.k + first;
      for (var o = 0u; o < ko; o++) {
        total += g[at + o] * wt[((ky * p.kw + kx) * p.k + first + o) * ci + i % ci];
      }
    }
  }
  dx[index] = total;
}
`;

/**
 * One invocation: `pixels` inputs of a row that lie one stride apart, so that a tap meets an output at all of them or at
 * none, times `inputs` input channels, as `forwardRegisters` with the parts of x and y exchanged.
 */
export const inputGradRegisters = (
  pixels: number,
  inputs: number,
  vectorIn: boolean,
  vectorOut: boolean,
) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  // Channels of g are counted in units of ${vectorIn ? 'four' : 'one'}, channels of dx of ${vectorOut ? 'four' : 'one'}.
  let c = p.c / ${vectorOut ? 4 : 1}u;
  let k = p.k / ${vectorIn ? 4 : 1}u;
  let ci = c / p.groups;
  let ko = k / p.groups;
  let perGroup = (ci + ${inputs - 1}u) / ${inputs}u;
  let columns = perGroup * p.groups;
  let sx = p.sx;
  let sy = i32(p.sy);
  // A row splits into sx phases of every sx-th pixel, a phase into strips.
  let strips = ((p.w + sx - 1u) / sx + ${pixels - 1}u) / ${pixels}u;
  if (index >= p.n * p.h * strips * sx * columns) { return; }
  let group = (index % columns) / perGroup;
  let within = (index % columns - group * perGroup) * ${inputs}u;
  let phase = (index / columns) % sx;
  let ix = ((index / (columns * sx)) % strips) * ${pixels}u * sx + phase;
  let iy = (index / (columns * sx * strips)) % p.h;
  let n = index / (columns * sx * strips * p.h);
  let oh = i32(p.oh);
  let ow = i32(p.ow);
  ${each(pixels, (j) => each(inputs, (b) => `var a${j}_${b} = ${vectorOut ? 'vec4f()' : '0.0'};`))}
  for (var ky = 0u; ky < p.kh; ky++) {
    let up = i32(iy + p.py) - i32(ky * p.dy);
    let oy = up / sy;
    if (up < 0 || oy * sy != up || oy >= oh) { continue; }
    let line = (i32(n) * oh + oy) * ow;
    for (var kx = 0u; kx < p.kw; kx++) {
      let left = i32(ix + p.px) - i32(kx * p.dx);
      // Floor division: left of the image the remainder must keep its phase.
      let ox = select(left, left - i32(sx) + 1, left < 0) / i32(sx);
      if (ox * i32(sx) != left) { continue; }
      ${each(
        pixels,
        (j) => `let at${j} = u32(line + clamp(ox + ${j}, 0, ow - 1)) * k + group * ko;
      let in${j} = ox + ${j} >= 0 && ox + ${j} < ow;`,
      )}
      var wi = ((ky * p.kw + kx) * p.k + group * ko * ${vectorIn ? 4 : 1}u) * ci + within;
      for (var o = 0u; o < ko; o++) {
        ${each(pixels, (j) => `let g${j} = select(${vectorIn ? 'vec4f()' : '0.0'}, g[at${j} + o], in${j});`)}
        ${multiply('wt', 'g', pixels, inputs, vectorIn, vectorOut, 'ci')}
      }
    }
  }
  let out = ((n * p.h + iy) * p.w + ix) * c + group * ci + within;
  ${each(pixels, (j) =>
    each(
      inputs,
      (b) =>
        `if (ix + ${j}u * sx < p.w && within + ${b}u < ci) { dx[out + ${j}u * sx * c + ${b}u] = a${j}_${b}; }`,
    ),
  )}
}
`;

export const weightGradNaive = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  let ci = p.c / p.groups;
  let size = p.kh * p.kw * ci * p.k;
  if (index >= size * p.splits) { return; }
  let split = index / size;
  let o = index % p.k;
  let i = (index / p.k) % ci;
  let kx = (index / (p.k * ci)) % p.kw;
  let ky = (index / (p.k * ci * p.kw)) % p.kh;
  let channel = (o / (p.k / p.groups)) * ci + i;
  let rows = p.n * p.oh;
  let perSplit = (rows + p.splits - 1u) / p.splits;
  var total = 0.0;
  for (var r = split * perSplit; r < min(rows, (split + 1u) * perSplit); r++) {
    let iy = i32((r % p.oh) * p.sy + ky * p.dy) - i32(p.py);
    if (iy < 0 || iy >= i32(p.h)) { continue; }
    for (var ox = 0u; ox < p.ow; ox++) {
      let ix = i32(ox * p.sx + kx * p.dx) - i32(p.px);
      if (ix < 0 || ix >= i32(p.w)) { continue; }
      total += x[(((r / p.oh) * p.h + u32(iy)) * p.w + u32(ix)) * p.c + channel] * g[(r * p.ow + ox) * p.k + o];
    }
  }
  dw[index] = total;
}
`;

/** One invocation: one tap, `inputs` times `outputs` scalars, over the output rows of its split. For any channel counts. */
export const weightGradScalar = (inputs: number, outputs: number, unroll: number) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  let ci = p.c / p.groups;
  let ko = p.k / p.groups;
  let tiles = (ci + ${inputs - 1}u) / ${inputs}u;
  let perGroup = (ko + ${outputs - 1}u) / ${outputs}u;
  let columns = perGroup * p.groups;
  let taps = p.kh * p.kw;
  if (index >= taps * tiles * columns * p.splits) { return; }
  let column = index % columns;
  let group = column / perGroup;
  let within = (column % perGroup) * ${outputs}u;
  let o = group * ko + within;
  let i = ((index / columns) % tiles) * ${inputs}u;
  let tap = (index / (columns * tiles)) % taps;
  let split = index / (columns * tiles * taps);
  let kx = tap % p.kw;
  let ky = tap / p.kw;
  let c = p.c;
  let k = p.k;
  let h = i32(p.h);
  let width = i32(p.w);
  let oh = p.oh;
  let ow = p.ow;
  let sx = i32(p.sx);
  let sy = p.sy;
  let rows = p.n * oh;
  let perSplit = (rows + p.splits - 1u) / p.splits;
  let last = min(rows, (split + 1u) * perSplit);
  let shiftY = i32(ky * p.dy) - i32(p.py);
  let shiftX = i32(kx * p.dx) - i32(p.px);
  let channel = group * ci + i;
  ${each(inputs, (c) => each(outputs, (b) => `var a${c}_${b} = 0.0;`))}
  for (var r = split * perSplit; r < last; r++) {
    let iy = i32((r % oh) * sy) + shiftY;
    if (iy < 0 || iy >= h) { continue; }
    let line = (i32(r / oh) * h + iy) * width;
    for (var ox = 0u; ox < ow; ox += ${unroll}u) {
      ${each(
        unroll,
        (u) => `{
        let ix = i32(ox + ${u}u) * sx + shiftX;
        let at = u32(line + clamp(ix, 0, width - 1)) * c + channel;
        let used = ix >= 0 && ix < width && ox + ${u}u < ow;
        let gi = (r * ow + min(ox + ${u}u, ow - 1u)) * k + o;
        ${each(outputs, (b) => `let g${b} = select(0.0, g[gi + ${b}u], used);`)}
        ${each(
          inputs,
          (c) => `{
          let v = select(0.0, x[at + ${c}u], used);
          ${each(outputs, (b) => `a${c}_${b} += v * g${b};`)}
        }`,
        )}
      }`,
      )}
    }
  }
  let out = ((split * taps + tap) * ci + i) * k + o;
  ${each(inputs, (c) =>
    each(
      outputs,
      (b) => `if (i + ${c}u < ci && within + ${b}u < ko) { dw[out + ${c}u * k + ${b}u] = a${c}_${b}; }`,
    ),
  )}
}
`;
