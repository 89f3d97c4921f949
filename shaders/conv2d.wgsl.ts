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
// The ladder, for each of the three: `naive`, one output value per invocation, reads as the formula; `registers`, a tile of
// outputs per invocation, so that every value loaded is used many times, without barriers. A third rung, blocks of both
// operands shared through workgroup memory for GPUs, exists for matmul only (matmul.wgsl.ts) so far.
//
// Why registers win on a CPU adapter: SwiftShader turns every load of a storage buffer into four guarded scalar loads (one
// per lane), forty to ninety times the price of a multiply-add, and a barrier costs twenty loads
// (https://github.com/google/swiftshader, src/Reactor/SIMD.hpp). Only re-use inside one invocation pays that back.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** `count` copies of a line of WGSL. Unrolled by hand: values indexed in a loop would leave the registers. */
const each = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

const component = ['x', 'y', 'z', 'w'];

export const forwardNaive = (bias: boolean) => wgsl`
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
#if ${bias}
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
  y[index] = total;
}
`;

/**
 * One invocation: `pixels` neighbouring outputs of a row times `blocks` vectors of four output channels, all in registers.
 * Per four input channels it loads `pixels + 4 blocks` vectors and does `16 pixels blocks` multiply-adds. `vectorIn`: x is
 * read four channels at a time; otherwise one, for images and other channel counts that four does not divide.
 */
export const forwardRegisters = (bias: boolean, pixels: number, blocks: number, vectorIn: boolean) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  let k4 = p.k / 4u;
  let columns = k4 / ${blocks}u;
  let strips = (p.ow + ${pixels - 1}u) / ${pixels}u;
  if (index >= p.n * p.oh * strips * columns) { return; }
  let o = (index % columns) * ${blocks}u;
  let ox = ((index / columns) % strips) * ${pixels}u;
  let oy = (index / (columns * strips)) % p.oh;
  let n = index / (columns * strips * p.oh);
  let h = i32(p.h);
  let width = i32(p.w);
  let kh = p.kh;
  let kw = p.kw;
  let sx = i32(p.sx);
  let dx = p.dx;
  let dy = i32(p.dy);
#if ${vectorIn}
  let row = p.c / 4u;
  let ci = row / p.groups;
#else
  let row = p.c;
  let ci = row / p.groups;
