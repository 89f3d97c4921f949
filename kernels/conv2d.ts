import * as shader from '../shaders/conv2d.wgsl.ts';
import { groupsFor, type Kernel } from '../src/gpu/kernel.ts';

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

/** Vectors of four channels per invocation. */
const blocksOf = (vectors: number) => (vectors % 4 === 0 ? 4 : vectors % 2 === 0 ? 2 : 1);
/** Pixels of a row per invocation: more where an invocation has fewer channels, fewer where the row is short. */
const stripOf = (width: number, blocks = 1) =>
  width >= 16 && blocks < 4 ? 16 : width >= 8 ? 8 : width >= 3 ? 4 : 1;
/** Channels per invocation where four does not divide them: at most eight, evenly spread. */
const balanced = (count: number, most = 8) => Math.ceil(count / Math.ceil(count / most));

/** Pixels per invocation of the kernels that take channels one at a time. */
const scalarStrip = (width: number) => (width >= 8 ? 8 : width >= 3 ? 4 : 1);

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

const blocks = (p: Conv2dParams) => blocksOf(outputsPerGroup(p) / 4);
const strip = (p: Conv2dParams) => stripOf(p.ow, blocks(p));

function forward(bias: boolean): Kernel<Conv2dParams> {
  return {
    name: bias ? 'conv2d.bias' : 'conv2d',
    summary: bias ? 'two-dimensional convolution with bias' : 'two-dimensional convolution',
    formula: `y[n,oy,ox,o] = ${bias ? 'b[o] + ' : ''}sum_{ky,kx,i} x[n, oy S - P + ky D, ox S - P + kx D, i] w[ky,kx,i,o]`,
    source: 'cross-correlation as in PyTorch nn.Conv2d, channels last',
    bindings: [
      { name: 'x', type: 'f32', access: 'read' },
      { name: 'w', type: 'f32', access: 'read' },
      ...(bias ? [{ name: 'b', type: 'f32', access: 'read' } as const] : []),
      { name: 'y', type: 'f32', access: 'write' },
    ],
    params,
    variants: [
      {
        name: 'registers',
        summary:
          'a strip of 8 pixels x 16 channels (16 x 8, 16 x 4) per invocation, vec4 along both, no barriers',
        applies: (p) => byFour(outputsPerGroup(p)) && byFour(inputsPerGroup(p)),
        vec4: ['x', 'w', 'b', 'y'],
        code: (p) => shader.forwardRegisters(bias, strip(p), blocks(p), true),
        workgroups: (p) => groupsFor((p.n * p.oh * Math.ceil(p.ow / strip(p)) * p.k) / 4 / blocks(p)),
      },
      {
        name: 'registers-image',
        summary: 'as registers, input channels one at a time: for images and odd channel counts',
        applies: (p) => byFour(outputsPerGroup(p)),
        vec4: ['w', 'b', 'y'],
        code: (p) => shader.forwardRegisters(bias, strip(p), blocks(p), false),
        workgroups: (p) => groupsFor((p.n * p.oh * Math.ceil(p.ow / strip(p)) * p.k) / 4 / blocks(p)),
      },
      {
        name: 'registers-scalar',
        summary: 'a strip of pixels x up to 8 channels per invocation, any channel counts',
        applies: (p) => p.c > 0,
        code: (p) => shader.forwardScalar(bias, scalarStrip(p.ow), balanced(outputsPerGroup(p))),
        workgroups: (p) =>
          groupsFor(
            p.n *
              p.oh *
              Math.ceil(p.ow / scalarStrip(p.ow)) *
              p.groups *
              Math.ceil(outputsPerGroup(p) / balanced(outputsPerGroup(p))),
          ),
      },
      {
        name: 'naive',
        summary: 'one output value per invocation',
        applies: () => true,
        code: () => shader.forwardNaive(bias),
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
    },
  };
}

export const conv2d = forward(false);
export const conv2dBias = forward(true);

/** Pixels of one stride phase of a row. */
const phaseWidth = (p: Conv2dParams) => Math.ceil(p.w / p.sx);
const inputBlocks = (p: Conv2dParams) => blocksOf(inputsPerGroup(p) / 4);
const inputStrip = (p: Conv2dParams) => stripOf(phaseWidth(p), inputBlocks(p));
const inputGradGroups = (p: Conv2dParams, strip: number, columns: number) =>
  groupsFor(p.n * p.h * Math.ceil(phaseWidth(p) / strip) * p.sx * p.groups * columns);

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
    {
      name: 'registers',
      summary:
        'a strip of pixels of one stride phase x up to 16 channels per invocation, vec4 along both, no barriers',
      applies: (p) => byFour(outputsPerGroup(p)) && byFour(inputsPerGroup(p)),
      vec4: ['g', 'wt', 'dx'],
      code: (p) => shader.inputGradRegisters(inputStrip(p), inputBlocks(p), true),
      workgroups: (p) => inputGradGroups(p, inputStrip(p), inputsPerGroup(p) / 4 / inputBlocks(p)),
    },
    {
      name: 'registers-scalar',
      summary: 'a strip of pixels x up to 8 channels per invocation, any channel counts',
      applies: (p) => p.c > 0,
      code: (p) => shader.inputGradRegisters(scalarStrip(phaseWidth(p)), balanced(inputsPerGroup(p)), false),
      workgroups: (p) =>
        inputGradGroups(
          p,
          scalarStrip(phaseWidth(p)),
          Math.ceil(inputsPerGroup(p) / balanced(inputsPerGroup(p))),
        ),
    },
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

/** Vectors of four input channels per invocation, so that the sums fit: 16 x 16 channels at most. */
const weightRows = (p: Conv2dParams) => blocksOf(inputsPerGroup(p) / 4);
/** Pixels per turn of the loop: enough work to pay for carrying the sums around it. */
const weightUnroll = (p: Conv2dParams) => (weightRows(p) * blocks(p) >= 8 ? 1 : 4);
/** Invocations the register kernel would have with one split. */
const weightTiles = (p: Conv2dParams) =>
  byFour(inputsPerGroup(p)) && byFour(outputsPerGroup(p))
    ? (p.kh * p.kw * (inputsPerGroup(p) / 4) * (p.k / 4)) / weightRows(p) / blocks(p)
    : p.kh *
      p.kw *
      Math.ceil(inputsPerGroup(p) / balanced(inputsPerGroup(p), 4)) *
      p.groups *
      Math.ceil(outputsPerGroup(p) / balanced(outputsPerGroup(p)));

/**
 * Splits of the output rows that give every shape about two thousand invocations: enough for a GPU, few enough partial
 * sums. A function of the shape alone, so that the order of summation, hence the bits, never depend on the adapter.
 */
export const weightGradSplits = (p: Conv2dParams): number =>
  Math.max(1, Math.min(p.n * p.oh, Math.ceil(2048 / weightTiles(p))));

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
    {
      name: 'registers',
      summary: 'one tap, up to 16 x 16 channels per invocation, vec4 along both, no barriers',
      applies: (p) => byFour(inputsPerGroup(p)) && byFour(outputsPerGroup(p)),
      vec4: ['x', 'g', 'dw'],
      code: (p) => shader.weightGradRegisters(weightRows(p), blocks(p), weightUnroll(p)),
      workgroups: (p) => groupsFor(weightTiles(p) * p.splits),
    },
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
