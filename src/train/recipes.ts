// Recipes: which networks, which data, which phases in which order. A method's own ideas are in src/methods.
import { allFrames, type FrameRef, videoFrames } from '../data/batch.ts';
import { openDataset, workingSize } from '../data/open.ts';
import { labelSubset } from '../data/sampler.ts';
import { DataError, type Dataset } from '../data/types.ts';
import { depthStages } from '../methods/depthStages.ts';
import { MultiTaskPhase } from '../methods/multiTask.ts';
import { SupervisedPhase } from '../methods/supervised.ts';
import { ThreeWaysPhase } from '../methods/threeWays.ts';
import { DepthModel, SegmentationModel } from '../models/models.ts';
import { MultiTaskModel } from '../models/multiTask.ts';
import { Initializer } from '../nn/module.ts';
import { type Config, ConfigError } from './config.ts';
import {
  type DepthEvaluation,
  evaluateDepth,
  evaluateSegmentation,
  type SegmentationEvaluation,
} from './evaluate.ts';
import { depthGalleries, mixtureGalleries, segmentationGalleries } from './galleries.ts';
import type { Outcome, Plan } from './plan.ts';

/** Opens a data set at the working size: about `pixels` pixels, the data's own aspect, multiples of 32. */
export async function openAtWorkingSize(
  spec: string,
  config: Pick<Config, 'pixels' | 'seed'>,
): Promise<Dataset> {
  const stored = await openDataset(spec, {});
  return openDataset(spec, workingSize(stored.width, stored.height, config.pixels));
}

interface Data {
  dataset: Dataset;
  /** Frames whose labels may be used, and frames without (or with hidden) labels. */
  labelled: FrameRef[];
  unlabelled: FrameRef[];
}

const trim = <T>(list: T[], most: number | null): T[] => (most === null ? list : list.slice(0, most));

async function openLabelled(config: Config): Promise<Data> {
  const dataset = await openAtWorkingSize(config.data, config);
  if (!dataset.train.hasLabels) {
    throw new DataError(`${config.data}: has no labels; segmentation needs them. 'depth' trains without.`);
  }
  const frames = allFrames(dataset.train);
  const count = config.labels ?? frames.length;
  if (count > frames.length) {
    throw new DataError(
      `${config.data}: --labels ${count}, but the training split has ${frames.length} labelled images`,
    );
  }
  const { labelled, rest } = labelSubset(frames.length, count, config.seed);
  const other = config.unlabeled
    ? (await openAtWorkingSize(config.unlabeled, config)).unlabelled
    : dataset.unlabelled;
  // Where a data set has no unlabelled frames of its own, its training frames stand in; they are in `rest` already.
  const extra = other === dataset.train ? [] : allFrames(other);
  return {
    dataset,
    labelled: trim(
      labelled.map((i) => frames[i]),
      config.overfit,
    ),
    unlabelled: [...rest.map((i) => frames[i]), ...extra],
  };
}

async function openVideo(config: Config): Promise<{ dataset: Dataset; refs: FrameRef[] }> {
  const spec = config.video ?? config.data;
  const dataset = await openAtWorkingSize(spec, config);
  const splits = [...new Set([dataset.train, dataset.unlabelled])];
  const refs = splits.flatMap((split) => (split.intrinsics ? videoFrames(allFrames(split)) : []));
  if (refs.length < config.depth.batch) {
    const missing = dataset.train.intrinsics
      ? `only ${refs.length} frames with a neighbour before and after`
      : 'no camera intrinsics';
    throw new DataError(
      `${spec}: ${missing}; self-supervised depth needs video with a known camera, and at least ${config.depth.batch} ` +
        "such frames. Name a video with --set video=SPEC; without one 'supervised' works, and 'three-ways' with " +
        '--set method.transfer=scratch --set method.mix=classmix, cutmix or none.',
    );
  }
  return { dataset, refs: trim(refs, config.overfit) };
}

