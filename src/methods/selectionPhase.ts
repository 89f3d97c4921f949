// The growing subset of label_selection.py (Three Ways): at each stage a student learns from scratch on the images chosen so far,
// scores the others, and with its scores the subset grows to the next size.
import { type Uploaded, upload } from '../autograd/program.ts';
import { noGrad, valueAndGrad } from '../autograd/tape.ts';
import { keep, step as scope, type Tensor, tensor } from '../autograd/tensor.ts';
import { type FrameRef, type LabelledBatch, labelledBatch, pickFrames } from '../data/batch.ts';
import { labelSubset } from '../data/sampler.ts';
import { DataError } from '../data/types.ts';
import { type DepthModel, DisparityModel, type ModelConfig, SegmentationModel } from '../models/models.ts';
import { copyState, Initializer, type Module } from '../nn/module.ts';
import { crossEntropy } from '../ops/crossEntropy.ts';
import { normalizeDisparity } from '../ops/depthmix.ts';
import { Adam, type Sgd } from '../optim/optimizer.ts';
import { polynomial } from '../optim/schedule.ts';
import type { SelectionMethod } from './choices.ts';
import type { Phase } from './phase.ts';
import {
  depthDisagreement,
  depthFeatures,
  distillationLoss,
  furthestFirst,
  highest,
  pixelEntropy,
  type Reason,
  stageSizes,
  standardize,
} from './selection.ts';
import {
  type LabelledInputs,
  labelledInputs,
  type SegmentationOptions,
  segmentationOptimizer,
} from './supervised.ts';

export interface SelectionOptions {
  /** Images chosen before the first student learns. */
  first: number;
  /** Steps of the first student; the k-th learns k times as long. */
  steps: number;
  /** Images per step. */
  batch: number;
  /** Weight of the uncertainty beside distances between features of 8192 numbers; shorter ones scale it down. */
  uncertaintyWeight: number;
}

/** A chosen image, and why. */
export interface Choice extends Reason {
  /** Size that the subset was growing to. */
  stage: number;
}

/** Learns from the chosen images, and scores others by how little it knows about them. */
export interface Student {
  module: Module;
  optimizer: Adam | Sgd;
  /** The module as it was before it learned. */
  fresh(): Module;
  loss(images: Tensor, labels: Tensor): Tensor;
  /** Per image, [N]. */
  scores(images: Tensor): Tensor;
}

/** Learns the depth that a teacher sees; the images need no labels. Adam at the teacher's rate. */
export function depthStudent(teacher: DepthModel, config: ModelConfig, lr: number, seed: number): Student {
  const fresh = () => new DisparityModel(new Initializer(seed), config);
  const module = fresh();
  const truth = (images: Tensor) => noGrad(() => normalizeDisparity(teacher.disparities(images, false)[0]));
  return {
    module,
    fresh,
    optimizer: new Adam([{ params: Object.values(module.parameters()), lr }]),
    loss: (images) => distillationLoss(module.disparity(images, true), truth(images)),
    scores: (images) => depthDisagreement(module.disparity(images, false), truth(images)),
  };
}

/** Learns the labels of the chosen images. */
export function segmentationStudent(
  config: ModelConfig,
  classes: number,
  options: SegmentationOptions,
  seed: number,
): Student {
  const fresh = () => new SegmentationModel(new Initializer(seed), config, classes);
  const module = fresh();
  return {
    module,
    fresh,
    optimizer: segmentationOptimizer(module, options),
    loss: (images, labels) => crossEntropy(module.logits(images, true), labels),
    scores: (images) => pixelEntropy(module.logits(images, false)),
  };
}

// Images per batch where nothing is trained; statistics are fixed, so it does not change results.
const SCORED_AT_ONCE = 4;
/** Dimensions of the features for which the released code weighs uncertainty. */
const RELEASED_DIMENSIONS = 8192;
/** Numbers that are kept of a choice, -1 where there is none. */
const FIELDS = ['index', 'stage', 'distance', 'nearest', 'uncertainty'] as const;

