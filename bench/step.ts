// A training step of each recipe: time, dispatches, what the host and each kernel take of it, and memory against the least
// that its tensors need.
import type { Gpu } from '../src/gpu/gpu.ts';
import type { DispatchTime } from '../src/gpu/profile.ts';
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

type Step = Awaited<ReturnType<BenchPhase['step']>>;

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

/**
 * Two rows a recipe, whose steps take turns: run op by op, and replayed. `firstMs` includes compiling, for the first of the two;
 * kernels that an earlier row uses too are compiled already.
 */
export async function stepTable(
  gpu: Gpu,
  preset: PresetName,
  chosen: (name: string) => boolean,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of phaseNames.filter(chosen)) {
    const replayed = await BenchPhase.open(gpu, name, preset, true);
    const modes = [{ bench: replayed, firstMs: (await replayed.step()).ms, steps: [] as Step[] }];
    for (let k = 1; k < replayed.cycle; k++) await replayed.step();
    const replayedBytes = replayed.heldBytes;
    const eager = await BenchPhase.open(gpu, name, preset);
    modes.push({ bench: eager, firstMs: (await eager.step()).ms, steps: [] });
    for (let k = 1; k < eager.cycle; k++) await eager.step();
    eager.tracer.begin();
    const samples = await interleaved(
      modes.map(({ bench, steps }) => async () => {
        // In training a step follows one of its kind.
        await bench.step();
        const one = await bench.step();
        steps.push(one);
        return one.ms;
      }),
      { most: 9, budget: 20_000 },
    );
    const peaks = [replayedBytes, eager.tracer.peak];
    const mustLiveBytes = eager.tracer.mustLive();
    for (const [i, { bench, firstMs, steps }] of modes.entries()) {
      const ms = median(samples[i]);
      const dispatches = median(steps.map((one) => one.dispatches));
      const [hostMs, uploadMs] = (['hostMs', 'uploadMs'] as const).map((of) =>
        median(steps.map((one) => one[of])),
      );
      const launchMs = median(steps.map((one) => one.hostMs - one.uploadMs));
      const times = i === 0 ? await bench.profile() : null;
      rows.push(
        alone(`${name}, ${i === 0 ? 'replayed' : 'eager'}`, {
          ms,
          firstMs,
          samples: samples[i].length,
          imagesPerSecond: (1000 * bench.phase.imagesPerStep) / ms,
          dispatches,
          hostMs,
          uploadMs,
          hostUsPerDispatch: (1000 * hostMs) / dispatches,
          launchUsPerDispatch: (1000 * launchMs) / dispatches,
          peakBytes: peaks[i],
          mustLiveBytes,
          ...(times && { deviceMs: times.reduce((sum, one) => sum + one.ms, 0), kernels: sharesOf(times) }),
        }),
      );
      await bench.close();
    }
  }
  return rows;
}
