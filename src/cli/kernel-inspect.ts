// What `warpmix kernels NAME` measures: every variant of one kernel on the buffers of a training step, against the
// adapter's limits and against the plain-loop reference.

import { type Limits, measureLimits } from '../../bench/limits.ts';
import { median } from '../../bench/measure.ts';
import { rated } from '../../bench/rate.ts';
import type { Storage } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import {
  available,
  canRun,
  type Element,
  foldGroups,
  type Kernel,
  launchKey,
  measurable,
  type Params,
  shaderCode,
  type Variant,
} from '../gpu/kernel.ts';
import type { PresetName } from '../train/config.ts';
import { compareVariant, type Launch, noteLaunches } from './check-kernels.ts';
import { type KernelLaunch, TrainingSteps } from './kernel-launches.ts';
import type { Measurement } from './variants.ts';

/** One variant at the parameters looked at; null where it does not fit them. */
export interface Measured {
  variant: string;
  summary: string;
  /** Why the variant is, or is not, the one that runs. */
  why: string;
  wgsl: string | null;
  /** Values of the text's `override` constants. */
  constants: Record<string, number>;
  workgroups: number | null;
  grid: [number, number] | null;
  /**
   * Median of single dispatches; null without timestamp queries, without the feature that the variant needs, and on a GPU where it is
   * meant for software adapters.
   */
  ms: number | null;
  rate: ReturnType<typeof rated> | null;
  /**
   * Largest error over the largest value of the reference, at the sizes of `warpmix check`; null where none fits, or without that
   * feature.
   */
  maxRelErr: number | null;
}

export interface Inspection {
  params: Params;
  /** Where these parameters come from. */
  from: string;
  /** Launches like this one in a training step. */
  perStep: number | null;
  chosen: string;
  buffers: { name: string; type: Element; access: string; length: number }[];
  flops: number;
  bytes: number;
  limits: Limits | null;
  variants: Measured[];
}

const SAMPLES = 9;
/** Milliseconds after which no further sample of a variant is taken. */
const BUDGET = 1500;

const MEASURED = '; fastest by tune, taken by --tuned';

const OTHER = { software: 'GPUs', gpu: 'software adapters' } as const;

/** Why a variant is, or is not, the one that runs. */
export function whyOf(
  gpu: Gpu,
  kernel: Kernel,
  variant: Variant<Params>,
  params: Params,
  chosen: string,
): string {
  const here = gpu.adapter.software ? 'software' : 'gpu';
  if (variant.name === chosen) {
    return gpu.pinned.get(kernel.name) === chosen
      ? 'runs: pinned by WARPMIX_VARIANTS'
      : 'runs by the rule: the first that applies to these parameters here';
  }
  if (!canRun(variant, params)) return 'does not fit these parameters';
  if (!available(variant, gpu.adapter)) return `needs ${variant.needs}, which this adapter does not offer`;
  if (variant.needs && !variant.sameBits)
    return `needs ${variant.needs}: runs where it is pinned or measured`;
  if (!variant.applies(params, gpu.adapter)) return `meant for ${OTHER[here]}`;
  if (variant.byRule?.(params, gpu.adapter) === false) return 'applies: runs where it is pinned or measured';
  return gpu.pinned.get(kernel.name) === chosen
    ? 'applies, and another is pinned'
    : `applies, and comes after ${chosen}`;
}

/** The bindings of a kernel with the lengths of what is bound. */
export const bound = (kernel: Kernel, buffers: Record<string, Storage>): Inspection['buffers'] =>
  kernel.bindings.map(({ name, type, access }) => ({ name, type, access, length: buffers[name].length }));

/** Median of single dispatches of one variant, by timestamps; null where the adapter has none. */
async function timed(
  gpu: Gpu,
  kernel: Kernel,
  variant: string,
  params: Params,
  buffers: Record<string, Storage>,
): Promise<number | null> {
  const samples: number[] = [];
  const start = performance.now();
  gpu.pins.set(kernel.name, variant);
  try {
    // The first round compiles and touches the memory.
    for (let round = 0; round <= SAMPLES && (round < 3 || performance.now() - start < BUDGET); round++) {
      // Whatever runs first wakes the adapter, and takes longer for it.
      const times = await gpu.profile(() => {
        for (let k = 0; k < 2; k++) gpu.run(kernel, params, buffers);
      });
      if (!times) return null;
      const ran = times[1];
      if (ran.variant !== variant) throw new Error(`${kernel.name}: ${ran.variant} ran, not ${variant}`);
      if (round > 0) samples.push(ran.ms);
    }
  } finally {
    gpu.pins.delete(kernel.name);
  }
  return median(samples);
}

/** The launch on which a step spends most: arithmetic and bytes, times how often. */
function dearest(launches: readonly KernelLaunch[]): KernelLaunch | null {
  const effort = ({ kernel, params, times }: KernelLaunch) => {
    const { flops, bytes } = kernel.cost(params);
    return times * (flops + bytes);
  };
  return launches.reduce<KernelLaunch | null>(
    (best, one) => (best && effort(best) >= effort(one) ? best : one),
    null,
  );
}

/** The launch of a kernel that is looked at, and its buffers. */
export interface Looked {
  params: Params;
  from: string;
  perStep: number | null;
  buffers: Record<string, Storage>;
  /** Lets go of the buffers. */
  release(): void;
}

