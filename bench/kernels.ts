// Every kernel of the training steps at the parameters that take most of a step's time, and conv2d at the sizes by which
// it is judged: device time, rate, and the share of what the adapter's limits allow.
import { conv2d, conv2dInputGrad, conv2dWeightGrad, weightGradSplits } from '../kernels/conv2d.ts';
import type { Storage } from '../src/gpu/device.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { available, canRun, type Kernel, type Params } from '../src/gpu/kernel.ts';
import type { PresetName } from '../src/train/config.ts';
import { type Limits, measureLimits, profiled } from './limits.ts';
import { alone, filler, median, type Row } from './measure.ts';
import { BenchPhase, phaseNames } from './phases.ts';

const ROUNDS = 9;

/** Rate and share of the limit: the time that arithmetic or memory would take at least, over the time it took. */
export function rated(kernel: Kernel, params: Params, ms: number, { gflops, gbps }: Limits) {
  const { flops, bytes } = kernel.cost(params);
  const [arithmetic, memory] = [flops / gflops / 1e6, bytes / gbps / 1e6];
  return {
    gflops: flops / ms / 1e6,
    gbps: bytes / ms / 1e6,
    bound: arithmetic > memory ? 'arithmetic' : 'memory',
    share: Math.max(arithmetic, memory) / ms,
  };
}

/** `n=2 h=64 w=128 c=16`: the first parameters that are neither zero nor one. */
export const shortParams = (params: Params): string =>
  Object.entries(params)
    .filter(([, value]) => value !== 0 && value !== 1)
    .slice(0, 11)
    .map(([name, value]) => `${name}=${Number.isSafeInteger(value) ? value : value.toPrecision(3)}`)
    .join(' ');

/** conv2d 3x3 with as many outputs as inputs: forward, input gradient, weight gradient, by every variant that can run. */
async function convolutions(gpu: Gpu, n: number, h: number, w: number, c: number, limits: Limits) {
  const shape = { n, h, w, c, oh: h, ow: w, k: c, kh: 3, kw: 3, sy: 1, sx: 1, py: 1, px: 1, dy: 1, dx: 1 };
  const p = { ...shape, groups: 1 };
  const splits = weightGradSplits(p);
  const filled = (length: number): Storage => {
    const storage = gpu.alloc(length, 'f32');
    gpu.write(storage, filler(length));
    return storage;
  };
  const [x, y] = [filled(n * h * w * c), filled(n * h * w * c)];
  const weights = filled(9 * c * c);
  const parts = filled(9 * c * c * splits);
  const launches: { kernel: Kernel; params: Params; buffers: Record<string, Storage> }[] = [
    { kernel: conv2d as Kernel<Params>, params: p, buffers: { x, w: weights, y } },
    { kernel: conv2dInputGrad as Kernel<Params>, params: p, buffers: { g: y, wt: weights, dx: x } },
    {
      kernel: conv2dWeightGrad as unknown as Kernel,
      params: { ...p, splits },
      buffers: { x, g: y, dw: parts },
    },
  ];
  const entries = launches.flatMap((one) =>
    one.kernel.variants
      .filter((variant) => canRun(variant, one.params) && available(variant, gpu.adapter))
      .map((variant) => ({ ...one, variant: variant.name, ms: [] as number[] })),
  );
  for (let round = 0; round <= ROUNDS; round++) {
    const times = await profiled(gpu, () => {
      for (const { kernel, variant, params, buffers } of entries) {
        gpu.pins.set(kernel.name, variant);
        gpu.run(kernel, params, buffers);
        gpu.pins.delete(kernel.name);
      }
    });
    // The first round compiles.
    if (round > 0) for (const [i, { ms }] of times.entries()) entries[i].ms.push(ms);
  }
  for (const storage of [x, y, weights, parts]) gpu.free(storage);
  return entries.map(({ kernel, params, variant, ms }) => {
    const chosen = gpu.variant(kernel, params).name === variant;
    return alone(`${kernel.name} 3x3 ${c} to ${c}, ${n}x${h}x${w}, ${variant}${chosen ? ' *' : ''}`, {
      ms: median(ms),
      ...rated(kernel, params, median(ms), limits),
      variant,
      params,
    });
  });
}

/** `perStep`: dispatches with these parameters in a step of the recipe that launches most of them. */
export async function kernelTable(
  gpu: Gpu,
  preset: PresetName,
  chosen: (name: string) => boolean,
): Promise<Row[]> {
  const { limits } = await measureLimits(gpu);
  const found = new Map<
    string,
    { kernel: Kernel; variant: string; params: Params; ms: number[]; perStep: number }
  >();
  for (const name of phaseNames) {
    const bench = await BenchPhase.open(gpu, name, preset);
    for (let k = 0; k < bench.cycle; k++) await bench.step();
    for (let round = 0; round < 2 * bench.cycle; round++) {
      const counts = new Map<string, number>();
      for (const { kernel, variant, params, ms } of await bench.profile()) {
        const key = `${kernel}/${variant} ${JSON.stringify(params)}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
        const known = found.get(key);
        if (known) known.ms.push(ms);
        else
          found.set(key, {
            kernel: bench.tracer.kernels.get(kernel)!,
            variant,
            params,
            ms: [ms],
            perStep: 0,
          });
      }
      for (const [key, count] of counts) {
        const known = found.get(key)!;
        known.perStep = Math.max(known.perStep, count);
      }
    }
    await bench.close();
  }
  const weight = (one: { ms: number[]; perStep: number }) => median(one.ms) * one.perStep;
  const dearest = new Map<string, ReturnType<typeof found.get> & object>();
  for (const one of found.values()) {
    const known = dearest.get(one.kernel.name);
    if (!known || weight(one) > weight(known)) dearest.set(one.kernel.name, one);
  }
  const rows = [...dearest.values()]
    .filter(({ kernel }) => chosen(kernel.name))
    .sort((a, b) => weight(b) - weight(a))
    .map(({ kernel, variant, params, ms, perStep }) =>
      alone(`${kernel.name} ${shortParams(params)}`, {
        ms: median(ms),
        ...rated(kernel, params, median(ms), limits),
        variant,
        perStep,
        params,
      }),
    );
  if (!chosen('conv2d')) return rows;
  const judged = gpu.adapter.software
    ? await convolutions(gpu, 1, 64, 64, 32, limits)
    : await convolutions(gpu, 8, 128, 256, 64, limits);
  return [...judged, ...rows];
}
