import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { readSafetensors } from '../../src/data/safetensors.ts';
import { latestCheckpoint, readCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.ts';
import type { TensorGroup } from '../../src/train/checkpoint-format.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('checkpoints');

function thrown(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was thrown';
}

const made: string[] = [];
const newFolder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'warpmix-run-'));
  made.push(dir);
  return dir;
};
test.after(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

const groups = (value: number): Record<string, TensorGroup> => ({
  model: {
    'conv.weight': {
      dtype: 'F32',
      shape: [2, 3],
      data: Float32Array.of(value, -0, 1e-40, Math.PI, 2 ** 100, 5),
    },
    'conv.bias': { dtype: 'F32', shape: [1], data: Float32Array.of(Number.NEGATIVE_INFINITY) },
  },
  optimizer: { counts: { dtype: 'U32', shape: [2], data: Uint32Array.of(7, 0xffffffff) } },
});

const names = (dir: string) => readdirSync(join(dir, 'checkpoints')).sort();

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at] ^= 4;
  writeFileSync(path, bytes);
}

test('what is read is what was written, bit by bit', () => {
  const dir = newFolder();
  const meta = { seed: 7, nested: { best: 0.1, list: [1, 'a', null] } };
  const path = writeCheckpoint(dir, 120, groups(1.5), meta);
  is(path, join(dir, 'checkpoints', 'step-120'));
  const read = readCheckpoint(path);
  is(read.step, 120);
  equal(read.meta, meta);
  equal(Object.keys(read.groups).sort(), ['model', 'optimizer']);
  for (const [group, tensors] of Object.entries(groups(1.5))) {
    for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
      const other = read.groups[group][name];
      equal([other.dtype, other.shape], [dtype, shape]);
      equal(
        Buffer.from(other.data.buffer, other.data.byteOffset, other.data.byteLength),
        Buffer.from(data.buffer),
        name,
      );
    }
  }
  // Any safetensors reader opens the files.
  const { tensors } = readSafetensors(readFileSync(join(path, 'model.safetensors')), 'model');
  equal([...tensors.keys()].sort(), ['conv.bias', 'conv.weight']);
  equal(names(dir), ['step-120']);
});

test('the newest two stay, and those of a later step go', () => {
  const dir = newFolder();
  for (const step of [10, 20, 30]) writeCheckpoint(dir, step, groups(step), {});
  equal(names(dir), ['step-20', 'step-30']);
  writeCheckpoint(dir, 25, groups(25), {});
  equal(names(dir), ['step-20', 'step-25']);
  writeCheckpoint(dir, 9, groups(9), {}, { keep: 5 });
  equal(names(dir), ['step-9']);
  is(latestCheckpoint(dir).found?.step, 9);
});

test('steps are compared as numbers', () => {
  const dir = newFolder();
  for (const step of [9, 10]) writeCheckpoint(dir, step, groups(step), {});
  is(latestCheckpoint(dir).found?.step, 10);
});

const damages: [string, (path: string) => void][] = [
  ['a flipped bit in a tensor', (path) => flipBit(join(path, 'model.safetensors'), -6)],
  ['a flipped bit in the manifest', (path) => flipBit(join(path, 'manifest.json'), 90)],
  [
    'a flipped bit in the meta of the manifest',
    (path) =>
      flipBit(join(path, 'manifest.json'), readFileSync(join(path, 'manifest.json')).indexOf('0.25') + 3),
  ],
  [
    'a truncated file',
    (path) => {
      const file = join(path, 'optimizer.safetensors');
      writeFileSync(file, readFileSync(file).subarray(0, 40));
    },
  ],
  ['a missing file', (path) => rmSync(join(path, 'optimizer.safetensors'))],
  ['a missing manifest', (path) => rmSync(join(path, 'manifest.json'))],
  [
    'an empty folder',
    (path) => {
      rmSync(path, { recursive: true });
      mkdirSync(path);
    },
  ],
];

