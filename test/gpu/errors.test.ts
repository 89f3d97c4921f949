import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';
import { DeviceLostError, KernelCompileError, OutOfMemoryError } from '../../src/gpu/errors.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { openGpu } from '../../src/gpu/open.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('device errors');

/** y[i] = whatever `expression` says. */
const kernel = (expression: string): Kernel<{ n: number }> => ({
  name: 'probe',
  summary: '',
  formula: '',
  source: 'test',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: { n: 'u32' },
  variants: [
    {
      name: 'only',
      summary: '',
      applies: () => true,
      code: () => `@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  if (gid.x >= p.n) { return; }
  y[gid.x] = ${expression};
}`,
      workgroups: () => 1,
    },
  ],
  cost: () => ({ flops: 0, bytes: 0 }),
  reference: () => {},
});

async function thrown(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

let gpu: Gpu;
test.before(async () => {
  gpu = (await openGpu()).gpu;
});
test.after(() => gpu.close());

test('reads asked for together are one submission; each gets its own values, and those of its time', async () => {
  const y = gpu.alloc(3, 'f32');
  const counts = gpu.alloc(5, 'u32');
  const none = gpu.alloc(0, 'f32');
  const plusOne = { ...kernel('x[gid.x] + 1.0'), name: 'plusOne' };
  gpu.write(y, Float32Array.of(1, 2, 3));
  gpu.write(counts, Uint32Array.of(5, 6, 7, 8, 9));
  const { queue } = gpu.device;
  const submit = queue.submit.bind(queue);
  let submissions = 0;
  queue.submit = (buffers) => {
    submissions += 1;
    submit(buffers);
  };
  try {
    const together = await Promise.all([y, counts, none, y].map((one) => gpu.read(one)));
    is(submissions, 1);
    equal(together, [
      Float32Array.of(1, 2, 3),
      Uint32Array.of(5, 6, 7, 8, 9),
      new Float32Array(0),
      Float32Array.of(1, 2, 3),
    ]);
    // One is on its way when the next is asked for, after a further launch.
    const z = gpu.alloc(3, 'f32');
    const before = gpu.read(y);
    await new Promise((later) => setImmediate(later));
    gpu.run(plusOne, { n: 3 }, { x: y, y: z });
    gpu.write(y, Float32Array.of(9, 9, 9));
    equal(await Promise.all([before, gpu.read(z), gpu.read(y)]), [
      Float32Array.of(1, 2, 3),
      Float32Array.of(2, 3, 4),
      Float32Array.of(9, 9, 9),
    ]);
  } finally {
    queue.submit = submit;
  }
});

test('kernels launched while another read is on its way, each of them new', async () => {
  const x = gpu.alloc(4, 'f32');
  gpu.write(x, Float32Array.of(1, 2, 3, 4));
  const reads: Promise<ArrayLike<number>>[] = [];
  for (let i = 0; i < 60; i++) {
    const y = gpu.alloc(4, 'f32');
    gpu.run({ ...kernel(`x[gid.x] + ${i}.5`), name: `late${i}` }, { n: 4 }, { x, y });
    reads.push(gpu.read(y));
    // A few milliseconds later: some of the launches come just after the compiling that another read waited for.
    await new Promise((later) => setTimeout(later, i % 7));
  }
  for (const [i, read] of reads.entries())
    equal([...Array.from(await read)], [1.5 + i, 2.5 + i, 3.5 + i, 4.5 + i]);
});

test('a compile error names kernel and line, shows the line and a caret, and leaves the device usable', async () => {
  const x = gpu.alloc(4, 'f32');
  const y = gpu.alloc(4, 'f32');
  gpu.run(kernel('nosuchname + 1.0'), { n: 4 }, { x, y });
  const error = await thrown(() => gpu.read(y));
  ok(error instanceof KernelCompileError, `${error.name}: ${error.message}`);
  const [head, line, mark] = error.message.split('\n');
  ok(/^probe\/only:\d+:\d+: .*nosuchname/.test(head), head);
  is(line.indexOf('nosuchname'), mark.indexOf('^'), error.message);
  gpu.write(x, [1, 2, 3, 4]);
  gpu.run(kernel('x[gid.x] * 2.0'), { n: 4 }, { x, y });
  equal([...(await gpu.read(y))], [2, 4, 6, 8]);
});

test('more than the largest buffer: bytes asked and the limit', async () => {
  const limit = Math.min(gpu.device.limits.maxBufferSize, gpu.device.limits.maxStorageBufferBindingSize);
  const error = await thrown(() => gpu.alloc(limit / 4 + 1, 'f32'));
  ok(error instanceof OutOfMemoryError, error.name);
  ok(error.message.includes(String(limit + 4)) && error.message.includes(String(limit)), error.message);
});

test('one tensor read and written, a freed tensor, a wrong type: refused by name', async () => {
  const x = gpu.alloc(4, 'f32');
  const whole = gpu.alloc(4, 'i32');
  const run = (buffers: Record<string, typeof x>) => () => gpu.run(kernel('x[gid.x]'), { n: 4 }, buffers);
  ok(/'y' is written and is the same tensor as 'x'/.test((await thrown(run({ x, y: x }))).message));
  ok(/'y' is f32, the tensor is i32/.test((await thrown(run({ x, y: whole }))).message));
  const gone = gpu.alloc(4, 'f32');
  gpu.free(gone);
  ok(/bound to 'x' was freed/.test((await thrown(run({ x: gone, y: x }))).message));
});

test('a process ends while a read-back is on its way: no hang, and no rejection that says nothing', async () => {
  // Beside the runner's own bundles, where packages are found and which the runner removes.
  const program = `dist/test-${process.pid}/pending-map.mjs`;
  await build({
    entryPoints: ['test/gpu/pending-map.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  // A process that hangs is ended by a signal, and a test that hangs with it would hold up all others.
  const run = (how: string) => {
    const ended = spawnSync(process.execPath, [program, how], {
      encoding: 'utf8',
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    equal([ended.status, ended.signal], [0, null], `${how}: ${ended.error ?? ''} ${ended.stderr}`);
    return ended;
  };
  const closed = run('close');
  ok(/^(read|refused: .*(closed|aborted).*)$/m.test(closed.stdout), closed.stdout);
  const left = run('exit');
  ok(!/reject/i.test(left.stderr + closed.stderr), left.stderr + closed.stderr);
});

test('after a loss nothing works and nothing looks like success', async () => {
  const { gpu: lost } = await openGpu();
  const x = lost.alloc(4, 'f32');
  lost.write(x, [1, 2, 3, 4]);
  lost.device.destroy();
  await lost.device.lost;
  const error = await thrown(() => lost.read(x));
  ok(error instanceof DeviceLostError, `${error.name}: ${error.message}`);
  ok(/checkpoint/.test(error.message), error.message);
  ok((await thrown(() => lost.alloc(4, 'f32'))) instanceof DeviceLostError);
  // The other device is not touched.
  const y = gpu.alloc(1, 'f32');
  gpu.write(y, [7]);
  equal([...(await gpu.read(y))], [7]);
});
