// Convolution and input gradient for software adapters: the weights of a few channels stay with the invocation, and a row of
// pixels streams past them.
//
// The naive kernel loads two values for one multiply-add. A tile of values in registers (conv2d.wgsl.ts) loads weights and
// pixels again for every tile. Here an invocation first loads the weights of all taps, of a few input channels and a few output
// channels. Then it walks along rows of the output. Under each pixel lies a window of KH x KW pixels of the input; moving
// on by one pixel, most of its columns are those of the pixel before, so only the fresh ones are loaded. With 8 x 8 channels and a
// 3x3 kernel a pixel costs 6 loads of the input, 2 loads and 2 stores of the sums so far, and 576 multiply-adds.
//
//   for each block of input channels
//     held = weights of the block                        (once for all rows)
//     for each row, for each pixel:
//       window = columns kept from the pixel before, and fresh ones
//       y     += sum over taps and channels of the block of  held * window
//
// Sums over the blocks of input channels meet in y itself: only this invocation reads and writes these values.
//
// The input gradient with stride 1 is the same walk over g with the kernel turned by 180 degrees. With stride 2 every second
// row and column of dx meets the same taps: a turn computes the 2 x 2 pixels that lie between the same outputs.
//
// On SwiftShader each of the matrices becomes a handful of stack slots that the multiply-adds use as operands, which is as good as
// registers there (its compiler keeps next to nothing in them). On a GPU it would be hundreds of registers per invocation:
// `tiles` is for GPUs.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { each, list } from './conv2d.wgsl.ts';

/** Four invocations are what SwiftShader runs at once; smaller workgroups spread better over its threads. */
export const ROWS_WORKGROUP = 4;

/** About as many invocations as `rows` is started with: work for eight cores. Fewer load the weights less often. */
export const ROWS_INVOCATIONS = 32;

/**
 * Where each tap of one axis lands. A turn of the walk computes `phases` neighbouring outputs of the axis: the stride for an
 * input gradient, whose outputs meet different taps in turn, else one.
 */
export interface Axis {
  phases: number;
  /** By tap: the phase it belongs to, and the position that it reads, as an index into `positions`. */
  taps: { phase: number; position: number }[];
  /** Relative to the line or pixel of the turn, less the padding, or for an input gradient plus padding / stride. */
  positions: number[];
  /** Positions that are new in every turn, the last ones; the others were read in the turn before. */
  fresh: number;
}

/** One axis of a convolution: output a reads a stride + tap dilation - padding. */
export function forwardAxis(taps: number, stride: number, dilation: number): Axis {
  const shared = stride % dilation === 0 && stride / dilation < taps;
  return {
    phases: 1,
    taps: Array.from({ length: taps }, (_, tap) => ({ phase: 0, position: tap })),
    positions: Array.from({ length: taps }, (_, tap) => tap * dilation),
    fresh: shared ? stride / dilation : taps,
  };
}

/** One axis of an input gradient: output a stride + phase reads a + (phase + padding - tap dilation) / stride, if whole. */
export function gradAxis(taps: number, stride: number, padding: number, dilation: number): Axis {
  const reads = Array.from({ length: taps }, (_, tap) => {
    const rest = padding % stride;
    const phase = (((tap * dilation - rest) % stride) + stride) % stride;
    return { phase, position: (phase + rest - tap * dilation) / stride };
  });
  const first = Math.min(...reads.map(({ position }) => position));
  const range = Math.max(...reads.map(({ position }) => position)) - first + 1;
  // Taps far apart share nothing with the turn before.
  if (range > taps) {
    return {
      phases: stride,
      taps: reads.map(({ phase }, tap) => ({ phase, position: tap })),
      positions: reads.map(({ position }) => position),
      fresh: taps,
    };
  }
  return {
    phases: stride,
    taps: reads.map(({ phase, position }) => ({ phase, position: position - first })),
    positions: Array.from({ length: range }, (_, index) => first + index),
    fresh: 1,
  };
}