/** Runs a network over frames as they are, and reads what it says: one array per frame. */
export async function overFrames(
  refs: readonly FrameRef[],
  fn: (images: Tensor) => Tensor,
): Promise<number[][]> {
  const rows: number[][] = [];
  for (let at = 0; at < refs.length; at += SCORED_AT_ONCE) {
    const some = refs.slice(at, at + SCORED_AT_ONCE);
    const batch = await labelledBatch(some, {
      ...{ seed: 0, step: 0, flip: false, crop: false },
      labelled: () => false,
    });
    const said = scope(() => noGrad(() => fn(upload(labelledInputs(batch)).images)));
    const values = Array.from(await said.data());
    said.dispose();
    const each = values.length / some.length;
    for (let i = 0; i < some.length; i++) rows.push(values.slice(i * each, (i + 1) * each));
  }
  return rows;
}

/**
 * A subset that grows to `budget` images. Its students train in `stages`, which come before whatever uses the choice; what is chosen
 * lives in a tensor, so that a checkpoint holds it.
 */
export class GrowingSelection {
  readonly stages: StudentPhase[];
  readonly #method: SelectionMethod;
  readonly #refs: readonly FrameRef[];
  readonly #budget: number;
  readonly #options: SelectionOptions;
  readonly #seed: number;
  readonly #depth: DepthModel | null;
  readonly #student: Student | null;
  readonly #choices: Tensor;
  #features: Float64Array[] | null = null;

  /**
   * @param refs the frames to choose from. @param budget at most as many.
   * @param depth for `diversity` and `both`. @param student for `uncertainty`, `both` and `entropy`.
   */
  constructor(
    method: SelectionMethod,
    refs: readonly FrameRef[],
    budget: number,
    options: SelectionOptions,
    seed: number,
    depth: DepthModel | null,
    student: Student | null,
  ) {
    this.#method = method;
    this.#refs = refs;
    this.#budget = budget;
    this.#options = options;
    this.#seed = seed;
    this.#depth = depth;
    this.#student = student;
    this.#choices = keep(tensor(new Float32Array(budget * FIELDS.length).fill(-1), [budget, FIELDS.length]));
    const sizes = student ? stageSizes(options.first, budget).slice(0, -1) : [];
    this.stages = sizes.map(
      (size, k) => new StudentPhase(this, student!, size, (k + 1) * options.steps, options, seed),
    );
  }

  /** What a checkpoint must hold. */
  state(): Record<string, Record<string, Tensor>> {
    return {
      selection: { choices: this.#choices },
      ...(this.#student && {
        'selection-student': this.#student.module.state(),
        'selection-optimizer': this.#student.optimizer.state(),
      }),
    };
  }

