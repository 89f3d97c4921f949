// `warpmix bench`: what its JSON holds, that the comparison with other frameworks compares the same thing, and what it says
// without them. No times are tested.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MEMORY_BOUND, memoryBound } from '../../bench/judged.ts';
import type { Row } from '../../bench/measure.ts';
import type { KernelShare } from '../../bench/step.ts';
import { Tracer } from '../../bench/trace.ts';
import { onDevice, step, tensor } from '../../src/autograd/tensor.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { affine } from '../../src/ops/elementwise.ts';
import { concat } from '../../src/ops/movement.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { warpmix } from './spawn.ts';

const test = suite('bench');

const folder = mkdtempSync(join(tmpdir(), 'warpmix-bench-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

interface Printed {
  table: string;
  adapter: string;
  software: boolean;
  date: string;
  command: string;
  rows: Row[];
}

async function rowsOf(...args: string[]): Promise<Row[]> {
  const { code, stdout, stderr } = await warpmix(['bench', ...args, '--json']);
  is(code, 0, stderr);
  is(stdout.trim().split('\n').length, 1, 'one JSON object');
  const { table, adapter, software, date, command, rows } = JSON.parse(stdout) as Printed;
  is(table, args[0]);
  const { vendor, architecture, software: wanted } = (await testGpu()).adapter;
  ok(adapter.startsWith(`${vendor} ${architecture}`), adapter);
  is(software, wanted);
  ok(Math.abs(Date.parse(date) - Date.now()) < 600_000, date);
  is(command, `npx warpmix bench ${args.join(' ')} --json`);
  for (const row of rows) ok(row.case.length > 0 && row.ours.ms >= 0, JSON.stringify(row));
  return rows;
}

test('--help names the tables and the presets', async () => {
  const { code, stdout } = await warpmix(['bench', '--help']);
  is(code, 0);
  for (const word of ['limits', 'kernels', 'ladder', 'peers', 'step', 'growth', 'resnet18', '--json'])
    ok(stdout.includes(word), stdout);
});

const refused: [string[], RegExp][] = [
  [['bench', 'limts'], /unknown table 'limts' \(did you mean limits\?\)/],
  [['bench', 'toString'], /unknown table 'toString'/],
  [['bench', 'step', '--preset', 'huge'], /--preset 'huge': expected one of tiny, small, resnet18/],
];
for (const [args, pattern] of refused) {
  test(`exit 2: warpmix ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await warpmix(args);
    is(code, 2, stderr);
    is(stdout, '');
    ok(pattern.test(stderr), stderr);
  });
}

test('limits: every candidate with its rate, and what a dispatch costs', async () => {
  const rows = await rowsOf('limits');
  const rate = (text: string, unit: string) =>
    rows.filter((row) => row.case.includes(text)).map(({ ours }) => ours[unit] as number);
  ok(rate('unrolled', 'gflops').every((value) => value > 0.1));
  is(rate('rolled', 'gflops').length, 4);
  ok(rate('copy kernel', 'gbps').every((value) => value > 0.1));
  ok(rows.some((row) => row.case === 'host time of an empty dispatch'));
});

test('step: shares of the kernels sum to one; a replay holds at most 1.3 times what must live', async () => {
  const [row, eager, ...others] = await rowsOf('step', 'supervised');
  equal([row.case, eager.case, others], ['supervised, replayed', 'supervised, eager', []]);
  const { kernels, dispatches, peakBytes, mustLiveBytes, imagesPerSecond } = row.ours as unknown as {
    kernels: KernelShare[];
  } & Record<string, number>;
  ok(Math.abs(kernels.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
  is(
    kernels.reduce((sum, one) => sum + one.dispatches, 0),
    dispatches,
  );
  ok(kernels.some(({ kernel }) => kernel === 'conv2dWeightGrad'));
  const bytes = `${peakBytes} handed out, ${mustLiveBytes} needed`;
  ok(mustLiveBytes > 0 && peakBytes >= mustLiveBytes && peakBytes <= 1.3 * mustLiveBytes, bytes);
  is(eager.ours.dispatches, dispatches);
  ok(imagesPerSecond > 0);
});

test('ladder: from the naive variant on, with the one that the rule takes marked', async () => {
  const rows = await rowsOf('ladder', 'adaptiveAvgPool');
  const rungs = rows.filter(({ ours }) => ours.kernel === 'adaptiveAvgPool').map(({ ours }) => ours);
  equal(
    rungs.map(({ variant }) => variant),
    ['scalar', 'scalar-run', 'half-scalar', 'half-scalar-run *'],
  );
  is(rungs[0].gain, 1);
  is(rungs[1].gain, rungs[0].ms / rungs[1].ms);
  ok(
    rungs.every(({ from }) => /^step of .*, preset tiny$/.test(from as string)),
    JSON.stringify(rungs),
  );
});

test('peers: jax-js computes the same dilated gradient, tfjs refuses and is quoted', async () => {
  const rows = await rowsOf('peers', 'weight gradient, N2 32x32, 16 to 32, 3x3, dilation 2');
  is(rows.length, 1);
  const { peers, ratio, ours } = rows[0];
  ok(peers['jax-js'].maxRelErr! < 1e-4, JSON.stringify(peers));
  is(ratio, peers['jax-js'].ms! / ours.ms);
  ok(/dilation rates greater than 1/.test(peers['tfjs-webgpu'].error!), JSON.stringify(peers));
  is(peers['tfjs-webgpu'].ms, undefined);
});

test('pytorch: exit 1 and what is missing, where Python has no torch and where there is no Python', async () => {
  const bare = join(folder, 'python');
  mkdirSync(bare);
  const none = await warpmix(['bench', 'pytorch'], { env: { PATH: bare } });
  is(none.code, 1, none.stderr);
  ok(/bench pytorch: python3 cannot be started: .*ENOENT/.test(none.stderr), none.stderr);
  const failing = '#!/bin/sh\necho "ModuleNotFoundError: No module named \'torch\'" >&2\nexit 1\n';
  writeFileSync(join(bare, 'python3'), failing, { mode: 0o755 });
  const { code, stdout, stderr } = await warpmix(['bench', 'pytorch'], { env: { PATH: bare } });
  is(code, 1, stderr);
  is(stdout, '');
  ok(
    /python3 ended with 'ModuleNotFoundError: No module named 'torch''\. It needs the package/.test(stderr),
    stderr,
  );
});

test('what memory limits: every kernel by which it is judged is timed and rated', async () => {
  const gpu = await testGpu();
  const rows = await memoryBound(gpu, { gflops: 10, gbps: 3 }, () => true, 16);
  ok(MEMORY_BOUND.length >= 10);
  for (const name of MEMORY_BOUND) {
    const row = rows.find((one) => one.case.startsWith(`${name} `));
    ok(row, `${name} is not among ${rows.map((one) => one.case).join(', ')}`);
    const { ms, gbps, share } = row!.ours as Record<string, number>;
    ok(ms > 0 && gbps > 0 && share > 0, JSON.stringify(row));
  }
});

test('without the other frameworks: peers says what to install, exit 1; the rest works', async () => {
  // A checkout as `npm ci --omit=dev` leaves it.
  mkdirSync(join(folder, 'bin'), { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  cpSync('bin/warpmix.mjs', join(folder, 'bin/warpmix.mjs'));
  cpSync('dist/warpmix.mjs', join(folder, 'dist/warpmix.mjs'));
  cpSync('package.json', join(folder, 'package.json'));
  for (const name of readdirSync('node_modules')) {
    if (!['.bin', '@jax-js', '@tensorflow', 'esbuild'].includes(name))
      symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name));
  }
  const bin = join(folder, 'bin/warpmix.mjs');
  const { code, stdout, stderr } = await warpmix(['bench', 'peers', '--json'], { bin });
  is(code, 1);
  is(stdout, '');
  ok(
    /error: bench peers: not installed: @jax-js\/jax, @tensorflow\/tfjs-core, .*'npm ci'/.test(stderr),
    stderr,
  );
  const limits = await warpmix(['bench', 'limits'], { bin });
  is(limits.code, 0, limits.stderr);
  const { software } = (await testGpu()).adapter;
  const [head] = limits.stdout.split('\n');
  ok(head.includes(software ? '(software adapter), ' : '(GPU), '), head);
});

test('the bytes that must live: from the first use of a tensor to its last', async () => {
  const gpu: Gpu = await testGpu();
  const tracer = new Tracer(gpu);
  const KIB = 1024;
  onDevice(tracer, () => {
    const x = tensor(new Float32Array(KIB)); // 4 KiB, held throughout
    tracer.begin();
    const y = step(() => {
      affine(x, 2, 0); // 4 KiB, of no use after this launch
      const a = affine(x, 3, 0); // 4 KiB
      const b = concat([a, a], 0); // 8 KiB; a ends here
      return affine(b, 4, 0); // 8 KiB, survives; b ends here
    });
    // x, b and the result; eager frees nothing before the step ends.
    equal(tracer.mustLive(), (4 + 8 + 8) * KIB);
    is(tracer.peak, (4 + 4 + 4 + 8 + 8) * KIB);
    y.dispose();
    x.dispose();
  });
});
