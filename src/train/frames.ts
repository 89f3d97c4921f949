// The frames of a run: which data sets are opened, whose labels may be used, and what is refused.
import { allFrames, type FrameRef, videoFrames } from '../data/batch.ts';
import { openDataset, workingSize } from '../data/open.ts';
import { sourceFrames } from '../data/relabel.ts';
import { labelSubset } from '../data/sampler.ts';
import { type ClassInfo, DataError, type Dataset, type Split } from '../data/types.ts';
import type { SelectionMethod } from '../methods/choices.ts';
import type { FrameSets } from '../methods/threeWays.ts';
import { type Config, ConfigError } from './config.ts';

/**
 * Opens a data set at the working size: about `pixels` pixels, the data's own aspect, multiples of 32. What is to be scored
 * on the test split has that as `val`, where there is one.
 */
export async function openAtWorkingSize(
  spec: string,
  config: Pick<Config, 'pixels' | 'evaluation'>,
): Promise<Dataset> {
  const stored = await openDataset(spec, {});
  const dataset = await openDataset(spec, workingSize(stored.width, stored.height, config.pixels));
  return config.evaluation === 'test' && dataset.test ? { ...dataset, val: dataset.test } : dataset;
}

/** @throws DataError where `evaluation` names a split that the data do not have */
export function checkEvaluation({ spec, test }: Dataset, { evaluation }: Config): void {
  if (evaluation === 'test' && !test)
    throw new DataError(
      `${spec}: has no test split to score (evaluation=test). --set evaluation=val, and eval --split val, score its val split`,
    );
}

/** Labelled and unlabelled frames as the configuration names them, or else as chance picks them. */
export interface LabelledData extends FrameSets {
  dataset: Dataset;
  /** Every training frame: what a choice of images to annotate chooses from. */
  candidates: FrameRef[];
  /** The sets when these of `candidates` are labelled. */
  among(chosen: readonly number[]): FrameSets;
}

const trim = <T>(list: T[], most: number | null): T[] => (most === null ? list : list.slice(0, most));

/** Some of n indices, in their order, and the others. */
function partition(n: number, labelled: readonly number[]): { labelled: number[]; rest: number[] } {
  const taken = new Set(labelled);
  return {
    labelled: [...labelled],
    rest: Array.from({ length: n }, (_, i) => i).filter((i) => !taken.has(i)),
  };
}

/** @throws DataError on an id that is not a training frame, or that comes twice */
function indicesOf(ids: readonly string[], { train, spec }: Dataset): number[] {
  const index = new Map(Array.from({ length: train.length }, (_, i) => [train.id(i), i]));
  return ids.map((id, k) => {
    const found = index.get(id);
    if (found === undefined) {
      throw new DataError(
        `${spec}: labelIds names '${id}', which is none of the ${train.length} training frames; the first is '${train.id(0)}'`,
      );
    }
    if (ids.indexOf(id) !== k) throw new DataError(`${spec}: labelIds names '${id}' twice`);
    return found;
  });
}

/**
 * What data are opened for. `score`: to look at with what a run has learned, so that none are needed to learn from. A list of classes: to
 * predict them in images that come from elsewhere, so that no data are opened at all.
 */
export type Purpose = 'train' | 'score' | readonly ClassInfo[];

const NO_FRAMES: Split = {
  ...{ length: 0, hasLabels: false, hasDepth: false, hasPoses: false, intrinsics: null },
  id: (index) => {
    throw new RangeError(`frame ${index} of none`);
  },
  neighbours: () => null,
  load: async (index) => {
    throw new RangeError(`frame ${index} of none`);
  },
};

/** A data set of which nothing is known but its classes. */
const withoutFrames = (classes: readonly ClassInfo[]): Dataset => ({
  ...{ spec: 'none', title: 'no data', classes, width: 0, height: 0 },
  ...{ train: NO_FRAMES, val: NO_FRAMES, unlabelled: NO_FRAMES, test: NO_FRAMES },
});

const NO_SETS: FrameSets = { labelled: [], unlabelled: [] };
const withoutSets = (dataset: Dataset): LabelledData => ({
  dataset,
  ...NO_SETS,
  candidates: [],
  among: () => NO_SETS,
});

