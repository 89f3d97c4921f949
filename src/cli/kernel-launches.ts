// With which parameters, and on what, a kernel is launched: in training steps of a preset, in their photometric term made of single
// kernels, and in `warpmix check`.
import { photometricTerm } from '../../bench/photometricTerm.ts';
import { upload } from '../autograd/program.ts';
import { valueAndGrad } from '../autograd/tape.ts';
import {
  keep,
  onDevice,
  step,
  type Tensor,
  useDevice,
  type Watcher,
  watchLaunches,
} from '../autograd/tensor.ts';
import { layOut, spanned } from '../gpu/block.ts';
import type { Device, MemoryUse, Storage } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { type Element, type Kernel, launchKey, type Numbers, type Params } from '../gpu/kernel.ts';
import { mean } from '../ops/reduce.ts';
import { ssimError } from '../ops/ssim.ts';
import { type PresetName, presets } from '../train/config.ts';
import type { Plan } from '../train/plan.ts';
import { exerciseKernels, forwardAndBackward } from './check-kernels.ts';
import { opCases } from './check-ops.ts';
import { caseName } from './op-case.ts';
import { recipes } from './recipes.ts';

/** One set of parameters with which a kernel is launched. */
export interface KernelLaunch {
  kernel: Kernel;
  params: Params;
  /** `step of depth`, `photometric term of single kernels` or `warpmix check`. */
  from: string;
  /** Launches like this one, in a step. */
  times: number;
}

/** Lists what is launched and computes nothing: every read is zeros. */
class ListingDevice implements Device {
  readonly kind = 'reference';
  readonly launches = new Map<string, KernelLaunch>();
  from = '';
  #next = 1;

