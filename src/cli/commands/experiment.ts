import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import {
  type Experiment,
  type ExperimentRun,
  isResultOf,
  pendingRuns,
  type Results,
  runsInOrder,
  tablesMarkdown,
  tableText,
} from '../../../bench/experiments/experiment.ts';
import { threeWaysExperiment } from '../../../bench/experiments/threeWays.ts';
import { DataError } from '../../data/types.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { type PresetName, presets, resolveConfig } from '../../train/config.ts';
import { writeWhole } from '../../train/durable.ts';
import { readConfig } from '../../train/run-folder.ts';
import { withGpu } from '../device.ts';
import { note, outColors, print, printJson, table } from '../output.ts';
import { recipeNamed } from '../recipes.ts';
import { openRunFolder, runSession } from '../session.ts';
import { didYouMean, UsageError, wholeNumber } from '../usage.ts';

const experiments: Record<string, () => Experiment> = { 'three-ways': threeWaysExperiment };
const names = Object.keys(experiments);

const args = {
  name: { type: 'positional', required: true, description: names.join(', ') },
  only: {
    type: 'string',
    description: 'only runs with this text in their name, and what they start from',
    valueHint: 'TEXT',
  },
  most: { type: 'string', description: 'end after this many runs', valueHint: 'N' },
  preset: {
    type: 'string',
    default: 'tiny',
    valueHint: 'NAME',
    description: Object.keys(presets).join(', '),
  },
  out: {
    type: 'string',
    description: 'folder for runs, results.json and tables.md (default: runs/experiments/NAME-PRESET)',
    valueHint: 'DIR',
  },
  list: { type: 'boolean', description: 'print the runs and what is done of them, and stop' },
  json: { type: 'boolean', description: 'the results on stdout' },
} as const satisfies ArgsDef;

/** @throws DataError where the file is there and is no JSON */
function readResults(path: string): Results {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8')).runs;
  } catch (error) {
    throw new DataError(`${path}: cannot be read: ${(error as Error).message}; move it away to begin again`);
  }
}

/** One run, from its folder's making to its result. Goes on where it stopped. */
async function perform(gpu: Gpu, run: ExperimentRun, preset: PresetName, out: string) {
  const { recipe, settings, depth: from } = run;
  const file = { name: `experiment, ${run.name}`, settings };
  const sets = from === undefined ? [] : [`depth.from=${JSON.stringify(join(out, from))}`];
  const config = resolveConfig(preset, file, {}, sets);
  const dir = join(out, run.name);
  const before = readConfig(dir);
  const plan = await recipeNamed(recipe).plan(config);
  const opened = openRunFolder(dir, recipe, config, plan, undefined, before, before !== null);
  const session = {
    ...opened,
    recipe,
    config,
    plan,
    compare: [],
    anomaly: false,
    eager: false,
    trace: null,
    variants: undefined,
  };
  const { outcome, seconds } = await runSession(gpu, session, false, `npm run experiment, run ${run.name}`);
  for (const tensors of Object.values(plan.state)) {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
  return {
    recipe,
    settings,
    ...(from !== undefined && { depth: from }),
    adapter: gpu.adapter.description,
    metrics: outcome.metrics,
    ...(outcome.segmentation && { iou: outcome.segmentation.scores.iou }),
    seconds: Math.round(seconds),
  };
}

export const experiment = defineCommand({
  meta: { description: 'run a grid of trainings and print its tables; goes on where it stopped' },
  args,
  async run({ args }) {
    const { name, only = '' } = args;
    if (!Object.hasOwn(experiments, name)) {
      throw new UsageError(
        `experiment: unknown '${name}'${didYouMean(name, names)}; known: ${names.join(', ')}`,
      );
    }
    if (!Object.hasOwn(presets, args.preset)) {
      throw new UsageError(`--preset '${args.preset}': expected one of ${Object.keys(presets).join(', ')}`);
    }
    const preset = args.preset as PresetName;
    const most = wholeNumber('most', args.most, 1) ?? Number.POSITIVE_INFINITY;
    const out = args.out ?? join('runs', 'experiments', `${name}-${preset}`);
    const grid = experiments[name]();
    const path = join(out, 'results.json');
    const results = readResults(path);
    const runs = runsInOrder(grid);
    const chosen = runs.filter((run) => run.name.includes(only));
    if (chosen.length === 0)
      throw new UsageError(`--only '${only}': no run has this in its name; --list prints them`);
    const starts = new Set(chosen.map(({ depth }) => depth));
    const todo = pendingRuns(
      grid,
      runs.filter((run) => chosen.includes(run) || starts.has(run.name)),
      results,
      (run) => existsSync(join(out, run.name, 'summary.json')),
    );
    if (args.list) {
      for (const run of runs) print(`${isResultOf(results[run.name], run) ? 'done' : '    '}  ${run.name}`);
      return;
    }
    const save = () => {
      mkdirSync(out, { recursive: true });
      writeWhole(path, `${JSON.stringify({ experiment: name, preset, runs: results }, null, 1)}\n`);
      writeWhole(join(out, 'tables.md'), tablesMarkdown(grid, results));
    };
    if (todo.length > 0) {
      await withGpu(async (gpu) => {
        for (const [i, run] of todo.slice(0, most).entries()) {
          note(`run ${i + 1} of ${todo.length}: ${run.name}`);
          const dir = join(out, run.name);
          // A folder whose settings are no longer those of the grid holds another run.
          if (results[run.name] && !isResultOf(results[run.name], run))
            rmSync(dir, { recursive: true, force: true });
          results[run.name] = await perform(gpu, run, preset, out);
          save();
        }
      });
    }
    if (args.json) printJson({ experiment: name, preset, runs: results });
    else {
      for (const one of grid.tables) {
        print(`${outColors.bold(one.title)}\n${table(tableText(one, results))}\n`);
      }
      print(`${path}, ${join(out, 'tables.md')}`);
    }
  },
});
