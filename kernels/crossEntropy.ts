// For a pixel with scores x, label t and weight w:
//   lse  = max x + ln sum_c e^(x_c - max x)
//   loss = w (lse - x_t)                         terms[0]
//   dx_c = g / D * w (e^(x_c - lse) - [c = t])   D = sum of terms[1] over the pixels
// The forward pass keeps (lse, w) per pixel, 8 bytes, instead of the C probabilities, so the backward pass is one
// exponential per score with no second walk over the row.
import * as shader from '../shaders/crossEntropy.wgsl.ts';
import { pitch, ROOM } from '../shaders/staged.wgsl.ts';
import { groupsFor, type Kernel } from '../src/gpu/kernel.ts';

/** What the sum of the weighted losses is divided by. */
export const REDUCTIONS = ['valid', 'weighted', 'all'] as const;

export type Reduction = (typeof REDUCTIONS)[number];

// Per pixel, in WGSL: valid pixels count one, or their weight; or every pixel counts one.
const DENOMINATORS: Record<Reduction, string> = {
  valid: 'select(0.0, 1.0, valid)',
  weighted: 'weight',
  all: '1.0',
};

/** Flags are 0 or 1; `reduction` is an index into REDUCTIONS. Where a flag is 0 any f32 tensor may be bound. */
export type CrossEntropyParams = Record<
  'pixels' | 'classes' | 'ignore' | 'classWeighted' | 'pixelWeighted' | 'reduction',
  number
>;

const structure = (p: CrossEntropyParams): shader.CrossEntropyStructure => ({
  classWeighted: p.classWeighted === 1,
  pixelWeighted: p.pixelWeighted === 1,
  denominator: DENOMINATORS[REDUCTIONS[p.reduction]],
});

export const crossEntropy: Kernel<CrossEntropyParams> = {
  name: 'crossEntropy',
  summary: 'weighted cross entropy of every pixel, with ignored pixels, before the mean',
  formula: 'terms = (w (ln sum_c e^x_c - x_t), part of the denominator); rows = (ln sum_c e^x_c, w)',
  source: 'PyTorch CrossEntropyLoss (class weights, ignore_index)',
  bindings: [
    { name: 'logits', type: 'f32', access: 'read' },
    { name: 'label', type: 'i32', access: 'read' },
    { name: 'classWeights', type: 'f32', access: 'read' },
    { name: 'pixelWeights', type: 'f32', access: 'read' },
    { name: 'rows', type: 'f32', access: 'write' },
    { name: 'terms', type: 'f32', access: 'write' },
  ],
  params: {
    pixels: 'u32',
    classes: 'u32',
    ignore: 'i32',
    classWeighted: 'u32',
    pixelWeighted: 'u32',
    reduction: 'u32',
  },
  variants: [
    {
      name: 'staged',
      summary: 'the scores of 64 pixels through workgroup memory: for GPUs',
      applies: (p, { software }) => !software && p.classes > 0 && pitch(p.classes) <= ROOM,
      code: (p) => shader.crossEntropyStaged(structure(p), p.classes),
      workgroups: (p) => groupsFor(p.pixels),
    },
    {
      name: 'walk',
      summary: 'one invocation walks the scores of one pixel, any number of classes',
      applies: () => true,
      code: (p) => shader.crossEntropy(structure(p)),
      workgroups: (p) => groupsFor(p.pixels),
    },
  ],
  cost: (p) => ({ flops: p.pixels * (10 * p.classes + 12), bytes: p.pixels * (4 * p.classes + 20) }),
  reference: (p, { logits, label, classWeights, pixelWeights, rows, terms }) => {
    for (let k = 0; k < p.pixels; k++) {
      const x = Array.from({ length: p.classes }, (_, c) => logits[k * p.classes + c]);
      const top = Math.max(...x);
      const lse = top + Math.log(x.reduce((sum, v) => sum + Math.exp(v - top), 0));
      const t = label[k];
      const valid = t >= 0 && t < p.classes && t !== p.ignore;
      let weight = 0;
      if (valid) weight = (p.classWeighted ? classWeights[t] : 1) * (p.pixelWeighted ? pixelWeights[k] : 1);
      rows[2 * k] = lse;
      rows[2 * k + 1] = weight;
      terms[2 * k] = valid ? weight * (lse - x[t]) : 0;
      terms[2 * k + 1] = { valid: valid ? 1 : 0, weighted: weight, all: 1 }[REDUCTIONS[p.reduction]];
    }
  },
};

export const weightedMean: Kernel<Record<string, never>> = {
  name: 'weightedMean',
  summary: 'quotient of two sums, 0 when the second is 0',
  formula: 'loss = sums[1] > 0 ? sums[0] / sums[1] : 0',
  source: 'the mean of crossEntropy; an image without labels must cost 0, not NaN',
  bindings: [
    { name: 'sums', type: 'f32', access: 'read' },
    { name: 'loss', type: 'f32', access: 'write' },
  ],
  params: {},
  variants: [
    {
      name: 'scalar',
      summary: 'one invocation',
      applies: () => true,
      code: shader.weightedMean,
      workgroups: () => 1,
    },
  ],
  cost: () => ({ flops: 4, bytes: 12 }),
  reference: (_, { sums, loss }) => {
    loss[0] = sums[1] > 0 ? sums[0] / sums[1] : 0;
  },
};

export type CrossEntropyGradParams = { pixels: number; classes: number };

export const crossEntropyGrad: Kernel<CrossEntropyGradParams> = {
  name: 'crossEntropyGrad',
  summary: 'gradient of the mean cross entropy with respect to the scores',
  formula: 'dx_c = g / D * w (e^(x_c - lse) - [c = t])',
  source: 'derivative of crossEntropy',
  bindings: [
    { name: 'logits', type: 'f32', access: 'read' },
    { name: 'label', type: 'i32', access: 'read' },
    { name: 'rows', type: 'f32', access: 'read' },
    { name: 'sums', type: 'f32', access: 'read' },
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dlogits', type: 'f32', access: 'write' },
  ],
  params: { pixels: 'u32', classes: 'u32' },
  variants: [
    {
      name: 'row',
      summary:
        'all scores of one pixel per invocation: for CPU adapters, where index arithmetic costs more than distance',
      applies: (_, { software }) => software,
      code: shader.crossEntropyGradRow,
      workgroups: (p) => groupsFor(p.pixels),
    },
    {
      name: 'scalar',
      summary: 'one score per invocation, so that neighbours read neighbours whatever the number of classes',
      applies: () => true,
      code: (p) => shader.crossEntropyGrad(Math.max(1, p.classes)),
      workgroups: (p) => groupsFor(p.pixels * p.classes),
    },
  ],
  cost: (p) => ({ flops: 12 * p.pixels * p.classes, bytes: p.pixels * (8 * p.classes + 12) }),
  reference: (p, { logits, label, rows, sums, g, dlogits }) => {
    for (let k = 0; k < p.pixels; k++) {
      const lse = rows[2 * k];
      const weight = rows[2 * k + 1];
      for (let c = 0; c < p.classes; c++) {
        const i = k * p.classes + c;
        const scale = sums[1] > 0 ? (g[0] / sums[1]) * weight : 0;
        dlogits[i] = weight === 0 ? 0 : scale * (Math.exp(logits[i] - lse) - (c === label[k] ? 1 : 0));
      }
    }
  },
};
