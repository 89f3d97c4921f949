import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import {
  type Experiment,
  type ExperimentRun,
  pendingRuns,
  type Results,
  type RunResult,
  runsInOrder,
  tablesMarkdown,
  tableText,
} from '../../../bench/experiments/experiment.ts';
import { threeWaysExperiment } from '../../../bench/experiments/threeWays.ts';
import { DataError } from '../../data/types.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { type Config, type PresetName, presets, resolveConfig } from '../../train/config.ts';
import { writeWhole } from '../../train/durable.ts';
import { configDifferences, readConfig } from '../../train/run-folder.ts';
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

/** The configuration of a run. @param from its start's folder, or name. */
function configOf({ name, settings }: ExperimentRun, preset: PresetName, from: string | undefined): Config {
  const sets = from === undefined ? [] : [`depth.from=${JSON.stringify(from)}`];
  return resolveConfig(preset, { name: `experiment, ${name}`, settings }, {}, sets);
}

/** Of everything that decides a run, wherever its folders are. */
const digestOf = (run: ExperimentRun, preset: PresetName): string =>
  createHash('sha256')
    .update(JSON.stringify([run.recipe, configOf(run, preset, run.depth)]))
    .digest('hex')
    .slice(0, 16);

/** One run, from its folder's making to its result. Goes on where it stopped. */
async function perform(gpu: Gpu, run: ExperimentRun, preset: PresetName, out: string): Promise<RunResult> {
  const { name, ...rest } = run;
  const { recipe, depth: from } = run;
  const config = configOf(run, preset, from === undefined ? undefined : join(out, from));
  const dir = join(out, name);
  let before = readConfig(dir);
  if (before && configDifferences(before, { recipe, ...config }).length > 0) {
    note(`${dir}: holds a run of other settings, which is removed`);
    rmSync(dir, { recursive: true });
    before = null;
  }
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
  const { outcome, seconds } = await runSession(gpu, session, false, `npm run experiment, run ${name}`);
  for (const tensors of Object.values(plan.state)) {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
  return {
    ...rest,
    config: digestOf(run, preset),
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
    const runs = runsInOrder(grid);
    const found = readResults(path);
    const results: Results = {};
    for (const run of runs) {
      if (found[run.name]?.config === digestOf(run, preset)) results[run.name] = found[run.name];
    }
    const stale = Object.keys(found).filter((key) => !results[key]);
    if (stale.length > 0)
      note(`${path}: ${stale.length} results of other settings are left out, such as ${stale[0]}`);
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
      for (const { name } of runs) print(`${results[name] ? 'done' : '    '}  ${name}`);
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
