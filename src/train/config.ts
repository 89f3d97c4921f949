// The configuration of a run: a preset, changed by a file and by single settings, checked as a whole.
import * as z from 'zod/mini';
import '../data/zod-english.ts';
import { nearestName } from '../data/nearest.ts';
import { MIXES, SELECTIONS, TRANSFERS } from '../methods/choices.ts';
import { json } from './run-log.ts';

/** A setting is unknown, of the wrong type or out of range. Exit code 2 of the command line. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly exitCode = 2;
}

const whole = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  z.int().check(z.minimum(least), z.maximum(most));
// More than any adapter holds: without a bound a slip of the finger fills the machine's memory before the adapter can refuse it.
const MOST_IMAGES = 4096;
const MOST_PIXELS = 2 ** 24;
const positive = z.number().check(z.positive());
const five = z.tuple([whole(1), whole(1), whole(1), whole(1), whole(1)]);

/** What every setting means: checked here, and printed as docs/config.md by scripts/config-reference.ts. */
export const schema = z.strictObject({
  data: z.string().check(z.describe('Data spec of labelled training and of evaluation.')),
  unlabeled: z
    .nullable(z.string())
    .check(z.describe('Data spec of the unlabelled frames; null: those of `data`.')),
  video: z
    .nullable(z.string())
    .check(z.describe('Data spec of the video for depth; null: `data`, and `source` where there is one.')),
  source: z
    .nullable(z.string())
    .check(
      z.describe(
        'Data spec of the labelled source domain of `three-ways-da`; `data` is then the target domain.',
      ),
    ),
  labels: z
    .nullable(whole(0))
    .check(z.describe('Labelled images; null: all. None (0) for `three-ways-da` alone.')),
  labelIds: z
    .nullable(z.array(z.string()).check(z.minLength(1)))
    .check(
      z.describe(
        'Ids of the training images that are labelled, the first `labels` of them; null: chosen as `method.selection` says.',
      ),
    ),
  evaluation: z
    .enum(['val', 'test'])
    .check(z.describe('Split that is scored: `test` where the data have one (docs/data.md).')),
  seed: whole(0, 2 ** 32 - 1).check(z.describe('Of start values, order and augmentation.')),
  pixels: whole(4096, MOST_PIXELS).check(
    z.describe("Pixels of the working size, which keeps the data's aspect in multiples of 32."),
  ),
  overfit: z
    .nullable(whole(1))
    .check(
      z.describe(
        'Train on this many frames only, labelled and unlabelled ones each; null: on all. A model that cannot overfit them is broken.',
      ),
    ),
  model: z.strictObject({
    encoder: z
      .strictObject({
        widths: five.check(z.describe('Channels of the stem and of the four stages.')),
        blocks: z
          .tuple([whole(1), whole(1), whole(1), whole(1)])
          .check(z.describe('Residual blocks of each stage; 2, 2, 2, 2 is ResNet-18.')),
        block: z
          .enum(['basic', 'bottleneck'])
          .check(z.describe('Two 3x3 convolutions, as in ResNet-18, or 1x1, 3x3 and 1x1, as in ResNet-50.')),
        stem: z
          .enum(['conv7', 'conv3'])
          .check(
            z.describe(
              'First layers: a 7x7 convolution of stride 2 and max pooling, as in ResNet, or a 3x3 convolution of stride 2.',
            ),
          ),
      })
      .check(
        z.refine(
          ({ block, widths }) => block === 'basic' || widths.slice(1).every((width) => width % 4 === 0),
          'bottleneck blocks need multiples of 4 as widths of the stages',
        ),
      ),
    decoder: z.strictObject({
      widths: five.check(z.describe('Channels of the five levels, the finest first.')),
      norm: z.boolean().check(z.describe('Batch normalisation after every convolution.')),
    }),
    pose: z.strictObject({
      sees: z
        .enum(['images', 'flow'])
        .check(z.describe('What the pose network is given: two images, or the optical flow between them.')),
      width: whole(1).check(z.describe('Channels of its head.')),
      scale: positive.check(z.describe('Factor on its output: how fast pose can grow beside depth.')),
    }),
    scales: z
      .array(z.int().check(z.minimum(0), z.maximum(3)))
      .check(
        z.refine(
          (scales) => scales[0] === 0 && scales.every((scale, i) => i === 0 || scale > scales[i - 1]),
          'expected 0, full resolution, and then coarser scales, each once and in order',
        ),
      )
      .check(
        z.describe('Scales at which disparity is predicted and trained: s is 1/2^s of full resolution.'),
      ),
    scores: z
      .array(z.int().check(z.minimum(0), z.maximum(4)))
      .check(z.minLength(1))
      .check(z.refine((levels) => new Set(levels).size === levels.length, 'expected each level once'))
      .check(
        z.describe(
          'Decoder levels at which classes are predicted, to be added up; [0]: full resolution alone, as in Three Ways.',
        ),
      ),
  }),
  weights: z.strictObject({
    encoder: z
      .nullable(z.string())
      .check(
        z.describe(
          "Safetensors file of torchvision's ResNet or Monodepth2's encoder, which the encoders of depth and segmentation start from; null: random values.",
        ),
      ),
    depth: z.nullable(z.string()).check(z.describe("The same of Monodepth2's depth decoder.")),
    poseEncoder: z
      .nullable(z.string())
      .check(z.describe("The same of Monodepth2's pose encoder, or of torchvision's ResNet.")),
    pose: z.nullable(z.string()).check(z.describe("The same of Monodepth2's pose decoder.")),
  }),
  depth: z
    .strictObject({
      from: z
        .nullable(z.string())
        .check(
          z.describe(
            'Run folder whose depth network is taken as it is, in place of training one; null: train.',
          ),
        ),
      steps: whole(1).check(z.describe('Steps of the phase.')),
      batch: whole(1, MOST_IMAGES).check(
        z.describe('Images per step, each with the frame before and after it.'),
      ),
      crop: z.boolean().check(z.describe('Train on a random square of each image, of its shorter side.')),
      lr: positive.check(z.describe('Learning rate, of Adam.')),
      minDepth: positive.check(z.describe('Metres at disparity 1, up to the scale that video leaves open.')),
      maxDepth: positive.check(z.describe('The same at disparity 0.')),
      smoothness: z
        .number()
        .check(z.minimum(0))
        .check(z.describe('Weight of the edge-aware smoothness of disparity.')),
      resolution: z
        .enum(['full', 'own'])
        .check(
          z.describe(
            'Where the photometric error of a coarse disparity is taken: at the size of the images, or at its own.',
          ),
        ),
      reprojection: z
        .enum(['minimum', 'average'])
        .check(
          z.describe(
            'The error of a pixel: the least of both neighbours, warped and unwarped, or the mean of both, warped.',
          ),
        ),
      decay: z
        .enum(['step', 'linear'])
        .check(
          z.describe('Learning rate: a tenth for the last quarter of the steps, or falling evenly to zero.'),
        ),
      frozenSteps: whole(0).check(
        z.describe('Steps before the others in which the encoder keeps its parameters.'),
      ),
      frozenLr: positive.check(z.describe('Learning rate in those steps.')),
      featureDistance: z
        .number()
        .check(z.minimum(0))
        .check(
          z.describe(
            'Weight of the distance between the features of the encoder and those of its start, in the other steps.',
          ),
        ),
    })
    .check(z.refine(({ minDepth, maxDepth }) => minDepth < maxDepth, 'minDepth must be below maxDepth')),
  segmentation: z.strictObject({
    steps: whole(1).check(z.describe('Steps of the phase.')),
    batch: whole(1, MOST_IMAGES).check(z.describe('Labelled images per step.')),
    crop: z
      .boolean()
      .check(
        z.describe(
          'Train on a random square of each image, labelled or not; the depth of the multi-task model too.',
        ),
      ),
    optimizer: z.enum(['sgd', 'adam']).check(z.describe('SGD with momentum 0.9, or Adam.')),
    lr: positive.check(
      z.describe('Learning rate of the decoder; a tenth for the last quarter of the steps.'),
    ),
    encoderLr: positive.check(z.describe('Learning rate of the encoder.')),
    weightDecay: z
      .number()
      .check(z.minimum(0))
      .check(z.describe('Added to the gradient, times the parameter.')),
    clip: positive.check(z.describe('Largest norm of all gradients together.')),
  }),
  method: z.strictObject({
    transfer: z
      .enum(TRANSFERS)
      .check(z.describe('What segmentation takes from the depth network at its start.')),
    mix: z.enum(MIXES).check(z.describe('Where mixed images are cut.')),
    mixTruth: z
      .boolean()
      .check(z.describe('Mix labelled frames too, with their truth; false: unlabelled ones only.')),
    multitask: z
      .boolean()
      .check(z.describe('One network for depth and segmentation, which goes on learning depth.')),
    selection: z.enum(SELECTIONS).check(z.describe('How the labelled images are chosen.')),
    unlabelledBatch: whole(2, MOST_IMAGES).check(
      z.describe('Images per step that are mixed, each with the next.'),
    ),
    margin: z
      .number()
      .check(z.minimum(0), z.maximum(1))
      .check(z.describe("DepthMix keeps a pixel whose disparity is at most this much below its partner's.")),
    threshold: z
      .number()
      .check(z.minimum(0), z.maximum(1))
      .check(z.describe('Confidence from which a pixel counts in the weight of a batch.')),
    unlabelledWeight: z.number().check(z.minimum(0)).check(z.describe('Weight of the loss on mixed images.')),
    rampUp: z
      .number()
      .check(z.minimum(0), z.maximum(1))
      .check(z.describe('Share of the steps in which that weight rises from nearly 0.')),
    hue: z
      .number()
      .check(z.minimum(0), z.maximum(0.5))
      .check(z.describe('Largest turn of the hue of mixed images, a share of the full circle.')),
    momentum: z
      .number()
      .check(z.minimum(0), z.maximum(1))
      .check(z.describe('Largest momentum of the mean teacher.')),
    candidates: whole(1).check(
      z.describe('Source images of which the one with the geometry closest to a target image is taken.'),
    ),
  }),
  selection: z.strictObject({
    first: whole(1).check(z.describe('Images of the first choice; the subset doubles from there.')),
    steps: whole(1).check(z.describe('Steps of the first student; the k-th learns k times as long.')),
    batch: whole(1, MOST_IMAGES).check(z.describe('Images per step of the student.')),
    uncertaintyWeight: z
      .number()
      .check(z.minimum(0))
      .check(z.describe('Weight of uncertainty beside the distance of features, in `both`.')),
  }),
  checkpointEvery: whole(1).check(z.describe('Steps between checkpoints: the most that a crash can cost.')),
});

