// A training step of each recipe: time, dispatches, what the host and each kernel take of it, and memory against the least
// that its tensors need.
import type { DispatchTime, Gpu } from '../src/gpu/gpu.ts';
import type { PresetName } from '../src/train/config.ts';
import { alone, interleaved, median, type Row } from './measure.ts';
import { BenchPhase, phaseNames } from './phases.ts';

export interface KernelShare {
  kernel: string;
  variant: string;
  dispatches: number;
  ms: number;
  /** Of the device time of all dispatches of the step. */
  share: number;
}

export function sharesOf(times: readonly DispatchTime[]): KernelShare[] {
  const total = times.reduce((sum, { ms }) => sum + ms, 0);
  const byKernel = new Map<string, KernelShare>();
  for (const { kernel, variant, ms } of times) {
    const key = `${kernel}/${variant}`;
    const entry = byKernel.get(key) ?? { kernel, variant, dispatches: 0, ms: 0, share: 0 };
    byKernel.set(key, entry);
    entry.dispatches += 1;
    entry.ms += ms;
    entry.share = entry.ms / total;
  }
  return [...byKernel.values()].sort((a, b) => b.ms - a.ms);
}

/** `firstMs` includes compiling; kernels that an earlier row uses too are compiled already. */
export async function stepTable(
  gpu: Gpu,
  preset: PresetName,
  chosen: (name: string) => boolean,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of phaseNames.filter(chosen)) {
    const bench = await BenchPhase.open(gpu, name, preset);
    const first = await bench.step();
    for (let k = 1; k < bench.cycle; k++) await bench.step();
    bench.tracer.begin();
    const steps: { hostMs: number; dispatches: number }[] = [];
    const sample = async () => {
      const one = await bench.step();
      steps.push(one);
      return one.ms;
    };
    const [samples] = await interleaved([sample], { most: 9, budget: 10_000 });
    const [peakBytes, mustLiveBytes] = [bench.tracer.peak, bench.tracer.mustLive()];
    const times = await bench.profile();
    bench.close();
    const ms = median(samples);
    const dispatches = median(steps.map((one) => one.dispatches));
    const hostMs = median(steps.map((one) => one.hostMs));
    rows.push(
      alone(name, {
        ms,
        firstMs: first.ms,
        samples: samples.length,
        imagesPerSecond: (1000 * bench.phase.imagesPerStep) / ms,
        dispatches,
        deviceMs: times.reduce((sum, one) => sum + one.ms, 0),
        hostMs,
        hostUsPerDispatch: (1000 * hostMs) / dispatches,
        peakBytes,
        mustLiveBytes,
        kernels: sharesOf(times),
      }),
    );
  }
  return rows;
}
