// The domain-adaptive extension of Three Ways (Hoyer, Dai, Wang, Chen, Van Gool, "Improving semi-supervised and domain-adaptive
// semantic segmentation with self-supervised depth estimation", IJCV 2023; branch ssda of its repository): a labelled source domain
// beside a target domain with few labels or none. Cross-Domain DepthMix puts near things of a source image before far things
// of a target image; Matching Geometry Sampling picks source images whose depths resemble the target's.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { noGrad, valueAndGrad } from '../autograd/tape.ts';
import { step as scope, type Tensor } from '../autograd/tensor.ts';
import { type Draw, draws } from '../data/augment.ts';
import { type FrameRef, type LabelledBatch, labelledBatch, pickFrames } from '../data/batch.ts';
import type { DepthModel, SegmentationModel } from '../models/models.ts';
import { copyState } from '../nn/module.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import { confidentShare, mixByMask, normalizeDisparity, pseudoLabel } from '../ops/depthmix.ts';
import { add, affine, greaterEqual, mul, sub, where } from '../ops/elementwise.ts';
import { reshape } from '../ops/movement.ts';
import { adaptiveAvgPool2d } from '../ops/pool.ts';
import { clipByGlobalNorm } from '../optim/clip.ts';
import { emaUpdate } from '../optim/ema.ts';
import type { Adam, Sgd } from '../optim/optimizer.ts';
import { type Mixture, mixMask, mixture, targetProbabilities } from './mixing.ts';
import type { Phase } from './phase.ts';
import { overFrames } from './selectionPhase.ts';
import { drawStrong, type StrongAugmentation, strongAugment, strongInputs } from './strongAugment.ts';
import { labelledInputs, segmentationOptimizer, segmentationSchedule } from './supervised.ts';
import {
  consistencyLoss,
  type FrameSets,
  loadMixable,
  type MeanTeacherOptions,
  type Mixable,
  mixedInputs,
  mixedSeed,
  type ThreeWaysOptions,
  teacherInputs,
} from './threeWays.ts';
import { transferWeights } from './transfer.ts';

export interface CrossDomainOptions extends ThreeWaysOptions {
  /** Source images drawn for each target image, of which one is taken. */
  candidates: number;
}

/**
 * Cross-Domain DepthMix: M = [d_source >= d_target - s m], 1 where the source's pixel is taken. A margin of either sign, because with
 * one sign the source would win or lose every tie. Constant to every gradient.
 * @param source,target f32 [N,H,W,1], normalised image by image (`normalizeDisparity`); large is near.
 * @param signs s, 1 or -1 for each image, [N,1,1,1].
 * @returns f32 [N,H,W,1] of zeros and ones.
 */
export function crossDomainMask(source: Tensor, target: Tensor, signs: Tensor, margin: number): Tensor {
  return noGrad(() => greaterEqual(source, sub(target, affine(signs, margin, 0))));
}

/** Source and target cut along a mask. */
export interface CrossDomainMixture {
  /** 1 where the source's pixel is taken, [N,H,W,1]. */
  mask: Tensor;
  images: Tensor;
  /** i32 [N,H,W]: truth of the source; truth or pseudo-label of the target. 255 where neither says anything. */
  label: Tensor;
  /** [N,H,W]: 1 on pixels of the source, q on those of the target. */
  weight: Tensor;
  /** Share of the pixels of the unmixed target images with confidence of at least the threshold. */
  q: Tensor;
}

/**
 * @param mask [N,H,W,1], 1 for the source.
 * @param source images [N,H,W,3] and truth, i32 [N,H,W].
 * @param target images, and what is known of them, [N,H,W,C] (`targetProbabilities`).
 */
export function crossDomainMixture(
  mask: Tensor,
  source: { images: Tensor; labels: Tensor },
  target: { images: Tensor; probabilities: Tensor },
  threshold: number,
): CrossDomainMixture {
  return noGrad(() => {
    const { label, confidence } = pseudoLabel(target.probabilities, { ignore: 255 });
    const q = confidentShare(confidence, threshold);
    return {
      mask,
      images: mixByMask(mask, source.images, target.images),
      label: mixByMask(mask, source.labels, label),
      weight: where(reshape(mask, label.shape), 1, q),
      q,
    };
  });
}

