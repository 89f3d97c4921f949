import { emptyDispatches, limitLaunches, reached } from '../../../bench/limits.ts';
import { rated } from '../../../bench/rate.ts';
import { checkOps } from '../../cli/check-gradients.ts';
import { type Launch, noteLaunches } from '../../cli/check-kernels.ts';
import { bound, checkError, type Looked, lookAt, whyOf } from '../../cli/kernel-inspect.ts';
import { casesByKernel, TrainingSteps } from '../../cli/kernel-launches.ts';
import { kernelList } from '../../cli/kernel-list.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { available, canRun, foldGroups, type Kernel, measurable, shaderCode } from '../../gpu/kernel.ts';
import { openGpu } from '../../gpu/open.ts';
import { type PresetName, presets } from '../../train/config.ts';
import { findClock, time } from './clock.ts';
import { runEdited } from './edited.ts';
import { tooLong } from './long.ts';
import type { AdapterLimits, MeasureApi, Place } from './protocol.ts';

/** Turns of the multiply-add loops: few enough for a slow GPU, samples repeat them. */
const TURNS = 60;

/** What `make` gives, made once; again after it failed. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make().catch((error) => {
      made = null;
      throw error;
    });
    return made;
  };
}

const device = once(async () => (await openGpu()).gpu);
const notes = once(() => noteLaunches());
const checksOf = async (kernel: Kernel): Promise<readonly Launch[]> => (await notes()).get(kernel) ?? [];

let steps: TrainingSteps | null = null;
async function stepsOf(preset: PresetName): Promise<TrainingSteps> {
  if (steps?.preset !== preset) steps = await TrainingSteps.list(preset);
  return steps;
}

const kernelNamed = (name: string): Kernel => kernelList.find(({ kernel }) => kernel.name === name)!.kernel;

/** The launch that was looked at last. */
let current: { key: string; kernel: Kernel; looked: Looked } | null = null;

async function lookedAt(gpu: Gpu, place: Place): Promise<{ kernel: Kernel; looked: Looked }> {
  const key = JSON.stringify(place);
  if (current?.key === key) return current;
  current?.looked.release();
  current = null;
  const kernel = kernelNamed(place.kernel);
  const steps = await stepsOf(place.preset);
  const looked = await lookAt(gpu, kernel, steps, () => checksOf(kernel), place.variant ?? undefined);
  const scratch = await withOwnOutputs(gpu, kernel, looked);
  current = { key, kernel, looked: scratch };
  return current;
}

/** What a kernel writes goes to buffers of its own: those of the step are networks and optimisers. */
async function withOwnOutputs(gpu: Gpu, kernel: Kernel, looked: Looked): Promise<Looked> {
  const buffers = { ...looked.buffers };
  for (const { name, type, access } of kernel.bindings) {
    if (access === 'read') continue;
    buffers[name] = gpu.alloc(looked.buffers[name].length, type);
    if (access === 'update') gpu.write(buffers[name], await gpu.read(looked.buffers[name]));
  }
  const release = () => {
    for (const [name, storage] of Object.entries(buffers))
      if (storage !== looked.buffers[name]) gpu.free(storage);
    looked.release();
  };
  return { ...looked, buffers, release };
}

/** On a device of its own, which takes its large buffers along. */
async function measureLimits(): Promise<AdapterLimits> {
  const { gpu } = await openGpu();
  const { launches } = limitLaunches(gpu, TURNS);
  const dispatches = launches.map(
    ({ kernel, params, buffers }) =>
      () =>
        gpu.run(kernel, params, buffers),
  );
  const clock = await findClock(gpu, () => {
    for (const dispatch of dispatches) dispatch();
  });
  const best = { gflops: 0, gbps: 0 };
  for (const [i, launch] of launches.entries()) {
    const [{ ms }] = await time(gpu, clock, [dispatches[i]]);
    best[launch.limit] = Math.max(best[launch.limit], reached(launch, ms));
  }
  const { all } = await emptyDispatches(gpu, 2000);
  gpu.close();
  return { ...best, clock, emptyMs: all };
}

/** What a worker does for the section `measure`. */
export const measureApi: MeasureApi = {
  kernels: () =>
    kernelList.map(({ family, kernel: { name, summary, formula, source, params, variants } }) => ({
      family,
      name,
      summary,
      formula,
      source,
      params,
      variants: variants.map((one) => ({ name: one.name, summary: one.summary })),
    })),

  presets: () => Object.keys(presets) as PresetName[],

  async launches(preset) {
    const counts: Record<string, Record<string, number>> = {};
    for (const { kernel, from, times } of (await stepsOf(preset)).launches) {
      counts[kernel.name] ??= {};
      counts[kernel.name][from] = (counts[kernel.name][from] ?? 0) + times;
    }
    return counts;
  },

  limits: measureLimits,

  async look(place) {
    const gpu = await device();
    const { kernel, looked } = await lookedAt(gpu, place);
    const { params, from, perStep, buffers } = looked;
    const chosen = gpu.variant(kernel, params).name;
    return {
      params,
      from,
      perStep,
      chosen,
      buffers: bound(kernel, buffers),
      ...kernel.cost(params),
      variants: kernel.variants.map((variant) => {
        const runs = canRun(variant, params) && available(variant, gpu.adapter);
        const workgroups = runs ? variant.workgroups(params) : 0;
        return {
          name: variant.name,
          summary: variant.summary,
          why: whyOf(gpu, kernel, variant, params, chosen),
          wgsl: runs ? shaderCode(kernel, variant, params) : null,
          constants: runs ? (variant.constants?.(params) ?? {}) : {},
          workgroups,
          grid: foldGroups(workgroups),
        };
      }),
    };
  },

  async variant(place, name, limits, long) {
    const gpu = await device();
    const { kernel, looked } = await lookedAt(gpu, place);
    const { params, buffers } = looked;
    const variant = kernel.variants.find((one) => one.name === name)!;
    const error = await checkError(gpu, kernel, variant, await checksOf(kernel));
    if (name !== gpu.variant(kernel, params).name && !measurable(variant, params, gpu.adapter))
      return { timing: null, rate: null, long: null, error };
    const skipped = long ? null : tooLong(kernel.cost(params), limits);
    if (skipped !== null) return { timing: null, rate: null, long: skipped, error };
    const [timing] = await time(gpu, limits.clock, [
      () => {
        gpu.pins.set(kernel.name, name);
        gpu.run(kernel, params, buffers);
        gpu.pins.delete(kernel.name);
      },
    ]);
    return { timing, rate: rated(kernel, params, timing.ms, limits), long: null, error };
  },

  cases: () => Object.fromEntries([...casesByKernel()].map(([{ name }, cases]) => [name, cases])),

  async gradient(name) {
    const [done] = await checkOps(await device(), (one) => one === name);
    return done;
  },

  async runEdited(place, name, wgsl, limits, long) {
    return runEdited(name, wgsl, limits.clock, async () => {
      const gpu = await device();
      const { kernel, looked } = await lookedAt(gpu, place);
      const skipped = long ? null : tooLong(kernel.cost(looked.params), limits);
      return { gpu, kernel, looked, skipped, checks: await checksOf(kernel) };
    });
  },
};