export type Config = z.infer<typeof schema>;

/** Settings of Three Ways that do not depend on size (configs of the released code). */
const paper = {
  data: 'street',
  unlabeled: null,
  video: null,
  source: null,
  labels: null,
  labelIds: null,
  evaluation: 'val' as const,
  seed: 0,
  overfit: null,
  weights: { encoder: null, depth: null, poseEncoder: null, pose: null },
  method: {
    transfer: 'encoder-decoder' as const,
    mix: 'depthmix' as const,
    mixTruth: true,
    multitask: false,
    selection: 'random' as const,
    unlabelledBatch: 2,
    margin: 0.03,
    threshold: 0.968,
    unlabelledWeight: 1,
    rampUp: 0,
    hue: 0.25,
    momentum: 0.99,
    candidates: 5,
  },
  checkpointEvery: 500,
};

/** Two stages keep what an encoder knew; these networks start from random values and know nothing. */
const oneStage = { from: null, frozenSteps: 0, frozenLr: 1e-4, featureDistance: 0 };

const monodepth2 = {
  minDepth: 0.1,
  maxDepth: 100,
  smoothness: 1e-3,
  resolution: 'full' as const,
  reprojection: 'minimum' as const,
  decay: 'step' as const,
  ...oneStage,
};

/**
 * `tiny` is for software adapters: minutes on two cores. `small` is for any GPU. `resnet18` has Monodepth2's networks and
 * schedules. Networks start from random values, so the rates of `tiny` and `small` are Adam's from scratch, not those of
 * Three Ways, which starts from ImageNet.
 */
