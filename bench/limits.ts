// What the adapter can do at most: multiply-adds in registers, copies, and what a dispatch costs that does nothing. A
// share of a limit means nothing without the loop that the limit was measured with, so every candidate is listed.
import type { Storage } from '../src/gpu/device.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { groupsFor, type Kernel, type Params } from '../src/gpu/kernel.ts';
import type { DispatchTime } from '../src/gpu/profile.ts';
import { alone, interleaved, median, type Row, timed } from './measure.ts';
import { PEAK_GROUPS, peakCandidates } from './peak.ts';

/** The best of the candidates. */
export interface Limits {
  /** 1e9 floating-point operations a second, a multiply-add counted as two. */
  gflops: number;
  /** 1e9 bytes a second, read and written ones added. */
  gbps: number;
}

const ROUNDS = 9;

/** y = x, `each` vectors of four per invocation, neighbouring invocations on neighbouring vectors. */
const copyKernel = (each: number): Kernel<{ vectors: number }> => ({
  name: `copy kernel, ${each} vec4 per invocation`,
  summary: 'copies a buffer',
  formula: 'y_i = x_i',
  source: 'microbenchmark',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params: { vectors: 'u32' },
  variants: [
    {
      name: 'vec4',
      summary: `${each} vectors per invocation`,
      applies: () => true,
      vec4: ['x', 'y'],
      code: () => `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat(gid, groups);
  let apart = p.vectors / ${each}u;
  if (i >= apart) { return; }
  ${Array.from({ length: each }, (_, k) => `y[i + ${k}u * apart] = x[i + ${k}u * apart];`).join('\n  ')}
}`,
      workgroups: (p) => groupsFor(p.vectors / each),
    },
  ],
  cost: (p) => ({ flops: 0, bytes: 32 * p.vectors }),
  reference: (p, { x, y }) => {
    for (let i = 0; i < 4 * p.vectors; i++) y[i] = x[i];
  },
});

const nothing: Kernel<Record<string, never>> = {
  name: 'empty dispatch',
  summary: 'does nothing',
  formula: '',
  source: 'microbenchmark',
  bindings: [],
  params: {},
  variants: [
    {
      name: 'empty',
      summary: 'one workgroup of one invocation',
      applies: () => true,
      code: () => '@compute @workgroup_size(1) fn main() {}',
      workgroups: () => 1,
    },
  ],
  cost: () => ({ flops: 0, bytes: 0 }),
  reference: () => {},
};

/** @throws where the adapter has no timestamp queries. */
export async function profiled(gpu: Gpu, work: () => void | Promise<void>): Promise<DispatchTime[]> {
  const times = await gpu.profile(work);
  if (times) return times;
  throw new Error(
    'this adapter has no timestamp queries, without which single kernels cannot be timed; the tables peers and growth ' +
      'need none',
  );
}

/** Times of one buffer-to-buffer copy on the queue, read-back of four bytes included. */
async function queueCopies(gpu: Gpu, bytes: number, fence: Storage): Promise<number[]> {
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [source, target] = ['source', 'target'].map((label) =>
    gpu.device.createBuffer({ label, size: bytes, usage }),
  );
  const copy = () =>
    timed(() => {
      const encoder = gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(source, 0, target, 0, bytes);
      gpu.device.queue.submit([encoder.finish()]);
      return gpu.read(fence);
    });
  await copy();
  const [samples] = await interleaved([copy], { most: ROUNDS, budget: 5000 });
  source.destroy();
  target.destroy();
  return samples;
}

/** Milliseconds of one of `count` dispatches that do nothing: on the host alone, and until the device is done. */
export async function emptyDispatches(gpu: Gpu, count: number): Promise<{ host: number; all: number }> {
  const samples: { host: number; all: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    await gpu.sync();
    const start = performance.now();
    for (let i = 0; i < count; i++) gpu.run(nothing, {}, {});
    gpu.submit();
    const host = performance.now() - start;
    await gpu.sync();
    // The first round compiles.
    if (round > 0) samples.push({ host: host / count, all: (performance.now() - start) / count });
  }
  return { host: median(samples.map((s) => s.host)), all: median(samples.map((s) => s.all)) };
}

