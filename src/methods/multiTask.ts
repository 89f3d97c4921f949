// The multi-task way of Three Ways (Hoyer et al., CVPR 2021, section 3.2; experiment 212 of its repository): segmentation and
// depth in one network, which goes on learning depth from video while it learns to segment.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { noGrad, valueAndGrad } from '../autograd/tape.ts';
import { step as scope, type Tensor } from '../autograd/tensor.ts';
import { type VideoBatch, videoBatch } from '../data/batch.ts';
import type { DepthModel } from '../models/models.ts';
import type { MultiTaskModel, MultiTaskOutputs } from '../models/multiTask.ts';
import { copyState } from '../nn/module.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import { add, affine, mul } from '../ops/elementwise.ts';
import { resizeBilinear } from '../ops/resize.ts';
import { clipByGlobalNorm } from '../optim/clip.ts';
import { emaUpdate } from '../optim/ema.ts';
import type { Adam, Sgd } from '../optim/optimizer.ts';
import { type DepthOptions, selfSupervisedLoss, type VideoTensors, videoInputs } from './depth.ts';
import { type Mixture, mixMask, mixture, targetProbabilities } from './mixing.ts';
import type { Phase } from './phase.ts';
import { strongAugment, strongInputs } from './strongAugment.ts';
import { labelledInputs, segmentationOptimizer, segmentationSchedule } from './supervised.ts';
import {
  consistencyLoss,
  type FrameSets,
  loadMixed,
  type MeanTeacherOptions,
  type MixedBatch,
  mixedInputs,
  mixedSeed,
  teacherInputs,
} from './threeWays.ts';
import { transferToBoth } from './transfer.ts';

/** The pose network all but stands still: 1e-6 beside the decoders' 1e-2 in the released code. */
const POSE_RATE = 1e-4;

/**
 * (CE(final) + CE(intermediate)) / 2, the intermediate scores brought to the size of the labels with aligned corners.
 * @param labels i32 [N,H,W].
 */
export function multiTaskCrossEntropy(
  { logits, intermediate }: Pick<MultiTaskOutputs, 'logits' | 'intermediate'>,
  labels: Tensor,
): Tensor {
  const [, height, width] = labels.shape;
  const early = resizeBilinear(intermediate, [height, width], { alignCorners: true });
  return affine(add(crossEntropy(logits, labels), crossEntropy(early, labels)), 0.5, 0);
}

interface Batch extends MixedBatch {
  video: { labelled: VideoBatch; mixed: VideoBatch };
}

const multiTaskInputs = (batch: Batch, seed: number, step: number, options: MeanTeacherOptions) => ({
  labelled: {
    ...labelledInputs(batch.labelled),
    video: videoInputs(batch.video.labelled),
    key: new HostTensor([seed, step], [2], 'u32'),
  },
  mixed: {
    ...mixedInputs(batch),
    video: videoInputs(batch.video.mixed),
    key: new HostTensor([mixedSeed(seed), step], [2], 'u32'),
  },
  strong: strongInputs(batch.strong),
  teacher: teacherInputs(step, options),
});

type MultiTaskInputs = ReturnType<typeof multiTaskInputs>;

/** Three Ways with the multi-task network: cross-entropy, depth on all frames, and mixed images under a mean teacher. */
export class MultiTaskPhase implements Phase<Batch, MultiTaskInputs> {
  readonly name = 'multi-task';
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly optimizer: Adam | Sgd;
  readonly #student: MultiTaskModel;
  readonly #teacher: MultiTaskModel;
  readonly #depth: DepthModel;
  readonly #frames: () => Promise<FrameSets>;
  readonly #classes: number;
  readonly #options: MeanTeacherOptions;
  readonly #depthOptions: DepthOptions;
  readonly #seed: number;