export const presets: Record<'tiny' | 'small' | 'resnet18', Config> = {
  tiny: {
    ...paper,
    // Pseudo-labels of networks that know little do harm at full weight, and so do colours that are turned far (docs/decisions.md).
    method: { ...paper.method, unlabelledWeight: 0.25, rampUp: 1, hue: 0.1 },
    pixels: 8192,
    model: {
      encoder: { widths: [16, 16, 32, 48, 64], blocks: [1, 1, 1, 1], block: 'basic', stem: 'conv3' },
      decoder: { widths: [8, 8, 16, 24, 32], norm: true },
      pose: { sees: 'flow', width: 32, scale: 0.05 },
      scales: [0, 1, 2, 3],
      scores: [0, 1, 2, 3, 4],
    },
    // A narrow range of depths: the ends of the sigmoid, where gradients die, stay within what a street shows.
    depth: {
      steps: 700,
      batch: 3,
      crop: false,
      lr: 4e-3,
      minDepth: 0.05,
      maxDepth: 2,
      smoothness: 1e-3,
      resolution: 'own',
      reprojection: 'average',
      decay: 'linear',
      ...oneStage,
    },
    segmentation: {
      steps: 300,
      batch: 2,
      crop: false,
      optimizer: 'adam',
      lr: 2e-3,
      encoderLr: 2e-3,
      weightDecay: 0,
      clip: 10,
    },
    selection: { first: 3, steps: 40, batch: 2, uncertaintyWeight: 200 },
  },
  small: {
    ...paper,
    pixels: 32768,
    model: {
      encoder: { widths: [32, 32, 64, 128, 256], blocks: [2, 2, 2, 2], block: 'basic', stem: 'conv3' },
      decoder: { widths: [16, 32, 32, 64, 128], norm: false },
      pose: { sees: 'images', width: 64, scale: 0.01 },
      scales: [0, 1, 2, 3],
      scores: [0],
    },
    depth: { steps: 4000, batch: 8, crop: false, lr: 5e-4, ...monodepth2 },
    segmentation: {
      steps: 3000,
      batch: 4,
      crop: false,
      optimizer: 'adam',
      lr: 1e-3,
      encoderLr: 5e-4,
      weightDecay: 0,
      clip: 10,
    },
    selection: { first: 6, steps: 400, batch: 4, uncertaintyWeight: 1000 },
  },
  resnet18: {
    ...paper,
    pixels: 131072,
    model: {
      encoder: { widths: [64, 64, 128, 256, 512], blocks: [2, 2, 2, 2], block: 'basic', stem: 'conv7' },
      decoder: { widths: [16, 32, 64, 128, 256], norm: false },
      pose: { sees: 'images', width: 256, scale: 0.01 },
      scales: [0, 1, 2, 3],
      scores: [0],
    },
    depth: { steps: 100000, batch: 12, crop: false, lr: 1e-4, ...monodepth2 },
    segmentation: {
      steps: 40000,
      batch: 2,
      crop: true,
      optimizer: 'sgd',
      lr: 1e-2,
      encoderLr: 1e-3,
      weightDecay: 5e-4,
      clip: 10,
    },
    selection: { first: 25, steps: 4000, batch: 2, uncertaintyWeight: 1000 },
  },
};

