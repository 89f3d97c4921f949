// `warpmix bench ladder`: every rung of every kernel, from the naive variant to the fastest, on the buffers of a training step.
import { measureLimits } from '../../bench/limits.ts';
import { alone, type Row } from '../../bench/measure.ts';
import { rated, shortParams } from '../../bench/rate.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { chooseVariant } from '../gpu/kernel.ts';
import type { PresetName } from '../train/config.ts';
import { noteLaunches } from './check-kernels.ts';
import { lookAt } from './kernel-inspect.ts';
import { TrainingSteps } from './kernel-launches.ts';
import { kernelList } from './kernel-list.ts';
import { note } from './output.ts';
import { measureLaunch } from './tune.ts';

/**
 * The variants of each kernel where it is looked at (`lookAt`), the last in its list first, which is the naive one. They take turns.
 * `gain`: the naive variant's time over this one's; `*` marks the one that the rule gives.
 */
export async function ladderTable(
  gpu: Gpu,
  preset: PresetName,
  chosen: (name: string) => boolean,
): Promise<Row[]> {
  const { limits } = await measureLimits(gpu);
  const steps = await TrainingSteps.list(preset);
  const rows: Row[] = [];
  for (const { family, kernel } of kernelList) {
    if (!chosen(kernel.name)) continue;
    const checks = async () => (await noteLaunches([kernel])).get(kernel) ?? [];
    const { params, from, buffers, release } = await lookAt(gpu, kernel, steps, checks);
    const measured = await measureLaunch(gpu, kernel, params, buffers, (variant, reason) =>
      note(`${kernel.name}/${variant} is left out: ${reason}`),
    );
    release();
    if (!measured) continue;
    const rungs = Object.entries(measured.ms).reverse();
    const rule = chooseVariant(kernel, params, gpu.adapter).name;
    for (const [variant, ms] of rungs) {
      rows.push(
        alone(`${kernel.name} ${shortParams(params)}`, {
          ms,
          ...rated(kernel, params, ms, limits),
          gain: rungs[0][1] / ms,
          variant: variant === rule ? `${variant} *` : variant,
          family,
          kernel: kernel.name,
          from,
          params,
        }),
      );
    }
  }
  return rows;
}
