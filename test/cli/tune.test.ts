// Kernel variants by measurement and by pin, from `tune` to a resumed run.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureLaunch } from '../../src/cli/tune.ts';
import { cachePath, type Measurement, readMeasurements, writeMeasurements } from '../../src/cli/variants.ts';
import type { Kernel, Variant } from '../../src/gpu/kernel.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { pack, SMALL } from './halves.ts';
import { warpmix } from './spawn.ts';

const test = suite('tune', { timeoutMs: 400_000 });

const folder = mkdtempSync(join(tmpdir(), 'warpmix-tune-'));
const env = { WARPMIX_CACHE: join(folder, 'cache'), WARPMIX_VARIANTS: '' };
test.before(() => {
  process.env.WARPMIX_CACHE = env.WARPMIX_CACHE;
});
test.after(() => {
  delete process.env.WARPMIX_CACHE;
  rmSync(folder, { recursive: true, force: true });
  data.remove();
});

test('what does not compile, is wrong, or needs what is missing is never chosen, and is reported', async () => {
  const gpu = await testGpu();
  type P = { n: number };
  const variant = (name: string, value: string, more: Partial<Variant<P>> = {}): Variant<P> => ({
    name,
    summary: '',
    applies: () => true,
    code: () => `@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) { if (gid.x < p.n) { y[gid.x] += ${value}; } }`,
    workgroups: ({ n }) => Math.ceil(n / 64),
    ...more,
  });
  // Two is where t/2 + 1 stays what it is.
  const slow = (turns: number): Partial<Variant<P>> => ({
    code: () => `@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  if (gid.x >= p.n) { return; }
  var t = x[gid.x];
  for (var k = 0u; k < ${turns}u; k++) { t = 0.5 * t + 1.0; }
  y[gid.x] += t;
}`,
  });
  const kernel: Kernel<P> = {
    name: 'probe',
    summary: '',
    formula: '',
    source: 'test',
    bindings: [
      { name: 'x', type: 'f32', access: 'read' },
      { name: 'y', type: 'f32', access: 'update' },
    ],
    params: { n: 'u32' },
    variants: [
      variant('broken', 'nosuchname'),
      variant('wrong', '0.5'),
      variant('partial', 'x[gid.x]', { workgroups: () => 1 }),
      variant('slow', '', slow(300)),
      variant('fast', 'x[gid.x]'),
      variant('unfit', 'x[gid.x]', { applies: (p) => p.n < 3 }),
      variant('naive', '', slow(1000)),
    ],
    cost: () => ({ flops: 0, bytes: 0 }),
    reference: () => {},
  };
  const n = 2 ** 18;
  const [x, y] = [gpu.alloc(n, 'f32'), gpu.alloc(n, 'f32')];
  gpu.write(x, new Float32Array(n).fill(2));
  gpu.write(y, new Float32Array(n).fill(1));
  const rejected: string[][] = [];
  const found = await measureLaunch(gpu, kernel as unknown as Kernel, { n }, { x, y }, (...one) =>
    rejected.push(one),
  );
  is(found?.variant, 'fast', JSON.stringify(found));
  equal(Object.keys(found!.ms), ['slow', 'fast', 'naive']);
  equal(rejected.map(([name]) => name).sort(), ['broken', 'partial', 'wrong'], JSON.stringify(rejected));
  ok(/nosuchname/.test(rejected.find(([name]) => name === 'broken')![1]));
  is(rejected.find(([name]) => name === 'wrong')![1], "'y' is not what naive gives");
  equal([...(await gpu.read(y))].slice(0, 2), [1, 1], 'the buffers of the step stay as they are');
  is(gpu.pins.size, 0);
  for (const one of [x, y]) gpu.free(one);
});

