// Weight gradient in registers: the sums of a small block of weights stay with the invocation, and x and g stream past them.
//
//   dw[ky,kx,i,o] = sum over n,oy,ox of  x[n, oy S - P + ky D, ox S - P + kx D, i] g[n,oy,ox,o]
//
// An invocation holds the sums of all taps (of one row of taps where the kernel is large) for a few input and output channels.
// A turn of its one loop takes one column of x and of g, over up to four rows of the output at once. With a 3x3 kernel, 4 x 4
// channels and four rows that is
//
//   six rows of x, four of g      10 vec4 loaded
//   nine taps, four rows          576 multiply-adds, on 36 vec4 of sums
//
// Four rows share the six rows of x, and each sum is carried around the loop once for four of its products. A column of x meets
// the columns of g of this turn and of the turns before, so those of g are kept, and x is loaded once for all taps.
//
// With a dilation, neighbouring outputs meet different rows and columns of x. So the walk goes in steps: outputs `step` apart
// meet neighbouring taps' pixels, and all the kernel does without dilation holds for each of the `step` phases.
//
// As `registers-quad`, the four invocations that SwiftShader runs at once hold 2 x 2 such blocks of channels. Two of them read the
// same x and two the same g: each loads half of every vector, and the other half comes from its neighbour by a quad operation. An
// invocation's own half comes first in its vectors, so its sums stand in an order of its own, and leave for the right places.
//
// Rows and columns outside the image, and those that a phase does not have, read some other value and replace it by zero.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { each, list } from './conv2d.wgsl.ts';

/** Small, because an invocation here has much to do. */
export const WEIGHT_WORKGROUP = 16;

/** Invocations of `registers-quad` in a workgroup: those that share their loads. */
export const WEIGHT_QUAD = 4;

export interface WeightForm {
  /** Rows and columns of the kernel per invocation. */
  tapRows: number;
  taps: number;
  /** Rows of the output per turn. */
  rows: number;
  /** From one of these rows, and from the column of one turn, to the next. */
  stepY: number;
  stepX: number;
  /** Rows of x between two of these rows, and columns of x that are new in every turn, in units of the dilation. */
  apart: number;
  fresh: number;
  /** Turns after the last column of the output: columns of x that only outputs before them meet. */
  tail: number;
  /** Input channels, in units of four where `vectorIn`, and output channels, in units of four where `vectorOut`. */
  inputs: number;
  blocks: number;
  vectorIn: boolean;
  vectorOut: boolean;
  /** Four invocations, for 2 x 2 blocks of channels, share what they load. */
  quad: boolean;
}

/** Rows of x under the rows of a turn, in units of the dilation. */
export const linesOf = ({ rows, tapRows, apart }: Pick<WeightForm, 'rows' | 'tapRows' | 'apart'>): number[] =>
  [
    ...new Set(
      Array.from({ length: rows * tapRows }, (_, e) => Math.floor(e / tapRows) * apart + (e % tapRows)),
    ),
  ].sort((a, b) => a - b);