export type PresetName = keyof typeof presets;

type Tree = { [key: string]: unknown };
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every path of leaves, such as `depth.lr`. */
const pathsOf = (tree: Tree, prefix = ''): string[] =>
  Object.entries(tree).flatMap(([key, value]) =>
    isTree(value) ? pathsOf(value, `${prefix}${key}.`) : [prefix + key],
  );

/** What a mistyped name may have meant: `lr` is `depth.lr` or `segmentation.lr`, `depth.lrr` is the former. */
function meant(name: string, known: readonly string[]): string {
  const ends = known.filter((one) => one.endsWith(`.${name}`));
  const near = ends.join("', '") || nearestName(name, known);
  return near ? `; the nearest is '${near}'` : '';
}

function put(config: Tree, path: string, value: unknown, where: string): void {
  const keys = path.split('.');
  let at = config;
  for (const [i, key] of keys.entries()) {
    if (!Object.hasOwn(at, key) || (i < keys.length - 1 && !isTree(at[key]))) {
      throw new ConfigError(
        `${where}: unknown setting '${path}'${meant(path, pathsOf(config)) || '; docs/config.md lists them'}`,
      );
    }
    if (i === keys.length - 1) at[key] = value;
    else at = at[key] as Tree;
  }
}

function merge(config: Tree, changes: Tree, where: string, prefix = ''): void {
  for (const [key, value] of Object.entries(changes)) {
    if (isTree(value)) merge(config, value, where, `${prefix}${key}.`);
    else put(config, prefix + key, value, where);
  }
}

