import type { Activation, Epilogue } from '../shaders/activation.wgsl.ts';
import * as shader from '../shaders/conv2d.wgsl.ts';
import { gcd } from '../shaders/conv2d.wgsl.ts';
import {
  byMatrices,
  byVectors,
  type LeftVector,
  type TileForm,
  tileColumns,
  tileRows,
} from '../shaders/conv2dBlocks.wgsl.ts';
import {
  forwardAxis,
  gradAxis,
  leadingTurns,
  ROWS_INVOCATIONS,
  ROWS_WORKGROUP,
  type RowsForm,
  rows,
  sharers,
} from '../shaders/conv2dRows.wgsl.ts';
import { imageTiles, weightTiles } from '../shaders/conv2dTiles.wgsl.ts';
import {
  linesOf,
  WEIGHT_WORKGROUP,
  type WeightForm,
  weightGradRegisters,
} from '../shaders/conv2dWeight.wgsl.ts';
import { groupsFor, type Kernel, type Variant } from '../src/gpu/kernel.ts';
import { activations } from './activation.ts';
import { blockForms, type Held } from './blocks.ts';

/**
 * x [n,h,w,c], weights [kh,kw,c/groups,k], y and g [n,oh,ow,k]; s stride, p padding, d dilation along y and x.
 */
export type Conv2dParams = Record<
  | 'n'
  | 'h'
  | 'w'
  | 'c'
  | 'oh'
  | 'ow'
  | 'k'
  | 'kh'
  | 'kw'
  | 'sy'
  | 'sx'
  | 'py'
  | 'px'
  | 'dy'
  | 'dx'
  | 'groups',
  number
>;

const params = {
  n: 'u32',
  h: 'u32',
  w: 'u32',
  c: 'u32',
  oh: 'u32',
  ow: 'u32',
  k: 'u32',
  kh: 'u32',
  kw: 'u32',
  sy: 'u32',
  sx: 'u32',
  py: 'u32',
  px: 'u32',
  dy: 'u32',
  dx: 'u32',
  groups: 'u32',
} as const;

/** Multiply-adds counted twice, padding taps included. */
const flops = (p: Conv2dParams) => (2 * p.n * p.oh * p.ow * p.k * p.c * p.kh * p.kw) / p.groups;
const sizes = (p: Conv2dParams) => ({
  x: p.n * p.h * p.w * p.c,
  w: (p.kh * p.kw * p.c * p.k) / p.groups,
  y: p.n * p.oh * p.ow * p.k,
});
const cost = (p: Conv2dParams) => {
  const { x, w, y } = sizes(p);
  return { flops: flops(p), bytes: 4 * (x + w + y) };
};

/** Channels per invocation where four does not divide them: at most eight, evenly spread. */
const balanced = (count: number, most = 8) => Math.ceil(count / Math.ceil(count / most));

const inputsPerGroup = (p: Conv2dParams) => p.c / p.groups;
const outputsPerGroup = (p: Conv2dParams) => p.k / p.groups;
const byFour = (count: number) => count % 4 === 0;

/** Calls `visit` for each pair of an input and an output position that a tap joins. */
function eachTap(
  p: Conv2dParams,
  visit: (n: number, oy: number, ox: number, iy: number, ix: number, ky: number, kx: number) => void,
): void {
  for (let n = 0; n < p.n; n++) {
    for (let oy = 0; oy < p.oh; oy++) {
      for (let ox = 0; ox < p.ow; ox++) {
        for (let ky = 0; ky < p.kh; ky++) {
          for (let kx = 0; kx < p.kw; kx++) {
            const iy = oy * p.sy - p.py + ky * p.dy;
            const ix = ox * p.sx - p.px + kx * p.dx;
            if (iy >= 0 && iy < p.h && ix >= 0 && ix < p.w) visit(n, oy, ox, iy, ix, ky, kx);
          }
        }
      }
    }
  }
}

/** Channels as a kernel of images sees them: those it reads and those it writes, per group. */
const channels = (p: Conv2dParams, turned: boolean) =>
  turned
    ? { input: outputsPerGroup(p), output: inputsPerGroup(p) }
    : { input: inputsPerGroup(p), output: outputsPerGroup(p) };

