import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeImage } from '../../src/data/codecs.ts';
import { latestCheckpoint } from '../../src/train/checkpoint.ts';
import { configDifferences } from '../../src/train/config.ts';
import { makeFolder } from '../../src/train/durable.ts';
import { RunFolder, readConfig } from '../../src/train/run-folder.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('run folder');

function thrown(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was thrown';
}

let root: string;
test.before(() => {
  root = mkdtempSync(join(tmpdir(), 'warpmix-runs-'));
});
test.after(() => rmSync(root, { recursive: true, force: true }));

const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const lines = (...path: string[]) =>
  text(...path)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

test('a run leaves behind what the documentation lists', () => {
  const dir = join(root, 'a', 'nested');
  const run = RunFolder.create(dir, { recipe: 'depth', seed: 3 });
  run.log({ event: 'step', step: 1, loss: Number.NaN });
  run.scalars(1, { loss: 0.5 });
  const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 250, 251, 252) };
  run.picture('val/first', image, 1);
  run.saveCheckpoint(1, { model: { w: { dtype: 'F32', shape: [1], data: Float32Array.of(2) } } }, {});
  run.summary({ miou: Number.POSITIVE_INFINITY });
  run.report('<!doctype html>');
  run.close();
  const names = readdirSync(dir).sort();
  equal(
    names.map((name) => name.replace(/^events\.out\.tfevents\.\d{10}\.0000\.warpmix$/, 'events')),
    ['checkpoints', 'config.json', 'events', 'log.jsonl', 'pictures', 'report.html', 'summary.json'],
  );
  equal(readConfig(dir), { recipe: 'depth', seed: 3 });
  equal(lines('a', 'nested', 'log.jsonl'), [{ event: 'step', step: 1, loss: 'NaN' }]);
  equal(JSON.parse(text('a', 'nested', 'summary.json')), { miou: 'Infinity' });
  equal(decodeImage(readFileSync(join(dir, 'pictures', 'val', 'first.png')), 'first.png'), image);
  is(latestCheckpoint(dir).found?.step, 1);
});

test('a folder that holds something is refused, with the ways out', () => {
  const dir = join(root, 'b');
  RunFolder.create(dir, {}).close();
  const before = text('b', 'config.json');
  const message = thrown(() => RunFolder.create(dir, { other: true }));
  ok(message.includes(dir) && message.includes('--out') && message.includes('--resume'), message);
  is(text('b', 'config.json'), before);
  writeFileSync(join(root, 'plain'), '');
  ok(thrown(() => RunFolder.create(join(root, 'plain'), {})).includes('is a file'));
});

test('after a crash: half-written files go, a torn line goes, the rest stays', () => {
  const dir = join(root, 'c');
  const crashed = RunFolder.create(dir, { seed: 1 });
  for (const step of [1, 2, 3]) crashed.log({ step });
  appendFileSync(join(dir, 'log.jsonl'), '{"step":4,"lo');
  writeFileSync(join(dir, '.report.html.99.tmp'), '<html');
  writeFileSync(join(dir, 'pictures', '.a.png.99.tmp'), '');
  const run = RunFolder.create(dir, { seed: 1 }, { resume: true });
  ok(!readdirSync(dir).some((name) => name.endsWith('.tmp')));
  equal(readdirSync(join(dir, 'pictures')), []);
  equal(
    lines('c', 'log.jsonl').map(({ step }) => step),
    [1, 2, 3],
  );
  run.rewind(2);
  run.log({ step: 3, again: true });
  run.close();
  equal(lines('c', 'log.jsonl'), [{ step: 1 }, { step: 2 }, { step: 3, again: true }]);
  is(readdirSync(dir).filter((name) => name.includes('tfevents')).length, 2);
});

test('a run taken back to its start forgets the weights that it was given, a later one keeps them', () => {
  const run = RunFolder.create(join(root, 'weights'), {});
  run.log({ event: 'weights', step: 1 });
  for (const step of [1, 2, 3]) run.log({ event: 'step', step });
  run.rewind(2);
  equal(
    lines('weights', 'log.jsonl').map(({ event }) => event),
    ['weights', 'step', 'step'],
  );
  run.rewind(0);
  run.close();
  is(text('weights', 'log.jsonl'), '');
});

test('a resumed log is byte for byte that of a run without a break', () => {
  const write = (run: RunFolder, first: number, last: number) => {
    for (let step = first; step <= last; step++) run.log({ event: 'step', step, loss: 1 / step });
  };
  const whole = RunFolder.create(join(root, 'whole'), {});
  write(whole, 1, 20);
  const broken = RunFolder.create(join(root, 'broken'), {});
  write(broken, 1, 14); // the last checkpoint was at 10
  const resumed = RunFolder.create(join(root, 'broken'), {}, { resume: true });
  resumed.rewind(10);
  write(resumed, 11, 20);
  is(text('broken', 'log.jsonl'), text('whole', 'log.jsonl'));
});

test('a log line is in the file when log returns', () => {
  const run = RunFolder.create(join(root, 'd'), {});
  run.log({ step: 1 });
  is(text('d', 'log.jsonl'), '{"step":1}\n');
});

test('a picture stays in its folder', () => {
  const run = RunFolder.create(join(root, 'e'), {});
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  for (const name of ['../x', '/x', 'a/../../x', 'C:x'])
    ok(thrown(() => run.picture(name, image)).includes('leaves the folder'), name);
  ok(!existsSync(join(root, 'e', 'x.png')));
});

test('settings that differ are listed by their names', () => {
  const before = { seed: 1, depth: { lr: 0.1, sizes: [1, 2] }, gone: null };
  equal(configDifferences(before, structuredClone(before)), []);
  equal(
    configDifferences(before, { seed: 2, depth: { lr: 0.1, sizes: [1, 3] }, gone: null, added: { a: 1 } }),
    ['seed', 'depth.sizes', 'added'],
  );
});

// Node's own mkdir never comes back from there.
test('a folder where none can be made is refused, and so is one below a file', () => {
  ok(/^\/proc.*: cannot be made/.test(thrown(() => makeFolder('/proc/none/run'))));
  const file = join(root, 'file');
  writeFileSync(file, '');
  is(
    thrown(() => makeFolder(join(file, 'run'))),
    `${file}: is a file, expected a folder`,
  );
  const deep = join(root, 'a', 'b', 'c');
  makeFolder(deep);
  makeFolder(deep);
  ok(existsSync(deep));
});
