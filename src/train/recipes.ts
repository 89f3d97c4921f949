// Recipes: which networks, which data, which phases in which order. A method's own ideas are in src/methods.

import type { FrameRef } from '../data/batch.ts';
import { DataError } from '../data/types.ts';
import { CrossDomainPhase } from '../methods/crossDomain.ts';
import { depthStages } from '../methods/depthStages.ts';
import { MultiTaskPhase } from '../methods/multiTask.ts';
import { SupervisedPhase } from '../methods/supervised.ts';
import { type FrameSets, ThreeWaysPhase } from '../methods/threeWays.ts';
import { transferWeights } from '../methods/transfer.ts';
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
import {
  checkEvaluation,
  checkMixable,
  checkMultiTask,
  checkSelection,
  type LabelledData,
  needsDepth,
  openDomains,
  openLabelled,
  openVideo,
  type Purpose,
} from './frames.ts';
import {
  crossDomainGalleries,
  depthGalleries,
  mixtureGalleries,
  segmentationGalleries,
  selectionGallery,
} from './galleries.ts';
import { restore } from './loop.ts';
import type { Network, Outcome, Plan } from './plan.ts';
import { selectionBy } from './selecting.ts';
import { checkWeights, loadWeights } from './weights.ts';

const depthOutcome = (evaluation: DepthEvaluation): Outcome => ({
  metrics: {
    absRel: evaluation.ours?.absRel ?? null,
    mirroredAbsRel: evaluation.mirrored?.absRel ?? null,
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

/** Drawn by itself, so that every recipe trains the depth network that `depth` trains at the same seed. */
const drawDepth = ({ seed, model }: Config) => new DepthModel(new Initializer(seed), model);

const depthNetwork = (model: DepthModel): Network => ({
  name: 'depth',
  module: model,
  forward: (x) => {
    model.disparities(x, false);
    model.pose.apply(x, x, false);
  },
});

const segmentationNetwork = (model: SegmentationModel): Network => ({
  name: 'segmentation',
  module: model,
  forward: (x) => void model.logits(x, false),
});

/**
 * Puts the depth network of an earlier run into `model`.
 * @throws DataError where there is none, or one of another shape
 */
async function loadDepth(model: DepthModel, from: string): Promise<void> {
  // Loaded on demand: a browser bundle has no file system to import.
  const { depthCheckpoint } = await import('./checkpoint.ts');
  const checkpoint = depthCheckpoint(from);
  try {
    restore({ state: { depth: model.state() } }, checkpoint);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(
      `depth.from=${from}: ${error.message}; its 'model' settings must be those of this run`,
    );
  }
}

/** How a run comes by its depth network: phases that train it, or an earlier run that it is taken from. */
function depthStart(
  model: DepthModel,
  refs: readonly FrameRef[] | null,
  { depth, seed }: Config,
): Pick<Plan, 'phases' | 'state' | 'begin'> {
  const { from } = depth;
  if (from !== null) {
    return { phases: [], state: {}, begin: () => loadDepth(model, from) };
  }
  const stages = depthStages(model, refs!, depth, seed);
  return {
    phases: stages.phases,
    state: { 'depth-optimizer': stages.main.optimizer.state(), ...stages.state },
  };
}

/** Self-supervised depth from video (Monodepth2). */
export async function depthRecipe(config: Config, purpose: Purpose = 'train'): Promise<Plan> {
  if (config.depth.from !== null) {
    throw new ConfigError(
      `depth.from=${config.depth.from}: recipe 'depth' trains its own network; leave it out, or name a recipe that starts from one`,
    );
  }
  checkWeights(config, true);
  const { dataset, refs } = await openVideo(config, purpose);
  checkEvaluation(dataset, config);
  const model = drawDepth(config);
  const stages = depthStages(model, refs, config.depth, config.seed);
  return {
    pixels: config.pixels,
    about: `Self-supervised depth from ${refs.length} video frames of ${dataset.title}.`,
    classes: [],
    networks: [depthNetwork(model)],
    phases: stages.phases,
    begin: async (told) => (await loadWeights(config, [model.encoder], model)).forEach(told),
    state: { depth: model.state(), optimizer: stages.main.optimizer.state(), ...stages.state },
    evaluate: async () => depthOutcome(await evaluateDepth(model, dataset.val, config.depth)),
    predict: (x) => ({ disparity: model.disparities(x, false)[0] }),
    galleries: () => depthGalleries(model, dataset.val, config.depth),
  };
}

/** Cross-entropy on the labelled images, from random weights or from the depth network of an earlier run. */
export async function supervisedRecipe(config: Config, purpose: Purpose = 'train'): Promise<Plan> {
  if (config.method.selection !== 'random') {
    throw new ConfigError(
      `method.selection=${config.method.selection}: 'supervised' has nothing to choose by; run 'warpmix select' and give its ` +
        'list with --labels-file',
    );
  }
  checkWeights(config, false);
  const { dataset, labelled } = await openLabelled(config, purpose);
  const classes = dataset.classes;
  const init = new Initializer(config.seed);
  const model = new SegmentationModel(init, config.model, classes.length);
  const { from } = config.depth;
  const { transfer } = config.method;
  const starts = from !== null && transfer !== 'scratch';
  const phase = new SupervisedPhase(model, labelled, config.segmentation, config.seed);
  return {
    pixels: config.pixels,
    about:
      `Segmentation of ${dataset.title} from ${labelled.length} labelled images alone` +
      `${starts ? `, with the ${transfer} pre-trained on depth in ${from}` : ''}.`,
    classes,
    networks: [segmentationNetwork(model)],
    phases: [phase],
    begin: async (told) => {
      (await loadWeights(config, [model.encoder], null)).forEach(told);
      if (!starts) return;
      const depth = new DepthModel(init, config.model);
      await loadDepth(depth, from);
      await transferWeights(depth.state(), model.state(), transfer);
      for (const tensor of Object.values(depth.state())) tensor.dispose();
    },
    state: { segmentation: model.state(), optimizer: phase.optimizer.state() },
    evaluate: async () => segmentationOutcome(await evaluateSegmentation(model, dataset.val, classes)),
    predict: (x) => ({ logits: model.logits(x, false) }),
    galleries: () => segmentationGalleries(model, dataset.val, classes),
  };
}

/** The last phase of Three Ways, with one network for both tasks or one for each. */
function meanTeacher(
  config: Config,
  { dataset }: LabelledData,
  init: Initializer,
  depthModel: () => DepthModel | null,
  frames: () => Promise<FrameSets>,
) {
  const classes = dataset.classes.length;
  const options = { ...config.segmentation, ...config.method };
  // The student is drawn first, so that it starts from the weights that `supervised` starts from at the same seed.
  if (config.method.multitask) {
    const student = new MultiTaskModel(init, config.model, classes);
    const teacher = new MultiTaskModel(init, config.model, classes);
    const depth = depthModel()!;
    const { depth: depthOptions, seed } = config;
    const phase = new MultiTaskPhase(student, teacher, depth, frames, classes, options, depthOptions, seed);
    // What predicts depth in the end.
    const sees = { disparities: student.disparities.bind(student), pose: depth.pose };
    const network: Network = {
      name: 'multi-task',
      module: student,
      forward: (x) => void student.outputs(x, false),
    };
    return { depth, phase, student, teacher, sees, network };
  }
  const student = new SegmentationModel(init, config.model, classes);
  const teacher = new SegmentationModel(init, config.model, classes);
  const depth = depthModel();
  const phase = new ThreeWaysPhase(student, teacher, depth, frames, classes, options, config.seed);
  return { depth, phase, student, teacher, sees: depth, network: segmentationNetwork(student) };
}

/** Depth pre-training, choice of the labelled images, transfer, and a mean teacher with mixed images (Three Ways). */
export async function threeWaysRecipe(config: Config, purpose: Purpose = 'train'): Promise<Plan> {
  const { method, seed } = config;
  checkSelection(config);
  const withDepth = needsDepth(method);
  checkWeights(config, withDepth);
  const video = withDepth && config.depth.from === null ? await openVideo(config, purpose) : null;
  const data = await openLabelled(config, purpose);
  const { dataset, labelled, unlabelled, candidates } = data;
  if (purpose === 'train') {
    checkMixable(config, data);
    if (method.multitask) checkMultiTask(config, data);
  }
  const classes = dataset.classes;
  const init = new Initializer(seed);
  let chosen: Promise<FrameSets> | null = null;
  const frames = () => {
    chosen ??= selection
      ? selection.grown().then((refs) => data.among(refs.map(({ index }) => index)))
      : Promise.resolve(data);
    return chosen;
  };
  const { depth, phase, student, teacher, sees, network } = meanTeacher(
    config,
    data,
    init,
    () => (withDepth ? drawDepth(config) : null),
    frames,
  );
  // The multi-task phase has a loss of its own, whatever depth was trained with before.
  const depthOptions = method.multitask
    ? { ...config.depth, reprojection: 'minimum' as const }
    : config.depth;
  const start = depth && depthStart(depth, video?.refs ?? null, config);
  const filmed = video?.dataset ?? dataset;
  const selection =
    method.selection === 'random'
      ? null
      : selectionBy(method.selection, candidates, config.labels!, config, depth, classes.length);
  return {
    pixels: config.pixels,
    about:
      `Segmentation of ${dataset.title} from ${labelled.length} labelled and ${unlabelled.length} unlabelled images` +
      `${selection ? `, chosen by ${method.selection}` : ''}` +
      `${video ? `, with networks pre-trained on depth from ${video.refs.length} video frames` : ''}` +
      `${depth && !video ? `, with networks pre-trained on depth in ${config.depth.from}` : ''}.`,
    classes,
    networks: [...(depth ? [depthNetwork(depth)] : []), network],
    teacher,
    phases: [...(start?.phases ?? []), ...(selection?.stages ?? []), phase],
    begin: async (told) => {
      await start?.begin?.(told);
      (await loadWeights(config, [student.encoder, ...(depth ? [depth.encoder] : [])], depth)).forEach(told);
    },
    state: {
      ...(depth && { depth: depth.state() }),
      segmentation: student.state(),
      teacher: teacher.state(),
      ...start?.state,
      optimizer: phase.optimizer.state(),
      ...selection?.state(),
    },
    evaluate: async () => {
      const labels = segmentationOutcome(await evaluateSegmentation(student, dataset.val, classes));
      if (!sees || !filmed.val.hasDepth) return labels;
      const measured = depthOutcome(await evaluateDepth(sees, filmed.val, config.depth));
      return { ...labels, ...measured, metrics: { ...labels.metrics, ...measured.metrics } };
    },
    predict: (x) => ({
      logits: student.logits(x, false),
      ...(sees && { disparity: sees.disparities(x, false)[0] }),
    }),
    galleries: async () => [
      ...(await segmentationGalleries(student, dataset.val, classes)),
      // Before the images are chosen there is nothing to mix, and asking for it would choose them.
      ...(!selection || (await selection.choices()).length === config.labels
        ? await mixtureGalleries(phase, method.mix, classes)
        : []),
      ...(selection ? [await selectionGallery(selection, method.selection, candidates, depth)] : []),
      ...(sees && filmed.val.intrinsics ? await depthGalleries(sees, filmed.val, depthOptions) : []),
    ],
  };
}

/** Depth from the video of both domains, transfer, and a mean teacher with mixtures across the domains and within the target. */
export async function threeWaysDaRecipe(config: Config, purpose: Purpose = 'train'): Promise<Plan> {
  const { method, seed } = config;
  checkWeights(config, true);
  const { target, source, video } = await openDomains(config, purpose);
  const { dataset, labelled, unlabelled } = target;
  const classes = dataset.classes;
  const init = new Initializer(seed);
  const student = new SegmentationModel(init, config.model, classes.length);
  const teacher = new SegmentationModel(init, config.model, classes.length);
  const depth = drawDepth(config);
  const start = depthStart(depth, video, config);
  const phase = new CrossDomainPhase(
    student,
    teacher,
    depth,
    source?.refs ?? [],
    target,
    dataset.width,
    classes.length,
    { ...config.segmentation, ...method },
    seed,
  );
  return {
    pixels: config.pixels,
    about:
      `Segmentation of ${dataset.title} from ${labelled.length} labelled and ${unlabelled.length} unlabelled images and ` +
      `${source?.refs.length} labelled images of ${source?.dataset.title}, with networks pre-trained on depth ` +
      `${video ? `from ${video.length} video frames` : `in ${config.depth.from}`}.`,
    classes,
    networks: [depthNetwork(depth), segmentationNetwork(student)],
    teacher,
    phases: [...start.phases, phase],
    begin: async (told) => {
      await start.begin?.(told);
      (await loadWeights(config, [student.encoder, depth.encoder], depth)).forEach(told);
    },
    state: {
      depth: depth.state(),
      segmentation: student.state(),
      teacher: teacher.state(),
      ...start.state,
      optimizer: phase.optimizer.state(),
    },
    evaluate: async () => {
      const labels = segmentationOutcome(await evaluateSegmentation(student, dataset.val, classes));
      if (!dataset.val.hasDepth) return labels;
      const measured = depthOutcome(await evaluateDepth(depth, dataset.val, config.depth));
      return { ...labels, ...measured, metrics: { ...labels.metrics, ...measured.metrics } };
    },
    predict: (x) => ({ logits: student.logits(x, false), disparity: depth.disparities(x, false)[0] }),
    galleries: async () => [
      ...(await segmentationGalleries(student, dataset.val, classes)),
      ...(await crossDomainGalleries(phase, classes)),
      ...(await mixtureGalleries(phase, method.mix, classes)),
      ...(await depthGalleries(depth, dataset.val, config.depth)),
    ],
  };
}