#endif
  let first = (o * 4u / (p.k / p.groups)) * ci;
  let iy0 = i32(oy * p.sy) - i32(p.py);
  let ix0 = i32(ox * p.sx) - i32(p.px);
  ${each(pixels, (j) => each(blocks, (b) => (bias ? `var a${j}_${b} = b[o + ${b}u];` : `var a${j}_${b} = vec4f();`)))}
  for (var ky = 0u; ky < kh; ky++) {
    let iy = iy0 + i32(ky) * dy;
    if (iy < 0 || iy >= h) { continue; }
    let line = (i32(n) * h + iy) * width;
    for (var kx = 0u; kx < kw; kx++) {
      let ix = ix0 + i32(kx * dx);
      // Outside the image a clamped address is read and weighed with zero: cheaper than a branch around each load.
      ${each(
        pixels,
        (j) => `let ix${j} = ix + ${j} * sx;
      let at${j} = u32(line + clamp(ix${j}, 0, width - 1)) * row + first;
      let in${j} = select(0.0, 1.0, ix${j} >= 0 && ix${j} < width);`,
      )}
      var wi = (ky * kw + kx) * ci * k4 * ${vectorIn ? '4u' : '1u'} + o;
      for (var i = 0u; i < ci; i++) {
        ${each(pixels, (j) => `let x${j} = x[at${j} + i] * in${j};`)}
        ${each(
          vectorIn ? 4 : 1,
          (c) => `{
          ${each(blocks, (b) => `let w${b} = w[wi + ${b}u];`)}
          ${each(pixels, (j) => each(blocks, (b) => `a${j}_${b} += x${j}${vectorIn ? `.${component[c]}` : ''} * w${b};`))}
          wi += k4;
        }`,
        )}
      }
    }
  }
  let out = ((n * p.oh + oy) * p.ow + ox) * k4 + o;
  ${each(
    pixels,
    (j) => `if (ox + ${j}u < p.ow) {
    ${each(blocks, (b) => `y[out + ${j}u * k4 + ${b}u] = a${j}_${b};`)}
  }`,
  )}
}
`;

/** As `forwardRegisters`, for any number of output channels: `outputs` of them per invocation, read one at a time. */
export const forwardScalar = (bias: boolean, pixels: number, outputs: number) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  let ko = p.k / p.groups;
  let perGroup = (ko + ${outputs - 1}u) / ${outputs}u;
  let columns = perGroup * p.groups;
  let strips = (p.ow + ${pixels - 1}u) / ${pixels}u;
  if (index >= p.n * p.oh * strips * columns) { return; }
  let column = index % columns;
  let group = column / perGroup;
  let within = (column % perGroup) * ${outputs}u;
  let o = group * ko + within;
  let ox = ((index / columns) % strips) * ${pixels}u;
  let oy = (index / (columns * strips)) % p.oh;
  let n = index / (columns * strips * p.oh);
  let k = p.k;
  let h = i32(p.h);
  let width = i32(p.w);
  let kh = p.kh;
  let kw = p.kw;
  let sx = i32(p.sx);
  let dx = p.dx;
  let dy = i32(p.dy);
  let row = p.c;
  let ci = row / p.groups;
  let first = group * ci;
  let iy0 = i32(oy * p.sy) - i32(p.py);
  let ix0 = i32(ox * p.sx) - i32(p.px);
  ${each(pixels, (j) => each(outputs, (b) => `var a${j}_${b} = ${bias ? `b[min(o + ${b}u, k - 1u)]` : '0.0'};`))}
  for (var ky = 0u; ky < kh; ky++) {
    let iy = iy0 + i32(ky) * dy;
    if (iy < 0 || iy >= h) { continue; }
    let line = (i32(n) * h + iy) * width;
    for (var kx = 0u; kx < kw; kx++) {
      let ix = ix0 + i32(kx * dx);
      ${each(
        pixels,
        (j) => `let ix${j} = ix + ${j} * sx;
      let at${j} = u32(line + clamp(ix${j}, 0, width - 1)) * row + first;
      let in${j} = select(0.0, 1.0, ix${j} >= 0 && ix${j} < width);`,
      )}
      var wi = (ky * kw + kx) * ci * k + o;
      for (var i = 0u; i < ci; i++) {
        ${each(outputs, (b) => `let w${b} = w[wi + ${b}u];`)}
        ${each(
          pixels,
          (j) => `{
          let v = x[at${j} + i] * in${j};
          ${each(outputs, (b) => `a${j}_${b} += v * w${b};`)}
        }`,
        )}
        wi += k;
      }
    }
  }
  let out = ((n * p.oh + oy) * p.ow + ox) * k + o;
  ${each(pixels, (j) =>
    each(
      outputs,
      (b) => `if (ox + ${j}u < p.ow && within + ${b}u < ko) { y[out + ${j}u * k + ${b}u] = a${j}_${b}; }`,
    ),
  )}
}
`;

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
 * none, times `inputs` input channels, as `forwardRegisters` with the parts of x and y exchanged. `vector`: g is read and
 * dx written four channels at a time; otherwise one.
 */
