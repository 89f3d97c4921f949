import * as shader from '../shaders/depthmix.wgsl.ts';
import { type Element, groupsFor, type Kernel } from '../src/gpu/kernel.ts';

export type DepthMixMaskParams = { images: number; pixels: number; margin: number };

export const depthMixMask: Kernel<DepthMixMaskParams> = {
  name: 'depthMixMask',
  summary:
    "which pixels an image keeps when it is mixed with the batch's next one: those not farther, within a margin",
  formula: 'mask[i,s] = [d[i,s] >= d[j,s] - margin], j = (i + 1) mod images',
  source: 'Hoyer et al., "Three Ways", CVPR 2021, DepthMix; train.py of its repository',
  bindings: [
    { name: 'disparity', type: 'f32', access: 'read' },
    { name: 'mask', type: 'f32', access: 'write' },
  ],
  params: { images: 'u32', pixels: 'u32', margin: 'f32' },
  variants: [
    {
      name: 'scalar',
      summary: 'one pixel per invocation',
      applies: () => true,
      code: shader.depthMixMask,
      workgroups: (p) => groupsFor(p.images * p.pixels),
    },
  ],
  cost: (p) => ({ flops: 2 * p.images * p.pixels, bytes: 8 * p.images * p.pixels }),
  reference: (p, { disparity, mask }) => {
    for (let i = 0; i < p.images; i++) {
      const j = (i + 1) % p.images;
      for (let s = 0; s < p.pixels; s++) {
        const near = disparity[i * p.pixels + s] >= disparity[j * p.pixels + s] - p.margin;
        mask[i * p.pixels + s] = near ? 1 : 0;
      }
    }
  },
};

/** `shift`: image i takes its other pixels from image (i + shift) mod images of b. */
export type MixParams = { images: number; pixels: number; channels: number; shift: number };

const mixOf = (type: Element): Kernel<MixParams> => ({
  name: type === 'f32' ? 'mixByMask' : `mixByMask.${type}`,
  summary: 'takes each pixel from one of two batches, by a mask',
  formula: 'y[i,s,c] = mask[i,s] ? a[i,s,c] : b[(i + shift) mod images, s, c]',
  source: 'DepthMix (Hoyer et al., CVPR 2021); ClassMix (Olsson et al., WACV 2021)',
  bindings: [
    { name: 'mask', type: 'f32', access: 'read' },
    { name: 'a', type, access: 'read' },
    { name: 'b', type, access: 'read' },
    { name: 'y', type, access: 'write' },
  ],
  params: { images: 'u32', pixels: 'u32', channels: 'u32', shift: 'u32' },
  variants: [
    {
      name: 'vec4',
      summary: 'four channels of one pixel per invocation',
      applies: (p) => p.channels % 4 === 0,
      vec4: ['a', 'b', 'y'],
      code: () => shader.mixByMask(4),
      workgroups: (p) => groupsFor((p.images * p.pixels * p.channels) / 4),
    },
    {
      name: 'row',
      summary:
        'all channels of one pixel per invocation: for CPU adapters, where index arithmetic costs more than distance',
      applies: (_, { software }) => software,
      code: shader.mixByMaskRow,
      workgroups: (p) => groupsFor(p.images * p.pixels),
    },
    {
      name: 'scalar',
      summary: 'one value per invocation, any number of channels',
      applies: () => true,
      code: () => shader.mixByMask(1),
      workgroups: (p) => groupsFor(p.images * p.pixels * p.channels),
    },
  ],
  // Of a and b together, one value per result is read.
  cost: (p) => ({ flops: 0, bytes: p.images * p.pixels * (8 * p.channels + 4) }),
  reference: (p, { mask, a, b, y }) => {
    for (let i = 0; i < p.images; i++) {
      const j = (i + p.shift) % p.images;
      for (let s = 0; s < p.pixels; s++) {
        for (let c = 0; c < p.channels; c++) {
          const own = (i * p.pixels + s) * p.channels + c;
          y[own] = mask[i * p.pixels + s] !== 0 ? a[own] : b[(j * p.pixels + s) * p.channels + c];
        }
      }
    }
  },
});

export const mixByMask = { f32: mixOf('f32'), i32: mixOf('i32'), u32: mixOf('u32') };

export type LabelParams = { pixels: number; classes: number; ignore: number };

export const pseudoLabel: Kernel<LabelParams> = {
  name: 'pseudoLabel',
  summary: 'most probable class and its probability; pixels without any probability are ignored',
  formula: 'confidence = max_c p_c; label = confidence > 0 ? argmax_c p_c : ignore',
  source: 'Hoyer et al., "Three Ways", CVPR 2021, train.py; the first of equal classes wins',
  bindings: [
    { name: 'probabilities', type: 'f32', access: 'read' },
    { name: 'label', type: 'i32', access: 'write' },
    { name: 'confidence', type: 'f32', access: 'write' },
  ],
  params: { pixels: 'u32', classes: 'u32', ignore: 'i32' },
  variants: [
    {
      name: 'walk',
      summary: 'one invocation walks the classes of one pixel',
      applies: () => true,
      code: shader.pseudoLabel,
      workgroups: (p) => groupsFor(p.pixels),
    },
  ],
  cost: (p) => ({ flops: p.pixels * p.classes, bytes: p.pixels * (4 * p.classes + 8) }),
  reference: (p, { probabilities, label, confidence }) => {
    for (let k = 0; k < p.pixels; k++) {
      const row = Array.from({ length: p.classes }, (_, c) => probabilities[k * p.classes + c]);
      confidence[k] = Math.max(...row);
      label[k] = confidence[k] > 0 ? row.indexOf(confidence[k]) : p.ignore;
    }
  },
};

export const oneHot: Kernel<LabelParams> = {
  name: 'oneHot',
  summary: 'labels as probabilities; ignored pixels are all zero',
  formula: 'y[k,c] = [label[k] = c and c != ignore]',
  source: 'Hoyer et al., "Three Ways", CVPR 2021, train.py (mix_use_gt)',
  bindings: [
    { name: 'label', type: 'i32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: { pixels: 'u32', classes: 'u32', ignore: 'i32' },
  variants: [
    {
      name: 'row',
      summary:
        'all classes of one pixel per invocation: for CPU adapters, where index arithmetic costs more than distance',
      applies: (_, { software }) => software,
      code: shader.oneHotRow,
      workgroups: (p) => groupsFor(p.pixels),
    },
    {
      name: 'scalar',
      summary: 'one value per invocation',
      applies: () => true,
      code: shader.oneHot,
      workgroups: (p) => groupsFor(p.pixels * p.classes),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: p.pixels * (4 * p.classes + 4) }),
  reference: (p, { label, y }) => {
    for (let k = 0; k < p.pixels; k++) {
      for (let c = 0; c < p.classes; c++) y[k * p.classes + c] = label[k] === c && c !== p.ignore ? 1 : 0;
    }
  },
};
