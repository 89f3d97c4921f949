// Three ways to improve semantic segmentation with self-supervised depth estimation (Hoyer, Dai, Chen, Köring, Saha,
// Van Gool, CVPR 2021): networks pre-trained on depth (transfer.ts), a mean teacher whose unlabelled images are mixed by depth
// (mixing.ts). This phase puts them together.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { noGrad, valueAndGrad } from '../autograd/tape.ts';
import { step as scope, type Tensor } from '../autograd/tensor.ts';
import { draws } from '../data/augment.ts';
import { type FrameRef, type LabelledBatch, labelledBatch, pickFrames } from '../data/batch.ts';
import type { DepthModel, SegmentationModel } from '../models/models.ts';
import { copyState } from '../nn/module.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import { add, mul } from '../ops/elementwise.ts';
import { clipByGlobalNorm } from '../optim/clip.ts';
import { emaRamp, emaUpdate } from '../optim/ema.ts';
import type { Adam, Sgd } from '../optim/optimizer.ts';
import { sigmoidRampUp } from '../optim/schedule.ts';
import type { Mix, Transfer } from './choices.ts';
import { type Mixture, maskChance, mixMask, mixture, targetProbabilities } from './mixing.ts';
import type { Phase } from './phase.ts';
import { drawStrong, type StrongAugmentation, strongAugment, strongInputs } from './strongAugment.ts';
import {
  labelledInputs,
  type SegmentationOptions,
  segmentationOptimizer,
  segmentationSchedule,
} from './supervised.ts';
import { transferWeights } from './transfer.ts';

export interface MeanTeacherOptions extends SegmentationOptions {
  mix: Mix;
  /**
   * Which frames are mixed. True: labelled and unlabelled ones alike, with their truth where they have it (DepthMix in the released
   * code). False: unlabelled ones only (its ClassMix).
   */
  mixTruth: boolean;
  /** Images per step that are mixed in a ring: each with the next. At least two. */
  unlabelledBatch: number;
  /** DepthMix keeps a pixel when its disparity is at most this much below its partner's, both scaled to [0, 1]. */
  margin: number;
  /** Confidence from which a pixel counts in q. */
  threshold: number;
  /** Weight of the loss on mixed images. */
  unlabelledWeight: number;
  /** Share of the steps in which that weight rises from nearly 0; 0: it is there at once, as in the released code. */
  rampUp: number;
  /** Largest turn of the hue of mixed images, a share of the full circle. */
  hue: number;
  /** Largest momentum of the teacher. */
  momentum: number;
}

export interface ThreeWaysOptions extends MeanTeacherOptions {
  transfer: Transfer;
}

/** The frames of a run: whose labels may be used, and the others. */
export interface FrameSets {
  labelled: readonly FrameRef[];
  unlabelled: readonly FrameRef[];
}

/** The images of a step that are mixed. */
export interface Mixable {
  mixed: LabelledBatch;
  /** 1 for images of `mixed` with labels. */
  truthful: Float32Array;
  /** What chance decides of the masks. */
  chance: HostTensor[];
  strong: StrongAugmentation;
}

/** What one step looks at. */
export interface MixedBatch extends Mixable {
  labelled: LabelledBatch;
  /** The frames of both, in order. */
  refs: { labelled: FrameRef[]; mixed: FrameRef[] };
}

/** Mirrors of labelled and of mixed images are drawn apart. */
export const mixedSeed = (seed: number): number => seed + 1;

/** The images that a step mixes, a pure function of seed and step. */
export async function loadMixable(
  { labelled, unlabelled }: FrameSets,
  options: Pick<MeanTeacherOptions, 'mix' | 'mixTruth' | 'unlabelledBatch' | 'crop' | 'hue'>,
  classes: number,
  seed: number,
  step: number,
): Promise<Mixable & { refs: FrameRef[] }> {
  const truth = new Set(options.mixTruth ? labelled : []);
  const refs = pickFrames([...truth, ...unlabelled], options.unlabelledBatch, seed, 3, step);
  const mixed = await labelledBatch(refs, {
    seed: mixedSeed(seed),
    step,
    flip: true,
    crop: options.crop,
    labelled: (ref) => truth.has(ref),
  });
  return {
    mixed,
    truthful: Float32Array.from(refs, (ref) => (truth.has(ref) ? 1 : 0)),
    chance: maskChance(options.mix, mixed, classes, seed, step),
    strong: drawStrong(draws(seed, step, 0xffff), options.hue),
    refs,
  };
}

/** The batch of a step, a pure function of seed and step. */
export async function loadMixed(
  frames: FrameSets,
  options: Pick<MeanTeacherOptions, 'batch' | 'mix' | 'mixTruth' | 'unlabelledBatch' | 'crop' | 'hue'>,
  classes: number,
  seed: number,
  step: number,
): Promise<MixedBatch> {
  const labelled = pickFrames(frames.labelled, options.batch, seed, 2, step);
  const { refs, ...mixable } = await loadMixable(frames, options, classes, seed, step);
  return {
    labelled: await labelledBatch(labelled, {
      ...{ seed, step, flip: true, crop: options.crop },
      labelled: () => true,
    }),
    ...mixable,
    refs: { labelled, mixed: refs },
  };
}

