// With which parameters, and on what, a kernel is launched: in training steps of a preset, and in `warpmix check`.
import { upload } from '../autograd/program.ts';
import { keep, step, useDevice, watchLaunches } from '../autograd/tensor.ts';
import type { Device, MemoryUse, Storage } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Element, Kernel, Numbers, Params } from '../gpu/kernel.ts';
import { type PresetName, presets } from '../train/config.ts';
import type { Plan } from '../train/plan.ts';
import { exerciseKernels } from './check-kernels.ts';
import { recipes } from './recipes.ts';

/** One set of parameters with which a kernel is launched. */
export interface KernelLaunch {
  kernel: Kernel;
  params: Params;
  /** `step of depth` or `warpmix check`. */
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
    return { id: this.#next++, length, type };
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

  memory(): MemoryUse {
    return { live: 0, peak: 0, reserved: 0 };
  }
}

/** The recipe with a step of every kind: depth, then labelled and mixed images under a teacher. */
const RECIPE = 'three-ways';

/** The steps of training at a preset, on the street world, each with one batch. */
export class TrainingSteps {
  readonly launches: readonly KernelLaunch[];
  readonly #preset: PresetName;
  readonly #batches: ReadonlyMap<string, unknown>;

  private constructor(
    preset: PresetName,
    launches: readonly KernelLaunch[],
    batches: ReadonlyMap<string, unknown>,
  ) {
    this.#preset = preset;
    this.launches = launches;
    this.#batches = batches;
  }

  static #plan(preset: PresetName): Promise<Plan> {
    return recipes[RECIPE].plan({ ...structuredClone(presets[preset]), labels: 24 });
  }

  static async list(preset: PresetName): Promise<TrainingSteps> {
    const device = new ListingDevice();
    useDevice(device);
    const plan = await TrainingSteps.#plan(preset);
    const batches = new Map<string, unknown>();
    for (const phase of plan.phases) {
      device.from = `step of ${phase.name}`;
      batches.set(device.from, await phase.load(0));
      step(() => {
        phase.train(upload(phase.inputs(batches.get(device.from), 0)));
      });
    }
    return new TrainingSteps(preset, [...device.launches.values()], batches);
  }

  /**
   * What the buffers of one of `launches` hold when a step of training, from its start values, arrives at it. The step ends
   * there. The caller frees nothing: the buffers live as long as the device.
   */
  async buffers(gpu: Gpu, { kernel, params, from }: KernelLaunch): Promise<Record<string, Storage>> {
    useDevice(gpu);
    const plan = await TrainingSteps.#plan(this.#preset);
    const phase = plan.phases.find(({ name }) => from === `step of ${name}`)!;
    const wanted = JSON.stringify(params);
    const arrived = new Error('arrived');
    const found: Record<string, Storage> = {};
    try {
      watchLaunches(
        (launched, own, tensors, done) => {
          if (done || launched !== kernel || JSON.stringify(own) !== wanted) return;
          // A view shares the storage and keeps it alive when the step lets go of the tensor.
          for (const [name, one] of Object.entries(tensors)) found[name] = keep(one.view(one.shape)).storage;
          throw arrived;
        },
        () => step(() => phase.train(upload(phase.inputs(this.#batches.get(from), 0)))),
      );
    } catch (error) {
      if (error !== arrived) throw error;
    }
    return found;
  }
}

/** Every launch that `warpmix check` makes. */
export async function checkLaunches(): Promise<readonly KernelLaunch[]> {
  const device = new ListingDevice();
  device.from = 'warpmix check';
  await exerciseKernels(device);
  return [...device.launches.values()];
}