// What `rows` writes out for one pixel: multiply-adds, and values loaded and stored. Beyond these the loop outgrows an
// instruction cache of 64 KiB, and everything in it takes twice the time or more. A small convolution is done in a few
// milliseconds: half the code, and half the time to compile it, makes it a tenth slower.
const SMALL = 2 ** 24;
const ROWS_WORK = 576;
const ROWS_TRAFFIC = 72;
/** Most single channels of either image that `rows` holds the weights of; of vectors four of the one that is read, two of the other. */
const ROWS_SINGLES = 20;

/**
 * How `rows` divides the channels: most multiply-adds per value loaded or stored, but a larger form, which takes longer to
 * compile, must be a quarter better. Null where a kernel or a stride is too large.
 */
function rowsForm(p: Conv2dParams, turned: boolean, epilogue: Epilogue): RowsForm | null {
  const { input, output } = channels(p, turned);
  if (input === 0) return null;
  const y = turned ? gradAxis(p.kh, p.sy, p.py, p.dy) : forwardAxis(p.kh, p.sy, p.dy);
  const x = turned ? gradAxis(p.kw, p.sx, p.px, p.dx) : forwardAxis(p.kw, p.sx, p.dx);
  const depth = [4, 3, 2, 1].find((d) => input % d === 0)!;
  const width = byFour(output) ? 4 : 1;
  const [vectorIn, vectorOut] = [depth === 4, width === 4];
  const lead = leadingTurns(x, turned ? 1 : p.sx, turned ? Math.floor(p.px / p.sx) : -p.px);
  const limit = flops(p) / 2 < SMALL ? ROWS_WORK / 2 : ROWS_WORK;
  let best: RowsForm | null = null;
  let most = 0;
  for (let inputs = 1; inputs <= (vectorIn ? 4 : ROWS_SINGLES / depth); inputs++) {
    for (let outputs = 1; outputs <= (vectorOut ? 2 : ROWS_SINGLES); outputs++) {
      if ((input / depth) % inputs !== 0 || (output / width) % outputs !== 0) continue;
      const work = p.kh * p.kw * depth * inputs * width * outputs;
      const traffic =
        y.positions.length * x.fresh * depth * inputs + 2 * width * outputs * y.phases * x.phases;
      if (work > ROWS_WORK || (best && work > limit)) continue;
      if (traffic > ROWS_TRAFFIC || work / traffic < most * 1.25) continue;
      most = work / traffic;
      const whole = input === depth * inputs;
      best = { y, x, lead, depth, width, inputs, outputs, whole, vectorIn, vectorOut, epilogue, quad: false };
    }
  }
  return best;
}

/**
 * `rows` with the same blocks of input channels, hence the same bits, and four output channels for each of the four invocations, or
 * eight where the work is worth the time to compile them. Null where output channels do not come in sixteens.
 */
function quadForm(p: Conv2dParams, turned: boolean, epilogue: Epilogue): RowsForm | null {
  const form = rowsForm(p, turned, epilogue);
  const { output } = channels(p, turned);
  if (!form?.vectorIn || output % 16 !== 0) return null;
  const fits = output % 32 === 0 && p.kh * p.kw * form.inputs * 32 <= ROWS_WORK;
  return { ...form, outputs: fits && flops(p) / 2 >= SMALL ? 2 : 1, quad: true };
}

/** Workgroups of `rows`: strips of the lines of the output times blocks of its channels. */
function rowsGroups(p: Conv2dParams, turned: boolean, form: RowsForm): number {
  const lines = p.n * Math.ceil((turned ? p.h : p.oh) / form.y.phases);
  const sharing = sharers(form);
  const columns = (turned ? p.c : p.k) / form.outputs / form.width / sharing;
  const perStrip = Math.max(1, Math.floor((lines * columns * sharing) / ROWS_INVOCATIONS));
  return Math.ceil((Math.ceil(lines / perStrip) * columns * sharing) / ROWS_WORKGROUP);
}