  alloc(length: number, type: Element): Storage {
    return { id: this.#next++, length, type, place: null, parts: null };
  }

  free(): void {}

  write(): void {}

  run<P extends Params>(kernel: Kernel<P>, params: P): void {
    const key = `${this.from} ${kernel.name} ${JSON.stringify(params)}`;
    const known = this.launches.get(key);
    if (known) known.times += 1;
    else this.launches.set(key, { kernel: kernel as unknown as Kernel, params, from: this.from, times: 1 });
  }

  async read(storage: Storage): Promise<Numbers> {
    return new Float32Array(storage.length);
  }

  colocate(storages: readonly Storage[]): void {
    for (const block of layOut(storages)) {
      for (const { storage, at } of block.members) Object.assign(storage, { place: { block, at } });
    }
  }

  span(parts: readonly Storage[]): Storage {
    const [{ place, type }] = parts;
    return { id: this.#next++, length: spanned(parts), type, place, parts };
  }

  memory(): MemoryUse {
    return { live: 0, peak: 0, reserved: 0 };
  }
}

/** The recipe with a step of every kind: depth, then labelled and mixed images under a teacher. */
const RECIPE = 'three-ways';

const SINGLE = 'photometric term of single kernels';

/**
 * What a depth step of a preset launches in fused kernels, in single ones, for images of its size and twice as wide as high; and
 * SSIM and a warp whose image has a gradient, by themselves.
 */
function singleKernels(preset: PresetName): void {
  const { pixels, depth } = presets[preset];
  const height = Math.round(Math.sqrt(pixels / 2));
  const { single, source, frame, warp } = photometricTerm(depth.batch, height, 2 * height);
  valueAndGrad(single.loss, single.wrt);
  valueAndGrad(() => mean(ssimError(source, frame)), [source]);
  valueAndGrad(() => mean(warp(source)), [source]);
}

/** The steps of training at a preset, on the street world, each with one batch. */
export class TrainingSteps {
  readonly preset: PresetName;
  readonly launches: readonly KernelLaunch[];
  /** Of `singleKernels`: no step makes them. */
  readonly single: readonly KernelLaunch[];
  readonly #batches: ReadonlyMap<string, unknown>;
  /** On the device of `hold`. */
  #plan: Plan | null = null;

  private constructor(
    preset: PresetName,
    launches: readonly KernelLaunch[],
    batches: ReadonlyMap<string, unknown>,
  ) {
    this.preset = preset;
    this.launches = launches.filter(({ from }) => from !== SINGLE);
    this.single = launches.filter(({ from }) => from === SINGLE);
    this.#batches = batches;
  }

  static #planOf(preset: PresetName): Promise<Plan> {
    return recipes[RECIPE].plan({ ...structuredClone(presets[preset]), labels: 24 });
  }

  static async list(preset: PresetName): Promise<TrainingSteps> {
    const device = new ListingDevice();
    useDevice(device);
    const plan = await TrainingSteps.#planOf(preset);
    const batches = new Map<string, unknown>();
    for (const phase of plan.phases) {
      device.from = `step of ${phase.name}`;
      batches.set(device.from, await phase.load(0));
      step(() => {
        phase.train(upload(phase.inputs(batches.get(device.from), 0)));
      });
    }
    device.from = SINGLE;
    step(() => singleKernels(preset));
    return new TrainingSteps(preset, [...device.launches.values()], batches);
  }

  /**
   * What the buffers of some of `launches`, or of `single`, hold when a step of training, from its start values, arrives at them. The
   * step ends at the last. All of them are of one kernel and one kind of step; `release` lets go of the buffers.
   */
  async hold(
    gpu: Gpu,
    launches: readonly KernelLaunch[],
  ): Promise<{ found: Map<KernelLaunch, Record<string, Storage>>; release(): void }> {
    const found = new Map<KernelLaunch, Record<string, Storage>>();
    const views: Tensor[] = [];
    const missing = new Map(launches.map((launch) => [launchKey(launch.kernel, launch.params), launch]));
    const [{ kernel, from } = { kernel: null, from: '' }] = launches;
    useDevice(gpu);
    this.#plan ??= await TrainingSteps.#planOf(this.preset);
    const phase = this.#plan.phases.find(({ name }) => from === `step of ${name}`);
    const work = phase
      ? () => phase.train(upload(phase.inputs(this.#batches.get(from), 0)))
      : () => singleKernels(this.preset);
    const arrived = new Error('arrived');
    const watch: Watcher = (launched, params, tensors, done) => {
      const launch = !done && launched === kernel && missing.get(launchKey(launched, params));
      if (!launch) return;
      missing.delete(launchKey(launched, params));
      const held: Record<string, Storage> = {};
      for (const [name, one] of Object.entries(tensors)) {
        // A view shares the storage and keeps it alive when the step lets go of the tensor.
        const view = keep(one.view(one.shape));
        views.push(view);
        held[name] = view.storage;
      }
      found.set(launch, held);
      if (missing.size === 0) throw arrived;
    };
    try {
      if (kernel) watchLaunches(watch, () => step(() => void work()));
    } catch (error) {
      if (error !== arrived) throw error;
    }
    return {
      found,
      release: () => {
        for (const view of views) view.dispose();
      },
    };
  }
}

/** Every launch that `warpmix check` makes. */
export async function checkLaunches(): Promise<readonly KernelLaunch[]> {
  const device = new ListingDevice();
  device.from = 'warpmix check';
  await exerciseKernels(device);
  return [...device.launches.values()];
}

/** Names of the cases of check-ops.ts whose op launches a kernel, forward or in its first gradient. */
export function casesByKernel(): Map<Kernel, string[]> {
  const found = new Map<Kernel, string[]>();
  for (const one of opCases) {
    const device = new ListingDevice();
    onDevice(device, () => step(() => forwardAndBackward(one.fn, one.inputs)));
    for (const kernel of new Set([...device.launches.values()].map((launch) => launch.kernel)))
      found.set(kernel, [...(found.get(kernel) ?? []), caseName(one)]);
  }
  return found;
}