/**
 * The launch on which training steps spend most, with what its buffers hold when a step arrives at it; where no step has the
 * kernel, that of their photometric term made of single kernels, and where that has none, the largest of `warpmix check`.
 * @param checks the launches of `warpmix check`, which take seconds to note.
 * @param wanted only parameters that this variant can run.
 */
export async function lookAt(
  gpu: Gpu,
  kernel: Kernel,
  steps: TrainingSteps,
  checks: () => Promise<readonly Launch[]>,
  wanted?: string,
): Promise<Looked> {
  const fitting = kernel.variants.filter(({ name }) => wanted === undefined || name === wanted);
  const fits = (params: Params) => fitting.some((variant) => canRun(variant, params));
  const own = (launches: readonly KernelLaunch[]) =>
    dearest(launches.filter((launch) => launch.kernel === kernel && fits(launch.params)));
  const trained = own(steps.launches);
  const sized = trained ?? own(steps.single);
  if (sized) {
    const { found, release } = await steps.hold(gpu, [sized]);
    const { params, from, times } = sized;
    const buffers = found.get(sized)!;
    return { params, from: `${from}, preset ${steps.preset}`, perStep: trained && times, buffers, release };
  }
  const from = 'warpmix check; no training step has this';
  const noted = await checks();
  const largest = dearest(
    noted.filter(({ params }) => fits(params)).map(({ params }) => ({ kernel, params, from, times: 1 })),
  );
  const held = noted.find(({ params }) => params === largest?.params);
  if (!held) throw new Error(`no case of 'warpmix check' leads to ${kernel.name}`);
  const buffers: Record<string, Storage> = {};
  for (const { name, type } of kernel.bindings) {
    // Room for whole vectors of four.
    buffers[name] = gpu.alloc(Math.ceil(held.buffers[name].length / 4) * 4, type);
    gpu.write(buffers[name], [...held.buffers[name], 0, 0, 0].slice(0, buffers[name].length));
  }
  const release = () => {
    for (const storage of Object.values(buffers)) gpu.free(storage);
  };
  return { params: held.params, from, perStep: null, buffers, release };
}

/**
 * Largest error of a variant over the launches of `warpmix check` that it can run, and whether each is allowed; null where there are
 * none, and where the adapter lacks what the variant needs.
 */
export async function checkError(
  gpu: Gpu,
  kernel: Kernel,
  variant: Variant<Params>,
  checks: readonly Launch[],
): Promise<{ rel: number; right: boolean } | null> {
  const fitting = checks.filter(({ params }) => canRun(variant, params));
  if (fitting.length === 0 || !available(variant, gpu.adapter)) return null;
  let found = { rel: 0, right: true };
  for (const launch of fitting) {
    const { rel, wrong } = await compareVariant(gpu, kernel, variant, launch);
    found = { rel: Math.max(found.rel, rel), right: found.right && wrong.length === 0 };
  }
  return found;
}

/**
 * Measures a kernel on `gpu`. Takes seconds: a training step is run up to the kernel, for real inputs.
 * @param measurements what 'tune' found on this adapter.
 * @param wanted looks at parameters that this variant can run, even where it is not the one that does.
 */
export async function inspectKernel(
  gpu: Gpu,
  kernel: Kernel,
  preset: PresetName,
  measurements: readonly Measurement[],
  wanted?: string,
): Promise<Inspection> {
  const checks = (await noteLaunches([kernel])).get(kernel) ?? [];
  const steps = await TrainingSteps.list(preset);
  const { params, from, perStep, buffers } = await lookAt(gpu, kernel, steps, async () => checks, wanted);
  const limits = gpu.device.features.has('timestamp-query') ? (await measureLimits(gpu)).limits : null;
  const chosen = gpu.variant(kernel, params).name;
  const measured = measurements.find(
    (one) => one.kernel === kernel.name && launchKey(kernel, one.params) === launchKey(kernel, params),
  );
  const fastest = gpu.pinned.has(kernel.name) ? undefined : measured?.variant;
  const variants: Measured[] = [];
  for (const variant of kernel.variants) {
    const { name, summary } = variant;
    const fits = canRun(variant, params);
    const named = fits && available(variant, gpu.adapter) && (name === chosen || name === wanted);
    const ms =
      named || measurable(variant, params, gpu.adapter)
        ? await timed(gpu, kernel, name, params, buffers)
        : null;
    const workgroups = fits ? variant.workgroups(params) : null;
    variants.push({
      variant: name,
      summary,
      why: whyOf(gpu, kernel, variant, params, chosen) + (name === fastest ? MEASURED : ''),
      wgsl: fits ? shaderCode(kernel, variant, params) : null,
      constants: fits ? (variant.constants?.(params) ?? {}) : {},
      workgroups,
      grid: workgroups === null ? null : foldGroups(workgroups),
      ms,
      rate: ms && limits ? rated(kernel, params, ms, limits) : null,
      maxRelErr: (await checkError(gpu, kernel, variant, checks))?.rel ?? null,
    });
  }
  return {
    params,
    from,
    perStep,
    chosen,
    buffers: bound(kernel, buffers),
    ...kernel.cost(params),
    limits,
    variants,
  };
}
