// Confusion matrix in two passes. WGSL's storage atomics would do it in one, but thousands of pixels of the same class
// would queue at one address; here every invocation counts into a matrix of its own and the matrices are added.
import * as shader from '../shaders/metrics.wgsl.ts';
import { groupsFor, type Kernel } from '../src/gpu/kernel.ts';

export type ConfusionPartialParams = { pixels: number; classes: number; ignore: number; walkers: number };

export const confusionPartial: Kernel<ConfusionPartialParams> = {
  name: 'confusionPartial',
  summary: 'one matrix of counts per invocation, over every walkers-th pixel',
  formula: 'partial[k,t,q] = #{i = k mod walkers: label = t, prediction = q}',
  source: 'pixels whose label or prediction is ignored or no class are left out (Cityscapes scripts)',
  bindings: [
    { name: 'prediction', type: 'i32', access: 'read' },
    { name: 'label', type: 'i32', access: 'read' },
    { name: 'partial', type: 'u32', access: 'update' },
  ],
  params: { pixels: 'u32', classes: 'u32', ignore: 'i32', walkers: 'u32' },
  variants: [
    {
      name: 'walk',
      summary: 'neighbouring invocations read neighbouring pixels, each counts for itself',
      applies: () => true,
      code: shader.confusionPartial,
      workgroups: (p) => groupsFor(p.walkers),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 8 * p.pixels + 4 * p.walkers * p.classes ** 2 }),
  reference: (p, { prediction, label, partial }) => {
    partial.fill(0);
    for (let i = 0; i < p.pixels; i++) {
      const isClass = (c: number) => c >= 0 && c < p.classes;
      if (label[i] === p.ignore || !isClass(label[i]) || !isClass(prediction[i])) continue;
      partial[((i % p.walkers) * p.classes + label[i]) * p.classes + prediction[i]] += 1;
    }
  },
};

export type ConfusionAddParams = { classes: number; walkers: number };

export const confusionAdd: Kernel<ConfusionAddParams> = {
  name: 'confusionAdd',
  summary: 'adds the matrices of confusionPartial to the running counts',
  formula: 'counts[t,q] += sum_k partial[k,t,q]',
  source: 'integer sum',
  bindings: [
    { name: 'partial', type: 'u32', access: 'read' },
    { name: 'counts', type: 'u32', access: 'update' },
  ],
  params: { classes: 'u32', walkers: 'u32' },
  variants: [
    {
      name: 'walk',
      summary: 'one cell per invocation',
      applies: () => true,
      code: shader.confusionAdd,
      workgroups: (p) => groupsFor(p.classes ** 2),
    },
  ],
  cost: (p) => ({ flops: p.walkers * p.classes ** 2, bytes: 4 * (p.walkers + 2) * p.classes ** 2 }),
  reference: (p, { partial, counts }) => {
    const cells = p.classes ** 2;
    for (let i = 0; i < p.walkers * cells; i++) counts[i % cells] += partial[i];
  },
};