export interface RowsForm {
  y: Axis;
  x: Axis;
  /** Channels of a matrix: 1 to 4 of the input, 4 or 1 of the output. */
  depth: number;
  width: number;
  /** Matrices along the input and along the output channels. */
  inputs: number;
  outputs: number;
  /** Buffers are read and written four channels at a time; depth and width are 4. */
  vector: boolean;
  bias: boolean;
}

/** y from x and w, or with `turned` dx from g and wt. */
export const rows = (form: RowsForm, turned: boolean) => {
  const { y, x, depth, width, inputs, outputs, vector, bias } = form;
  const taps = y.taps.length * x.taps.length;
  const kept = x.positions.length - x.fresh;
  const input = depth === 1 ? 'f32' : `vec${depth}f`;
  const output = width === 1 ? 'f32' : 'vec4f';
  const matrix = width === 1 ? input : depth === 1 ? 'vec4f' : `mat${depth}x4f`;
  const product = (m: string, v: string) => (width === 1 && depth > 1 ? `dot(${m}, ${v})` : `${m} * ${v}`);
  // Elements of a buffer that a vector of the input and of the output takes.
  const unit = vector ? 4 : 1;
  const deep = depth / unit;
  const wide = width / unit;
  const read = (count: number, buffer: string, at: string) =>
    count === 1 ? `${buffer}[${at}]` : `vec${count}f(${list(count, (e) => `${buffer}[${at} + ${e}u]`)})`;
  const source = turned ? 'g' : 'x';
  const target = turned ? 'dx' : 'y';
  const load = (kind: 'var' | 'let', column: number, pixel: string) => `
      let ix${column} = ${pixel} + (${x.positions[column]});
      let in${column} = ix${column} >= 0 && ix${column} < iw;
      let at${column} = u32(clamp(ix${column}, 0, iw - 1)) * ic + channel;
      ${each(y.positions.length, (row) =>
        each(inputs, (i) => {
          const value = read(deep, source, `line${row} + at${column} + ${i * deep}u`);
          return `${kind} v${row}_${column}_${i} = select(${input}(), ${value}, in${column} && in_y${row});`;
        }),
      )}`;
  const store = (fy: number, fx: number, b: number) => {
    const reached = y.taps.some(({ phase }) => phase === fy) && x.taps.some(({ phase }) => phase === fx);
    const at = `out${fy} + ${fx}u * oc + ${b * wide}u`;
    const before = bias ? read(wide, 'b', `o + ${b * wide}u`) : `${output}()`;
    const sum = reached
      ? `a${fy}_${fx}_${b} + select(${read(wide, target, at)}, ${before}, i0 == 0u)`
      : before;
    return wide === 1
      ? `${target}[${at}] = ${sum};`
      : `{ let sum = ${sum};
          ${each(wide, (e) => `${target}[${at} + ${e}u] = sum[${e}];`)} }`;
  };
  return wgsl`
var<private> held: array<${output}, ${taps * inputs * depth * outputs}>;

@compute @workgroup_size(${ROWS_WORKGROUP})
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = gid.x + gid.y * groups.x * ${ROWS_WORKGROUP}u;
  // The image that is read (ih, iw, ic) and the one that is written (oh, ow, oc), channels in units of a vector.
#if ${turned}
  let ih = i32(p.oh);
  let iw = i32(p.ow);
  let ic = p.k / ${unit}u;
  let oh = p.h;
  let ow = p.w;
  let oc = p.c / ${unit}u;
#else
  let ih = i32(p.h);
  let iw = i32(p.w);
  let ic = p.c / ${unit}u;
  let oh = p.oh;
  let ow = p.ow;
  let oc = p.k / ${unit}u;
#endif
  let origin = ${turned ? 'i32(p.px / p.sx)' : '-i32(p.px)'};
  let down = (oh + ${y.phases - 1}u) / ${y.phases}u;
  let lines = p.n * down;
  let columns = oc / ${outputs * wide}u;
  let perStrip = max(1u, lines * columns / ${ROWS_INVOCATIONS}u);
  let strips = (lines + perStrip - 1u) / perStrip;
  if (index >= strips * columns) { return; }
  let o = (index / strips) * ${outputs * wide}u;
  let strip = index % strips;
  let end = min(lines, (strip + 1u) * perStrip);
  let perGroupIn = ic / p.groups;
  let perGroupOut = oc / p.groups;
  let first = o / perGroupOut * perGroupIn;
  for (var i0 = 0u; i0 < perGroupIn; i0 += ${inputs * deep}u) {
    let channel = first + i0;
    for (var tap = 0u; tap < ${taps}u; tap++) {
      for (var i = 0u; i < ${inputs * depth}u; i++) {
#if ${turned}
        let row = perGroupOut;
        let at = (tap * p.k + channel * ${unit}u + i) * row + o % row;
#else
        let row = oc;
        let at = ((tap * perGroupIn + i0) * ${unit}u + i) * row + o;
#endif
        let to = (tap * ${inputs * depth}u + i) * ${outputs}u;
        ${each(outputs, (b) => `held[to + ${b}u] = ${read(wide, turned ? 'wt' : 'w', `at + ${b * wide}u`)};`)}
      }
    }
    ${each(taps * inputs, (m) =>
      each(
        outputs,
        (b) => `let m${m}_${b} = ${matrix}(${list(depth, (e) => `held[${(m * depth + e) * outputs + b}]`)});`,
      ),
    )}
    for (var r = strip * perStrip; r < end; r++) {
      let n = r / down;
      let line = r - n * down;
      ${each(
        y.positions.length,
        (
          row,
        ) => `let iy${row} = i32(${turned ? 'line + p.py / p.sy' : 'line * p.sy'}) + (${y.positions[row]})${turned ? '' : ' - i32(p.py)'};
      let in_y${row} = iy${row} >= 0 && iy${row} < ih;
      let line${row} = u32((i32(n) * ih + clamp(iy${row}, 0, ih - 1)) * iw) * ic;`,
      )}
      ${each(kept, (column) => load('var', column, 'origin'))}
      ${each(y.phases, (fy) => `var out${fy} = (n * oh + line * ${y.phases}u + ${fy}u) * ow * oc + o;`)}
      for (var ox = 0u; ox < ow; ox += ${x.phases}u) {
        let left = i32(ox${turned ? ` / ${x.phases}u` : ' * p.sx'}) + origin;
        ${each(x.fresh, (column) => load('let', kept + column, 'left'))}
        ${each(y.phases, (fy) => each(x.phases, (fx) => each(outputs, (b) => `var a${fy}_${fx}_${b} = ${output}();`)))}
        ${each(taps, (tap) => {
          const [ty, tx] = [y.taps[Math.floor(tap / x.taps.length)], x.taps[tap % x.taps.length]];
          return each(inputs, (i) =>
            each(
              outputs,
              (b) =>
                `a${ty.phase}_${tx.phase}_${b} += ` +
                `${product(`m${tap * inputs + i}_${b}`, `v${ty.position}_${tx.position}_${i}`)};`,
            ),
          );
        })}
        ${each(y.phases, (fy) =>
          each(x.phases, (fx) => {
            const stores = each(outputs, (b) => store(fy, fx, b));
            return y.phases * x.phases === 1
              ? stores
              : `if (line * ${y.phases}u + ${fy}u < oh && ox + ${fx}u < ow) { ${stores} }`;
          }),
        )}
        ${each(kept, (column) =>
          each(y.positions.length, (row) =>
            each(inputs, (i) => `v${row}_${column}_${i} = v${row}_${column + x.fresh}_${i};`),
          ),
        )}
        ${each(y.phases, (fy) => `out${fy} += ${x.phases}u * oc;`)}
      }
    }
  }
}
`;
};