/** Which of the two images a kernel sees four channels at a time, and how its variants are named for it. */
const FORMS = [
  { form: '', vectorIn: true, vectorOut: true, what: 'vec4 along both channels' },
  { form: '-image', vectorIn: false, vectorOut: true, what: 'input channels one at a time' },
  { form: '-map', vectorIn: true, vectorOut: false, what: 'output channels one at a time' },
  { form: '-scalar', vectorIn: false, vectorOut: false, what: 'any channel counts' },
];

/** Weights of one tap, at least, that are worth holding: fewer are soon loaded again. */
const ROWS_HELD = 16;

const rowsVariants = (turned: boolean, epilogue: Epilogue): Variant<Conv2dParams>[] => [
  {
    name: 'rows-quad',
    summary:
      'rows, four invocations sharing what they load of the image by quad operations: for software adapters',
    needs: 'subgroups',
    sameBits: true,
    applies: (p, adapter) => adapter.software && quadForm(p, turned, epilogue) !== null,
    vec4: turned ? ['wt', 'dx'] : ['w', 'b', 'y'],
    code: (p) => rows(quadForm(p, turned, epilogue)!, turned),
    workgroups: (p) => rowsGroups(p, turned, quadForm(p, turned, epilogue)!),
  },
  ...FORMS.map(
    ({ form, vectorIn, vectorOut, what }): Variant<Conv2dParams> => ({
      name: `rows${form}`,
      summary: `weights held by the invocation, rows of pixels streamed past them, ${what}: for software adapters`,
      applies: (p, adapter) => {
        const rows = adapter.software ? rowsForm(p, turned, epilogue) : null;
        if (rows?.vectorIn !== vectorIn || rows.vectorOut !== vectorOut) return false;
        return p.kh * p.kw > 1 || rows.depth * rows.inputs * rows.width * rows.outputs >= ROWS_HELD;
      },
      vec4: [
        ...(vectorIn ? [turned ? 'g' : 'x'] : []),
        ...(vectorOut ? (turned ? ['wt', 'dx'] : ['w', 'b', 'y']) : []),
      ],
      code: (p) => rows(rowsForm(p, turned, epilogue)!, turned),
      workgroups: (p) => rowsGroups(p, turned, rowsForm(p, turned, epilogue)!),
    }),
  ),
];

/** Blocks of a product that keep a large GPU busy; with fewer of them smaller ones are better. */
const MANY_BLOCKS = 256;

/**
 * Blocks of `tiles` for `products` matrices of rows times columns: no wider than the output has channels, and lower where there would be
 * too few of them or too much of the last one would be empty.
 */
function tileForm(rows: number, columns: number, products: number): TileForm {
  const across = columns > 16 ? 8 : 4;
  const vectors = columns > 32 ? 2 : 1;
  const high = { down: 16, across, vectors };
  const blocks = Math.ceil(rows / tileRows(high));
  const enough = blocks * Math.ceil(columns / tileColumns(high)) * products >= MANY_BLOCKS;
  return enough && blocks * tileRows(high) <= 1.05 * rows ? high : { ...high, down: 8 };
}
const tileGroups = (form: TileForm, rows: number, columns: number) =>
  Math.ceil(rows / tileRows(form)) * Math.ceil(columns / tileColumns(form));

/** A block's product in what holds it. */
const blocksOf = (form: TileForm, held: Held, left: LeftVector) =>
  typeof held === 'string' ? byVectors(form, held === 'f16', left) : byMatrices(form, held, left);

function imageTilesVariants(turned: boolean, epilogue: Epilogue): Variant<Conv2dParams>[] {
  // The input gradient by phases of the stride, whose pixels meet the same taps.
  const pixels = (p: Conv2dParams) =>
    p.n * (turned ? Math.ceil(p.h / p.sy) * Math.ceil(p.w / p.sx) : p.oh * p.ow);
  const products = (p: Conv2dParams) => p.groups * (turned ? p.sy * p.sx : 1);
  const formOf = (p: Conv2dParams) => tileForm(pixels(p), channels(p, turned).output, products(p));
  return blockForms(
    'blocks of 64 or 128 pixels x 16 to 64 channels through workgroup memory, 8 x 4 or 8 x 8 per invocation: for GPUs',
  ).map(({ held, ...described }) => ({
    ...described,
    applies: (p, adapter) => {
      const { input, output } = channels(p, turned);
      return !adapter.software && input > 0 && byFour(input) && byFour(output) && output >= 8;
    },
    vec4: turned ? ['g', 'wt', 'dx'] : ['x', 'w', 'b', 'y'],
    code: (p) => imageTiles(epilogue, formOf(p), turned, blocksOf(formOf(p), held, 'steps')),
    workgroups: (p) => tileGroups(formOf(p), pixels(p), channels(p, turned).output) * products(p),
  }));
}