export const inputGradRegisters = (pixels: number, inputs: number, vector: boolean) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  // Channels are counted in units of ${vector ? 'four' : 'one'} from here on.
  let c = p.c / ${vector ? '4u' : '1u'};
  let k = p.k / ${vector ? '4u' : '1u'};
  let ci = c / p.groups;
  let ko = k / p.groups;
  let perGroup = (ci + ${inputs - 1}u) / ${inputs}u;
  let columns = perGroup * p.groups;
  let sx = p.sx;
  let sy = i32(p.sy);
  // A row splits into sx phases of every sx-th pixel, a phase into strips.
  let strips = ((p.w + sx - 1u) / sx + ${pixels - 1}u) / ${pixels}u;
  if (index >= p.n * p.h * strips * sx * columns) { return; }
  let column = index % columns;
  let group = column / perGroup;
  let within = (column % perGroup) * ${inputs}u;
  let phase = (index / columns) % sx;
  let ix = ((index / (columns * sx)) % strips) * ${pixels}u * sx + phase;
  let iy = (index / (columns * sx * strips)) % p.h;
  let n = index / (columns * sx * strips * p.h);
  let oh = i32(p.oh);
  let ow = i32(p.ow);
  let kh = p.kh;
  let kw = p.kw;
  let kdx = i32(p.dx);
  let kdy = i32(p.dy);
  let first = group * ko;
  let iy0 = i32(iy + p.py);
  let ix0 = i32(ix + p.px);
  ${each(pixels, (j) => each(inputs, (b) => `var a${j}_${b} = ${vector ? 'vec4f()' : '0.0'};`))}
  for (var ky = 0u; ky < kh; ky++) {
    let up = iy0 - i32(ky) * kdy;
    let oy = up / sy;
    if (up < 0 || oy * sy != up || oy >= oh) { continue; }
    let line = (i32(n) * oh + oy) * ow;
    for (var kx = 0u; kx < kw; kx++) {
      let left = ix0 - i32(kx) * kdx;
      // Floor division: left of the image the remainder must keep its phase.
      let ox = select(left, left - i32(sx) + 1, left < 0) / i32(sx);
      if (ox * i32(sx) != left) { continue; }
      ${each(
        pixels,
        (j) => `let at${j} = u32(line + clamp(ox + ${j}, 0, ow - 1)) * k + first;
      let in${j} = select(0.0, 1.0, ox + ${j} >= 0 && ox + ${j} < ow);`,
      )}
      var wi = ((ky * kw + kx) * p.k + first * ${vector ? '4u' : '1u'}) * ci + within;
      for (var o = 0u; o < ko; o++) {
        ${each(pixels, (j) => `let g${j} = g[at${j} + o] * in${j};`)}
        ${each(
          vector ? 4 : 1,
          (q) => `{
          ${each(inputs, (b) => `let w${b} = wt[wi + ${b}u];`)}
          ${each(pixels, (j) => each(inputs, (b) => `a${j}_${b} += g${j}${vector ? `.${component[q]}` : ''} * w${b};`))}
          wi += ci;
        }`,
        )}
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

/**
 * One invocation: one tap, `4 rowsIn` input times `4 blocks` output channels, over the output rows of its split. Per output
 * pixel it loads `rowsIn + blocks` vectors for `16 rowsIn blocks` multiply-adds; `unroll` pixels of a row go into one turn of
 * the loop, because carrying the sums around the loop costs as much as several multiply-adds each. The partial sums of
 * the splits are added by a second pass (reduceSum), in order.
 */
export const weightGradRegisters = (rowsIn: number, blocks: number, unroll: number) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  let c4 = p.c / 4u;
  let k4 = p.k / 4u;
  let ci4 = c4 / p.groups;
  let tiles = ci4 / ${rowsIn}u;
  let columns = k4 / ${blocks}u;
  let taps = p.kh * p.kw;
  if (index >= taps * tiles * columns * p.splits) { return; }
  let o = (index % columns) * ${blocks}u;
  let i = ((index / columns) % tiles) * ${rowsIn}u;
  let tap = (index / (columns * tiles)) % taps;
  let split = index / (columns * tiles * taps);
  let kx = tap % p.kw;
  let ky = tap / p.kw;
  let h = i32(p.h);
  let width = i32(p.w);
  let oh = p.oh;
  let ow = p.ow;
  let sx = i32(p.sx);
  let sy = p.sy;
  let channel = (o * 4u / (p.k / p.groups)) * ci4 + i;
  let rows = p.n * oh;
  let perSplit = (rows + p.splits - 1u) / p.splits;
  let last = min(rows, (split + 1u) * perSplit);
  let shiftY = i32(ky * p.dy) - i32(p.py);
  let shiftX = i32(kx * p.dx) - i32(p.px);
  ${each(4 * rowsIn, (c) => each(blocks, (b) => `var a${c}_${b} = vec4f();`))}
  for (var r = split * perSplit; r < last; r++) {
    let iy = i32((r % oh) * sy) + shiftY;
    if (iy < 0 || iy >= h) { continue; }
    let line = (i32(r / oh) * h + iy) * width;
    for (var ox = 0u; ox < ow; ox += ${unroll}u) {
      ${each(
        unroll,
        (u) => `{
        let ix = i32(ox + ${u}u) * sx + shiftX;
        let at = u32(line + clamp(ix, 0, width - 1)) * c4 + channel;
        let used = select(0.0, 1.0, ix >= 0 && ix < width && ox + ${u}u < ow);
        ${each(rowsIn, (t) => `let v${t} = x[at + ${t}u] * used;`)}
        let gi = (r * ow + min(ox + ${u}u, ow - 1u)) * k4 + o;
        ${each(blocks, (b) => `let g${b} = g[gi + ${b}u];`)}
        ${each(4 * rowsIn, (c) => each(blocks, (b) => `a${c}_${b} += v${c >> 2}.${component[c & 3]} * g${b};`))}
      }`,
      )}
    }
  }
  let out = ((split * taps + tap) * ci4 * 4u + i * 4u) * k4 + o;
  ${each(4 * rowsIn, (c) => each(blocks, (b) => `dw[out + ${c}u * k4 + ${b}u] = a${c}_${b};`))}
}
`;

/** As `weightGradRegisters`, for any channel counts: `inputs` times `outputs` scalars per invocation. */
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
        let used = select(0.0, 1.0, ix >= 0 && ix < width && ox + ${u}u < ow);
        let gi = (r * ow + min(ox + ${u}u, ow - 1u)) * k + o;
        ${each(outputs, (b) => `let g${b} = g[gi + ${b}u] * used;`)}
        ${each(
          inputs,
          (c) => `{
          let v = x[at + ${c}u];
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