  /** What has been chosen so far, in the order of choice. */
  async choices(): Promise<Choice[]> {
    const values = Array.from(await this.#choices.data());
    const choices: Choice[] = [];
    for (let at = 0; at < values.length && values[at] >= 0; at += FIELDS.length) {
      const [index, stage, distance, nearest, uncertainty] = values.slice(at, at + FIELDS.length);
      const known = (value: number) => (value < 0 ? null : value);
      choices.push({
        index,
        stage,
        distance: known(distance),
        nearest: known(nearest),
        uncertainty: known(uncertainty),
      });
    }
    return choices;
  }

  /**
   * Lets the subset grow to `size` images, if it is smaller, by what the student of the last stage knows.
   * @returns the first `size` of the chosen frames.
   * @throws DataError when there are not that many different images.
   */
  async grown(size = this.#budget): Promise<FrameRef[]> {
    const before = await this.choices();
    if (before.length >= size) return before.slice(0, size).map(({ index }) => this.#refs[index]);
    const added = await this.#next(
      before.map(({ index }) => index),
      size - before.length,
    );
    const all = [...before, ...added.map((reason) => ({ ...reason, stage: size }))];
    if (all.length < size) {
      throw new DataError(
        `selection by ${this.#method}: ${all.length} different images among ${this.#refs.length}, ${size} were asked for; ` +
          'the rest are copies of those',
      );
    }
    const values = new Float32Array(this.#choices.size).fill(-1);
    all.forEach((choice, k) => {
      values.set(
        FIELDS.map((field) => choice[field] ?? -1),
        k * FIELDS.length,
      );
    });
    this.#choices.assign(values);
    return all.map(({ index }) => this.#refs[index]);
  }

  async #next(chosen: readonly number[], count: number): Promise<Reason[]> {
    const method = this.#method;
    const none = { distance: null, nearest: null, uncertainty: null };
    const started = chosen.length > 0;
    if (method === 'random' || (!started && method !== 'diversity' && method !== 'both')) {
      const { labelled } = labelSubset(this.#refs.length, chosen.length + count, this.#seed);
      return labelled.slice(chosen.length).map((index) => ({ index, ...none }));
    }
    const scores = started && this.#student ? await this.#scores() : null;
    if (method === 'uncertainty' || method === 'entropy') return highest(scores!, chosen, count);
    const features = await this.#standardized();
    const weight = this.#options.uncertaintyWeight * Math.sqrt(features[0].length / RELEASED_DIMENSIONS);
    const first = started ? [] : labelSubset(this.#refs.length, 1, this.#seed).labelled;
    const added = furthestFirst(
      features,
      [...chosen, ...first],
      count - first.length,
      scores?.map((score) => weight * score),
    );
    return [
      ...first.map((index) => ({ index, ...none })),
      ...added.map((reason) => ({ ...reason, uncertainty: scores ? scores[reason.index] : null })),
    ];
  }

  async #scores(): Promise<number[]> {
    const rows = await overFrames(this.#refs, this.#student!.scores);
    return rows.map(([score]) => score);
  }

  async #standardized(): Promise<Float64Array[]> {
    if (!this.#features) {
      let channels = 1;
      const rows = await overFrames(this.#refs, (images) => {
        const features = depthFeatures(this.#depth!, images);
        channels = features.shape[3];
        return features;
      });
      this.#features = standardize(rows, channels);
    }
    return this.#features;
  }
}

type StudentInputs = { batch: LabelledInputs };

/** Trains the student from scratch on the first `size` images of a selection. */
export class StudentPhase implements Phase<LabelledBatch, StudentInputs> {
  readonly name: string;
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly #selection: GrowingSelection;
  readonly #student: Student;
  readonly #size: number;
  readonly #seed: number;
  #chosen: Promise<FrameRef[]> | null = null;

  constructor(
    selection: GrowingSelection,
    student: Student,
    size: number,
    steps: number,
    { batch }: SelectionOptions,
    seed: number,
  ) {
    this.name = `select-${size}`;
    this.steps = steps;
    this.imagesPerStep = batch;
    this.#selection = selection;
    this.#student = student;
    this.#size = size;
    this.#seed = seed;
  }

  get optimizer(): Adam | Sgd {
    return this.#student.optimizer;
  }

  /** Chooses with the student as it is, then has it forget everything. */
  async begin(): Promise<void> {
    await this.#selection.grown(this.#size);
    const fresh = this.#student.fresh();
    await copyState(fresh.state(), this.#student.module.state());
    for (const one of Object.values(fresh.state())) one.dispose();
    for (const slot of Object.values(this.optimizer.state())) slot.assign(new Float32Array(slot.size));
  }

  async load(step: number): Promise<LabelledBatch> {
    this.#chosen ??= this.#selection.grown(this.#size);
    const some = pickFrames(await this.#chosen, this.imagesPerStep, this.#seed, 4, step);
    return labelledBatch(some, {
      ...{ seed: this.#seed, step, flip: true, crop: false },
      labelled: () => true,
    });
  }

  inputs(batch: LabelledBatch, step: number): StudentInputs {
    this.optimizer.advance(polynomial(this.steps)(step));
    return { batch: labelledInputs(batch) };
  }

  train({ batch }: Uploaded<StudentInputs>): Record<string, Tensor> {
    const [loss, gradients] = valueAndGrad(
      () => this.#student.loss(batch.images, batch.labels),
      this.optimizer.params,
    );
    this.optimizer.apply(gradients);
    return { loss };
  }
}