/** Pixels of a strip of `registers`. */
const stripOf = (width: number) => (width >= 3 ? 4 : 1);
/** Output channels per invocation of `registers`: vectors, or up to eight single ones, evenly spread. */
const perInvocation = (count: number, vector: boolean) =>
  vector ? (count % 8 === 0 ? 2 : 1) : balanced(count);

function registersVariants(turned: boolean, epilogue: Epilogue): Variant<Conv2dParams>[] {
  const width = (p: Conv2dParams) => (turned ? Math.ceil(p.w / p.sx) : p.ow);
  const output = (p: Conv2dParams) => channels(p, turned).output;
  return [
    { name: 'registers', vectorIn: true, vectorOut: true, what: 'vec4 along both channels' },
    { name: 'registers-image', vectorIn: false, vectorOut: true, what: 'input channels one at a time' },
    { name: 'registers-scalar', vectorIn: false, vectorOut: false, what: 'any channel counts' },
  ].map(
    ({ name, vectorIn, vectorOut, what }): Variant<Conv2dParams> => ({
      name,
      summary: `a strip of 4 pixels x 8 channels per invocation, ${what}, no barriers`,
      applies: (p) =>
        p.c > 0 && (!vectorIn || byFour(channels(p, turned).input)) && (!vectorOut || byFour(output(p))),
      vec4: [
        ...(vectorIn ? [turned ? 'g' : 'x'] : []),
        ...(vectorOut ? (turned ? ['wt', 'dx'] : ['w', 'b', 'y']) : []),
      ],
      code: (p) => {
        const tile = [stripOf(width(p)), perInvocation(output(p), vectorOut), vectorIn, vectorOut] as const;
        return turned ? shader.inputGradRegisters(...tile) : shader.forwardRegisters(epilogue, ...tile);
      },
      workgroups: (p) => {
        const columns = Math.ceil(output(p) / (vectorOut ? 4 : 1) / perInvocation(output(p), vectorOut));
        const strips = Math.ceil(width(p) / stripOf(width(p))) * (turned ? p.sx : 1);
        return groupsFor(p.n * (turned ? p.h : p.oh) * strips * p.groups * columns);
      },
    }),
  );
}

/** Sums as they are. */
const PLAIN: Epilogue = { bias: false, activation: null };

function forward(epilogue: Epilogue): Kernel<Conv2dParams> {
  const { bias, activation } = epilogue;
  const sum = `${bias ? 'b[o] + ' : ''}sum_{ky,kx,i} x[n, oy S - P + ky D, ox S - P + kx D, i] w[ky,kx,i,o]`;
  const what = `two-dimensional convolution${bias ? ' with bias' : ''}`;
  return {
    name: ['conv2d', ...(bias ? ['bias'] : []), ...(activation ? [activation] : [])].join('.'),
    summary: activation ? `${what}, then ${activation}` : what,
    formula: `y[n,oy,ox,o] = ${activation ? `${activation}(${sum})` : sum}`,
    source: 'cross-correlation as in PyTorch nn.Conv2d, channels last',
    bindings: [
      { name: 'x', type: 'f32', access: 'read' },
      { name: 'w', type: 'f32', access: 'read' },
      ...(bias ? [{ name: 'b', type: 'f32', access: 'read' } as const] : []),
      { name: 'y', type: 'f32', access: 'write' },
    ],
    params,
    variants: [
      ...rowsVariants(false, epilogue),
      ...imageTilesVariants(false, epilogue),
      ...registersVariants(false, epilogue),
      {
        name: 'naive',
        summary: 'one output value per invocation',
        applies: () => true,
        code: () => shader.forwardNaive(epilogue),
        workgroups: (p) => groupsFor(sizes(p).y),
      },
    ],
    cost,
    reference: (p, { x, w, b, y }) => {
      const ci = inputsPerGroup(p);
      for (let at = 0; at < sizes(p).y; at++) y[at] = bias ? b[at % p.k] : 0;
      eachTap(p, (n, oy, ox, iy, ix, ky, kx) => {
        for (let o = 0; o < p.k; o++) {
          const first = Math.floor(o / outputsPerGroup(p)) * ci;
          for (let i = 0; i < ci; i++) {
            y[((n * p.oh + oy) * p.ow + ox) * p.k + o] +=
              x[((n * p.h + iy) * p.w + ix) * p.c + first + i] * w[((ky * p.kw + kx) * ci + i) * p.k + o];
          }
        }
      });
      if (activation) for (let at = 0; at < sizes(p).y; at++) y[at] = activations[activation](y[at]);
    },
  };
}

