import * as shader from '../shaders/optim.wgsl.ts';
import { type Binding, type Kernel, WORKGROUP } from '../src/gpu/kernel.ts';
import { alongElements } from './channels.ts';

const read = (name: string): Binding => ({ name, type: 'f32', access: 'read' });
const update = (name: string): Binding => ({ name, type: 'f32', access: 'update' });
const write = (name: string): Binding => ({ name, type: 'f32', access: 'write' });

/** `group` is the index of the learning rate in `hyper`; `nesterov` is 0 or 1. */
export type SgdParams = Record<'n' | 'group' | 'momentum' | 'weightDecay' | 'nesterov', number>;

export const sgd: Kernel<SgdParams> = {
  name: 'sgd',
  summary: 'one step of gradient descent with momentum, in place; hyper holds one learning rate per group',
  formula: 'd = clip g + decay w; b = momentum b + d; w = w - lr (nesterov ? d + momentum b : b)',
  source: 'PyTorch SGD with dampening 0; a buffer of zeros makes its first step b = d, as there',
  bindings: [update('w'), update('momentum'), read('g'), read('hyper'), read('clip')],
  params: { n: 'u32', group: 'u32', momentum: 'f32', weightDecay: 'f32', nesterov: 'u32' },
  variants: alongElements((vector, p) => shader.sgd(vector, p.nesterov === 1), ['w', 'momentum', 'g']),
  cost: (p) => ({ flops: 7 * p.n, bytes: 20 * p.n }),
  reference: (p, { w, momentum, g, hyper, clip }) => {
    for (let i = 0; i < p.n; i++) {
      const d = clip[0] * g[i] + p.weightDecay * w[i];
      momentum[i] = p.momentum * momentum[i] + d;
      w[i] -= hyper[p.group] * (p.nesterov ? d + p.momentum * momentum[i] : momentum[i]);
    }
  },
};

/**
 * `rest1` is 1 - beta1 and `rest2` 1 - beta2, subtracted in f64: 1 - 0.999 in f32 is off by 5e-5 of its value.
 * `decoupled` is 0 or 1.
 */
export type AdamParams = Record<
  'n' | 'group' | 'beta1' | 'rest1' | 'beta2' | 'rest2' | 'eps' | 'weightDecay' | 'decoupled',
  number
>;

export const adam: Kernel<AdamParams> = {
  name: 'adam',
  summary:
    'one step of Adam or AdamW in place; hyper = (1 / (1 - beta1^t), 1 / (1 - beta2^t), lr of each group)',
  formula:
    'm = beta1 m + (1 - beta1) d; v = beta2 v + (1 - beta2) d^2; w = w - lr m c1 / (sqrt(v c2) + eps); d = clip g + decay w, or (decoupled) d = clip g and w = w - lr decay w',
  source: 'Kingma and Ba 2015; Loshchilov and Hutter 2019 (decoupled); PyTorch Adam, AdamW',
  bindings: [update('w'), update('m'), update('v'), read('g'), read('hyper'), read('clip')],
  params: {
    n: 'u32',
    group: 'u32',
    beta1: 'f32',
    rest1: 'f32',
    beta2: 'f32',
    rest2: 'f32',
    eps: 'f32',
    weightDecay: 'f32',
    decoupled: 'u32',
  },
  variants: alongElements((vector, p) => shader.adam(vector, p.decoupled === 1), ['w', 'm', 'v', 'g']),
  cost: (p) => ({ flops: 18 * p.n, bytes: 28 * p.n }),
  reference: (p, { w, m, v, g, hyper, clip }) => {
    const lr = hyper[2 + p.group];
    for (let i = 0; i < p.n; i++) {
      let d = clip[0] * g[i];
      if (p.decoupled) w[i] *= 1 - lr * p.weightDecay;
      else d += p.weightDecay * w[i];
      m[i] = p.beta1 * m[i] + p.rest1 * d;
      v[i] = p.beta2 * v[i] + p.rest2 * d * d;
      w[i] -= (lr * m[i] * hyper[0]) / (Math.sqrt(v[i] * hyper[1]) + p.eps);
    }
  },
};

export type CountParams = { n: number };

export const ema: Kernel<CountParams> = {
  name: 'ema',
  summary: 'exponential moving average in place',
  formula: 'average = rate average + (1 - rate) x',
  source: 'Tarvainen and Valpola, Mean Teacher, NeurIPS 2017',
  bindings: [update('average'), read('x'), read('rate')],
  params: { n: 'u32' },
  variants: alongElements((vector) => shader.ema(vector), ['average', 'x']),
  cost: (p) => ({ flops: 4 * p.n, bytes: 12 * p.n }),
  reference: (p, { average, x, rate }) => {
    for (let i = 0; i < p.n; i++) average[i] = rate[0] * average[i] + (1 - rate[0]) * x[i];
  },
};

/** Values that a workgroup of `squareSums` sums. */
export const CHUNK = 64 * WORKGROUP;

/** Partial sums are written from y[at] on, `WORKGROUP` of each chunk; `n` values are in x, padding between tensors included. */
export type SquareSumsParams = { n: number; chunks: number; at: number };

export const squareSums: Kernel<SquareSumsParams> = {
  name: 'squareSums',
  summary: 'partial sums of squares of many tensors, written into one stretch of a shared array',
  formula:
    'y[at + 64 c + lane] = sum_r x[begin_c + 64 r + lane]^2, over what lies before end_c; bounds = (begin, end) of each chunk',
  source: 'first pass of the global gradient norm',
  bindings: [read('x'), { name: 'bounds', type: 'u32', access: 'read' }, update('y')],
  params: { n: 'u32', chunks: 'u32', at: 'u32' },
  variants: [
    {
      name: 'strided',
      summary: 'every 64th value of a chunk per invocation: neighbours load neighbours',
      applies: () => true,
      code: shader.squareSums,
      workgroups: (p) => p.chunks,
    },
  ],
  cost: (p) => ({ flops: 2 * p.n, bytes: 4 * (p.n + (2 + WORKGROUP) * p.chunks) }),
  reference: (p, { x, bounds, y }) => {
    for (let chunk = 0; chunk < p.chunks; chunk++) {
      const [begin, end] = [bounds[2 * chunk], bounds[2 * chunk + 1]];
      const first = p.at + WORKGROUP * chunk;
      for (let lane = 0; lane < WORKGROUP; lane++) y[first + lane] = 0;
      for (let i = begin; i < end; i++) y[first + ((i - begin) % WORKGROUP)] += x[i] * x[i];
    }
  },
};

export type ClipFactorParams = { maxNorm: number };

export const clipFactor: Kernel<ClipFactorParams> = {
  name: 'clipFactor',
  summary: 'norm from the sum of squares, and the factor that brings it down to maxNorm',
  formula: 'norm = sqrt(total); clip = norm > maxNorm ? maxNorm / norm : 1',
  source: 'Pascanu et al. 2013. PyTorch adds 1e-6 to the norm; here a norm of exactly maxNorm is left alone',
  bindings: [read('total'), write('norm'), write('clip')],
  params: { maxNorm: 'f32' },
  variants: [
    {
      name: 'scalar',
      summary: 'one invocation',
      applies: () => true,
      code: shader.clipFactor,
      workgroups: () => 1,
    },
  ],
  cost: () => ({ flops: 6, bytes: 12 }),
  reference: (p, { total, norm, clip }) => {
    norm[0] = Math.sqrt(total[0]);
    clip[0] = norm[0] > p.maxNorm ? p.maxNorm / norm[0] : 1;
  },
};
