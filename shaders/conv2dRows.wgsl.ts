// Convolution and input gradient for software adapters: the weights of a few channels stay with the invocation, and a row of
// pixels streams past them.
//
// The naive kernel loads two values for one multiply-add. A tile of values in registers (conv2d.wgsl.ts) loads weights and
// pixels again for every tile. Here an invocation first loads the weights of all taps, of a few input channels and a few output
// channels. Then it walks along rows of the output. Every turn takes one new column of the KH rows of input under the row, and
// adds to all outputs that this column reaches: the one that is now complete, and the KW - 1 that follow. With 8 x 8 channels and
// a 3x3 kernel a turn costs 6 loads of the input, 2 loads and 2 stores of the sums so far, and 576 multiply-adds.
//
//   for each block of input channels
//     held = weights of the block                        (once for all rows)
//     for each row, for each column of the input, from left to right:
//       pending outputs += sum over taps and channels of the block of  held * column
//       y += the oldest of them, which is complete
//
// Sums over the blocks of input channels meet in y itself: only this invocation reads and writes these values. What is carried
// from turn to turn are the pending outputs, four vec4; the window of pixels under an output would be twelve.
//
// With a dilation, neighbouring outputs reach different columns. So the walk goes along every `step`-th output, once for each
// phase of the step, and along each all is as without dilation.
//
// The input gradient with stride 1 is the same walk over g with the kernel turned by 180 degrees. With stride 2 every second
// row and column of dx meets the same taps: a turn computes the 2 x 2 pixels that lie between the same outputs.
//
// As `rows-quad`, the four invocations that SwiftShader runs at once walk along the same pixels and differ in their output channels.
// Then each loads one component of every pixel's vector, and a quad operation hands it to the other three: a quarter of the loads
// of the image, each of which is as dear as twenty multiply-adds there. The sums and their order stay the same.
//
// SwiftShader keeps what `select` and quad operations yield as integers, and stores a copy wherever one is used as a number. Every value
// is used some twenty times, so it is multiplied by one first: the product is a number once and for all.
//
// On SwiftShader each of the weights becomes a stack slot that a multiply-add uses as operand, which is as good as a register
// there (its compiler keeps next to nothing in them). On a GPU it would be hundreds of registers per invocation: `tiles` is for
// GPUs.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { type Epilogue, finished, finishing } from './activation.wgsl.ts';
import { each, gcd, list } from './conv2d.wgsl.ts';

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
  /** Positions that are new in every turn, the last ones; the others were read in turns before. */
  fresh: number;
  /** Outputs from one turn to the next, in units of `phases`: with dilation, the next that meets the same positions. */
  step: number;
}

/** One axis of a convolution: output a reads a stride + tap dilation - padding. */
export function forwardAxis(taps: number, stride: number, dilation: number): Axis {
  const common = gcd(stride, dilation);
  return {
    phases: 1,
    taps: Array.from({ length: taps }, (_, tap) => ({ phase: 0, position: tap })),
    positions: Array.from({ length: taps }, (_, tap) => tap * dilation),
    fresh: Math.min(taps, stride / common),
    step: dilation / common,
  };
}

/** One axis of an input gradient: output a stride + phase reads a + (phase + padding - tap dilation) / stride, if whole. */
export function gradAxis(taps: number, stride: number, padding: number, dilation: number): Axis {
  const reads = Array.from({ length: taps }, (_, tap) => {
    const rest = padding % stride;
    const phase = (((tap * dilation - rest) % stride) + stride) % stride;
    return { phase, position: (phase + rest - tap * dilation) / stride };
  });
  const sorted = [...new Set(reads.map(({ position }) => position))].sort((a, b) => a - b);
  const step = sorted.slice(1).reduce((common, position) => gcd(position - sorted[0], common), 0) || 1;
  const range = (sorted[sorted.length - 1] - sorted[0]) / step + 1;
  // Taps far apart share nothing with the turn before.
  const shared = range <= taps;
  const positions = shared ? Array.from({ length: range }, (_, index) => sorted[0] + index * step) : sorted;
  return {
    phases: stride,
    taps: reads.map(({ phase, position }) => ({ phase, position: positions.indexOf(position) })),
    positions,
    fresh: shared ? 1 : positions.length,
    step: shared ? step : 1,
  };
}

/** Turns before the first output whose columns, some of them inside the image, belong to outputs to come. */
export function leadingTurns({ positions, fresh, step }: Axis, stride: number, origin: number): number {
  let turns = Math.ceil(positions.length / fresh) - 1;
  const rightmost = (turn: number) =>
    (step - 1 - turn * step) * stride + origin + positions[positions.length - 1];
  while (turns > 0 && rightmost(turns) < 0) turns -= 1;
  return turns;
}

