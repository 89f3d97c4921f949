// Three ways to improve semantic segmentation with self-supervised depth estimation (Hoyer, Dai, Chen, Köring, Saha,
// Van Gool, CVPR 2021), in a first form: networks pre-trained on depth (transfer), and a mean teacher whose unlabelled
// images are mixed by depth (DepthMix). The multi-task model and the choice of images are not here yet.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { noGrad, valueAndGrad } from '../autograd/tape.ts';
import { step as scope, type Tensor } from '../autograd/tensor.ts';
import { draws } from '../data/augment.ts';
import { type FrameRef, type LabelledBatch, labelledBatch, pickFrames } from '../data/batch.ts';
import type { DepthModel, SegmentationModel } from '../models/models.ts';
import { copyState } from '../nn/module.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import {
  confidentShare,
  depthMixMask,
  mixWithNext,
  normalizeDisparity,
  oneHot,
  pseudoLabel,
} from '../ops/depthmix.ts';
import { add, affine, mul, where } from '../ops/elementwise.ts';
import { softmax } from '../ops/reduce.ts';
import { clipByGlobalNorm } from '../optim/clip.ts';
import { emaRamp, emaUpdate } from '../optim/ema.ts';
import type { Adam, Sgd } from '../optim/optimizer.ts';
import type { Phase } from './phase.ts';
import { drawStrong, type StrongAugmentation, strongAugment, strongInputs } from './strongAugment.ts';
import {
  labelledInputs,
  type SegmentationOptions,
  segmentationOptimizer,
  segmentationSchedule,
} from './supervised.ts';
import { type Transfer, transferWeights } from './transfer.ts';

export interface ThreeWaysOptions extends SegmentationOptions {
  transfer: Transfer;
  /** Images per step that are mixed in a ring: each with the next. At least two. */
  unlabelledBatch: number;
  /** A pixel of an image is kept when its disparity is at most this much below its partner's, both scaled to [0, 1]. */
  margin: number;
  /** Confidence from which a pixel counts in q. */
  threshold: number;
  /** Weight of the loss on mixed images. */
  unlabelledWeight: number;
  /** Largest momentum of the teacher. */
  momentum: number;
}

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
 * DepthMix (the released train.py): of two images, each pixel shows the one whose content is nearer, so that composites respect
 * occlusion. Labels mix as the images do; truth, where an image has it, takes the teacher's place.
 * @param images [N,H,W,3]; image i is mixed with image i + 1, the last with the first.
 * @param disparity [N,H,W,1], any scale: it is normalised image by image.
 * @param probabilities the teacher's, [N,H,W,C].
 */
export function depthMix(
  images: Tensor,
  disparity: Tensor,
  probabilities: Tensor,
  { margin, threshold }: Pick<ThreeWaysOptions, 'margin' | 'threshold'>,
): Mixture {
  const mask = depthMixMask(normalizeDisparity(disparity), margin);
  const { label, confidence } = pseudoLabel(mixWithNext(mask, probabilities), { ignore: 255 });
  return {
    mask,
    images: mixWithNext(mask, images),
    label,
    confidence,
    q: confidentShare(confidence, threshold),
  };
}

/**
 * What is known of each pixel of the unmixed images: truth as one-hot where an image has labels (all zero on void), the
 * teacher's softmax elsewhere.
 * @param truthful [N,1,1,1], 1 for images with labels.
 */
export function targetProbabilities(
  teacher: SegmentationModel,
  images: Tensor,
  labels: Tensor,
  truthful: Tensor,
): Tensor {
  const predicted = softmax(teacher.logits(images, true), 3);
  const classes = predicted.shape[3];
  return where(truthful, oneHot(labels, classes, { ignore: 255 }), predicted);
}

interface Batch {
  labelled: LabelledBatch;
  mixed: LabelledBatch;
  /** 1 for images of `mixed` with labels. */
  truthful: Float32Array;
  strong: StrongAugmentation;
}

/** The images that are mixed. */
export const mixedInputs = ({ mixed, truthful }: Pick<Batch, 'mixed' | 'truthful'>) => ({
  ...labelledInputs(mixed),
  truthful: new HostTensor(truthful, [truthful.length, 1, 1, 1]),
});

/** @param alpha the teacher's momentum. */
const threeWaysInputs = (batch: Batch, alpha: number) => ({
  labelled: labelledInputs(batch.labelled),
  mixed: mixedInputs(batch),
  strong: strongInputs(batch.strong),
  alpha: new HostTensor([alpha], []),
});