export const conv2d = forward(PLAIN);
/** With bias, and what follows it. */
export const conv2dBias: Record<'plain' | Activation, Kernel<Conv2dParams>> = {
  plain: forward({ bias: true, activation: null }),
  relu: forward({ bias: true, activation: 'relu' }),
  elu: forward({ bias: true, activation: 'elu' }),
};

export const conv2dInputGrad: Kernel<Conv2dParams> = {
  name: 'conv2dInputGrad',
  summary: 'gradient of a convolution with respect to its input; transposed convolution',
  formula: 'dx[n,iy,ix,i] = sum_{ky,kx,o} g[n,oy,ox,o] wt[ky,kx,o,i],  oy S = iy + P - ky D',
  source: 'gather form of the transposed convolution; wt is w with its channel axes exchanged',
  bindings: [
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'wt', type: 'f32', access: 'read' },
    { name: 'dx', type: 'f32', access: 'write' },
  ],
  params,
  variants: [
    ...rowsVariants(true, PLAIN),
    ...imageTilesVariants(true, PLAIN),
    ...registersVariants(true, PLAIN),
    {
      name: 'naive',
      summary: 'one input value per invocation',
      applies: () => true,
      code: shader.inputGradNaive,
      workgroups: (p) => groupsFor(sizes(p).x),
    },
  ],
  cost,
  reference: (p, { g, wt, dx }) => {
    const ci = inputsPerGroup(p);
    dx.fill(0);
    eachTap(p, (n, oy, ox, iy, ix, ky, kx) => {
      for (let o = 0; o < p.k; o++) {
        const first = Math.floor(o / outputsPerGroup(p)) * ci;
        for (let i = 0; i < ci; i++) {
          dx[((n * p.h + iy) * p.w + ix) * p.c + first + i] +=
            g[((n * p.oh + oy) * p.ow + ox) * p.k + o] * wt[((ky * p.kw + kx) * p.k + o) * ci + i];
        }
      }
    });
  },
};

/** `splits` partial sums over the output rows, added afterwards. */
export type WeightGradParams = Conv2dParams & { splits: number };

/** One axis of the weight gradient's walk: outputs `step` apart meet pixels that lie `apart` dilations from one another. */
function weightAxis(stride: number, dilation: number) {
  const common = gcd(stride, dilation);
  return { step: dilation / common, apart: stride / common };
}

/** Turns after the last output of a row, less those that have nothing but padding on both sides of the image. */
function trailingTurns(p: Conv2dParams, step: number, fresh: number): number {
  let turns = Math.ceil(p.kw / fresh) - 1;
  const most = turns;
  const left = (turn: number) => (step - 1 + turn * step) * p.sx - p.px + (fresh - 1) * p.dx;
  const right = (turn: number) => (Math.max(0, p.ow - step) + turn * step) * p.sx - p.px;
  // The row that follows finds the last columns of g of this one, and must meet them with zeros.
  while (turns > 0 && right(turns) >= p.w && left(most - turns) < 0) turns -= 1;
  return turns;
}