export interface RowsForm {
  y: Axis;
  x: Axis;
  /** Turns of the walk along a row before its first output. */
  lead: number;
  /** Channels of a matrix: 1 to 4 of the input, 4 or 1 of the output. */
  depth: number;
  width: number;
  /** Matrices along the input and along the output channels. */
  inputs: number;
  outputs: number;
  /** All input channels of a group lie in one block: there are no sums so far to be read. */
  whole: boolean;
  /** The image that is read holds four channels to an element, depth is 4; the weights and the image that is written, width is 4. */
  vectorIn: boolean;
  vectorOut: boolean;
  epilogue: Epilogue;
  /** Four invocations, for neighbouring output channels, share what they load of the image. */
  quad: boolean;
}

/** Invocations that walk along the same pixels. */
export const sharers = ({ quad }: RowsForm): number => (quad ? 4 : 1);

/** y from x and w, or with `turned` dx from g and wt. */
export const rows = (form: RowsForm, turned: boolean) => {
  const { y, x, lead, depth, width, inputs, outputs, whole, vectorIn, vectorOut, epilogue, quad } = form;
  const taps = y.taps.length * x.taps.length;
  const kept = x.positions.length - x.fresh;
  // A column is read once, and added to the outputs of this turn and of as many to come.
  const ahead = Math.ceil(kept / x.fresh);
  // `sum += dot(...)` on single numbers: what `matrix * vector` yields does not stay in a register.
  const sums = outputs * width;
  const byTurn = Array.from({ length: taps }, (_, tap) => {
    const [ty, tx] = [y.taps[Math.floor(tap / x.taps.length)], x.taps[tap % x.taps.length]];
    const turn = Math.max(0, Math.ceil((kept - tx.position) / x.fresh));
    const column = tx.position + turn * x.fresh - kept;
    return { tap, turn, column, row: ty.position, phase: `${ty.phase}_${tx.phase}` };
  }).sort((a, b) => a.turn - b.turn);
  const term = ({ tap, turn, column, row, phase }: (typeof byTurn)[number], i: number, e: number) => {
    const [m, v] = [`m${tap * inputs + i}_${e}`, `v${row}_${column}_${i}`];
    return `a${turn}_${phase}_${e} += ${depth === 1 ? `${m} * ${v}` : `dot(${m}, ${v})`};`;
  };
  const input = depth === 1 ? 'f32' : `vec${depth}f`;
  const output = width === 1 ? 'f32' : 'vec4f';
  // Channels to an element of a buffer, and elements that a vector of the input and of the output takes.
  const [unitIn, unitOut] = [vectorIn ? 4 : 1, vectorOut ? 4 : 1];
  const deep = depth / unitIn;
  const sharing = sharers(form);
  const wide = width / unitOut;
  const read = (count: number, buffer: string, at: string) =>
    count === 1 ? `${buffer}[${at}]` : `vec${count}f(${list(count, (e) => `${buffer}[${at} + ${e}u]`)})`;
  const source = turned ? 'g' : 'x';
  const result = turned ? 'dx' : 'y';
  // Pixels in the order in which the taps of any sum meet them, each loaded where it is used: it stays in registers until the next.
  const along = ({ positions }: Axis, count: number) => {
    const all = Array.from({ length: count }, (_, k) => positions.length - count + k);
    return turned ? all.reverse() : all;
  };
  const pixels = along(y, y.positions.length).flatMap((row) =>
    along(x, x.fresh).flatMap((position) =>
      Array.from({ length: inputs }, (_, i) => ({ row, column: position - kept, i })),
    ),
  );
  const load = (row: number, column: number, i: number) => {
    const at = `line${row} + at${column} + ${i * deep}u`;
    const inside = `in${column} && in_y${row}`;
    const value = quad
      ? `shared_vector(${at}, lane, ${inside})`
      : `select(${input}(), ${read(deep, source, at)}, ${inside})`;
    return `let v${row}_${column}_${i} = one * ${value};`;
  };
  // The sums of an output, by turns until it is complete.
  const eachSum = (line: (name: string, turn: number) => string) =>
    each(ahead + 1, (turn) =>
      each(y.phases, (fy) => each(x.phases, (fx) => each(sums, (e) => line(`${fy}_${fx}_${e}`, turn)))),
    );
  const store = (fy: number, fx: number, b: number) => {
    const reached = y.taps.some(({ phase }) => phase === fy) && x.taps.some(({ phase }) => phase === fx);
    const at = `out${fy} + (ox + ${fx}u) * oc + ${b * wide}u`;
    const before = epilogue.bias ? read(wide, 'b', `o + ${b * wide}u`) : `${output}()`;
    const terms = list(width, (e) => `a0_${fy}_${fx}_${b * width + e}`);
    const total = reached
      ? `${width === 1 ? terms : `vec4f(${terms})`} + ${whole ? before : `select(${read(wide, result, at)}, ${before}, i0 == 0u)`}`
      : before;
    // Sums so far are stored as they are.
    const sum =
      epilogue.activation && !whole
        ? `select(${total}, ${finished(epilogue, total)}, i0 + ${inputs * deep}u == perGroupIn)`
        : finished(epilogue, total);
    return wide === 1
      ? `${result}[${at}] = ${sum};`
      : `{ let sum = ${sum};
          ${each(wide, (e) => `${result}[${at} + ${e}u] = sum[${e}];`)} }`;
  };
  return wgsl`
var<private> held: array<${input}, ${taps * inputs * sums}>;
${finishing(epilogue, output)}

#if ${quad}
// The vector at one address, each component loaded by another of the four invocations; zeros outside the image.
fn shared_vector(at: u32, lane: u32, inside: bool) -> vec4f {
  let own = select(0.0, ${source}[at * 4u + lane], inside);
  return vec4f(${list(4, (lane) => `quadBroadcast(own, ${lane}u)`)});
}

@compute @workgroup_size(${ROWS_WORKGROUP})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let index = wid.x + wid.y * groups.x;
#else
@compute @workgroup_size(${ROWS_WORKGROUP})
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = gid.x + gid.y * groups.x * ${ROWS_WORKGROUP}u;
#endif
  // The image that is read (ih, iw, ic) and the one that is written (oh, ow, oc), channels in units of a vector.
#if ${turned}
  let ih = i32(p.oh);
  let iw = i32(p.ow);
  let ic = p.k / ${unitIn}u;
  let oh = p.h;
  let ow = p.w;
  let oc = p.c / ${unitOut}u;
#else
  let ih = i32(p.h);
  let iw = i32(p.w);
  let ic = p.c / ${unitIn}u;
  let oh = p.oh;
  let ow = p.ow;
  let oc = p.k / ${unitOut}u;
#endif
  // A factor that the compiler does not see through.
  let one = f32(min(p.groups, 1u));
  let origin = ${turned ? 'i32(p.px / p.sx)' : '-i32(p.px)'};
  let stride = ${turned ? '1' : 'i32(p.sx)'};
  let turns = i32((ow + ${x.phases - 1}u) / ${x.phases}u);
  let down = (oh + ${y.phases - 1}u) / ${y.phases}u;
  let lines = p.n * down;
  let columns = oc / ${sharing * outputs * wide}u;
  let perStrip = max(1u, lines * columns / ${ROWS_INVOCATIONS / sharing}u);
  let strips = (lines + perStrip - 1u) / perStrip;
  if (index >= strips * columns) { return; }
  let o = (index / strips${quad ? ' * 4u + lane' : ''}) * ${outputs * wide}u;
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
        let at = (tap * p.k + channel * ${unitIn}u + i) * row + o % row;
#else
        let row = oc;
        let at = ((tap * perGroupIn + i0) * ${unitIn}u + i) * row + o;
#endif
        let to = (tap * ${inputs}u + i / ${depth}u) * ${sums}u;
        ${each(outputs, (b) => `let w${b} = ${read(wide, turned ? 'wt' : 'w', `at + ${b * wide}u`)};`)}
        ${each(sums, (e) => {
          const from = `w${Math.floor(e / width)}${width === 1 ? '' : `[${e % width}]`}`;
          return `held[to + ${e}u]${depth === 1 ? '' : `[i % ${depth}u]`} = ${from};`;
        })}
      }
    }
    ${each(taps * inputs, (m) => each(sums, (e) => `let m${m}_${e} = held[${m * sums + e}];`))}
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
      ${each(y.phases, (fy) => `let out${fy} = (n * oh + line * ${y.phases}u + ${fy}u) * ow * oc + o;`)}
#if ${x.step > 1}
      for (var first = 0; first < min(${x.step}, turns); first++) {
#else
      let first = 0;
#endif
      ${eachSum((name, turn) => (turn < ahead ? `var a${turn}_${name} = 0.0;` : ''))}
      for (var turn = first - ${lead * x.step}; turn < turns; turn += ${x.step}) {
        let left = turn * stride + origin;
        ${each(
          x.fresh,
          (column) => `let ix${column} = left + (${x.positions[kept + column]});
        let in${column} = ix${column} >= 0 && ix${column} < iw;
        let at${column} = u32(clamp(ix${column}, 0, iw - 1)) * ic + channel;`,
        )}
        ${eachSum((name, turn) => (turn === ahead ? `var a${turn}_${name} = 0.0;` : ''))}
        ${pixels
          .map(({ row, column, i }) => {
            const met = byTurn.filter((tap) => tap.row === row && tap.column === column);
            return `${load(row, column, i)}\n${met.map((tap) => each(sums, (e) => term(tap, i, e))).join('\n')}`;
          })
          .join('\n')}
        ${lead > 0 ? 'if (turn >= 0) {' : ''}
        let ox = u32(turn) * ${x.phases}u;
        ${each(y.phases, (fy) =>
          each(x.phases, (fx) => {
            const stores = each(outputs, (b) => store(fy, fx, b));
            return y.phases * x.phases === 1
              ? stores
              : `if (line * ${y.phases}u + ${fy}u < oh && ox + ${fx}u < ow) { ${stores} }`;
          }),
        )}
        ${lead > 0 ? '}' : ''}
        ${eachSum((name, turn) => (turn < ahead ? `a${turn}_${name} = a${turn + 1}_${name};` : ''))}
      }
#if ${x.step > 1}
      }
#endif
    }
  }
}
`;
};