type ThreeWaysInputs = ReturnType<typeof threeWaysInputs>;
type ThreeWaysTensors = Uploaded<ThreeWaysInputs>;

/** Segmentation from few labels and many unlabelled images: cross-entropy plus DepthMix under a mean teacher. */
export class ThreeWaysPhase implements Phase<Batch, ThreeWaysInputs> {
  readonly name = 'three-ways';
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly optimizer: Adam | Sgd;
  readonly teacher: SegmentationModel;
  readonly #student: SegmentationModel;
  readonly #depth: DepthModel;
  readonly #labelled: readonly FrameRef[];
  readonly #all: readonly FrameRef[];
  readonly #hasLabel: ReadonlySet<FrameRef>;
  readonly #options: ThreeWaysOptions;
  readonly #seed: number;

  /**
   * @param depth trained before; gives the disparities that decide the mixture, and the start values.
   * @param labelled frames with labels. @param unlabelled frames without; both are mixed.
   */
  constructor(
    student: SegmentationModel,
    teacher: SegmentationModel,
    depth: DepthModel,
    labelled: readonly FrameRef[],
    unlabelled: readonly FrameRef[],
    options: ThreeWaysOptions,
    seed: number,
  ) {
    this.#student = student;
    this.teacher = teacher;
    this.#depth = depth;
    this.#labelled = labelled;
    this.#all = [...labelled, ...unlabelled];
    this.#hasLabel = new Set(labelled);
    this.#options = options;
    this.#seed = seed;
    this.steps = options.steps;
    this.imagesPerStep = options.batch + options.unlabelledBatch;
    this.optimizer = segmentationOptimizer(student, options);
  }

  /** The student starts from the depth network, the teacher from the student. */
  async begin(): Promise<void> {
    await transferWeights(this.#depth.state(), this.#student.state(), this.#options.transfer);
    await copyState(this.#student.state(), this.teacher.state());
  }

  async load(step: number): Promise<Batch> {
    const { batch, unlabelledBatch } = this.#options;
    const seed = this.#seed;
    const mixed = pickFrames(this.#all, unlabelledBatch, seed, 3, step);
    return {
      labelled: await labelledBatch(pickFrames(this.#labelled, batch, seed, 2, step), {
        seed,
        step,
        flip: true,
        labelled: () => true,
      }),
      mixed: await labelledBatch(mixed, {
        seed: seed + 1,
        step,
        flip: true,
        labelled: (ref) => this.#hasLabel.has(ref),
      }),
      truthful: Float32Array.from(mixed, (ref) => (this.#hasLabel.has(ref) ? 1 : 0)),
      strong: drawStrong(draws(seed, step, 0xffff)),
    };
  }

  /** The mixture of one batch, as the student will see it before augmentation. */
  mixture({ images, labels, truthful }: ThreeWaysTensors['mixed']): Mixture {
    return noGrad(() => {
      const probabilities = targetProbabilities(this.teacher, images, labels, truthful);
      const [disparity] = this.#depth.disparities(images, false);
      return depthMix(images, disparity, probabilities, this.#options);
    });
  }

  inputs(batch: Batch, step: number): ThreeWaysInputs {
    this.optimizer.advance(segmentationSchedule(this.steps)(step));
    return threeWaysInputs(batch, emaRamp(step, this.#options.momentum));
  }

  train({ labelled, mixed, strong, alpha }: ThreeWaysTensors): Record<string, Tensor> {
    const { unlabelledWeight, clip } = this.#options;
    const { images, labels } = labelled;
    const mixture = scope(() => this.mixture(mixed));
    const augmented = noGrad(() => strongAugment(mixture.images, strong));

    const terms: { labelled?: Tensor; unlabelled?: Tensor } = {};
    const [loss, gradients] = valueAndGrad(() => {
      terms.labelled = crossEntropy(this.#student.logits(images, true), labels);
      // One weight q for the whole batch, and a mean over all pixels, ignored ones included.
      const consistency = crossEntropy(this.#student.logits(augmented, true), mixture.label, {
        reduction: 'all',
      });
      terms.unlabelled = mul(consistency, mixture.q);
      return add(terms.labelled, affine(terms.unlabelled, unlabelledWeight, 0));
    }, this.optimizer.params);
    const { scale, norm } = clipByGlobalNorm(gradients, clip);
    this.optimizer.apply(gradients, scale);
    emaUpdate(Object.values(this.teacher.parameters()), Object.values(this.#student.parameters()), alpha);
    return {
      loss,
      labelled: terms.labelled!,
      unlabelled: terms.unlabelled!,
      q: mixture.q,
      gradientNorm: norm,
    };
  }
}
