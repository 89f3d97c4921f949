// What goes wrong around a training run, as a user meets it: signals, full disks, damaged files, labels that say nothing, odd
// terminals.
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { equal, is, ok, suite } from '../suite.ts';
import { label, NAMES, pack, SMALL } from './halves.ts';
import { type Ended, preloaded, warpmix } from './spawn.ts';
import { left, startToy, trainToy } from './toy.ts';

const test = suite('faults in training');

const home = mkdtempSync(join(tmpdir(), 'warpmix-faults-'));
const data = pack();
test.after(() => {
  rmSync(home, { recursive: true, force: true });
  data.remove();
});

const checkpoints = (dir: string) =>
  readdirSync(join(dir, 'checkpoints'))
    .map((name) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? Number.NaN))
    .sort((a, b) => a - b);

test('SIGTERM, a full disk, a damaged checkpoint, one after the other: the run ends with the bits of one without faults', async () => {
  // Long enough for a signal to come before the end.
  const length = { steps: 600, every: 50 };
  const whole = join(home, 'whole');
  is((await trainToy(whole, length)).code, 0);

  const dir = join(home, 'faulty');
  const terminated = await trainToy(dir, { ...length, signals: ['SIGTERM'] });
  is(terminated.code, 143, terminated.stderr);
  const said = /error: interrupted after step (\d+); continue with --resume auto/.exec(terminated.stderr);
  equal(said && Number(said[1]), checkpoints(dir).at(-1));

  const full = await trainToy(dir, {
    ...length,
    env: preloaded(`
      import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      const { openSync, writeFileSync } = fs;
      const full = new Set();
      fs.openSync = (path, ...rest) => {
        const file = openSync(path, ...rest);
        if (String(path).includes('.step-550.')) full.add(file);
        return file;
      };
      fs.writeFileSync = (file, ...rest) => {
        if (full.has(file)) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        return writeFileSync(file, ...rest);
      };
      syncBuiltinESMExports();
    `),
  });
  is(full.code, 4, full.stderr);
  ok(
    /error: .*checkpoints.step-550: cannot be written: ENOSPC: no space left.*--resume auto/.test(
      full.stderr,
    ),
    full.stderr,
  );
  equal(checkpoints(dir), [450, 500], 'those before stay, and nothing half-written');

  const damaged = join(dir, 'checkpoints', 'step-500', 'toy.safetensors');
  const bytes = readFileSync(damaged);
  bytes[bytes.length - 5] ^= 1;
  writeFileSync(damaged, bytes);
  const resumed = await trainToy(dir, length);
  is(resumed.code, 0, resumed.stderr);
  ok(resumed.stderr.includes(`${damaged}: is damaged: its sha256 differs`), resumed.stderr);
  ok(resumed.stderr.includes('resuming after step 450'), resumed.stderr);
  equal(left(dir), left(whole));
});

test('a second Ctrl-C ends at once, with 130: the step that the first one waits for does not end, nothing is saved', async () => {
  const dir = join(home, 'twice');
  const child = await startToy(dir, { steps: 100, every: 2, stallAt: 4 });
  const said = { stdout: '', stderr: '' };
  const sent = new Set<string>();
  /** One signal, when the process has said `words`. */
  const interruptAfter = (stream: 'stdout' | 'stderr', words: string) =>
    child[stream]!.on('data', (bytes) => {
      said[stream] += bytes;
      if (!said[stream].includes(words) || sent.has(words)) return;
      sent.add(words);
      child.kill('SIGINT');
    });
  interruptAfter('stdout', '"step":3');
  interruptAfter('stderr', 'finishing this step and saving; press again to end at once');
  const code = await new Promise((resolve) => child.on('close', resolve));
  is(code, 130, said.stderr);
  is(sent.size, 2, said.stderr);
  ok(!said.stderr.includes('interrupted after step'), said.stderr);
  equal(checkpoints(dir), [2]);
});

test('other classes under the same settings: the run does not go on, and both lists are shown', async () => {
  const dir = join(home, 'classes');
  const length = { steps: 4, every: 2 };
  is((await trainToy(dir, { ...length, classes: ['road', 'car'] })).code, 0);
  const { code, stderr } = await trainToy(dir, { ...length, classes: ['car', 'road'] });
  is(code, 4, stderr);
  ok(/other classes: .*step 4 are road, car; the data have car, road now/.test(stderr), stderr);
  equal(checkpoints(dir), [2, 4]);
});

test('no checkpoint is intact: each is named, the run starts again, and its log holds every step once', async () => {
  const dir = join(home, 'none');
  const length = { steps: 4, every: 2 };
  is((await trainToy(dir, length)).code, 0);
  const whole = left(dir);
  for (const step of checkpoints(dir)) rmSync(join(dir, 'checkpoints', `step-${step}`, 'manifest.json'));
  const { code, stderr } = await trainToy(dir, length);
  is(code, 0, stderr);
  is(stderr.match(/skipped .*step-\d/g)?.length, 2, stderr);
  ok(/none: has no intact checkpoint; starting from step 0/.test(stderr), stderr);
  equal(left(dir), whole);
});

/** `train supervised` for three steps. */
const train = (out: string, root: string, more: readonly string[] = [], options = {}): Promise<Ended> =>
  warpmix(
    ['train', 'supervised', '--data', `pack:${root}`, '--out', out, ...SMALL, '--steps', '3', ...more],
    options,
  );

