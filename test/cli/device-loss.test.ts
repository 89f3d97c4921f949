// What a lost device costs: a real Dawn device is destroyed in a child process that trains.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { latestCheckpoint } from '../../src/train/checkpoint.ts';
import { equal, is, ok, suite } from '../suite.ts';
import type { Loss } from './device-loss.ts';
import { pack } from './halves.ts';

const test = suite('device loss in training');

// Beside the runner's own bundles, where packages are found and which the runner removes.
const program = `dist/test-${process.pid}/device-loss.mjs`;
const data = pack();

test.before(async () => {
  await build({
    entryPoints: ['test/cli/device-loss.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
});
test.after(() => data.remove());

function train(name: string, losses: Loss[]) {
  const dir = join(data.root, name);
  const args = [program, `pack:${data.root}`, dir, JSON.stringify(losses)];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { dir, code: status, stderr };
}

/** Log and parameters of a finished run. */
function left(dir: string): Record<string, string> {
  const { found, skipped } = latestCheckpoint(dir);
  equal(skipped, []);
  const files = readdirSync(found!.path).filter((name) => name.endsWith('.safetensors'));
  return Object.fromEntries([
    ['step', String(found!.step)],
    ['log', readFileSync(join(dir, 'log.jsonl'), 'utf8')],
    ...files.map((name) => [name, readFileSync(join(found!.path, name)).toString('base64')]),
  ]);
}

let whole: Record<string, string>;
test('without a loss', () => {
  const { dir, code, stderr } = train('whole', []);
  is(code, 0, stderr);
  whole = left(dir);
  is(whole.step, '6');
});

const outlived: [string, Loss[], string[]][] = [
  ['in a step: back to the checkpoint before it', [{ step: 5 }], ['4']],
  ['before the first checkpoint: from the start', [{ step: 1 }], ['0']],
  ['while a checkpoint is read back: it does not appear, the one before counts', [{ save: 4 }], ['2']],
  ['twice, with a further checkpoint in between', [{ step: 3 }, { step: 5 }], ['2', '4']],
  ['in the evaluation: the training is not repeated', ['evaluation'], ['6']],
];
for (const [what, losses, from] of outlived) {
  test(`${what}; the bits are those of a run without a loss`, () => {
    const { dir, code, stderr } = train(what.replace(/\W+/g, '-'), losses);
    is(code, 0, stderr);
    equal(left(dir), whole);
    const said = [...stderr.matchAll(/device was lost .* Going on from step (\d+) on a new device/g)];
    equal(
      said.map(([, step]) => step),
      from,
    );
    ok(existsSync(join(dir, 'report.html')));
  });
}

test('twice before a further checkpoint: exit 5, and the checkpoint is there', () => {
  const { dir, code, stderr } = train('again', [{ step: 3 }, { step: 3 }]);
  is(code, 5, stderr);
  ok(
    /error: the GPU device was lost again .* that of step 2 is in .*again.*--resume auto/.test(stderr),
    stderr,
  );
  is(latestCheckpoint(dir).found?.step, 2);
  ok(!existsSync(join(dir, 'summary.json')), 'looks finished');
});

test('after the last read-back: the run is complete', () => {
  const { dir, code, stderr } = train('afterwards', ['afterwards']);
  is(code, 0, stderr);
  ok(!/lost/.test(stderr), stderr);
  equal(left(dir), whole);
  is(JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8')).steps, 6);
});
