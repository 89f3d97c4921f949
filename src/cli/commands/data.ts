import { existsSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { checkDataset } from '../../data/check.ts';
import { encodePng } from '../../data/codecs.ts';
import { contactSheet } from '../../data/contact-sheet.ts';
import { openDataset } from '../../data/open.ts';
import { SPECS } from '../../data/spec.ts';
import { DataError, type Dataset, SPLIT_NAMES, type Split, type SplitName } from '../../data/types.ts';
import { writePack } from '../../data/write-pack.ts';
import { expectFolder, makeFolder, writeWhole } from '../../train/durable.ts';
import { breathe } from '../breathe.ts';
import { endProgress, note, outColors, print, printJson, progress, table } from '../output.ts';
import { MOST_SEED, UsageError, wholeNumber } from '../usage.ts';

const spec = {
  spec: { type: 'positional', description: SPECS, required: true },
} as const satisfies ArgsDef;
const json = {
  json: { type: 'boolean', description: 'one JSON object on stdout' },
} as const satisfies ArgsDef;
const size = {
  width: { type: 'string', description: 'pixels; with --height (default: as stored)', valueHint: 'N' },
  height: { type: 'string', description: 'pixels; with --width', valueHint: 'N' },
  seed: { type: 'string', description: 'of data that are generated (default: 0)', valueHint: 'N' },
} as const satisfies ArgsDef;

function open(args: { spec: string; width?: string; height?: string; seed?: string }): Promise<Dataset> {
  const width = wholeNumber('width', args.width, 1);
  const height = wholeNumber('height', args.height, 1);
  if ((width === undefined) !== (height === undefined))
    throw new UsageError('--width and --height go together: give both or neither');
  const seed = wholeNumber('seed', args.seed, 0, MOST_SEED);
  return openDataset(args.spec, {
    ...(width !== undefined && { width, height }),
    ...(seed !== undefined && { seed }),
  });
}

const splitsOf = (dataset: Dataset): [string, Split][] => [
  ['train', dataset.train],
  ['val', dataset.val],
  ['unlabelled', dataset.unlabelled],
  ...(dataset.test ? [['test', dataset.test] as [string, Split]] : []),
];

const make = defineCommand({
  meta: { description: 'write a data set, such as the street world, as a pack' },
  args: {
    ...spec,
    out: {
      type: 'string',
      description: 'folder to make; it must not hold anything',
      valueHint: 'DIR',
      required: true,
    },
    ...size,
    ...json,
  },
  async run({ args }) {
    const dataset = await open(args);
    const out = resolve(args.out);
    expectFolder(out);
    if (existsSync(out) && readdirSync(out).length > 0)
      throw new DataError(`${out}: exists and is not empty`);
    const making = `${out}.${process.pid}.tmp`;
    const clean = () => rmSync(making, { recursive: true, force: true });
    process.once('exit', clean); // an interrupted run leaves nothing behind
    let frames = 0;
    try {
      await writePack(
        dataset,
        async (path, bytes) => {
          const file = join(making, path);
          makeFolder(dirname(file));
          writeFileSync(file, bytes);
          await breathe();
        },
        (written, of) => {
          frames = written;
          progress(`frame ${written} of ${of}`);
        },
      );
      if (existsSync(out)) rmdirSync(out);
      renameSync(making, out);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      throw new DataError(`${out}: cannot be written: ${(error as Error).message}`);
    } finally {
      endProgress();
    }
    if (args.json) printJson({ spec: `pack:${out}`, frames, width: dataset.width, height: dataset.height });
    else print(`${frames} frames of ${dataset.width}x${dataset.height} pixels: pack:${out}`);
  },
});

const check = defineCommand({
  meta: { description: 'read a data set in full and list everything wrong with it' },
  args: { ...spec, ...json },
  async run({ args }) {
    const problems = await checkDataset(args.spec);
    if (args.json) printJson({ spec: args.spec, ok: problems.length === 0, problems });
    else for (const problem of problems) print(problem);
    if (problems.length > 0) throw new DataError(`${args.spec}: ${problems.length} problem(s)`);
    if (!args.json) print(`${args.spec}: no problems`);
  },
});

/** At most `count` indices, evenly spaced. */
const spread = (length: number, count: number) =>
  Array.from({ length: Math.min(count, length) }, (_, k) =>
    Math.floor((k * length) / Math.min(count, length)),
  );

const COUNTED_FRAMES = 50;
const PICTURED_FRAMES = 8;

/** Share of the labelled pixels that each class has in up to 50 frames. */
async function classShares(dataset: Dataset, split: Split): Promise<number[]> {
  const counts = new Array<number>(256).fill(0);
  for (const index of spread(split.length, COUNTED_FRAMES)) {
    for (const id of (await split.load(index)).label?.data ?? []) counts[id] += 1;
  }
  const labelled = counts.slice(0, 255).reduce((a, b) => a + b, 0);
  return dataset.classes.map((one) => counts[one.id] / Math.max(1, labelled));
}

const info = defineCommand({
  meta: { description: 'describe a data set' },
  args: {
    ...spec,
    picture: { type: 'string', description: 'write a contact sheet as PNG', valueHint: 'FILE' },
    split: {
      type: 'enum',
      options: [...SPLIT_NAMES],
      default: 'train',
      description: 'split that the picture and the class shares are of',
    },
    ...size,
    ...json,
  },
  async run({ args }) {
    if (args.picture !== undefined && !/\.png$/i.test(args.picture))
      throw new UsageError(`--picture '${args.picture}': expected a name that ends in .png`);
    const dataset = await open(args);
    const chosen = dataset[args.split as SplitName];
    if (!chosen) throw new DataError(`${args.spec}: has no ${args.split} split`);
    const splits = splitsOf(dataset).map(([name, split]) => ({
      name,
      frames: split.length,
      labels: split.hasLabels,
      depth: split.hasDepth,
      poses: split.hasPoses,
      neighbours: Array.from({ length: split.length }, (_, i) => i).filter((i) => split.neighbours(i)).length,
      intrinsics: split.intrinsics,
    }));
    const shares = chosen.hasLabels ? await classShares(dataset, chosen) : null;
    const classes = dataset.classes.map((one, i) => ({ ...one, ...(shares && { share: shares[i] }) }));
    if (args.picture !== undefined) {
      const frames = await Promise.all(spread(chosen.length, PICTURED_FRAMES).map((i) => chosen.load(i)));
      writeWhole(args.picture, encodePng(contactSheet(frames, dataset.classes, 2)));
      note(`wrote ${args.picture}: ${frames.length} frames of ${args.split}`);
    }
    const { title, width, height } = dataset;
    if (args.json) {
      const named = Object.fromEntries(splits.map(({ name, ...rest }) => [name, rest]));
      printJson({ spec: dataset.spec, title, width, height, classes, splits: named, picture: args.picture });
      return;
    }
    const { bold } = outColors;
    print(`${bold(title)} (${dataset.spec}), ${width}x${height} pixels\n`);
    const yes = (has: boolean) => (has ? 'yes' : '-');
    print(
      table([
        ['split', 'frames', 'labels', 'depth', 'poses', 'camera', 'with neighbours'],
        ...splits.map((s) => [
          s.name,
          s.frames,
          yes(s.labels),
          yes(s.depth),
          yes(s.poses),
          s.intrinsics ? `fx ${s.intrinsics.fx.toFixed(1)} fy ${s.intrinsics.fy.toFixed(1)}` : '-',
          s.neighbours,
        ]),
      ]),
    );
    if (classes.length === 0) return;
    const counted = Math.min(COUNTED_FRAMES, chosen.length);
    print(
      `\n${bold('classes')}${shares ? `, share of the labelled pixels in ${counted} frames of ${args.split}` : ''}`,
    );
    print(
      table(
        classes.map((one, i) => [
          `  ${one.id}`,
          one.name,
          shares ? `${(100 * shares[i]).toFixed(2).padStart(6)} %` : '',
        ]),
      ),
    );
  },
});

export const data = defineCommand({
  meta: { description: 'make, check or describe a data set' },
  subCommands: { make, check, info },
});
