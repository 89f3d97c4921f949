// `warpmix tune`: which variant of a kernel is fastest on this adapter, at the parameters and on the numbers of training steps.

import { profiled } from '../../bench/limits.ts';
import { median } from '../../bench/measure.ts';
import type { Storage } from '../gpu/device.ts';
import { DeviceLostError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/gpu.ts';
import {
  chooseVariant,
  type Kernel,
  launchKey,
  measurable,
  type Numbers,
  type Params,
} from '../gpu/kernel.ts';
import type { PresetName } from '../train/config.ts';
import { deviation, TOLERANCE } from './check-case.ts';
import { type KernelLaunch, TrainingSteps } from './kernel-launches.ts';
import type { Measurement } from './variants.ts';

/** Samples of a launch, one in each round; the first two rounds are not among them. */
const ROUNDS = 7;
/** Milliseconds after which a launch gets no further round, but for three. */
const BUDGET = 500;
/** A variant that took this many times the fastest one's time in both of the first two rounds runs no more. */
const HOPELESS = 2;
/** Another variant than the rule's must take at most this share of its time. */
const WORTH = 0.95;

/** A variant that is out, and why. */
export interface Rejected {
  kernel: string;
  variant: string;
  params: Params;
  reason: string;
}

/** What became of one kernel. */
export interface Tuned {
  kernel: string;
  measurements: Measurement[];
  rejected: Rejected[];
  /** Measurements won by another variant than the rule's. */
  changed: number;
  /** Milliseconds of a step of each kind, added, by the rule and as measured. */
  ruleMs: number;
  bestMs: number;
}

/** Writes `storage` full of what nothing computes, or of what was there. */
const filled = ({ length, type }: Storage): Numbers =>
  type === 'f32' ? new Float32Array(length).fill(1e30) : new Uint32Array(length).fill(7);

/**
 * The variants that give the result of the last one that can run, which is the naive one. What fails to compile or to run, or gives
 * something else, goes to `reject`.
 */
async function agreeing(
  gpu: Gpu,
  kernel: Kernel,
  params: Params,
  held: Record<string, Storage>,
  scratch: Record<string, Storage>,
  reject: (variant: string, reason: string) => void,
): Promise<string[]> {
  const outputs = kernel.bindings.filter(({ access }) => access !== 'read');
  const start: Record<string, Numbers> = {};
  for (const { name, access } of outputs)
    start[name] = access === 'update' ? await gpu.read(held[name]) : filled(held[name]);
  const candidates = kernel.variants.filter((one) => measurable(one, params, gpu.adapter)).reverse();
  let expected: Record<string, Numbers> | null = null;
  const good: string[] = [];
  for (const { name: variant } of candidates) {
    gpu.pins.set(kernel.name, variant);
    try {
      for (const { name } of outputs) gpu.write(scratch[name], start[name]);
      gpu.run(kernel, params, { ...held, ...scratch });
      const found: Record<string, Numbers> = {};
      for (const { name } of outputs) found[name] = await gpu.read(scratch[name]);
      const wrong = outputs.filter(
        ({ name, type }) =>
          expected && !(deviation(found[name], expected[name]).rel <= (type === 'f32' ? TOLERANCE : 0)),
      );
      expected ??= found;
      if (wrong.length === 0) good.push(variant);
      else reject(variant, `'${wrong[0].name}' is not what ${candidates[0].name} gives`);
    } catch (error) {
      if (error instanceof DeviceLostError) throw error;
      reject(variant, (error as Error).message);
    } finally {
      gpu.pins.delete(kernel.name);
    }
  }
  return good.reverse();
}

/**
 * Milliseconds of each variant, taken in turns, and the variant to run: the one that the rule gives, unless another is faster in all
 * rounds but one and by more than it matters.
 */
async function race(
  gpu: Gpu,
  kernel: Kernel,
  params: Params,
  buffers: Record<string, Storage>,
  variants: readonly string[],
  rule: string,
): Promise<{ variant: string; ms: Record<string, number> }> {
  const round = async (names: readonly string[]): Promise<number[]> => {
    const times = await profiled(gpu, () => {
      // Whatever runs first wakes the adapter, and takes longer for it.
      for (const name of [names[0], ...names]) {
        gpu.pins.set(kernel.name, name);
        gpu.run(kernel, params, buffers);
        gpu.pins.delete(kernel.name);
      }
    });
    return times.slice(1).map(({ ms }) => ms);
  };
  const [once, twice] = [await round(variants), await round(variants)];
  const first = variants.map((_, i) => Math.min(once[i], twice[i]));
  const least = Math.min(...first);
  const samples = new Map<string, number[]>();
  for (const [i, name] of variants.entries())
    if (name === rule || first[i] <= HOPELESS * least) samples.set(name, []);
  const start = performance.now();
  for (let k = 0; k < ROUNDS && (k < 3 || performance.now() - start < BUDGET); k++) {
    const times = await round([...samples.keys()]);
    for (const [i, one] of [...samples.values()].entries()) one.push(times[i]);
  }
  const ms = Object.fromEntries(
    variants.map((name, i) => [name, samples.has(name) ? median(samples.get(name)!) : first[i]]),
  );
  const own = samples.get(rule);
  const better = [...samples].filter(([name, times]) => {
    const lost = own ? times.filter((time, k) => time >= own[k]).length : 0;
    return name === rule || !own || (lost <= 1 && ms[name] <= WORTH * ms[rule]);
  });
  const [variant] = better.reduce((a, b) => (ms[b[0]] < ms[a[0]] ? b : a));
  return { variant, ms };
}

/**
 * Measures the variants of a kernel that have the right result. Null where there is none.
 * @param held buffers to read from; what the kernel writes goes elsewhere
 * @param reject told of the others
 */
export async function measureLaunch(
  gpu: Gpu,
  kernel: Kernel,
  params: Params,
  held: Record<string, Storage>,
  reject: (variant: string, reason: string) => void,
): Promise<Measurement | null> {
  const scratch: Record<string, Storage> = {};
  for (const { name, type, access } of kernel.bindings)
    if (access !== 'read') scratch[name] = gpu.alloc(held[name].length, type);
  const good = await agreeing(gpu, kernel, params, held, scratch, reject);
  const rule = chooseVariant(kernel, params, gpu.adapter).name;
  const raced = good.length > 0 ? await race(gpu, kernel, params, { ...held, ...scratch }, good, rule) : null;
  for (const storage of Object.values(scratch)) gpu.free(storage);
  return raced && { kernel: kernel.name, params, ...raced };
}

async function tuneKernel(
  gpu: Gpu,
  steps: TrainingSteps,
  kernel: Kernel,
  launches: readonly KernelLaunch[],
): Promise<Tuned> {
  const tuned: Tuned = {
    kernel: kernel.name,
    measurements: [],
    rejected: [],
    changed: 0,
    ruleMs: 0,
    bestMs: 0,
  };
  const done = new Map<string, Measurement | null>();
  for (const from of new Set(launches.map((one) => one.from))) {
    const own = launches.filter((one) => one.from === from);
    const { found, release } = await steps.hold(
      gpu,
      own.filter(({ params }) => !done.has(launchKey(kernel, params))),
    );
    for (const [{ params }, held] of found) {
      const measured = await measureLaunch(gpu, kernel, params, held, (variant, reason) =>
        tuned.rejected.push({ kernel: kernel.name, variant, params, reason }),
      );
      done.set(launchKey(kernel, params), measured);
      if (measured) tuned.measurements.push(measured);
    }
    release();
    for (const { params, times } of own) {
      const measured = done.get(launchKey(kernel, params));
      if (!measured) continue;
      const best = measured.ms[measured.variant];
      tuned.bestMs += times * best;
      tuned.ruleMs += times * (measured.ms[chooseVariant(kernel, params, gpu.adapter).name] ?? best);
    }
  }
  tuned.changed = tuned.measurements.filter(
    ({ params, variant }) => variant !== chooseVariant(kernel, params, gpu.adapter).name,
  ).length;
  return tuned;
}

/**
 * Measures every kernel of the training steps of a preset that has a choice of variants. Takes minutes.
 * @param wanted whether to measure a kernel of this name
 * @param each told of each kernel when it is done
 * @throws where the adapter has no timestamp queries
 */
export async function tuneKernels(
  gpu: Gpu,
  preset: PresetName,
  wanted: (name: string) => boolean,
  each: (tuned: Tuned, done: number, all: number) => void,
): Promise<void> {
  const steps = await TrainingSteps.list(preset);
  const byKernel = new Map<Kernel, KernelLaunch[]>();
  for (const launch of steps.launches) {
    const { kernel, params } = launch;
    const choice = kernel.variants.filter((one) => measurable(one, params, gpu.adapter));
    if (choice.length < 2 || !wanted(kernel.name)) continue;
    byKernel.set(kernel, [...(byKernel.get(kernel) ?? []), launch]);
  }
  let done = 0;
  for (const [kernel, launches] of byKernel) {
    each(await tuneKernel(gpu, steps, kernel, launches), ++done, byKernel.size);
  }
}
