// Every kernel of the training steps at the parameters that take most of a step's time, and those by which kernels are judged
// (judged.ts): device time, rate, and the share of what the adapter's limits allow.
import type { Gpu } from '../src/gpu/gpu.ts';
import type { Kernel, Params } from '../src/gpu/kernel.ts';
import type { PresetName } from '../src/train/config.ts';
import { convolutions, memoryBound } from './judged.ts';
import { measureLimits } from './limits.ts';
import { alone, median, type Row } from './measure.ts';
import { BenchPhase, phaseNames } from './phases.ts';
import { rated, shortParams } from './rate.ts';

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
  const judged: Row[] = [];
  if (chosen('conv2d')) {
    const [n, h, w, c] = gpu.adapter.software ? [1, 64, 64, 32] : [8, 128, 256, 64];
    judged.push(...(await convolutions(gpu, n, h, w, c)));
  }
  // On a software adapter the sizes of training say as much, in less time.
  if (!gpu.adapter.software) judged.push(...(await memoryBound(gpu, limits, chosen)));
  return [...judged, ...rows];
}
