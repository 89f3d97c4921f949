// The evidence for Three Ways (Hoyer et al., CVPR 2021) and its domain-adaptive extension: what each part adds, at several label
// counts, on the street and on CamVid. docs/methods/three-ways.md shows the tables.
import { type PresetName, presets } from '../../src/train/config.ts';
import type { Cell, Experiment, ExperimentRun, TableRow } from './experiment.ts';

type Settings = Record<string, unknown>;

/** 192 training images of the street: a thirty-second, an eighth, all. */
const STREET_LABELS = [6, 24, 192];
/** 367 training images of CamVid: about a twelfth, as the least of the paper's 50, 100 and 367 is a seventh. */
const CAMVID_LABELS = [30, 100, 367];
const CAMVID = 'pack:../shared/data/camvid';
/** The video from which depth is learned for CamVid, which has no camera. */
const DRIVE = 'pack:../shared/data/video/kitti_odo00';
const SEEDS = [0, 1, 2];
/** Where strategies of choosing images are compared. */
const BUDGET = 24;

const depthRun = (name: string, seed: number, settings: Settings): ExperimentRun => ({
  name: `${name}/seed-${seed}`,
  recipe: 'depth',
  settings: { ...settings, seed },
});

/** What is added row by row: recipe and settings. */
const LADDER: readonly [name: string, recipe: string, settings: Settings][] = [
  ['scratch', 'supervised', {}],
  ['encoder transferred', 'supervised', { method: { transfer: 'encoder' } }],
  ['encoder and decoder transferred', 'supervised', { method: { transfer: 'encoder-decoder' } }],
  ['+ ClassMix', 'three-ways', { method: { mix: 'classmix' } }],
  ['+ DepthMix', 'three-ways', { method: { mix: 'depthmix' } }],
  ['+ DepthMix, multi-task', 'three-ways', { method: { mix: 'depthmix', multitask: true } }],
];

/** The whole method; the choice of images comes first and is named last. */
const whole = (selection: string): (typeof LADDER)[number] => [
  `whole: multi-task, DepthMix, images chosen by ${selection}`,
  'three-ways',
  { method: { mix: 'depthmix', multitask: true, selection } },
];

/** Networks of twice a preset's widths, which learn segmentation for twice its steps: what is there to gain grows with both. */
function wider(preset: PresetName): Settings {
  const { model, segmentation } = presets[preset];
  const twice = ({ widths }: { widths: number[] }) => ({ widths: widths.map((width) => 2 * width) });
  return {
    data: 'street',
    model: { encoder: twice(model.encoder), decoder: twice(model.decoder) },
    segmentation: { steps: 2 * segmentation.steps },
  };
}

const slug = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

/** A row of runs at several label counts and seeds. */
function row(
  place: string,
  [name, recipe, settings]: (typeof LADDER)[number],
  data: Settings,
  labels: readonly number[],
  depth: (seed: number) => string | undefined,
): TableRow {
  const cell = (count: number): Cell => ({
    column: `${count} labels`,
    runs: SEEDS.map((seed) => ({
      name: `${place}/${slug(name)}/labels-${count}/seed-${seed}`,
      recipe,
      settings: { ...data, ...settings, labels: count, seed },
      depth: recipe === 'supervised' && settings.method === undefined ? undefined : depth(seed),
    })),
  });
  return { name, cells: labels.map(cell) };
}

/** The grid. One depth network for each seed and data set; every row of a seed starts from the same one. */
export function threeWaysExperiment(preset: PresetName): Experiment {
  const onStreet = (seed: number) => `depth-street/seed-${seed}`;
  const onStreetWider = (seed: number) => `depth-street-wider/seed-${seed}`;
  const onDrive = (seed: number) => `depth-kitti-odo00/seed-${seed}`;
  const night = { data: 'street:night', source: 'street' };
  // It trains its depth network on the frames of both domains, and the row after it starts from the same one.
  const unmixed = row(
    'night',
    ['source and target together, no mixing', 'three-ways-da', { method: { unlabelledWeight: 0 } }],
    night,
    [STREET_LABELS[0]],
    () => undefined,
  );
  const acrossDomains = (seed: number) => unmixed.cells[0].runs[SEEDS.indexOf(seed)].name;
  const choice = (selection: string): (typeof LADDER)[number] => [
    selection,
    'three-ways',
    { method: { selection } },
  ];
  return {
    depthRuns: SEEDS.flatMap((seed) => [
      depthRun('depth-street', seed, { data: 'street' }),
      depthRun('depth-street-wider', seed, wider(preset)),
      depthRun('depth-kitti-odo00', seed, { data: DRIVE }),
    ]),
    tables: [
      {
        title: 'Street: what each part adds',
        rows: [
          ...LADDER.map((part) => row('street', part, { data: 'street' }, STREET_LABELS, onStreet)),
          ...['both', 'diversity'].map((selection) =>
            row('street', whole(selection), { data: 'street' }, STREET_LABELS.slice(0, 2), onStreet),
          ),
        ],
      },
      {
        title: 'Street, networks twice as wide, twice the steps of segmentation',
        rows: [...LADDER, whole('both'), whole('diversity')].map((part) =>
          row('wider', part, wider(preset), [STREET_LABELS[0]], onStreetWider),
        ),
      },
      {
        title: 'Street: which images are labelled (transfer and DepthMix)',
        rows: ['random', 'diversity', 'uncertainty', 'both', 'entropy'].map((selection) =>
          row('selection', choice(selection), { data: 'street' }, [BUDGET], onStreet),
        ),
      },
      {
        title: 'From street by day to street by night',
        rows: [
          unmixed,
          row(
            'night',
            ['Cross-Domain DepthMix', 'three-ways-da', {}],
            night,
            [STREET_LABELS[0]],
            acrossDomains,
          ),
        ],
      },
      {
        title: 'CamVid',
        rows: LADDER.filter(([name]) => !name.includes('multi-task')).map((part) =>
          row('camvid', part, { data: CAMVID }, CAMVID_LABELS, onDrive),
        ),
      },
    ],
  };
}