test('tune: a file for this adapter, which the inspector reads; a damaged one is named and replaced', async () => {
  const { adapter } = await testGpu();
  const path = cachePath(adapter);
  equal(readMeasurements(adapter), []);
  mkdirSync(env.WARPMIX_CACHE, { recursive: true });
  writeFileSync(path, '{"adapter":');
  const tuned = await warpmix(['tune', 'matmul'], { env });
  is(tuned.code, 0, tuned.stderr);
  ok(tuned.stderr.includes(`ignored ${path}: it is damaged`), tuned.stderr);
  ok(/matmul +\d/.test(tuned.stdout) && tuned.stdout.includes(path), tuned.stdout);
  equal(readdirSync(env.WARPMIX_CACHE), [path.split('/').at(-1)]);
  const measured = readMeasurements(adapter);
  ok(measured.length > 0 && measured.every((one) => one.kernel === 'matmul' && one.ms[one.variant] > 0));

  const shown = await warpmix(['kernels', 'matmul'], { env });
  ok(/fastest by tune, taken by --tuned/.test(shown.stdout), shown.stdout);

  const again = await warpmix(['tune', 'flowMoments', '--json'], { env });
  is(again.code, 0, again.stderr);
  const { kernels } = JSON.parse(again.stdout);
  equal(
    kernels.map((one: { kernel: string }) => one.kernel),
    ['flowMoments'],
  );
  equal(readMeasurements(adapter).slice(0, measured.length), measured, 'what was measured before is kept');

  // Another adapter's measurements are not taken for this one's.
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('"vendor":"', '"vendor":"not '));
  equal(readMeasurements(adapter), []);
  writeFileSync(path, text);
  const other = await warpmix(['tune', 'conv2'], { env });
  is(other.code, 2);
  ok(other.stderr.includes('did you mean conv2d?'), other.stderr);
});

const out = (name: string) => join(folder, name);
const data = pack();
const TRAIN = ['train', 'supervised', '--data', `pack:${data.root}`, ...SMALL, '--set', 'checkpointEvery=2'];

interface Launched {
  kernel: string;
  variant: string;
  params: Record<string, number>;
}

/** What the traced steps launched. */
const traced = (file: string): Launched[] =>
  JSON.parse(readFileSync(file, 'utf8')).traceEvents.flatMap(
    ({ name, args }: { name: string; args?: { variant?: string } }) => {
      if (!args?.variant) return [];
      const { variant, ...params } = args;
      return [{ kernel: name, variant, params }];
    },
  );
const isLaunch = (kernel: string, params: object) => (one: Launched) =>
  one.kernel === kernel && JSON.stringify(one.params) === JSON.stringify(params);

test('train --tuned runs what was measured, and goes on with it after the cache has changed', async () => {
  const { adapter } = await testGpu();
  const dir = out('tuned');
  const trace = out('trace.json');
  const train = (more: string[]) => warpmix([...TRAIN, '--out', dir, '--trace', trace, ...more], { env });

  const rule = await warpmix([...TRAIN, '--steps', '2', '--out', out('rule'), '--trace', trace], { env });
  is(rule.code, 0, rule.stderr);
  const config = (name: string) => JSON.parse(readFileSync(join(out(name), 'config.json'), 'utf8'));
  is(config('rule').variants, undefined);
  const { params, variant } = traced(trace).find(
    ({ kernel, variant }) => kernel === 'conv2d' && variant === 'rows',
  )!;
  const measurement = (name: string): Measurement => ({
    kernel: 'conv2d',
    params,
    variant: name,
    ms: { [name]: 1 },
  });
  const stale: Measurement = { kernel: 'conv3d', params: {}, variant: 'rows', ms: {} };

  writeMeasurements(adapter, [measurement('naive'), stale]);
  // Stops after a checkpoint, as a machine that goes down would.
  const stopped = await warpmix([...TRAIN, '--tuned', '--steps', '4', '--out', dir], {
    env,
    meanwhile: (child) => {
      const watch = setInterval(() => {
        if (existsSync(join(dir, 'checkpoints/step-2/manifest.json'))) child.kill('SIGKILL');
        if (child.exitCode !== null || child.killed) clearInterval(watch);
      }, 20);
    },
  });
  ok(stopped.code === null || stopped.code === 0, stopped.stderr);
  const { variants } = config('tuned');
  equal(variants.pinned, {});
  equal(Object.values(variants.measured), ['naive']);

  writeMeasurements(adapter, [measurement('registers')]);
  rmSync(join(dir, 'checkpoints/step-4'), { recursive: true, force: true });
  const without = await train(['--steps', '4', '--resume', 'auto']);
  is(without.code, 4);
  ok(/cannot resume with other settings.*variants/.test(without.stderr), without.stderr);
  const resumed = await train(['--tuned', '--steps', '4', '--resume', 'auto']);
  is(resumed.code, 0, resumed.stderr);
  ok(/the measurements of this adapter have changed/.test(resumed.stderr), resumed.stderr);
  ok(/resuming after step 2/.test(resumed.stderr), resumed.stderr);
  equal(config('tuned').variants, variants);
  const ran = traced(trace);
  const here = isLaunch('conv2d', params);
  ok(ran.some(here), 'the traced steps launch it');
  ok(
    ran.every((one) =>
      here(one) ? one.variant === 'naive' : one.kernel !== 'conv2d' || one.variant !== 'naive',
    ),
  );
  is(variant, 'rows');
  ok(readFileSync(join(dir, 'report.html'), 'utf8').includes('by measurement: 1; others by the rule'));

  const scored = await warpmix(['eval', '--run', dir, '--json'], { env });
  is(scored.code, 0, scored.stderr);
  const summary = JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8'));
  equal(JSON.parse(scored.stdout).miou, summary.metrics.miou);
});