/** A value as typed: JSON where it is JSON, text otherwise. */
const parseValue = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/**
 * The full configuration of a run.
 * @param file settings read from a file, and its name for messages.
 * @param sets single settings as typed, `depth.lr=1e-4`, applied last.
 * @throws ConfigError naming the setting, its value and what was expected.
 */
export function resolveConfig(
  preset: PresetName,
  file: { name: string; settings: unknown } | null,
  overrides: Partial<Config>,
  sets: readonly string[],
): Config {
  const config = structuredClone(presets[preset]) as unknown as Tree;
  if (file) {
    if (!isTree(file.settings)) throw new ConfigError(`${file.name}: expected an object of settings`);
    merge(config, file.settings, file.name);
  }
  for (const [key, value] of Object.entries(overrides)) if (value !== undefined) config[key] = value;
  for (const one of sets) {
    const at = one.indexOf('=');
    if (at < 1) throw new ConfigError(`--set '${one}': expected NAME=VALUE, such as depth.lr=1e-4`);
    put(config, one.slice(0, at), parseValue(one.slice(at + 1)), '--set');
  }
  return checkConfig(config, file ? `${file.name} or --set` : 'configuration');
}

/** @throws ConfigError listing every fault. */
export function checkConfig(value: unknown, where: string): Config {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const path = issue.path.join('.');
    const given = issue.path.reduce<unknown>((at, key) => (at as Tree | undefined)?.[String(key)], value);
    const hint =
      issue.code === 'invalid_value' && given !== undefined
        ? meant(String(given), issue.values.map(String))
        : '';
    return `'${path}' is ${JSON.stringify(given)}: ${issue.message.replace(/^Invalid (input|option): /, '')}${hint}`;
  });
  throw new ConfigError(`${where}: ${lines.join('; ')}`);
}

/** Dotted names of the values that differ between two configurations: what a resumed run must not change. */
export function configDifferences(before: unknown, after: unknown, prefix = ''): string[] {
  const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null;
  if (!isObject(before) || !isObject(after) || Array.isArray(before) || Array.isArray(after))
    return json(before) === json(after) ? [] : [prefix];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
    configDifferences(before[name], after[name], prefix ? `${prefix}.${name}` : name),
  );
}