/**
 * Mean over all pixels, ignored ones included, of w CE(student(aug(x_mix)), label).
 * @param logits the student's for the augmented mixture, [N,H,W,C].
 */
export const crossDomainLoss = (
  logits: Tensor,
  { label, weight }: Pick<CrossDomainMixture, 'label' | 'weight'>,
): Tensor => crossEntropy(logits, label, { pixelWeights: weight, reduction: 'all' });

/** Rows that are compared, as shares of the height: without 80 of 512 at the top (sky) and 100 at the bottom (the own car). */
const ROWS = { from: 80 / 512, to: 412 / 512 };

/**
 * How unlike two images are in geometry: mean over all pixels of [row counts] |log(1 + d_a) - log(1 + d_b)|.
 * @param a,b disparities, row-major [H,W], both of the same scale.
 */
export function geometryDistance(a: ArrayLike<number>, b: ArrayLike<number>, width: number): number {
  const height = a.length / width;
  let total = 0;
  for (let y = 0; y < height; y++) {
    if (y < ROWS.from * height || y >= ROWS.to * height) continue;
    for (let i = y * width; i < (y + 1) * width; i++) total += Math.abs(Math.log1p(a[i]) - Math.log1p(b[i]));
  }
  return total / a.length;
}

/** The candidate with the geometry closest to the target's; of equal ones the first. */
export function closestGeometry(
  target: ArrayLike<number>,
  candidates: readonly ArrayLike<number>[],
  width: number,
): number {
  const distances = candidates.map((one) => geometryDistance(target, one, width));
  return distances.indexOf(Math.min(...distances));
}

/** A frame, perhaps mirrored. */
export interface View {
  ref: FrameRef;
  mirrored: boolean;
}

/** `count` frames with replacement, half of them mirrored; takes uses 0 to 2 count - 1. */
export const drawViews = (refs: readonly FrameRef[], count: number, draw: Draw): View[] =>
  Array.from({ length: count }, (_, k) => ({
    ref: refs[Math.floor(draw(2 * k) * refs.length)],
    mirrored: draw(2 * k + 1) < 0.5,
  }));

/** Disparities are compared at a quarter of each side, averaged: what is left out is no geometry, and one run keeps them all. */
const COARSE = 4;

/**
 * What a frozen depth network sees in frames, normalised image by image. Each frame is looked at once: a mirrored view has the
 * mirrored disparity, as where the released code keeps them on disk.
 */
export class Geometry {
  readonly #depth: Pick<DepthModel, 'disparities'>;
  readonly #seen = new Map<FrameRef['split'], Map<number, Promise<Float32Array>>>();
  readonly width: number;

  /** @param width of the frames, pixels. */
  constructor(depth: Pick<DepthModel, 'disparities'>, width: number) {
    this.#depth = depth;
    this.width = width / COARSE;
  }

  /** Row-major, `width` wide. */
  async of({ ref, mirrored }: View): Promise<Float32Array> {
    let frames = this.#seen.get(ref.split);
    if (!frames) {
      frames = new Map();
      this.#seen.set(ref.split, frames);
    }
    let seen = frames.get(ref.index);
    if (!seen) {
      seen = this.#look(ref);
      frames.set(ref.index, seen);
    }
    const { width } = this;
    const plain = await seen;
    if (!mirrored) return plain;
    return plain.map((_, i) => plain[i - (i % width) + width - 1 - (i % width)]);
  }

  async #look(ref: FrameRef): Promise<Float32Array> {
    const [row] = await overFrames([ref], (images) => {
      const [, height, width] = images.shape;
      const disparity = normalizeDisparity(this.#depth.disparities(images, false)[0]);
      return adaptiveAvgPool2d(disparity, [height / COARSE, width / COARSE]);
    });
    return Float32Array.from(row);
  }
}

/** Matching Geometry Sampling: the candidate whose geometry is closest to the target's. */
export async function matchingSource(
  geometry: Geometry,
  target: View,
  candidates: readonly View[],
): Promise<View> {
  const wanted = await geometry.of(target);
  const seen: Float32Array[] = [];
  for (const one of candidates) seen.push(await geometry.of(one));
  return candidates[closestGeometry(wanted, seen, geometry.width)];
}