/** The images that are mixed. */
export const mixedInputs = ({ mixed, truthful, chance }: Mixable) => ({
  ...labelledInputs(mixed),
  truthful: new HostTensor(truthful, [truthful.length, 1, 1, 1]),
  chance,
});

/** What a step's number decides: the teacher's momentum, and the weight of the loss on mixed images. */
export const teacherInputs = (
  step: number,
  { steps, momentum, unlabelledWeight, rampUp }: MeanTeacherOptions,
) => ({
  alpha: new HostTensor([emaRamp(step, momentum)], []),
  weight: new HostTensor([unlabelledWeight * sigmoidRampUp(rampUp * steps)(step)], []),
});

const threeWaysInputs = (batch: MixedBatch, step: number, options: MeanTeacherOptions) => ({
  labelled: labelledInputs(batch.labelled),
  mixed: mixedInputs(batch),
  strong: strongInputs(batch.strong),
  teacher: teacherInputs(step, options),
});

type ThreeWaysInputs = ReturnType<typeof threeWaysInputs>;
type ThreeWaysTensors = Uploaded<ThreeWaysInputs>;

/**
 * L_u = mean over all pixels of q CE(student(aug(x_mix)), label): one weight q for the whole batch, and a mean over all pixels,
 * ignored ones included.
 * @param logits the student's for the augmented mixture, [N,H,W,C].
 */
export const consistencyLoss = (logits: Tensor, { label, q }: Pick<Mixture, 'label' | 'q'>): Tensor =>
  mul(crossEntropy(logits, label, { reduction: 'all' }), q);

/** Segmentation from few labels and many unlabelled images: cross-entropy plus mixed images under a mean teacher. */
export class ThreeWaysPhase implements Phase<MixedBatch, ThreeWaysInputs> {
  readonly name = 'three-ways';
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly optimizer: Adam | Sgd;
  readonly teacher: SegmentationModel;
  readonly #student: SegmentationModel;
  readonly #depth: DepthModel | null;
  readonly #frames: () => Promise<FrameSets>;
  readonly #classes: number;
  readonly #options: ThreeWaysOptions;
  readonly #seed: number;

  /**
   * @param depth trained before; gives the disparities that decide DepthMix, and the start values. Null where neither is wanted.
   * @param frames asked for at every step, because they may be chosen only when the first one comes.
   */
  constructor(
    student: SegmentationModel,
    teacher: SegmentationModel,
    depth: DepthModel | null,
    frames: () => Promise<FrameSets>,
    classes: number,
    options: ThreeWaysOptions,
    seed: number,
  ) {
    this.#student = student;
    this.teacher = teacher;
    this.#depth = depth;
    this.#frames = frames;
    this.#classes = classes;
    this.#options = options;
    this.#seed = seed;
    this.steps = options.steps;
    this.imagesPerStep = options.batch + options.unlabelledBatch;
    this.optimizer = segmentationOptimizer(student, options);
  }

  /** The student starts from the depth network, the teacher from the student. */
  async begin(): Promise<void> {
    if (this.#depth)
      await transferWeights(this.#depth.state(), this.#student.state(), this.#options.transfer);
    await copyState(this.#student.state(), this.teacher.state());
  }

  async load(step: number): Promise<MixedBatch> {
    return loadMixed(await this.#frames(), this.#options, this.#classes, this.#seed, step);
  }

  /** The mixture of one batch, as the student will see it before augmentation. */
  mixture({ images, labels, truthful, chance }: ThreeWaysTensors['mixed']): Mixture {
    const { mix, margin, threshold } = this.#options;
    return noGrad(() => {
      // In training mode, with the statistics of the batch: its running ones are no average of the student's.
      const known = targetProbabilities(this.teacher.logits(images, true), labels, truthful);
      const disparity = () => this.#depth!.disparities(images, false)[0];
      return mixture(mixMask(mix, disparity, known, chance, margin), images, known, threshold);
    });
  }

  inputs(batch: MixedBatch, step: number): ThreeWaysInputs {
    this.optimizer.advance(segmentationSchedule(this.steps)(step));
    return threeWaysInputs(batch, step, this.#options);
  }

  train({ labelled, mixed, strong, teacher }: ThreeWaysTensors): Record<string, Tensor> {
    const { images, labels } = labelled;
    const made = scope(() => this.mixture(mixed));
    const augmented = noGrad(() => strongAugment(made.images, strong));

    const terms: { labelled?: Tensor; unlabelled?: Tensor } = {};
    const [loss, gradients] = valueAndGrad(() => {
      terms.labelled = crossEntropy(this.#student.logits(images, true), labels);
      terms.unlabelled = consistencyLoss(this.#student.logits(augmented, true), made);
      return add(terms.labelled, mul(terms.unlabelled, teacher.weight));
    }, this.optimizer.params);
    const { scale, norm } = clipByGlobalNorm(gradients, this.#options.clip);
    this.optimizer.apply(gradients, scale);
    emaUpdate(
      Object.values(this.teacher.parameters()),
      Object.values(this.#student.parameters()),
      teacher.alpha,
    );
    return {
      loss,
      labelled: terms.labelled!,
      unlabelled: terms.unlabelled!,
      q: made.q,
      gradientNorm: norm,
    };
  }
}