/** A device that compiles elementwise kernels of this name with a name in them that nothing declares, as long as the right one. */
const misspelt = (kernel: string) =>
  preloaded(`
    import { createRequire } from 'node:module';
    import { pathToFileURL } from 'node:url';
    const { globals } = await import(pathToFileURL(createRequire(process.cwd() + '/').resolve('webgpu')));
    const { prototype } = globals.GPUDevice;
    const make = prototype.createShaderModule;
    prototype.createShaderModule = function ({ label, code }) {
      const spoilt = label.startsWith('${kernel}/') ? code.replace('f(x[i])', 'f(Y[i])') : code;
      return make.call(this, { label, code: spoilt });
    };
  `);

/** What is said of such a kernel: kernel, variant, line, column; the line; a caret under the name. */
function saysWhere(said: string, kernel: string): void {
  const lines = said.split('\n');
  const head = new RegExp(`\\b${kernel}/(vec4-run|scalar):\\d+:(\\d+): unresolved value 'Y'$`);
  const at = lines.findIndex((line) => head.test(line));
  ok(at >= 0, said);
  const column = Number(head.exec(lines[at])![2]);
  const [source, mark] = lines.slice(at + 1);
  ok(/^ +y\[i\] = f\(x\[i\]\);$/.test(source), said);
  // Source and caret are shown two characters in.
  equal([mark.indexOf('^'), source.indexOf('x[i]')], [column + 1, column + 1], said);
}

test('WGSL that does not compile: train and check exit 1 with kernel, line, column and a caret', async () => {
  const trained = await train(join(home, 'wgsl'), data.root, [], { env: misspelt('relu') });
  is(trained.code, 1, trained.stderr);
  is(trained.stderr.split('error: ').length, 2, trained.stderr);
  saysWhere(trained.stderr.slice(trained.stderr.indexOf('error: ')), 'relu');
  ok(!/^ +at /m.test(trained.stderr), 'a stack nobody asked for');
  const checked = await warpmix(['check', 'rsqrt/scalar'], { env: misspelt('rsqrt') });
  is(checked.code, 1, checked.stderr);
  saysWhere(checked.stdout, 'rsqrt');
  ok(/0 passed, 1 failed/.test(checked.stdout), checked.stdout);
});

test('nothing is labelled: the loss is 0, the scores are n/a', async () => {
  const empty = label(() => 255);
  const unlabelled = pack(Object.fromEntries(NAMES.map((name) => [`label/${name}.png`, empty])));
  try {
    const out = join(home, 'void');
    const { code, stdout, stderr } = await train(out, unlabelled.root);
    is(code, 0, stderr);
    ok(/^above +n\/a +0\.0$/m.test(stdout) && /mIoU n\/a/.test(stdout), stdout);
    const lines = readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n');
    const events = lines.map((line) => JSON.parse(line));
    for (const { loss, gradientNorm } of events.slice(0, 3)) equal([loss, gradientNorm], [0, 0]);
    equal(events[3].metrics, { miou: null, pixelAcc: null });
  } finally {
    unlabelled.remove();
  }
});

// A terminal of 40 columns, as far as Node tells a program.
const terminal = preloaded(`
  for (const stream of [process.stdout, process.stderr]) {
    Object.defineProperties(stream, { isTTY: { value: true }, columns: { value: 40 } });
  }
`);

test('images of one colour: every loss is finite. In 40 columns progress stays on its line; NO_COLOR: no escape code', async () => {
  const grey = label(() => 128);
  const flat = pack(Object.fromEntries(NAMES.map((name) => [`image/${name}.png`, grey])));
  try {
    const options = { env: { ...terminal, NO_COLOR: '1' } };
    const { code, stdout, stderr } = await train(join(home, 'flat'), flat.root, ['--json'], options);
    is(code, 0, stderr);
    ok(!/NaN|Infinity/.test(stdout), stdout);
    const redrawn = stderr.split('\n').flatMap((line) => line.split('\r').slice(1));
    is(redrawn.filter((text) => text.includes('supervised')).length, 3, JSON.stringify(stderr));
    for (const text of redrawn) ok(text.length < 40, JSON.stringify(text));
    ok(!(stdout + stderr).includes('\u001b'), JSON.stringify(stderr));
  } finally {
    flat.remove();
  }
  const coloured = await warpmix(['eval', '--run', join(home, 'nothing')], { env: terminal });
  is(coloured.code, 4);
  ok(coloured.stderr.includes('\u001b[31merror'), JSON.stringify(coloured.stderr));
});

test('on a terminal a line that is said takes the place of the progress line', async () => {
  const { code, stderr } = await trainToy(join(home, 'said'), {
    steps: 100_000,
    every: 100,
    signals: ['SIGINT'],
    env: terminal,
  });
  is(code, 130, stderr);
  ok(
    /\rtoy \d+\/100000 .*\r {39}\rfinishing this step and saving.*\n/.test(stderr),
    JSON.stringify(stderr.slice(-600)),
  );
});

test('train --json whose reader has gone: it trains on to the end', async () => {
  const out = join(home, 'pipe');
  const closed = { meanwhile: (child: ChildProcess) => child.stdout!.destroy() };
  const { code, stderr } = await train(out, data.root, ['--json'], closed);
  is(code, 0, stderr);
  ok(!/EPIPE/.test(stderr), stderr);
  ok(existsSync(join(out, 'report.html')));
});