/** Keep draws for the source apart from those of other samples of a step. */
const SOURCE_SAMPLE = 0x20000;
const SIGN_SAMPLE = 0x30000;
const STRONG_SAMPLE = 0xfffe;

/** What one step looks at. */
export interface CrossDomainBatch extends Mixable {
  /** Of the target: one batch, or none where no target image has labels. */
  labelled: LabelledBatch[];
  /** One source image for each of `mixed`. */
  source: LabelledBatch;
  /** Of the margin, 1 or -1 for each image. */
  signs: Float32Array;
  /** For the mixture across domains; `strong` is for the one within the target. */
  strongAcross: StrongAugmentation;
}

/** What is mixed across the domains. */
export const pairInputs = (batch: CrossDomainBatch) => ({
  source: labelledInputs(batch.source),
  mixed: mixedInputs(batch),
  signs: new HostTensor(batch.signs, [batch.signs.length, 1, 1, 1]),
});

const crossDomainInputs = (batch: CrossDomainBatch, step: number, options: MeanTeacherOptions) => ({
  ...pairInputs(batch),
  labelled: batch.labelled.map(labelledInputs),
  strong: { across: strongInputs(batch.strongAcross), within: strongInputs(batch.strong) },
  teacher: teacherInputs(step, options),
});

type CrossDomainInputs = ReturnType<typeof crossDomainInputs>;
type CrossDomainTensors = Uploaded<CrossDomainInputs>;

/**
 * Segmentation of a target domain with the labels of a source domain: cross-entropy on source and labelled target images, and two
 * mixtures under a mean teacher, source with target and target with target.
 */
export class CrossDomainPhase implements Phase<CrossDomainBatch, CrossDomainInputs> {
  readonly name = 'cross-domain';
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly optimizer: Adam | Sgd;
  readonly #student: SegmentationModel;
  readonly #teacher: SegmentationModel;
  readonly #depth: DepthModel;
  readonly #source: readonly FrameRef[];
  readonly #target: FrameSets;
  readonly #geometry: Geometry;
  readonly #classes: number;
  readonly #options: CrossDomainOptions;
  readonly #seed: number;

  /**
   * @param depth trained before: gives start values, the disparities of the masks and those that source images are chosen by.
   * @param source labelled frames, with the classes and the size of the target's.
   * @param target `labelled` may be empty.
   * @param width of all frames, pixels.
   */
  constructor(
    student: SegmentationModel,
    teacher: SegmentationModel,
    depth: DepthModel,
    source: readonly FrameRef[],
    target: FrameSets,
    width: number,
    classes: number,
    options: CrossDomainOptions,
    seed: number,
  ) {
    this.#student = student;
    this.#teacher = teacher;
    this.#depth = depth;
    this.#source = source;
    this.#target = target;
    this.#geometry = new Geometry(depth, width);
    this.#classes = classes;
    this.#options = options;
    this.#seed = seed;
    this.steps = options.steps;
    this.imagesPerStep = (target.labelled.length > 0 ? options.batch : 0) + 2 * options.unlabelledBatch;
    this.optimizer = segmentationOptimizer(student, options);
  }

