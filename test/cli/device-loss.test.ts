// What a lost device costs: a real Dawn device is destroyed in a child process that trains.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { latestCheckpoint } from '../../src/train/checkpoint.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { left, trainToy } from './toy.ts';
import type { Loss } from './train-toy.ts';

const test = suite('device loss in training');

const home = mkdtempSync(join(tmpdir(), 'warpmix-loss-'));
test.after(() => rmSync(home, { recursive: true, force: true }));

async function train(name: string, losses: Loss[]) {
  const dir = join(home, name);
  return { dir, ...(await trainToy(dir, { steps: 6, every: 2, losses })) };
}

let whole: Record<string, string>;
test('without a loss', async () => {
  const { dir, code, stderr } = await train('whole', []);
  is(code, 0, stderr);
  whole = left(dir);
  is(whole.step, '6');
  is(whole.log.trim().split('\n').length, 7);
});

const outlived: [string, Loss[], string[]][] = [
  ['in a step: back to the checkpoint before it', [{ step: 5 }], ['4']],
  ['before the first checkpoint: from the start', [{ step: 1 }], ['0']],
  ['while a checkpoint is read back: it does not appear, the one before counts', [{ save: 4 }], ['2']],
  ['twice, with a further checkpoint in between', [{ step: 3 }, { step: 5 }], ['2', '4']],
  ['in the evaluation: the training is not repeated', ['evaluation'], ['6']],
];
for (const [what, losses, from] of outlived) {
  test(`${what}; the bits are those of a run without a loss`, async () => {
    const { dir, code, stderr } = await train(what.replace(/\W+/g, '-'), losses);
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

test('twice before a further checkpoint: exit 5, and the checkpoint is there', async () => {
  const { dir, code, stderr } = await train('again', [{ step: 3 }, { step: 3 }]);
  is(code, 5, stderr);
  ok(
    /error: the GPU device was lost again .* that of step 2 is in .*again.*--resume auto/.test(stderr),
    stderr,
  );
  is(latestCheckpoint(dir).found?.step, 2);
  ok(!existsSync(join(dir, 'summary.json')), 'looks finished');
});

test('the card does not come back: exit 5, nothing is trained on what is left, and the checkpoint is there', async () => {
  const { dir, code, stderr } = await train('gone', [{ step: 5, card: 'Card 1' }]);
  is(code, 5, stderr);
  ok(
    /error: Card 1 was lost .* What is left is .*SwiftShader.* Step 4 is in .*gone: .*--resume auto/.test(
      stderr,
    ),
    stderr,
  );
  is(latestCheckpoint(dir).found?.step, 4);
  ok(!existsSync(join(dir, 'summary.json')), 'looks finished');
});

test('after the last read-back: the run is complete', async () => {
  const { dir, code, stderr } = await train('afterwards', ['afterwards']);
  is(code, 0, stderr);
  ok(!/lost/.test(stderr), stderr);
  equal(left(dir), whole);
  is(JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8')).steps, 6);
});
