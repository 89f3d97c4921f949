import { join } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { allFrames } from '../../data/batch.ts';
import { encodePng } from '../../data/codecs.ts';
import { grid } from '../../data/paint.ts';
import { DataError, type RgbImage } from '../../data/types.ts';
import { SELECTIONS, type SelectionMethod } from '../../methods/choices.ts';
import { DepthModel } from '../../models/models.ts';
import { Initializer } from '../../nn/module.ts';
import { expectFolder, makeFolder, writeWhole } from '../../train/durable.ts';
import { looksAtDepth, openAtWorkingSize } from '../../train/frames.ts';
import { selectionGallery } from '../../train/galleries.ts';

import { restore, trainPlan } from '../../train/loop.ts';
import type { Gallery } from '../../train/plan.ts';
import { reasonText, selectionBy } from '../../train/selecting.ts';
import { selectionPage } from '../../train/selection-page.ts';
import { withGpu } from '../device.ts';
import { endProgress, note, print, printJson, progress, table } from '../output.ts';
import { readRun } from '../trained.ts';
import { didYouMean, MOST_SEED, UsageError, wholeNumber } from '../usage.ts';

const PER_ROW = 6;

const args = {
  run: {
    type: 'string',
    description: 'folder of a run with a depth network: depth or three-ways',
    valueHint: 'DIR',
    required: true,
  },
  data: {
    type: 'string',
    description: "whose training images to choose from (default: the run's own)",
    valueHint: 'SPEC',
  },
  budget: { type: 'string', description: 'images to choose', valueHint: 'N', required: true },
  by: {
    type: 'string',
    default: 'both',
    description: SELECTIONS.join(', '),
    valueHint: 'METHOD',
  },
  seed: {
    type: 'string',
    description: "of the first image and the students (default: the run's)",
    valueHint: 'N',
  },
  steps: {
    type: 'string',
    description: 'steps of the first student; the k-th learns k times as long',
    valueHint: 'N',
  },
  out: {
    type: 'string',
    description: 'folder for list and sheet (default: selection-METHOD-N in the run)',
    valueHint: 'DIR',
  },
  json: { type: 'boolean', description: 'the list on stdout' },
} as const satisfies ArgsDef;

function methodNamed(name: string): SelectionMethod {
  const known = SELECTIONS.find((one) => one === name);
  if (known) return known;
  throw new UsageError(
    `--by '${name}': unknown${didYouMean(name, SELECTIONS)}; expected one of ${SELECTIONS.join(', ')}`,
  );
}

/** The pictures of a gallery, six to a row. */
function sheetOf({ panels }: Gallery): RgbImage {
  const images = panels.map(({ image }) => image);
  return grid(
    Array.from({ length: Math.ceil(images.length / PER_ROW) }, (_, k) =>
      images.slice(k * PER_ROW, (k + 1) * PER_ROW),
    ),
    8,
  );
}

export const select = defineCommand({
  meta: { description: 'choose which images to annotate, by depth diversity and uncertainty' },
  args,
  async run({ args }) {
    const method = methodNamed(args.by);
    const budget = wholeNumber('budget', args.budget, 1);
    const seed = wholeNumber('seed', args.seed, 0, MOST_SEED);
    const steps = wholeNumber('steps', args.steps, 1);
    await withGpu(async (gpu) => {
      const { config, checkpoint } = readRun(gpu, args.run);
      if (seed !== undefined) config.seed = seed;
      if (steps !== undefined) config.selection.steps = steps;
      const dataset = await openAtWorkingSize(args.data ?? config.data, config);
      const refs = allFrames(dataset.train);
      if (budget > refs.length) {
        throw new DataError(
          `${dataset.spec}: --budget ${budget}, but there are ${refs.length} training images`,
        );
      }
      if (method === 'entropy' && !dataset.train.hasLabels) {
        throw new DataError(
          `${dataset.spec}: has no labels; entropy is that of a network that learns the labels of the images chosen so far. ` +
            'diversity, uncertainty and both work without.',
        );
      }
      const out = args.out ?? join(args.run, `selection-${method}-${budget}`);
      expectFolder(out);
      const depth = looksAtDepth(method) ? new DepthModel(new Initializer(config.seed), config.model) : null;
      if (depth) {
        if (!checkpoint.groups.depth) {
          throw new DataError(
            `${args.run}: holds no depth network; name a run of 'depth' or 'three-ways', or choose --by random or entropy`,
          );
        }
        restore({ state: { depth: depth.state() } }, checkpoint);
      }
      const selection = selectionBy(method, refs, budget, config, depth, dataset.classes.length);
      await trainPlan({ phases: selection.stages, state: selection.state(), classes: [] }, gpu, null, 0, {
        checkpointEvery: Number.POSITIVE_INFINITY,
        interrupted: () => null,
        ahead: !gpu.adapter.software,
        onStep: ({ phase, step, of, terms }) => {
          const line = `${phase} ${step}/${of}  loss ${terms.loss.toPrecision(4)}`;
          progress(line);
          if (!process.stderr.isTTY && step === of) note(line);
        },
      });
      await selection.grown();
      endProgress();
      const choices = await selection.choices();
      const name = (index: number) => dataset.train.id(index);
      const images = choices.map(({ index, nearest, ...rest }) => ({
        id: name(index),
        ...rest,
        nearest: nearest === null ? null : name(nearest),
      }));
      const list = { data: dataset.spec, method, seed: config.seed, run: args.run, images };
      makeFolder(out);
      writeWhole(join(out, 'selection.json'), `${JSON.stringify(list, null, 2)}\n`);
      const gallery = await selectionGallery(selection, method, refs, depth);
      const about = `${budget} of ${refs.length} training images of ${dataset.title}.`;
      writeWhole(join(out, 'selection.html'), selectionPage(gallery, about));
      writeWhole(join(out, 'selection.png'), encodePng(sheetOf(gallery)));
      const reasons = choices.map((choice) => reasonText(choice, method, refs));
      if (method !== 'random' && reasons.every((reason) => reason === 'by chance')) {
        note(
          `the first ${config.selection.first} images are drawn by chance, so all of them; a budget beyond that asks ${method}`,
        );
      }
      if (args.json) printJson(list);
      else {
        print(table([['image', 'why'], ...choices.map((choice, i) => [name(choice.index), reasons[i]])]));
        print(`list ${join(out, 'selection.json')}, sheet ${join(out, 'selection.html')}`);
        print(`train with it: --labels-file ${join(out, 'selection.json')}`);
      }
    });
  },
});