  /** The student starts from the depth network, the teacher from the student. */
  async begin(): Promise<void> {
    await transferWeights(this.#depth.state(), this.#student.state(), this.#options.transfer);
    await copyState(this.#student.state(), this.#teacher.state());
  }

  async load(step: number): Promise<CrossDomainBatch> {
    const seed = this.#seed;
    const { batch, candidates, crop } = this.#options;
    const { refs, ...mixable } = await loadMixable(this.#target, this.#options, this.#classes, seed, step);
    const sources: View[] = [];
    for (const [i, ref] of refs.entries()) {
      const drawn = drawViews(this.#source, candidates, draws(seed, step, SOURCE_SAMPLE + i));
      const target = { ref, mirrored: mixable.mixed.flipped[i] };
      sources.push(await matchingSource(this.#geometry, target, drawn));
    }
    const known = { step, crop, labelled: () => true };
    const { labelled } = this.#target;
    const some = labelled.length > 0 ? [pickFrames(labelled, batch, seed, 2, step)] : [];
    return {
      ...mixable,
      labelled: await Promise.all(some.map((one) => labelledBatch(one, { ...known, seed, flip: true }))),
      source: await labelledBatch(
        sources.map(({ ref }) => ref),
        // The seed of the images that it is mixed with: geometry that matches in whole frames matches in the same square of both.
        { ...known, seed: mixedSeed(seed), flip: sources.map(({ mirrored }) => mirrored) },
      ),
      signs: Float32Array.from(refs, (_, i) => (draws(seed, step, SIGN_SAMPLE + i)(0) < 0.5 ? 1 : -1)),
      strongAcross: drawStrong(draws(seed, step, STRONG_SAMPLE), this.#options.hue),
    };
  }

  inputs(batch: CrossDomainBatch, step: number): CrossDomainInputs {
    this.optimizer.advance(segmentationSchedule(this.steps)(step));
    return crossDomainInputs(batch, step, this.#options);
  }

  /** What teacher and depth network see in the unmixed target images. */
  #look({ images, labels, truthful }: CrossDomainTensors['mixed']) {
    return noGrad(() => ({
      // In training mode, with the statistics of the batch: its running ones are no average of the student's.
      probabilities: targetProbabilities(this.#teacher.logits(images, true), labels, truthful),
      disparity: this.#depth.disparities(images, false)[0],
    }));
  }

  /** The mixture within the target, as the student will see it before augmentation. */
  mixture(mixed: CrossDomainTensors['mixed'], seen = this.#look(mixed)): Mixture {
    const { mix, margin, threshold } = this.#options;
    return noGrad(() => {
      const mask = mixMask(mix, () => seen.disparity, seen.probabilities, mixed.chance, margin);
      return mixture(mask, mixed.images, seen.probabilities, threshold);
    });
  }

  /** The mixture across the domains, as the student will see it before augmentation. */
  acrossMixture(
    { source, mixed, signs }: Pick<CrossDomainTensors, 'source' | 'mixed' | 'signs'>,
    seen = this.#look(mixed),
  ): CrossDomainMixture {
    const { margin, threshold } = this.#options;
    return noGrad(() => {
      const disparity = this.#depth.disparities(source.images, false)[0];
      const mask = crossDomainMask(
        normalizeDisparity(disparity),
        normalizeDisparity(seen.disparity),
        signs,
        margin,
      );
      const target = { images: mixed.images, probabilities: seen.probabilities };
      return crossDomainMixture(mask, source, target, threshold);
    });
  }

  train({ labelled, strong, teacher, ...pair }: CrossDomainTensors): Record<string, Tensor> {
    const student = this.#student;
    const { across, within } = scope(() => {
      const seen = this.#look(pair.mixed);
      return { across: this.acrossMixture(pair, seen), within: this.mixture(pair.mixed, seen) };
    });
    const augmented = noGrad(() => ({
      across: strongAugment(across.images, strong.across),
      within: strongAugment(within.images, strong.within),
    }));

    const terms: Record<string, Tensor> = {};
    const [loss, gradients] = valueAndGrad(() => {
      for (const { images, labels } of labelled)
        terms.labelled = crossEntropy(student.logits(images, true), labels);
      terms.source = crossEntropy(student.logits(pair.source.images, true), pair.source.labels);
      terms.across = crossDomainLoss(student.logits(augmented.across, true), across);
      terms.within = consistencyLoss(student.logits(augmented.within, true), within);
      const truth = terms.labelled ? add(terms.labelled, terms.source) : terms.source;
      return add(truth, mul(add(terms.across, terms.within), teacher.weight));
    }, this.optimizer.params);
    const { scale, norm } = clipByGlobalNorm(gradients, this.#options.clip);
    this.optimizer.apply(gradients, scale);
    emaUpdate(Object.values(this.#teacher.parameters()), Object.values(student.parameters()), teacher.alpha);
    return { loss, ...terms, q: across.q, qWithin: within.q, gradientNorm: norm };
  }
}
