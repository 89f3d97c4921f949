// The portable folder, used as on a machine that has nothing: another place, no Node in PATH, an empty environment.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { is, ok, suite } from './suite.ts';

const test = suite('portable folder');

const home = mkdtempSync(join(tmpdir(), 'warpmix-portable-'));
test.after(() => rmSync(home, { recursive: true, force: true }));

const build = (out: string) =>
  spawnSync(process.execPath, ['scripts/portable.mjs', '--out', out], { encoding: 'utf8' });

/** A folder of links to these programs: all of PATH. */
function only(...programs: string[]): string {
  const folder = join(home, 'programs');
  mkdirSync(folder);
  for (const name of programs) {
    const found = process.env
      .PATH!.split(':')
      .map((place) => join(place, name))
      .find((path) => existsSync(path));
    ok(found, `${name} is not in PATH`);
    symlinkSync(found!, join(folder, name));
  }
  return folder;
}

const bytesOf = (path: string): number =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
    : statSync(path).size;

test('runs without Node, without packages, from anywhere; at most 45 MiB', () => {
  const made = join(home, 'made');
  const { status, stdout, stderr } = build(made);
  if (status !== 0) {
    // Some distributions' Node cannot be taken along, and that of later versions is larger: said, and nothing is left.
    ok(/run this with (the )?Node 20/.test(stderr), stderr);
    is(readdirSync(home).length, 0);
    return;
  }
  ok(stdout.includes('MiB'), stdout);
  ok(bytesOf(made) <= 45 * 2 ** 20, `${bytesOf(made)} bytes`);
  for (const name of ['index.html', 'main.js', 'worker.js'])
    ok(existsSync(join(made, 'dist/studio', name)), name);

  const folder = join(home, 'with a space');
  renameSync(made, folder);
  const env = { PATH: only('sh', 'uname', 'dirname', 'readlink', 'gzip', 'chmod', 'mv', 'rm'), HOME: home };
  const run = (...args: string[]) => {
    const ended = spawnSync(join(folder, 'warpmix'), args, { env, cwd: home, encoding: 'utf8' });
    is(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
    return ended.stdout;
  };
  const { selfTest, tried, node } = JSON.parse(run('doctor', '--json'));
  ok(selfTest.ok, JSON.stringify(tried));
  is(node, process.version);
  ok(JSON.parse(run('check', 'tanh', '--json')).passed > 0);
  ok(
    run(
      'train',
      'supervised',
      '--dry-run',
      '--labels=4',
      '--set=pixels=4096',
      '--set=segmentation.batch=1',
    ).includes('mIoU'),
  );
  is(readdirSync(folder).filter((name) => /\.\d+$/.test(name)).length, 0, 'nothing half-unpacked');

  // Beside a GPU, other threads load the data.
  const origin = { spec: 'street', options: { width: 64, height: 32 }, split: 'train' };
  const options = { seed: 0, step: 0, sample: 0, flip: null, crop: false };
  const ask = `
    const thread = new (require('node:worker_threads').Worker)('./dist/loader-thread.mjs');
    thread.on('message', ({ sample, message }) => { console.log(message ?? sample.image.data.length); thread.terminate(); });
    thread.postMessage(${JSON.stringify({ id: 0, origin, index: 0, frame: 'train/000/00', kind: 'labelled', options })});`;
  const asked = spawnSync(join(folder, 'node'), ['-e', ask], { env, cwd: folder, encoding: 'utf8' });
  is(asked.stdout, '6144\n', asked.stderr);

  // A start that was cut off leaves no program that is half there.
  rmSync(join(folder, 'node'));
  const broken = join(home, 'broken');
  cpSync(folder, broken, { recursive: true });
  writeFileSync(join(broken, 'node.gz'), 'cut off');
  const failed = spawnSync(join(broken, 'warpmix'), ['--version'], { env, encoding: 'utf8' });
  is(failed.status, 1);
  ok(/error: .*\/node cannot be unpacked/.test(failed.stderr), failed.stderr);
  ok(!existsSync(join(broken, 'node')));
});

test('does not replace a folder that is no portable warpmix', () => {
  const mine = join(home, 'mine');
  mkdirSync(mine);
  writeFileSync(join(mine, 'notes.txt'), 'mine');
  const { status, stderr } = build(mine);
  is(status, 1);
  ok(/error: .*mine: exists and holds no portable warpmix|run this with the Node 20/.test(stderr), stderr);
  accessSync(join(mine, 'notes.txt'), constants.R_OK);
});