const depthOutcome = (evaluation: DepthEvaluation): Outcome => ({
  metrics: {
    absRel: evaluation.ours?.absRel ?? null,
    rmse: evaluation.ours?.rmse ?? null,
    a1: evaluation.ours?.a1 ?? null,
    constantAbsRel: evaluation.constant?.scores.absRel ?? null,
    roadPlaneAbsRel: evaluation.roadPlane?.scores.absRel ?? null,
  },
  depth: evaluation,
});

const segmentationOutcome = (segmentation: SegmentationEvaluation): Outcome => ({
  metrics: { miou: segmentation.scores.miou, pixelAcc: segmentation.scores.pixelAcc },
  segmentation,
});

/** Self-supervised depth from video (Monodepth2). */
export async function depthRecipe(config: Config): Promise<Plan> {
  const { dataset, refs } = await openVideo(config);
  const model = new DepthModel(new Initializer(config.seed), config.model);
  const stages = depthStages(model, refs, config.depth, config.seed);
  return {
    pixels: config.pixels,
    about: `Self-supervised depth from ${refs.length} video frames of ${dataset.title}.`,
    classes: [],
    phases: stages.phases,
    state: { depth: model.state(), optimizer: stages.main.optimizer.state(), ...stages.state },
    evaluate: async () => depthOutcome(await evaluateDepth(model, dataset.val, config.depth)),
    predict: (x) => ({ disparity: model.disparities(x, false)[0] }),
    galleries: () => depthGalleries(model, dataset.val, config.depth),
  };
}

/** Cross-entropy on the labelled images, from random weights. */
export async function supervisedRecipe(config: Config): Promise<Plan> {
  const { dataset, labelled } = await openLabelled(config);
  const classes = dataset.classes;
  const model = new SegmentationModel(new Initializer(config.seed), config.model, classes.length);
  const phase = new SupervisedPhase(model, labelled, config.segmentation, config.seed);
  return {
    pixels: config.pixels,
    about: `Segmentation of ${dataset.title} from ${labelled.length} labelled images alone.`,
    classes,
    phases: [phase],
    state: { segmentation: model.state(), optimizer: phase.optimizer.state() },
    evaluate: async () => segmentationOutcome(await evaluateSegmentation(model, dataset.val, classes)),
    predict: (x) => ({ logits: model.logits(x, false) }),
    galleries: () => segmentationGalleries(model, dataset.val, classes),
  };
}

/** Whether anything of `method` looks at depth; otherwise no video is needed. */
const needsDepth = ({ transfer, mix }: Config['method']): boolean =>
  transfer !== 'scratch' || mix === 'depthmix';

/**
 * The multi-task network sees depth on every frame.
 * @throws ConfigError or DataError naming what is missing and what would work
 */
function checkMultiTask(config: Config, { labelled, unlabelled }: Data): void {
  if (config.method.transfer !== 'encoder-decoder') {
    throw new ConfigError(
      `method.multitask=true with method.transfer=${config.method.transfer}: both decoders start from the depth network; ` +
        'set method.transfer=encoder-decoder',
    );
  }
  const instead =
    "Use data with video, or leave method.multitask=false: 'three-ways' then takes its video from --set video=SPEC.";
  const frames = [...labelled, ...unlabelled];
  const blind = frames.find(({ split }) => !split.intrinsics);
  if (blind) {
    const spec = labelled.includes(blind) ? config.data : (config.unlabeled ?? config.data);
    throw new DataError(
      `${spec}: no camera intrinsics; method.multitask learns depth on the same frames. ${instead}`,
    );
  }
  if (videoFrames(labelled).length === 0) {
    throw new DataError(
      `${config.data}: none of the ${labelled.length} labelled frames has a neighbour before and after; method.multitask ` +
        `learns depth on them. ${instead}`,
    );
  }
}