// Weight gradient on SwiftShader, in multiply-adds: a vec4 loaded, by one invocation or by a quad in halves, and a value carried
// around the loop. Beyond this code the loop outgrows an instruction cache of 64 KiB.
const LOADED = { time: 80, code: 120, compile: 30 };
const LOADED_BY_QUAD = { time: 45, code: 60, compile: 25 };
const CARRIED = { time: 3, code: 2, compile: 2.5 };
const WEIGHT_CODE = 2200;
/** Multiply-adds below which a kernel is done within a millisecond, so that its time to compile is all that anybody notices. */
const WEIGHT_SMALL = 2 ** 22;
/** Most single outputs that an invocation of `registers` sums for. */
const WEIGHT_SINGLES = 20;

/**
 * How `registers` divides the weight gradient: the form with the shortest time, of those that compile fast enough. What compiling may
 * take grows with the square root of the work, and below `WEIGHT_SMALL` with the work, so that small convolutions have small kernels.
 * `registers-quad` walks as `alike` does, hence has its bits, and divides the channels, which come in eights, anew.
 */
function weightFormLike(p: Conv2dParams, alike?: WeightForm): WeightForm {
  const quad = alike !== undefined;
  const ways = quad ? 2 : 1;
  const loaded = quad ? LOADED_BY_QUAD : LOADED;
  const [vectorIn, vectorOut] = [byFour(inputsPerGroup(p)), byFour(outputsPerGroup(p))];
  const [unit, unitOut] = [vectorIn ? 4 : 1, vectorOut ? 4 : 1];
  const [y, x] = [weightAxis(p.sy, p.dy), weightAxis(p.sx, p.dx)];
  const work = flops(p) / 2;
  const patience = 0.31 * Math.sqrt(work * Math.min(1, work / WEIGHT_SMALL));
  let best: WeightForm | null = null;
  let least = { code: Number.POSITIVE_INFINITY, time: Number.POSITIVE_INFINITY };
  for (const tapRows of new Set([1, p.kh])) {
    for (const slides of p.kw > x.apart ? [true, false] : [false]) {
      for (let rows = 1; rows <= 4; rows++) {
        for (let inputs = 1; inputs <= 4; inputs++) {
          for (let blocks = 1; blocks <= (vectorOut ? 4 : WEIGHT_SINGLES); blocks++) {
            if ((inputsPerGroup(p) / unit) % (ways * inputs) !== 0) continue;
            if ((outputsPerGroup(p) / unitOut) % (ways * blocks) !== 0) continue;
            const fresh = slides ? x.apart : p.kw;
            if (alike && (rows !== alike.rows || fresh !== alike.fresh)) continue;
            const [stepX, stepY] = [slides ? x.step : 1, rows > 1 ? y.step : 1];
            const tail = slides ? trailingTurns(p, stepX, fresh) : 0;
            const shape = { tapRows, taps: p.kw, rows, stepY, stepX, apart: y.apart, fresh, tail };
            const lines = linesOf(shape).length;
            const loads = (lines * fresh * inputs * unit + rows * blocks * unitOut) / 4;
            const held = tapRows * p.kw * inputs * unit * blocks * unitOut;
            const carried = held + (Math.ceil(p.kw / fresh) - 1) * rows * blocks * unitOut;
            const turns =
              Math.ceil(p.oh / stepY / rows) * Math.min(stepY, p.oh) * (p.ow + tail * Math.min(stepX, p.ow));
            const cost = (of: 'time' | 'code' | 'compile') =>
              held * rows + loaded[of] * loads + CARRIED[of] * carried;
            const time = (cost('time') * turns) / held;
            const code = Math.max(cost('code') / WEIGHT_CODE, cost('compile') / patience, 1);
            if (code > least.code || (code === least.code && time >= least.time)) continue;
            least = { code, time };
            best = { ...shape, inputs, blocks, vectorIn, vectorOut, quad };
          }
        }
      }
    }
  }
  return best!;
}

/** What `make` gives, worked out once for each object of parameters: a launch asks for its form several times. */
function once<P extends object, F>(make: (p: P) => F): (p: P) => F {
  const made = new WeakMap<P, F>();
  return (p) => {
    const known = made.get(p);
    if (known !== undefined) return known;
    const form = make(p);
    made.set(p, form);
    return form;
  };
}