/** @param least labelled images that the recipe can do with. */
export async function openLabelled(config: Config, purpose: Purpose, least = 1): Promise<LabelledData> {
  if (typeof purpose !== 'string') return withoutSets(withoutFrames(purpose));
  const dataset = await openAtWorkingSize(config.data, config);
  checkEvaluation(dataset, config);
  if (!dataset.train.hasLabels) {
    throw new DataError(`${config.data}: has no labels; segmentation needs them. 'depth' trains without.`);
  }
  if (purpose === 'score') {
    if (!dataset.val.hasLabels)
      throw new DataError(`${config.data}: its ${config.evaluation} split has no labels to score against`);
    return withoutSets(dataset);
  }
  const frames = allFrames(dataset.train);
  const named = config.labelIds && indicesOf(config.labelIds, dataset);
  const most = named?.length ?? frames.length;
  const count = config.labels ?? most;
  if (count < least) {
    throw new ConfigError(
      `labels is ${count}; expected at least ${least}. Without labelled images of its own 'three-ways-da' trains, from those of ` +
        'another domain (--set source=SPEC).',
    );
  }
  if (count > most) {
    throw new DataError(
      `${config.data}: --labels ${count}, but ` +
        (named ? `labelIds names ${most} images` : `the training split has ${most} labelled images`),
    );
  }
  const { labelled, rest } = named
    ? partition(frames.length, named.slice(0, count))
    : labelSubset(frames.length, count, config.seed);
  const { width, height } = dataset;
  const other = config.unlabeled
    ? (await openDataset(config.unlabeled, { width, height })).unlabelled
    : dataset.unlabelled;
  // Where a data set has no unlabelled frames of its own, its training frames stand in; they are in `rest` already.
  const extra = other === dataset.train ? [] : allFrames(other);
  const sets = (labelled: readonly number[], rest: readonly number[]): FrameSets => ({
    labelled: trim(
      labelled.map((i) => frames[i]),
      config.overfit,
    ),
    unlabelled: trim([...rest.map((i) => frames[i]), ...extra], config.overfit),
  });
  return {
    dataset,
    ...sets(labelled, rest),
    candidates: frames,
    among(chosen) {
      const { labelled, rest } = partition(frames.length, chosen);
      return sets(labelled, rest);
    },
  };
}

/** Frames with a known camera and a neighbour before and after. */
function filmedFrames({ train, unlabelled }: Dataset): FrameRef[] {
  const splits = [...new Set([train, unlabelled])];
  return splits.flatMap((split) => (split.intrinsics ? videoFrames(allFrames(split)) : []));
}

export async function openVideo(
  config: Config,
  purpose: Purpose,
): Promise<{ dataset: Dataset; refs: FrameRef[] }> {
  if (typeof purpose !== 'string') return { dataset: withoutFrames([]), refs: [] };
  const spec = config.video ?? config.data;
  const dataset = await openAtWorkingSize(spec, config);
  if (purpose === 'score') return { dataset, refs: [] };
  const refs = filmedFrames(dataset);
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

/** A target domain, a labelled source domain in its classes and at its size, and video for one depth network. */
export interface Domains {
  target: LabelledData;
  /** Null where nothing is learned. */
  source: { dataset: Dataset; refs: FrameRef[] } | null;
  /** Null where nothing is learned, and where the depth network comes from an earlier run. */
  video: FrameRef[] | null;
}

/** @throws ConfigError or DataError naming what is missing and what would work */
export async function openDomains(config: Config, purpose: Purpose): Promise<Domains> {
  const { source: spec, data, method, overfit } = config;
  if (spec === null) {
    throw new ConfigError(
      'source: missing; three-ways-da learns from a labelled source domain beside the target domain of --data. Give ' +
        "--set source=SPEC, such as source=street, or train 'three-ways' on the target alone.",
    );
  }
  if (method.multitask || method.selection !== 'random') {
    const which = method.multitask ? 'method.multitask=true' : `method.selection=${method.selection}`;
    const instead = method.multitask
      ? "leave method.multitask=false, or train 'three-ways'"
      : "run 'warpmix select' and give its list with --labels-file";
    throw new ConfigError(`${which}: not with three-ways-da; ${instead}`);
  }
  const target = await openLabelled(config, purpose, 0);
  if (purpose !== 'train') return { target, source: null, video: null };
  checkMixable(config, target);
  const { width, height } = target.dataset;
  const dataset = await openDataset(spec, { width, height });
  const source = { dataset, refs: trim(allFrames(sourceFrames(dataset, target.dataset)), overfit) };
  if (config.depth.from !== null) return { target, source, video: null };
  if (config.video !== null) return { target, source, video: (await openVideo(config, purpose)).refs };
  const video = [dataset, target.dataset].flatMap(filmedFrames);
  if (video.length < config.depth.batch) {
    throw new DataError(
      `source ${spec} and target ${data}: ${video.length} frames with a known camera and a neighbour before and after; ` +
        `self-supervised depth needs at least ${config.depth.batch}. Name a video with --set video=SPEC.`,
    );
  }
  return { target, source, video: trim(video, overfit) };
}

/** Whether anything of `method` looks at depth; otherwise no video is needed. */
export const needsDepth = ({ transfer, mix, selection }: Config['method']): boolean =>
  transfer !== 'scratch' || mix === 'depthmix' || looksAtDepth(selection);

/** Whether images are chosen by what a depth network sees in them. */
export const looksAtDepth = (selection: SelectionMethod): boolean =>
  selection === 'diversity' || selection === 'uncertainty' || selection === 'both';

/** @throws ConfigError where there is nothing to choose, or a choice already */
export function checkSelection({ method, labels, labelIds }: Config): void {
  const { selection } = method;
  if (selection === 'random') return;
  if (labelIds) {
    throw new ConfigError(
      `method.selection=${selection} with labelIds (--labels-file): the images are chosen already; leave one of them out`,
    );
  }
  if (labels === null) {
    throw new ConfigError(`method.selection=${selection}: how many images are to be chosen? Give --labels N`);
  }
}

/**
 * The multi-task network sees depth on every frame.
 * @throws ConfigError or DataError naming what is missing and what would work
 */
export function checkMultiTask(config: Config, { labelled, unlabelled }: LabelledData): void {
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
export function checkMixable(config: Config, { labelled, unlabelled }: LabelledData): void {
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