  /**
   * @param depth trained before: its encoder and decoder are the start values, its pose network goes on from where it is.
   * @param frames with a known camera, all of them; asked for at every step, because they may be chosen only now.
   */
  constructor(
    student: MultiTaskModel,
    teacher: MultiTaskModel,
    depth: DepthModel,
    frames: () => Promise<FrameSets>,
    classes: number,
    options: MeanTeacherOptions,
    depthOptions: DepthOptions,
    seed: number,
  ) {
    this.#student = student;
    this.#teacher = teacher;
    this.#depth = depth;
    this.#frames = frames;
    this.#classes = classes;
    this.#options = options;
    this.#depthOptions = depthOptions;
    this.#seed = seed;
    this.steps = options.steps;
    this.imagesPerStep = options.batch + options.unlabelledBatch;
    const pose = Object.values(depth.pose.parameters());
    this.optimizer = segmentationOptimizer(student, options, [
      { params: pose, lr: POSE_RATE * options.lr, weightDecay: options.weightDecay },
    ]);
  }

  async begin(): Promise<void> {
    await transferToBoth(this.#depth.state(), this.#student.state());
    await copyState(this.#student.state(), this.#teacher.state());
  }

  async load(step: number): Promise<Batch> {
    const seed = this.#seed;
    const batch = await loadMixed(await this.#frames(), this.#options, this.#classes, seed, step);
    // The clean images: mirrored and cut as their labels are, and not recoloured.
    const clean = { step, augment: { recolour: false, crop: this.#options.crop } };
    return {
      ...batch,
      video: {
        labelled: await videoBatch(batch.refs.labelled, { seed, ...clean }),
        mixed: await videoBatch(batch.refs.mixed, { seed: mixedSeed(seed), ...clean }),
      },
    };
  }

  inputs(batch: Batch, step: number): MultiTaskInputs {
    this.optimizer.advance(segmentationSchedule(this.steps)(step));
    return multiTaskInputs(batch, this.#seed, step, this.#options);
  }

  /**
   * The mixture of one batch.
   * @param disparity the student's, of the unmixed images: the masks follow what it knows by now.
   */
  mixture(
    { images, labels, truthful, chance }: Uploaded<ReturnType<typeof mixedInputs>>,
    disparity = () => this.#student.disparities(images, false)[0],
  ): Mixture {
    const { mix, margin, threshold } = this.#options;
    return noGrad(() => {
      const known = targetProbabilities(this.#teacher.logits(images, true), labels, truthful);
      return mixture(mixMask(mix, disparity, known, chance, margin), images, known, threshold);
    });
  }

  #depthLoss(disparities: Tensor[], video: VideoTensors, key: Tensor): Tensor {
    // A frame without neighbours stands in for them: only the automask keeps it from teaching that nothing moves.
    const options = { ...this.#depthOptions, reprojection: 'minimum' as const };
    return selfSupervisedLoss(disparities, this.#depth, video, video.frames, key, options).loss;
  }

  train({ labelled, mixed, strong, teacher }: Uploaded<MultiTaskInputs>): Record<string, Tensor> {
    const student = this.#student;
    const terms: Record<string, Tensor> = {};
    const [loss, gradients] = valueAndGrad(() => {
      const seen = student.outputs(labelled.images, true);
      terms.labelled = multiTaskCrossEntropy(seen, labelled.labels);
      const clean = student.disparities(mixed.images, true);
      terms.depth = add(
        this.#depthLoss(seen.disparities, labelled.video, labelled.key),
        this.#depthLoss(clean, mixed.video, mixed.key),
      );
      const made = scope(() => this.mixture(mixed, () => clean[0]));
      const augmented = noGrad(() => strongAugment(made.images, strong));
      terms.unlabelled = consistencyLoss(student.logits(augmented, true), made);
      terms.q = made.q;
      return add(add(terms.labelled, terms.depth), mul(terms.unlabelled, teacher.weight));
    }, this.optimizer.params);
    const { scale, norm } = clipByGlobalNorm(gradients, this.#options.clip);
    this.optimizer.apply(gradients, scale);
    emaUpdate(Object.values(this.#teacher.parameters()), Object.values(student.parameters()), teacher.alpha);
    const { labelled: ce, unlabelled, depth, q } = terms;
    return { loss, labelled: ce, unlabelled, depth, q, gradientNorm: norm };
  }
}