const weightForm = once((p: Conv2dParams) => weightFormLike(p));

/** The form of `registers-quad`; null where channels do not come in eights. */
const weightQuad = once((p: Conv2dParams) =>
  inputsPerGroup(p) % 8 === 0 && outputsPerGroup(p) % 8 === 0 ? weightFormLike(p, weightForm(p)) : null,
);

/** The form of `registers-quad-wide`; null where it would not fit. */
const weightWide = once((p: Conv2dParams) => {
  const quad = weightQuad(p);
  return quad && outputsPerGroup(p) % (16 * quad.blocks) === 0 ? { ...quad, blocks: 2 * quad.blocks } : null;
});

/** An instruction cache that holds the loop of `registers-quad`, and not that of `registers-quad-wide`. */
const HOLDS_QUAD = 2 ** 16;
/** Multiply-adds from which on the time that `registers-quad-wide` saves is worth twice the time to compile. */
const WIDE_WORK = 1.5 * 2 ** 24;

const WEIGHT_QUADS: (Pick<Variant<WeightGradParams>, 'name' | 'summary' | 'byRule'> & {
  formOf(p: Conv2dParams): WeightForm | null;
})[] = [
  {
    name: 'registers-quad-wide',
    summary: 'registers-quad with twice the output channels: where neither loop fits the instruction cache',
    byRule: (p, { instructionCache }) =>
      instructionCache !== undefined && instructionCache < HOLDS_QUAD && flops(p) / 2 >= WIDE_WORK,
    formOf: weightWide,
  },
  {
    name: 'registers-quad',
    summary: 'registers, four invocations sharing what they load by quad operations: for software adapters',
    formOf: weightQuad,
  },
];

const WEIGHT_FORMS = [
  { name: 'registers', vectorIn: true, vectorOut: true, what: 'vec4 along both' },
  { name: 'registers-image', vectorIn: false, vectorOut: true, what: 'inputs one at a time' },
  { name: 'registers-map', vectorIn: true, vectorOut: false, what: 'outputs one at a time' },
];

const weightRows = (p: WeightGradParams) => p.kh * p.kw * inputsPerGroup(p);
const weightTileForm = (p: WeightGradParams): TileForm =>
  tileForm(weightRows(p), outputsPerGroup(p), p.groups * p.splits);

/** Pixels that a partial sum should at least cover: fewer, and storing and adding it costs more than computing it. */
const PIXELS_PER_SPLIT = 512;
/** So few pixels are one sum, unless weights are so few that nothing else is there to share the work: no second kernel. */
const ONE_SPLIT = { pixels: 2048, weights: 512 };

/** Values of all partial sums together, at most: as many as the invocations of a large GPU hold at once. */
const PARTIAL_SUMS = 2 ** 23;

/**
 * Splits of the output rows: enough invocations for a GPU, no partial sum of too few pixels, rows in fours as `registers` takes
 * them. A function of the shape alone, so that the order of summation, hence the bits, do not depend on the adapter's size.
 */
export function weightGradSplits(p: Conv2dParams): number {
  const rows = p.n * p.oh;
  if (rows * p.ow <= ONE_SPLIT.pixels && sizes(p).w >= ONE_SPLIT.weights) return 1;
  const perSplit = Math.max(PIXELS_PER_SPLIT / p.ow, (rows * sizes(p).w) / PARTIAL_SUMS);
  return Math.max(1, Math.ceil(rows / (4 * Math.ceil(perSplit / 4))));
}