/** One partial sum per split of the output rows; a second pass (reduceSum) adds them, in order. */
export const weightGradRegisters = (form: WeightForm) => {
  const { tapRows, taps, rows, stepY, stepX, apart, fresh, tail, inputs, blocks, vectorIn, vectorOut, quad } =
    form;
  const unit = vectorIn ? 4 : 1;
  const unitOut = vectorOut ? 4 : 1;
  // Channels to an element of x, and of g and dw, and elements to one of the units that an invocation loads.
  const [perX, perG] = quad ? [1, 1] : [unit, unitOut];
  const [ofX, ofG] = [unit / perX, unitOut / perG];
  const ways = quad ? 2 : 1;
  const channels = inputs * unit;
  const lines = linesOf(form);
  const window = Math.ceil(taps / fresh);
  const zero = vectorIn ? 'vec4f()' : '0.0';
  const [typeOut, zeroOut] = vectorOut ? ['vec4f', 'vec4f()'] : ['f32', '0.0'];
  const given = (m: number, j: number, e: number) =>
    vectorOut ? `g${m}_${j}_${e >> 2}.${'xyzw'[e & 3]}` : `g${m}_${j}_${e}`;
  const rowwise = (item: (row: number) => string) =>
    rows === 1 ? item(0) : `vec${rows}f(${list(rows, item)})`;
  const value = (line: number, column: number, c: number) =>
    vectorIn ? `x${line}_${column}_${c >> 2}.${'xyzw'[c & 3]}` : `x${line}_${column}_${c}`;
  const plus = (offset: string | number) => (offset === 0 ? '' : ` + ${offset}`);
  // Every sum of one or four output channels, by tap, input channel and block, with the row and column of the kernel.
  const sums = Array.from({ length: tapRows * taps * channels * blocks }, (_, sum) => {
    const [tap, c, b] = [
      Math.floor(sum / channels / blocks),
      Math.floor(sum / blocks) % channels,
      sum % blocks,
    ];
    return { sum, y: Math.floor(tap / taps), x: tap % taps, c, b };
  });
  return wgsl`
// The sums leave through an array, so that one loop stores them.
var<private> out: array<${typeOut}, ${sums.length}>;

#if ${quad}
// Vectors whose first half starts at \`at\`, here and, for the second half, in the neighbour that reads the same vector; zeros
// outside.
fn shared_x(at: u32, inside: bool) -> vec4f {
  let own = select(vec2f(), vec2f(x[at], x[at + 1u]), inside);
  return vec4f(own, quadSwapX(own));
}
fn shared_g(at: u32, inside: bool) -> vec4f {
  let own = select(vec2f(), vec2f(g[at], g[at + 1u]), inside);
  return vec4f(own, quadSwapY(own));
}

@compute @workgroup_size(${WEIGHT_QUAD})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let index = wid.x + wid.y * groups.x;
  // Twice the place among the two blocks of output channels, and of input channels.
  let across = (lane & 1u) * 2u;
  let down = lane & 2u;
#else
@compute @workgroup_size(${WEIGHT_WORKGROUP})
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = gid.x + gid.y * groups.x * ${WEIGHT_WORKGROUP}u;
#endif
  // Input channels are counted in units of ${perX}, output channels of ${perG}.
  let c = p.c / ${perX}u;
  let k = p.k / ${perG}u;
  let ci = c / p.groups;
  let tiles = ci / ${ways * inputs * ofX}u;
  let columns = k / ${ways * blocks * ofG}u;
  let tapRows = p.kh / ${tapRows}u;
  if (index >= tapRows * tiles * columns * p.splits) { return; }
  let o = (index % columns${quad ? ' * 2u + across / 2u' : ''}) * ${blocks * ofG}u;
  let i = ((index / columns) % tiles${quad ? ' * 2u + down / 2u' : ''}) * ${inputs * ofX}u;
  let ky = (index / (columns * tiles)) % tapRows;
  let split = index / (columns * tiles * tapRows);
  let channel = o / (k / p.groups) * ci + i${quad ? ' + across' : ''};
  // What the loop needs of the parameters: a uniform is loaded anew wherever it is named.
  let h = p.h;
  let w = p.w;
  let oh = p.oh;
  let ow = i32(p.ow);
  let sx = i32(p.sx);
  let px = i32(p.px);
  let dx = i32(p.dx);
  let pitch = w * c;
  let outPitch = p.ow * k;
  let shift = i32(ky * p.dy) - i32(p.py);
  ${each(lines.length, (l) => `let down${l} = ${lines[l]} * i32(p.dy);\n  let line${l} = u32(down${l}) * pitch;`)}
  ${each(rows, (j) => `let row${j} = ${j * stepY}u * outPitch;`)}
  let all = p.n * oh;
  let perSplit = (all + p.splits - 1u) / p.splits;
  let last = min(all, (split + 1u) * perSplit);
  ${each(sums.length * unitOut, (e) => `var a${e} = 0.0;`)}
  ${each(window - 1, (m) => each(rows, (j) => each(blocks, (b) => `var g${m + 1}_${j}_${b} = ${zeroOut};`)))}
  let end = ow + ${tail * stepX};
  // The rows of a turn, how many there are, the first one's row of x, and where both begin.
  var next = split * perSplit;
  var used = 0u;
  var iy = 0;
  var at = 0u;
  var gi = 0u;
#if ${stepY > 1}
  var block = next;
#endif
#if ${stepX > 1}
  var phase = ${stepX};
#endif
  var ox = end;
  loop {
    if (ox >= end) {
#if ${stepX > 1}
      phase += 1;
      if (phase >= min(${stepX}, ow)) {
      phase = 0;
#endif
      if (next >= last) { break; }
      let n = next / oh;
      let y = next - n * oh;
      iy = i32(y * p.sy) + shift;
      at = (n * h + u32(iy)) * pitch + channel;
      gi = next * outPitch + o${quad ? ' + down' : ''};
#if ${stepY > 1}
      // A block of rows is walked once for each phase.
      let length = min(${rows * stepY}u, min(last, (n + 1u) * oh) - block);
      used = (block + length - next + ${stepY - 1}u) / ${stepY}u;
      next += 1u;
      if (next - block >= min(${stepY}u, length)) {
        block += length;
        next = block;
      }
#else
      used = min(${rows}u, min(last, (n + 1u) * oh) - next);
      next += used;
#endif
#if ${stepX > 1}
      }
      ox = phase;
#else
      ox = 0;
#endif
    }
    ${each(lines.length, (l) => `let in_y${l} = u32(iy + down${l}) < h;`)}
    ${each(
      fresh,
      (column) => `let ix${column} = u32(ox * sx - px${plus(column && `${column} * dx`)});
    let in_x${column} = ix${column} < w;
    let at${column} = at + ix${column} * c;
    ${each(lines.length, (l) =>
      each(inputs, (i) => {
        const at = `at${column} + line${l}${plus(i && `${i * ofX}u`)}`;
        const inside = `in_x${column} && in_y${l}`;
        const load = quad ? `shared_x(${at}, ${inside})` : `select(${zero}, x[${at}], ${inside})`;
        return `let x${l}_${column}_${i} = ${load};`;
      }),
    )}`,
    )}
    let here = gi + u32(ox) * k;
    let inside = ox < ow;
    ${each(rows, (j) =>
      each(blocks, (b) => {
        const at = `here + row${j}${plus(b && `${b * ofG}u`)}`;
        const within = `inside${j === 0 ? '' : ` && ${j}u < used`}`;
        const load = quad ? `shared_g(${at}, ${within})` : `select(${zeroOut}, g[${at}], ${within})`;
        return `let g0_${j}_${b} = ${load};`;
      }),
    )}
    ${each(window, (m) =>
      each(blocks * unitOut, (e) => `let m${m}_${e} = ${rowwise((j) => given(m, j, e))};`),
    )}
    ${each(tapRows, (y) =>
      each(fresh, (column) =>
        each(
          channels,
          (c) =>
            `let v${y}_${column}_${c} = ${rowwise((j) => value(lines.indexOf(j * apart + y), column, c))};`,
        ),
      ),
    )}
    ${sums
      .map(({ sum, y, x, c, b }) =>
        each(unitOut, (e) => {
          const [m, v] = [`m${Math.floor(x / fresh)}_${b * unitOut + e}`, `v${y}_${x % fresh}_${c}`];
          return `a${sum * unitOut + e} += ${rows === 1 ? `${m} * ${v}` : `dot(${m}, ${v})`};`;
        }),
      )
      .join('\n')}
    ${each(window - 1, (m) =>
      each(rows, (j) => each(blocks, (b) => `g${window - 1 - m}_${j}_${b} = g${window - 2 - m}_${j}_${b};`)),
    )}
    ox += ${stepX};
  }
  ${sums.map(({ sum }) => `out[${sum}] = ${typeOut}(${list(unitOut, (e) => `a${sum * unitOut + e}`)});`).join('\n')}
  let to = ((split * p.kh + ky) * ${taps}u * ci + i) * ${perX}u * k + o;
  for (var e = 0u; e < ${tapRows * taps * channels}u; e++) {
    let row = to + (e / ${channels}u * ci * ${perX}u + ${quad ? '(e ^ across)' : 'e'} % ${channels}u) * k;
    ${each(blocks, (b) => {
      const sum = `out[e * ${blocks}u + ${b}u]`;
      return quad
        ? each(4, (e) => `dw[row + (${b * 4 + e}u ^ down)] = ${sum}[${e}];`)
        : `dw[row + ${b}u] = ${sum};`;
    })}
  }
}
`;
};