/** @throws DataError when fewer frames than a batch can be mixed */
function checkMixable(config: Config, { labelled, unlabelled }: Data): void {
  const { mixTruth, unlabelledBatch } = config.method;
  const count = unlabelled.length + (mixTruth ? labelled.length : 0);
  if (count >= unlabelledBatch) return;
  const what = mixTruth
    ? 'images to mix'
    : 'unlabelled images to mix (method.mixTruth=false leaves labelled ones out)';
  throw new DataError(
    `${config.unlabeled ?? config.data}: ${count} ${what}, fewer than the ${unlabelledBatch} of a batch ` +
      `(method.unlabelledBatch). Ask for fewer labels, name unlabelled frames with --unlabeled SPEC, or train 'supervised'.`,
  );
}

/** The last phase of Three Ways, with one network for both tasks or without. */
function meanTeacher(config: Config, data: Data, init: Initializer, depthModel: () => DepthModel | null) {
  const classes = data.dataset.classes.length;
  const options = { ...config.segmentation, ...config.method };
  // The student is drawn first, so that it starts from the weights that `supervised` starts from at the same seed.
  if (config.method.multitask) {
    const student = new MultiTaskModel(init, config.model, classes);
    const teacher = new MultiTaskModel(init, config.model, classes);
    const depth = depthModel()!;
    const phase = new MultiTaskPhase(
      student,
      teacher,
      depth,
      data,
      classes,
      options,
      config.depth,
      config.seed,
    );
    const sees = { disparities: student.disparities.bind(student), pose: depth.pose };
    return { depth, phase, student, teacher, sees };
  }
  const student = new SegmentationModel(init, config.model, classes);
  const teacher = new SegmentationModel(init, config.model, classes);
  const depth = depthModel();
  const phase = new ThreeWaysPhase(student, teacher, depth, data, classes, options, config.seed);
  return { depth, phase, student, teacher, sees: depth };
}

/** Depth pre-training, transfer, and a mean teacher with mixed images (Three Ways). */
export async function threeWaysRecipe(config: Config): Promise<Plan> {
  const { method, seed } = config;
  const video = needsDepth(method) ? await openVideo(config) : null;
  const data = await openLabelled(config);
  const { dataset, labelled, unlabelled } = data;
  checkMixable(config, data);
  if (method.multitask) checkMultiTask(config, data);
  const classes = dataset.classes;
  const init = new Initializer(seed);
  const { depth, phase, student, teacher, sees } = meanTeacher(config, data, init, () =>
    video ? new DepthModel(init, config.model) : null,
  );
  const stages = video && depth ? depthStages(depth, video.refs, config.depth, seed) : null;
  return {
    pixels: config.pixels,
    about:
      `Segmentation of ${dataset.title} from ${labelled.length} labelled and ${unlabelled.length} unlabelled images` +
      `${video ? `, with networks pre-trained on depth from ${video.refs.length} video frames` : ''}.`,
    classes,
    phases: [...(stages?.phases ?? []), phase],
    state: {
      ...(depth && { depth: depth.state() }),
      segmentation: student.state(),
      teacher: teacher.state(),
      ...(stages && { 'depth-optimizer': stages.main.optimizer.state(), ...stages.state }),
      optimizer: phase.optimizer.state(),
    },
    evaluate: async () => {
      const labels = segmentationOutcome(await evaluateSegmentation(student, dataset.val, classes));
      if (!sees || !video?.dataset.val.hasDepth) return labels;
      const measured = depthOutcome(await evaluateDepth(sees, video.dataset.val, config.depth));
      return { ...labels, ...measured, metrics: { ...labels.metrics, ...measured.metrics } };
    },
    predict: (x) => ({
      logits: student.logits(x, false),
      ...(sees && { disparity: sees.disparities(x, false)[0] }),
    }),
    galleries: async () => [
      ...(await segmentationGalleries(student, dataset.val, classes)),
      ...(await mixtureGalleries(phase, method.mix, classes)),
      ...(sees && video ? await depthGalleries(sees, video.dataset.val, config.depth) : []),
    ],
  };
}
