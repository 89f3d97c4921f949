import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Experiment, ExperimentRun } from '../../bench/experiments/experiment.ts';
import {
  knownResults,
  performRuns,
  remainingRuns,
  resultsPath,
  tablesPath,
} from '../../src/cli/experiment.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { warpmix } from './spawn.ts';

const test = suite('experiment');

/** One step of everything, with networks of a few channels. */
const small = {
  pixels: 4096,
  labels: 2,
  model: {
    encoder: { widths: [4, 4, 8, 8, 8] },
    decoder: { widths: [4, 4, 4, 8, 8] },
    pose: { width: 4 },
    scales: [0],
  },
  depth: { steps: 1, batch: 1 },
  segmentation: { steps: 1 },
};
const depth: ExperimentRun = { name: 'depth/0', recipe: 'depth', settings: { ...small, seed: 0 } };
const runOf = (seed: number): ExperimentRun => ({
  name: `transfer/${seed}`,
  recipe: 'supervised',
  settings: { ...small, seed },
  depth: depth.name,
});
const gridOf = (...seeds: number[]): Experiment => ({
  depthRuns: [depth],
  tables: [{ title: 'T', rows: [{ name: 'transfer', cells: [{ column: 'two', runs: seeds.map(runOf) }] }] }],
});

test('runs are done once, from their depth run; what is added or changed is done the next time', async () => {
  const gpu = await testGpu();
  const out = mkdtempSync(join(tmpdir(), 'warpmix-experiment-'));
  const work = async (grid: Experiment) => {
    const place = { name: 'test', grid, preset: 'tiny' as const, out };
    const results = knownResults(place);
    const runs = remainingRuns(place, results, () => true);
    await performRuns(gpu, place, runs, results);
    return { place, done: runs.map(({ name }) => name) };
  };
  try {
    const { place, done } = await work(gridOf(0));
    equal(done, ['depth/0', 'transfer/0']);
    const { runs } = JSON.parse(readFileSync(resultsPath(place), 'utf8'));
    const { metrics, iou, depth: from } = runs['transfer/0'];
    is(from, 'depth/0');
    ok(metrics.miou >= 0 && metrics.miou <= 1 && iou.road >= 0, JSON.stringify(runs));
    const config = JSON.parse(readFileSync(join(out, 'transfer/0/config.json'), 'utf8'));
    is(config.depth.from, join(out, 'depth/0'));
    ok(readFileSync(tablesPath(place), 'utf8').includes(`| transfer | ${(100 * metrics.miou).toFixed(1)} |`));

    const written = statSync(join(out, 'transfer/0/summary.json')).mtimeMs;
    equal((await work(gridOf(0))).done, []);
    equal((await work(gridOf(0, 1))).done, ['transfer/1']);
    is(statSync(join(out, 'transfer/0/summary.json')).mtimeMs, written);

    rmSync(join(out, 'depth/0'), { recursive: true });
    equal((await work(gridOf(0, 1, 2))).done, ['depth/0', 'transfer/2']);

    const longer = gridOf(0);
    const [run] = longer.tables[0].rows[0].cells[0].runs;
    (run as { settings: object }).settings = { ...small, seed: 0, segmentation: { steps: 2 } };
    equal((await work(longer)).done, ['transfer/0']);
    is(JSON.parse(readFileSync(join(out, 'transfer/0/summary.json'), 'utf8')).steps, 2);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

test('the command lists its runs and refuses what it does not know', async () => {
  const out = join(tmpdir(), `warpmix-no-experiment-${process.pid}`);
  const listed = await warpmix(['experiment', 'three-ways', '--list', '--out', out]);
  is(listed.code, 0, listed.stderr);
  ok(listed.stdout.includes('      street/depthmix/labels-6/seed-0\n'), listed.stdout);
  const unknown = await warpmix(['experiment', 'threeways']);
  is(unknown.code, 2);
  ok(/unknown 'threeways' \(did you mean three-ways\?\)/.test(unknown.stderr), unknown.stderr);
  const none = await warpmix(['experiment', 'three-ways', '--only', 'nothing', '--out', out]);
  is(none.code, 2);
  ok(/--only 'nothing': no run has this in its name; --list prints them/.test(none.stderr), none.stderr);
  ok(!existsSync(out));
  mkdirSync(out);
  try {
    writeFileSync(join(out, 'results.json'), '{}');
    const damaged = await warpmix(['experiment', 'three-ways', '--list', '--out', out]);
    is(damaged.code, 4, damaged.stderr);
    ok(/results\.json: has no 'runs'.*move it away/.test(damaged.stderr), damaged.stderr);
  } finally {
    rmSync(out, { recursive: true });
  }
});
