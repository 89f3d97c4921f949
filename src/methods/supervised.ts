// Segmentation from labelled images alone: the baseline every label-efficient method is measured against.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { valueAndGrad } from '../autograd/tape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { type FrameRef, type LabelledBatch, labelledBatch, pickFrames } from '../data/batch.ts';
import type { SegmentationModel } from '../models/models.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import { clipByGlobalNorm } from '../optim/clip.ts';
import { Adam, type ParameterGroup, Sgd } from '../optim/optimizer.ts';
import { stepDecay } from '../optim/schedule.ts';
import type { Phase } from './phase.ts';

export interface SegmentationOptions {
  steps: number;
  /** Labelled images per step. */
  batch: number;
  /** Train on squares of the images in place of whole ones. */
  crop: boolean;
  optimizer: 'sgd' | 'adam';
  /** Learning rate of the decoder. */
  lr: number;
  /** Learning rate of the encoder. */
  encoderLr: number;
  weightDecay: number;
  /** Largest global norm of the gradient. */
  clip: number;
}

/** Images [N,H,W,3] in [0, 1] and labels [N,H,W]. */
export const labelledInputs = ({ n, height, width, images, labels }: LabelledBatch) => ({
  images: new HostTensor(images, [n, height, width, 3], 'unorm8'),
  labels: new HostTensor(labels, [n, height, width], 'uint8'),
});

export type LabelledInputs = ReturnType<typeof labelledInputs>;

/**
 * The optimiser of a segmentation model: one rate for the encoder, one for the rest (Three Ways, experiments.py).
 * @param more groups with rates of their own.
 */
export function segmentationOptimizer(
  model: Pick<SegmentationModel, 'parameters'>,
  options: SegmentationOptions,
  more: readonly ParameterGroup[] = [],
): Adam | Sgd {
  const named = Object.entries(model.parameters());
  const part = (encoder: boolean) =>
    named.filter(([name]) => name.startsWith('encoder.') === encoder).map(([, p]) => p);
  const { weightDecay } = options;
  const groups = [
    { params: part(true), lr: options.encoderLr, weightDecay },
    { params: part(false), lr: options.lr, weightDecay },
    ...more,
  ];
  return options.optimizer === 'sgd' ? new Sgd(groups, { momentum: 0.9 }) : new Adam(groups);
}

/** Share of the steps after which the learning rate falls to a tenth (30k of 40k in Three Ways). */
export const segmentationSchedule = (steps: number) => stepDecay([Math.floor(0.75 * steps)], 0.1);

/** Cross-entropy on the labelled frames. */
export class SupervisedPhase implements Phase<LabelledBatch, LabelledInputs> {
  readonly name = 'supervised';
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly optimizer: Adam | Sgd;
  readonly #model: SegmentationModel;
  readonly #refs: readonly FrameRef[];
  readonly #options: SegmentationOptions;
  readonly #seed: number;

  constructor(
    model: SegmentationModel,
    refs: readonly FrameRef[],
    options: SegmentationOptions,
    seed: number,
  ) {
    this.#model = model;
    this.#refs = refs;
    this.#options = options;
    this.#seed = seed;
    this.steps = options.steps;
    this.imagesPerStep = options.batch;
    this.optimizer = segmentationOptimizer(model, options);
  }

  load(step: number): Promise<LabelledBatch> {
    const { batch, crop } = this.#options;
    const refs = pickFrames(this.#refs, batch, this.#seed, 2, step);
    return labelledBatch(refs, { seed: this.#seed, step, flip: true, crop, labelled: () => true });
  }

  inputs(batch: LabelledBatch, step: number): LabelledInputs {
    this.optimizer.advance(segmentationSchedule(this.steps)(step));
    return labelledInputs(batch);
  }

  train({ images, labels }: Uploaded<LabelledInputs>): Record<string, Tensor> {
    const [loss, gradients] = valueAndGrad(
      () => crossEntropy(this.#model.logits(images, true), labels),
      this.optimizer.params,
    );
    const { scale, norm } = clipByGlobalNorm(gradients, this.#options.clip);
    this.optimizer.apply(gradients, scale);
    return { loss, gradientNorm: norm };
  }
}