/** One loop that a limit is measured with. */
export interface LimitLaunch {
  limit: keyof Limits;
  kernel: Kernel;
  params: Params;
  buffers: Record<string, Storage>;
}

/** @param turns of the multiply-add loops on a GPU. */
export function limitLaunches(gpu: Gpu, turns = 600): { launches: LimitLaunch[]; free(): void } {
  const { software } = gpu.adapter;
  // On a GPU far more than its caches hold, where its buffers may be as large.
  const bytes = Math.min(software ? 2 ** 24 : 2 ** 28, gpu.device.limits.maxStorageBufferBindingSize);
  const vectors = 2 ** Math.floor(Math.log2(bytes / 16));
  const [x, y] = [0, 1].map(() => gpu.alloc(4 * vectors, 'f32'));
  const groups = PEAK_GROUPS[software ? 'software' : 'gpu'];
  const sums = gpu.alloc(64 * groups, 'f32');
  return {
    launches: [
      ...peakCandidates.map((kernel) => ({
        limit: 'gflops' as const,
        kernel: kernel as unknown as Kernel,
        params: { turns: software ? 100 : turns, groups },
        buffers: { y: sums },
      })),
      ...[1, 4].map((each) => ({
        limit: 'gbps' as const,
        kernel: copyKernel(each) as unknown as Kernel,
        params: { vectors },
        buffers: { x, y },
      })),
    ],
    free: () => {
      for (const storage of [x, y, sums]) gpu.free(storage);
    },
  };
}

/** What a limit's loop reaches when it takes `ms`, in 1e9 a second. */
export const reached = ({ limit, kernel, params }: LimitLaunch, ms: number): number => {
  const { flops, bytes } = kernel.cost(params);
  return (limit === 'gflops' ? flops : bytes) / ms / 1e6;
};

/** The best of each limit's loops by their median times. @param samples rounds of milliseconds, in the order of `launches` */
export function bestOf(launches: readonly LimitLaunch[], samples: readonly number[][]): Limits {
  const limits = { gflops: 0, gbps: 0 };
  for (const [i, launch] of launches.entries()) {
    const rate = reached(launch, median(samples.map((times) => times[i])));
    limits[launch.limit] = Math.max(limits[launch.limit], rate);
  }
  return limits;
}

/** @throws where the adapter has no timestamp queries. */
export async function measureLimits(gpu: Gpu): Promise<{ limits: Limits; rows: Row[] }> {
  const { launches, free } = limitLaunches(gpu);
  const fence = gpu.alloc(1, 'f32');
  const samples: number[][] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const times = await profiled(gpu, () => {
      for (const { kernel, params, buffers } of launches) gpu.run(kernel, params, buffers);
    });
    // The first round compiles.
    if (round > 0) samples.push(times.map(({ ms }) => ms));
  }
  const rows = launches.map((launch, i) => {
    const { limit, kernel } = launch;
    const ms = median(samples.map((times) => times[i]));
    const name = limit === 'gflops' ? `multiply-adds, ${kernel.name}` : kernel.name;
    return alone(name, { ms, [limit]: reached(launch, ms) });
  });
  const limits = bestOf(launches, samples);

  const bytes = 4 * launches.at(-1)!.buffers.x.length;
  const queued = median(await queueCopies(gpu, bytes, fence));
  const dispatch = await emptyDispatches(gpu, 2000);
  const [reads] = await interleaved([() => timed(() => gpu.read(fence))], { most: 50, budget: 2000 });
  rows.push(
    alone('copyBufferToBuffer, read-back included', { ms: queued, gbps: (2 * bytes) / queued / 1e6 }),
    alone('empty dispatch, one of 2000', { ms: dispatch.all }),
    alone('host time of an empty dispatch', { ms: dispatch.host }),
    alone('read-back of 4 bytes', { ms: median(reads) }),
  );
  free();
  gpu.free(fence);
  return { limits, rows };
}
