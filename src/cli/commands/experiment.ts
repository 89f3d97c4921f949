import { join } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { type Experiment, runsInOrder, tableText } from '../../../bench/experiments/experiment.ts';
import { threeWaysExperiment } from '../../../bench/experiments/threeWays.ts';
import { type PresetName, presets } from '../../train/config.ts';
import { withGpu } from '../device.ts';
import { knownResults, performRuns, remainingRuns, resultsPath, tablesPath } from '../experiment.ts';
import { outColors, print, printJson, table } from '../output.ts';
import { didYouMean, UsageError, wholeNumber } from '../usage.ts';

const experiments: Record<string, (preset: PresetName) => Experiment> = { 'three-ways': threeWaysExperiment };
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
    const place = { name, grid: experiments[name](preset), preset, out };
    const runs = runsInOrder(place.grid);
    if (!runs.some((run) => run.name.includes(only))) {
      throw new UsageError(`--only '${only}': no run has this in its name; --list prints them`);
    }
    const results = knownResults(place);
    if (args.list) {
      for (const { name } of runs) print(`${results[name] ? 'done' : '    '}  ${name}`);
      return;
    }
    const todo = remainingRuns(place, results, (run) => run.name.includes(only)).slice(0, most);
    if (todo.length > 0) await withGpu((gpu) => performRuns(gpu, place, todo, results));
    if (args.json) {
      printJson({ experiment: name, preset, runs: results });
      return;
    }
    for (const one of place.grid.tables) {
      print(`${outColors.bold(one.title)}\n${table(tableText(one, results))}\n`);
    }
    if (Object.keys(results).length > 0) print(`${resultsPath(place)}, ${tablesPath(place)}`);
  },
});