test('a damaged cache is named and ends nothing', async () => {
  const { adapter } = await testGpu();
  writeFileSync(cachePath(adapter), 'x');
  const { code, stderr } = await warpmix([...TRAIN, '--tuned', '--dry-run'], { env });
  is(code, 0, stderr);
  ok(stderr.includes(`ignored ${cachePath(adapter)}`) && /nothing measured here/.test(stderr), stderr);
});

test('WARPMIX_VARIANTS pins a variant wherever it can run, and the run folder says so', async () => {
  const trace = out('pinned.json');
  const command = [...TRAIN, '--steps', '2', '--out', out('pinned'), '--trace', trace];
  const pins = { ...env, WARPMIX_VARIANTS: 'conv2dInputGrad=registers-scalar,adam=scalar' };
  const { code, stderr } = await warpmix(command, { env: pins });
  is(code, 0, stderr);
  ok(stderr.includes('pinned by WARPMIX_VARIANTS: conv2dInputGrad=registers-scalar, adam=scalar'), stderr);
  const launched = traced(trace);
  for (const [kernel, variant] of [
    ['conv2dInputGrad', 'registers-scalar'],
    ['adam', 'scalar'],
  ]) {
    equal([...new Set(launched.filter((one) => one.kernel === kernel).map((one) => one.variant))], [variant]);
  }
  const { variants } = JSON.parse(readFileSync(join(out('pinned'), 'config.json'), 'utf8'));
  equal(variants, { pinned: { conv2dInputGrad: 'registers-scalar', adam: 'scalar' }, measured: null });
  const again = await warpmix([...command, '--resume', 'auto'], { env });
  is(again.code, 4);
  ok(/cannot resume with other settings.*variants/.test(again.stderr), again.stderr);

  const shown = await warpmix(['kernels', 'sigmoidGrad'], {
    env: { ...env, WARPMIX_VARIANTS: 'sigmoidGrad=scalar' },
  });
  ok(/scalar \*.*runs: pinned by WARPMIX_VARIANTS/.test(shown.stdout), shown.stdout);
  for (const [text, message] of [
    ['conv2=naive', /no kernel 'conv2' \(did you mean conv2d\?\)/],
    ['conv2d=fast', /conv2d has no variant 'fast'; it has rows/],
    ['conv2d', /'conv2d': expected KERNEL=VARIANT/],
  ] as const) {
    const refused = await warpmix(['check', 'relu'], { env: { ...env, WARPMIX_VARIANTS: text } });
    is(refused.code, 2, refused.stderr);
    ok(message.test(refused.stderr), refused.stderr);
  }
});
