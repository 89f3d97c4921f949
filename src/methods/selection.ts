// Which images to annotate, the third of the three ways (Hoyer et al., CVPR 2021, section 3.4; label_selection.py of its
// repository): images that look unlike those chosen so far to a depth network (diversity), and images whose depth a student that
// has seen only the chosen ones gets wrong (uncertainty). No labels are needed for either.
import { type Tensor, tensor } from '../autograd/tensor.ts';
import type { DepthModel } from '../models/models.ts';
import { abs, affine, exp, greaterEqual, log, mul, sub } from '../ops/elementwise.ts';
import { berHu } from '../ops/losses.ts';
import { reshape } from '../ops/movement.ts';
import { adaptiveAvgPool2d, maxPool2d } from '../ops/pool.ts';
import { logSoftmax, mean } from '../ops/reduce.ts';
import { sum } from '../ops/sum.ts';

/** Sizes of the growing subset: doubled from `first` on, `budget` at last (25, 50, 100, 200, ... in the released code). */
export function stageSizes(first: number, budget: number): number[] {
  const sizes: number[] = [];
  for (let size = first; size < budget; size *= 2) sizes.push(size);
  return [...sizes, budget];
}

/** Why an image was chosen; null where that did not count. */
export interface Reason {
  index: number;
  /** To the nearest image chosen before it, in units of the standardised features. */
  distance: number | null;
  nearest: number | null;
  /** Disagreement about depth, or entropy. */
  uncertainty: number | null;
}

/** The grid that features are averaged to: rows and columns. */
const GRID = [4, 8] as const;
/** The decoder level at an eighth of the size. */
const LEVEL = 3;

/**
 * What a depth network makes of images, at an eighth of the size averaged to 4 x 8 places: [N,4,8,C].
 * @param images [N,H,W,3].
 */
export function depthFeatures(depth: DepthModel, images: Tensor): Tensor {
  const maps = depth.encoder.apply(images, false);
  return adaptiveAvgPool2d(depth.decoder.decoder.apply(maps, false, LEVEL)[LEVEL], GRID);
}

/**
 * Every channel with mean 0 and variance 1 over all images and places; a channel that never changes becomes 0.
 * @param features one array of places x channels for each image.
 */
export function standardize(features: readonly ArrayLike<number>[], channels: number): Float64Array[] {
  const count = (features.length * features[0].length) / channels;
  const means = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (const one of features) for (let i = 0; i < one.length; i++) means[i % channels] += one[i] / count;
  for (const one of features) {
    for (let i = 0; i < one.length; i++) squares[i % channels] += (one[i] - means[i % channels]) ** 2 / count;
  }
  return features.map((one) =>
    Float64Array.from(one, (v, i) => {
      const [mean, variance] = [means[i % channels], squares[i % channels]];
      // Below a millionth of the mean a deviation is rounding.
      return variance > 1e-12 * mean * mean ? (v - mean) / Math.sqrt(variance) : 0;
    }),
  );
}

const distanceOf = (a: Float64Array, b: Float64Array): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] - b[i]) ** 2;
  return Math.sqrt(total);
};

/**
 * Furthest-first: again and again the image j, not chosen yet, with the greatest min over the chosen i of ||f_i - f_j|| + bonus_j; of
 * equal ones the first. Stops before `count` when only copies of chosen images without a bonus are left.
 * @param features one vector per image. @param chosen at least one index. @param count of images to add.
 * @param bonus what each image has besides its distance; left out: nothing.
 */
export function furthestFirst(
  features: readonly Float64Array[],
  chosen: readonly number[],
  count: number,
  bonus?: ArrayLike<number>,
): Reason[] {
  const distance = new Float64Array(features.length).fill(Number.POSITIVE_INFINITY);
  const nearest = new Int32Array(features.length);
  const taken = new Set(chosen);
  const approach = (i: number) => {
    for (let j = 0; j < features.length; j++) {
      const d = taken.has(j) ? 0 : distanceOf(features[i], features[j]);
      if (d < distance[j]) {
        distance[j] = d;
        nearest[j] = i;
      }
    }
  };
  chosen.forEach(approach);
  const added: Reason[] = [];
  while (added.length < count) {
    let best = -1;
    let bestScore = 0;
    for (let j = 0; j < features.length; j++) {
      const score = distance[j] + (bonus?.[j] ?? 0);
      if (!taken.has(j) && score > bestScore) {
        best = j;
        bestScore = score;
      }
    }
    if (best < 0) break;
    added.push({
      index: best,
      distance: distance[best],
      nearest: nearest[best],
      uncertainty: null,
    });
    taken.add(best);
    approach(best);
  }
  return added;
}

/** The `count` images with the greatest scores among those not chosen; of equal ones the first. */
export function highest(scores: ArrayLike<number>, chosen: readonly number[], count: number): Reason[] {
  const taken = new Set(chosen);
  return Array.from(scores, (uncertainty, index) => ({ index, uncertainty, distance: null, nearest: null }))
    .filter(({ index }) => !taken.has(index))
    .sort((a, b) => b.uncertainty - a.uncertainty || a.index - b.index)
    .slice(0, count);
}

/** 1 for rows above this share of the height, 0 below: there the released code's camera sees its own car. [1,H,1,1]. */
const rowsAbove = (height: number, share: number): Tensor =>
  tensor(
    Float32Array.from({ length: height }, (_, y) => (y < share * height ? 1 : 0)),
    [1, height, 1, 1],
  );

/**
 * What the student minimises: berHu of its disparity against the teacher's, without the lowest tenth of the rows.
 * @param student,teacher [N,H,W,1]; the teacher's normalised image by image.
 */
export function distillationLoss(student: Tensor, teacher: Tensor): Tensor {
  const rows = rowsAbove(student.shape[1], 0.9);
  return berHu(mul(student, rows), mul(teacher, rows));
}

/**
 * E = mean over all pixels of |log(1 + d_s) - log(1 + d_t)| [pixel counts], one number per image: [N]. A pixel counts unless it is within
 * three pixels of one with d_t < 0.07 (cars that keep the camera's pace look infinitely far) or in the lowest 13 % of the rows.
 * @param student,teacher disparities [N,H,W,1]; the teacher's normalised image by image.
 */
export function depthDisagreement(student: Tensor, teacher: Tensor): Tensor {
  const far = sub(1, greaterEqual(teacher, 0.07));
  const nearFar = maxPool2d(far, { kernel: 7, stride: 1, padding: 3 });
  const difference = abs(sub(log(affine(student, 1, 1)), log(affine(teacher, 1, 1))));
  const counted = mul(sub(1, nearFar), rowsAbove(student.shape[1], 0.87));
  return mean(mul(difference, counted), [1, 2, 3]);
}

/**
 * Mean over pixels of the entropy of the class probabilities, as a share of the greatest possible: [N], 0 sure, 1 clueless.
 * @param logits [N,H,W,C].
 */
export function pixelEntropy(logits: Tensor): Tensor {
  const [n, h, w, classes] = logits.shape;
  const logP = logSoftmax(logits, 3);
  const perPixel = sum(mul(exp(logP), logP), [3]);
  return affine(mean(reshape(perPixel, [n, h * w]), [1]), -1 / Math.log(classes), 0);
}