export const conv2dWeightGrad: Kernel<WeightGradParams> = {
  name: 'conv2dWeightGrad',
  summary:
    'gradient of a convolution with respect to its weights, one partial sum per split of the output rows',
  formula:
    'dw[split,ky,kx,i,o] = sum over the rows of the split of x[n, oy S - P + ky D, ox S - P + kx D, i] g[n,oy,ox,o]',
  source: 'two-pass reduction over n, oy, ox',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dw', type: 'f32', access: 'write' },
  ],
  params: { ...params, splits: 'u32' },
  variants: [
    ...blockForms(
      'blocks of 64 or 128 taps and inputs x 16 to 64 outputs through workgroup memory: for GPUs',
    ).map(
      ({ held, ...described }): Variant<WeightGradParams> => ({
        ...described,
        applies: (p, adapter) =>
          !adapter.software &&
          byFour(inputsPerGroup(p)) &&
          byFour(outputsPerGroup(p)) &&
          outputsPerGroup(p) >= 8,
        vec4: ['x', 'g', 'dw'],
        code: (p) => weightTiles(weightTileForm(p), blocksOf(weightTileForm(p), held, 'rows')),
        workgroups: (p) =>
          tileGroups(weightTileForm(p), weightRows(p), outputsPerGroup(p)) * p.groups * p.splits,
      }),
    ),
    ...WEIGHT_QUADS.map(
      ({ formOf, ...described }): Variant<WeightGradParams> => ({
        ...described,
        needs: 'subgroups',
        sameBits: true,
        applies: (p, adapter) => p.c > 0 && adapter.software && formOf(p) !== null,
        code: (p) => weightGradRegisters(formOf(p)!),
        workgroups: (p) => {
          const { tapRows, inputs, blocks } = formOf(p)!;
          return (p.kh / tapRows) * (inputsPerGroup(p) / 8 / inputs) * (p.k / 8 / blocks) * p.splits;
        },
      }),
    ),
    ...WEIGHT_FORMS.map(
      ({ name, vectorIn, vectorOut, what }): Variant<WeightGradParams> => ({
        name,
        summary: `the sums of a few channels for all taps or a row of them, ${what}, no barriers`,
        applies: (p) =>
          p.c > 0 && byFour(inputsPerGroup(p)) === vectorIn && byFour(outputsPerGroup(p)) === vectorOut,
        vec4: [...(vectorIn ? ['x'] : []), ...(vectorOut ? ['g', 'dw'] : [])],
        code: (p) => weightGradRegisters(weightForm(p)),
        workgroups: (p) => {
          const { tapRows, inputs, blocks } = weightForm(p);
          const tiles = inputsPerGroup(p) / (vectorIn ? 4 : 1) / inputs;
          const columns = p.k / (vectorOut ? 4 : 1) / blocks;
          return Math.ceil(((p.kh / tapRows) * tiles * columns * p.splits) / WEIGHT_WORKGROUP);
        },
      }),
    ),
    {
      name: 'registers-scalar',
      summary: 'one tap, up to 4 x 8 channels per invocation, any channel counts',
      applies: (p) => p.c > 0,
      code: (p) => shader.weightGradScalar(balanced(inputsPerGroup(p), 4), balanced(outputsPerGroup(p)), 4),
      workgroups: (p) =>
        groupsFor(
          p.kh *
            p.kw *
            Math.ceil(inputsPerGroup(p) / balanced(inputsPerGroup(p), 4)) *
            p.groups *
            Math.ceil(outputsPerGroup(p) / balanced(outputsPerGroup(p))) *
            p.splits,
        ),
    },
    {
      name: 'naive',
      summary: 'one weight per invocation',
      applies: () => true,
      code: shader.weightGradNaive,
      workgroups: (p) => groupsFor(sizes(p).w * p.splits),
    },
  ],
  cost: (p) => ({ flops: flops(p), bytes: 4 * (sizes(p).x + sizes(p).y + p.splits * sizes(p).w) }),
  reference: (p, { x, g, dw }) => {
    const ci = inputsPerGroup(p);
    const size = sizes(p).w;
    const perSplit = Math.ceil((p.n * p.oh) / p.splits);
    dw.fill(0);
    eachTap(p, (n, oy, ox, iy, ix, ky, kx) => {
      const split = Math.floor((n * p.oh + oy) / perSplit);
      for (let o = 0; o < p.k; o++) {
        const first = Math.floor(o / outputsPerGroup(p)) * ci;
        for (let i = 0; i < ci; i++) {
          dw[split * size + ((ky * p.kw + kx) * ci + i) * p.k + o] +=
            x[((n * p.h + iy) * p.w + ix) * p.c + first + i] * g[((n * p.oh + oy) * p.ow + ox) * p.k + o];
        }
      }
    });
  },
};
