import {
  cellText,
  type Experiment,
  type ExperimentRun,
  pendingRuns,
  type Results,
  runsInOrder,
  statistics,
  tablesMarkdown,
} from '../../bench/experiments/experiment.ts';
import { threeWaysExperiment } from '../../bench/experiments/threeWays.ts';
import { recipes } from '../../src/cli/recipes.ts';
import { resolveConfig } from '../../src/train/config.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('experiments');

const runOf = (name: string, depth?: string): ExperimentRun => ({
  name,
  recipe: 'supervised',
  settings: { seed: 0 },
  ...(depth && { depth }),
});
const start = { ...runOf('start'), recipe: 'depth' };
const [a0, a1, b0] = [runOf('a/0'), runOf('a/1'), runOf('b/0', 'start')];
const grid: Experiment = {
  depthRuns: [start],
  tables: [
    {
      title: 'T',
      rows: [
        { name: 'a', cells: [{ column: 'few', runs: [a0, a1] }] },
        { name: 'b', cells: [{ column: 'few', runs: [b0] }] },
      ],
    },
  ],
};
const resultOf = ({ name: _, ...run }: ExperimentRun, miou: number | null) => ({
  ...run,
  config: '',
  adapter: 'one',
  metrics: { miou },
  seconds: 1,
});

test('mean and sample deviation', () => {
  equal(statistics([1, 2, 6]), { n: 3, mean: 3, deviation: Math.sqrt(7), least: 1, greatest: 6 });
  is(statistics([5])!.deviation, null);
  is(statistics([]), null);
});

test('a run comes after the one that it starts from, once', () => {
  equal(
    runsInOrder(grid).map(({ name }) => name),
    ['a/0', 'a/1', 'start', 'b/0'],
  );
  throws(() => runsInOrder({ ...grid, depthRuns: [] }), /b\/0: starts from 'start', which is no run/);
});

test('what is done is not done again, unless something else starts from it and its folder is gone', () => {
  const runs = runsInOrder(grid);
  const left = (results: Results, folders: boolean) =>
    pendingRuns(grid, runs, results, () => folders).map(({ name }) => name);
  const done = { 'a/0': resultOf(a0, 0.1), start: resultOf(start, null) };
  equal(left({}, false), ['a/0', 'a/1', 'start', 'b/0']);
  equal(left(done, true), ['a/1', 'b/0']);
  equal(left(done, false), ['a/1', 'start', 'b/0']);
  equal(left({ ...done, 'b/0': resultOf(b0, 0.2) }, false), ['a/1']);
});

test('a table shows what is there and says what is missing', () => {
  const results = { 'a/0': resultOf(a0, 0.2), 'a/1': resultOf(a1, 0.3) };
  const text = tablesMarkdown(grid, results);
  ok(text.includes('| a | 25.0 ± 7.1 |'), text);
  ok(text.includes('| b | – |'), text);
  ok(tablesMarkdown(grid, { 'a/0': results['a/0'] }).includes('| a | 20.0 (1 of 2) |'));
  is(cellText(null, 3), '–');
});

test('every run of the grid of Three Ways is one that train accepts', () => {
  const runs = runsInOrder(threeWaysExperiment('tiny'));
  is(new Set(runs.map(({ name }) => name)).size, runs.length);
  for (const { name, recipe, settings, depth } of runs) {
    ok(Object.hasOwn(recipes, recipe), name);
    const sets = depth === undefined ? [] : [`depth.from=${depth}`];
    const config = resolveConfig('tiny', { name, settings }, {}, sets);
    is(config.depth.from, depth ?? null);
  }
});
