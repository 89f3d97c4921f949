// Mixing: two images cut along a mask, and what is known of both cut alike. Four masks for the same mean teacher: DepthMix
// (Hoyer et al., "Three Ways", CVPR 2021, section 3.3; train.py of its repository), ClassMix (Olsson et al., WACV 2021),
// CutMix (French et al., "Semi-supervised semantic segmentation needs strong, varied perturbations", BMVC 2020), none.

import { HostTensor } from '../autograd/program.ts';
import { noGrad } from '../autograd/tape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { type Draw, draws } from '../data/augment.ts';
import {
  confidentShare,
  depthMixMask,
  mixWithNext,
  normalizeDisparity,
  oneHot,
  pseudoLabel,
} from '../ops/depthmix.ts';
import { affine, greaterEqual, mul, where } from '../ops/elementwise.ts';
import { reshape } from '../ops/movement.ts';
import { maxValue, softmax } from '../ops/reduce.ts';
import { sum } from '../ops/sum.ts';
import type { Mix } from './choices.ts';

/** Everything between the teacher's look at the clean images and the student's at the mixed ones. */
export interface Mixture {
  /** 1 where a pixel of image i stays, 0 where its partner's comes, [N,H,W,1]. */
  mask: Tensor;
  images: Tensor;
  /** i32 [N,H,W]; 255 where neither teacher nor truth says anything. */
  label: Tensor;
  /** The mixed probabilities' maximum, [N,H,W]. */
  confidence: Tensor;
  /** Share of all pixels with confidence of at least the threshold: the weight of the whole batch. */
  q: Tensor;
}

/**
 * What is known of each pixel of the unmixed images: truth as one-hot where an image has labels (all zero on void), the
 * softmax of the teacher elsewhere.
 * @param logits the teacher's, [N,H,W,C].
 * @param labels i32 [N,H,W].
 * @param truthful [N,1,1,1], 1 for images with labels.
 */
export function targetProbabilities(logits: Tensor, labels: Tensor, truthful: Tensor): Tensor {
  const predicted = softmax(logits, 3);
  return where(truthful, oneHot(labels, predicted.shape[3], { ignore: 255 }), predicted);
}

/**
 * ClassMix: image i keeps the pixels of half of its classes, floor(n / 2) of the n that occur in it, and takes the rest from its
 * partner. Pixels without a class are not kept. Constant to every gradient.
 * @param label i32 [N,H,W], truth or pseudo-label.
 * @param before f32 [N,C,C], a random order of the classes for each image: 1 at (i, c, d) where d comes before c (`classOrders`).
 * @returns f32 [N,H,W,1] of zeros and ones.
 */
export function classMixMask(label: Tensor, before: Tensor): Tensor {
  return noGrad(() => {
    const [n, , classes] = before.shape;
    const pixels = oneHot(label, classes, { ignore: 255 });
    const present = maxValue(pixels, [1, 2]);
    // Place of a class among those present, from 0; it is chosen when place + 1 <= count / 2.
    const place = sum(mul(before, reshape(present, [n, 1, classes])), [2]);
    const chosen = mul(present, greaterEqual(sum(present, [1], true), affine(place, 2, 2)));
    return sum(mul(pixels, reshape(chosen, [n, 1, 1, classes])), [3], true);
  });
}

/** Orders for `classMixMask`: sorted by one draw for each class, equal draws by the lower class. @returns [N,C,C]. */
export function classOrders(classes: number, draw: readonly Draw[]): HostTensor {
  const values = draw.flatMap((of) => {
    const keys = Array.from({ length: classes }, (_, c) => of(c));
    return keys.flatMap((key, c) =>
      keys.map((other, d) => (other < key || (other === key && d < c) ? 1 : 0)),
    );
  });
  return new HostTensor(values, [draw.length, classes, classes]);
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * CutMix-Seg's box (mask_gen.py of its repository): half of the area, a height of 2^-u of the image's for u uniform in [0, 1), the
 * width to match, anywhere inside. Whole pixels.
 */
export function cutMixBox(height: number, width: number, draw: Draw): Box {
  const share = Math.exp(draw(0) * Math.log(0.5));
  const box = { height: Math.round(height * share), width: Math.round((width * 0.5) / share) };
  return {
    ...box,
    top: Math.round((height - box.height) * draw(1)),
    left: Math.round((width - box.width) * draw(2)),
  };
}

/** Masks that keep everything but a box. @returns [N,height,width,1]. */
export function cutMixMasks(height: number, width: number, boxes: readonly Box[]): HostTensor {
  const mask = new Float32Array(boxes.length * height * width).fill(1);
  boxes.forEach((box, i) => {
    for (let y = box.top; y < box.top + box.height; y++) {
      const at = (i * height + y) * width + box.left;
      mask.fill(0, at, at + box.width);
    }
  });
  return new HostTensor(mask, [boxes.length, height, width, 1]);
}

/** Keeps the draws of masks apart from those of other samples of a step. */
const MASK_SAMPLE = 0x10000;

/**
 * The part of the masks that chance decides, drawn on the host for (seed, step): what `mixMask` takes as `chance`. DepthMix has none.
 * @param size of the batch that is mixed.
 */
export function maskChance(
  mix: Mix,
  { n, height, width }: { n: number; height: number; width: number },
  classes: number,
  seed: number,
  step: number,
): HostTensor[] {
  const draw = Array.from({ length: n }, (_, i) => draws(seed, step, MASK_SAMPLE + i));
  switch (mix) {
    case 'depthmix':
      return [];
    case 'classmix':
      return [classOrders(classes, draw)];
    case 'cutmix':
      return [
        cutMixMasks(
          height,
          width,
          draw.map((of) => cutMixBox(height, width, of)),
        ),
      ];
    case 'none':
      return [cutMixMasks(height, width, Array(n).fill({ left: 0, top: 0, width: 0, height: 0 }))];
  }
}

/**
 * The masks of a batch, 1 where image i keeps its pixel, [N,H,W,1]. Both directions of a pair have masks of their own: DepthMix's are
 * no complements.
 * @param disparity of the unmixed images, [N,H,W,1]; asked for by DepthMix alone, which normalises it image by image.
 * @param probabilities what is known of the unmixed images, [N,H,W,C].
 * @param chance from `maskChance`.
 */
export function mixMask(
  mix: Mix,
  disparity: () => Tensor,
  probabilities: Tensor,
  chance: readonly Tensor[],
  margin: number,
): Tensor {
  if (mix === 'depthmix') return depthMixMask(normalizeDisparity(disparity()), margin);
  if (mix === 'classmix') return classMixMask(pseudoLabel(probabilities).label, chance[0]);
  return chance[0];
}

/**
 * Images and knowledge cut along a mask: image i with image i + 1, the last with the first.
 * @param images [N,H,W,3]. @param probabilities [N,H,W,C], all zero where nothing is known.
 */
export function mixture(mask: Tensor, images: Tensor, probabilities: Tensor, threshold: number): Mixture {
  const { label, confidence } = pseudoLabel(mixWithNext(mask, probabilities), { ignore: 255 });
  return {
    mask,
    images: mixWithNext(mask, images),
    label,
    confidence,
    q: confidentShare(confidence, threshold),
  };
}