for (const [what, damage] of damages) {
  test(`${what}: the one before is used, the damaged one is named`, () => {
    const dir = newFolder();
    writeCheckpoint(dir, 10, groups(10), { best: 0.5 });
    const newest = writeCheckpoint(dir, 20, groups(20), { best: 0.25 });
    damage(newest);
    const { found, skipped } = latestCheckpoint(dir);
    is(found?.step, 10);
    is(readCheckpoint(found!.path).groups.model['conv.weight'].data[0], 10);
    is(skipped.length, 1);
    is(skipped[0].path, newest);
    ok(skipped[0].reason.startsWith(newest), skipped[0].reason);
    ok(thrown(() => readCheckpoint(newest)).startsWith(newest));
    // The step is taken again: its checkpoint takes the place of the damaged one.
    writeCheckpoint(dir, 20, groups(21), {});
    equal(names(dir), ['step-10', 'step-20']);
    is(readCheckpoint(newest).groups.model['conv.weight'].data[0], 21);
  });
}

test('a folder left behind by a crash is ignored, then removed', () => {
  const dir = newFolder();
  writeCheckpoint(dir, 10, groups(10), {});
  const folder = join(dir, 'checkpoints');
  cpSync(join(folder, 'step-10'), join(folder, '.step-20.4711.tmp'), { recursive: true });
  const { found, skipped } = latestCheckpoint(dir);
  is(found?.step, 10);
  equal(skipped, []);
  writeCheckpoint(dir, 30, groups(30), {});
  equal(names(dir), ['step-10', 'step-30']);
});

test('a checkpoint that cannot be finished leaves nothing, and those before untouched', () => {
  const dir = newFolder();
  writeCheckpoint(dir, 10, groups(10), {});
  const wrong: TensorGroup = { w: { dtype: 'F32', shape: [3], data: Float32Array.of(1) } };
  const message = thrown(() => writeCheckpoint(dir, 20, { model: groups(1).model, teacher: wrong }, {}));
  ok(message.startsWith(join(dir, 'checkpoints', 'step-20')), message);
  equal(names(dir), ['step-10']);
  is(latestCheckpoint(dir).found?.step, 10);
});

test('a number that JSON cannot hold is refused, not turned into null', () => {
  const message = thrown(() => writeCheckpoint(newFolder(), 1, {}, { best: Number.NEGATIVE_INFINITY }));
  ok(/best in meta is -Infinity/.test(message), message);
});

test('no file is written or read outside the folder of a checkpoint', () => {
  const dir = newFolder();
  const message = thrown(() => writeCheckpoint(dir, 2, { '../x': {} }, {}));
  ok(message.includes('no name for a file'), message);
  // A manifest that is valid in itself, but made by someone else.
  const path = writeCheckpoint(dir, 1, {}, {});
  const { sha256: _, ...body } = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
  body.files = { '../../../secret.safetensors': { bytes: 1, sha256: '' } };
  const sha256 = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  writeFileSync(join(path, 'manifest.json'), JSON.stringify({ ...body, sha256 }));
  const refused = thrown(() => readCheckpoint(path));
  ok(refused.includes('names "../../../secret.safetensors"'), refused);
});

test('no checkpoint: none found, none skipped', () => {
  equal(latestCheckpoint(newFolder()), { found: null, skipped: [] });
});

test('killed at any moment, a whole checkpoint is there', async () => {
  const dir = newFolder();
  const program = join(dir, 'write-forever.mjs');
  await build({
    entryPoints: ['test/train/write-forever.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  for (let round = 0; round < 8; round++) {
    const run = join(dir, `run-${round}`);
    const child = spawn(process.execPath, [program, run], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`ended by itself with ${code}`)));
    });
    await new Promise((resolve) => setTimeout(resolve, 1 + round * 3.3));
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await gone;
    const { found, skipped } = latestCheckpoint(run);
    equal(skipped, []);
    ok(found && found.step >= 2);
    const { groups: read, meta, step } = readCheckpoint(found.path);
    equal(meta, { at: step });
    for (const { w } of [read.model, read.optimizer]) ok((w.data as Float32Array).every((v) => v === step));
  }
});
