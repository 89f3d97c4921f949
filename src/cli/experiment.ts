// Working through an experiment: its runs one after the other in one process, which compiles and renders once, and results.json.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Experiment,
  type ExperimentRun,
  pendingRuns,
  type Results,
  type RunResult,
  runsInOrder,
  tablesMarkdown,
} from '../../bench/experiments/experiment.ts';
import { DataError } from '../data/types.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { type Config, configDifferences, type PresetName, resolveConfig } from '../train/config.ts';
import { makeFolder, writeWhole } from '../train/durable.ts';
import { readConfig } from '../train/run-folder.ts';
import { note } from './output.ts';
import { recipeNamed } from './recipes.ts';
import { openRunFolder, runSession } from './session.ts';

/** @throws DataError where the file is there and is no JSON */
function readResults(path: string): Results {
  if (!existsSync(path)) return {};
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'))?.runs;
  } catch (error) {
    throw new DataError(`${path}: cannot be read: ${(error as Error).message}; move it away to begin again`);
  }
  if (typeof found !== 'object' || found === null)
    throw new DataError(`${path}: has no 'runs', as an experiment writes them; move it away to begin again`);
  return found as Results;
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
  const opened = openRunFolder(dir, recipe, config, plan, undefined, before);
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

/** An experiment at a preset, and the folder of its runs, results.json and tables.md. */
export interface Place {
  name: string;
  grid: Experiment;
  preset: PresetName;
  out: string;
}

export const resultsPath = ({ out }: Place): string => join(out, 'results.json');
export const tablesPath = ({ out }: Place): string => join(out, 'tables.md');

/** What is there of an experiment. Results of other settings are named on stderr and left out. */
export function knownResults(place: Place): Results {
  const path = resultsPath(place);
  const found = readResults(path);
  const results: Results = {};
  for (const run of runsInOrder(place.grid)) {
    if (found[run.name]?.config === digestOf(run, place.preset)) results[run.name] = found[run.name];
  }
  const stale = Object.keys(found).filter((key) => !results[key]);
  if (stale.length > 0)
    note(`${path}: ${stale.length} results of other settings are left out, such as ${stale[0]}`);
  return results;
}

/** Runs still to do, of those that `only` accepts and what they start from. */
export function remainingRuns(
  { grid, out }: Place,
  results: Results,
  only: (run: ExperimentRun) => boolean,
): ExperimentRun[] {
  const runs = runsInOrder(grid);
  const starts = new Set(runs.filter(only).map(({ depth }) => depth));
  const wanted = runs.filter((run) => only(run) || starts.has(run.name));
  return pendingRuns(grid, wanted, results, (run) => existsSync(join(out, run.name, 'summary.json')));
}

/** Does `runs` in order and keeps each result at once: in `results`, in results.json and in tables.md. */
export async function performRuns(
  gpu: Gpu,
  place: Place,
  runs: readonly ExperimentRun[],
  results: Results,
): Promise<void> {
  const { name, grid, preset, out } = place;
  for (const [i, run] of runs.entries()) {
    note(`run ${i + 1} of ${runs.length}: ${run.name}`);
    results[run.name] = await perform(gpu, run, preset, out);
    makeFolder(out);
    const text = JSON.stringify({ experiment: name, preset, runs: results }, null, 2);
    writeWhole(resultsPath(place), `${text}\n`);
    writeWhole(tablesPath(place), tablesMarkdown(grid, results));
  }
}
