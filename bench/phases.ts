// The training steps that the tables `kernels` and `step` time, as the recipes build them.
import { Program, upload } from '../src/autograd/program.ts';
import { step as scope, type Tensor, useDevice } from '../src/autograd/tensor.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import type { DispatchTime } from '../src/gpu/profile.ts';
import type { Phase } from '../src/methods/phase.ts';
import { type PresetName, presets } from '../src/train/config.ts';
import type { Plan } from '../src/train/plan.ts';
import { depthRecipe, supervisedRecipe, threeWaysRecipe } from '../src/train/recipes.ts';
import { profiled } from './limits.ts';
import { Tracer } from './trace.ts';

const recipes = { depth: depthRecipe, supervised: supervisedRecipe, 'three-ways': threeWaysRecipe };

export type PhaseName = keyof typeof recipes;
export const phaseNames = Object.keys(recipes) as PhaseName[];

/** Batches that are prepared beforehand and used in turn. */
const BATCHES = 3;

/** The last phase of a recipe on the street world, with batches at hand. */
export class BenchPhase {
  readonly phase: Phase;
  readonly tracer: Tracer;
  readonly #gpu: Gpu;
  readonly #batches: readonly unknown[];
  readonly #plan: Plan;
  readonly #program: Program | null;
  /** Bytes that were live before. */
  readonly #before: number;
  #steps = 0;

  private constructor(
    gpu: Gpu,
    tracer: Tracer,
    plan: Plan,
    batches: readonly unknown[],
    replayed: boolean,
    before: number,
  ) {
    this.#gpu = gpu;
    this.tracer = tracer;
    this.#plan = plan;
    this.phase = plan.phases.at(-1)!;
    this.#batches = batches;
    this.#program = replayed ? new Program(gpu, (inputs) => this.phase.train(inputs)) : null;
    this.#before = before;
  }

  /** @param replayed replay a recording; the tracer sees nothing of it. */
  static async open(gpu: Gpu, name: PhaseName, preset: PresetName, replayed = false): Promise<BenchPhase> {
    const before = gpu.memory().live;
    const tracer = new Tracer(gpu);
    useDevice(replayed ? gpu : tracer);
    const plan = await recipes[name]({ ...structuredClone(presets[preset]), labels: 24 });
    const phase = plan.phases.at(-1)!;
    await phase.begin?.();
    const batches: unknown[] = [];
    for (let k = 0; k < BATCHES; k++) batches.push(await phase.load(k));
    return new BenchPhase(gpu, tracer, plan, batches, replayed, before);
  }

  /** Steps after which every batch has been seen. */
  get cycle(): number {
    return this.#batches.length;
  }

  /** @param uploaded called when the batch has been written to the device. */
  async #train(uploaded = () => {}): Promise<Record<string, Tensor>> {
    const k = this.#steps++ % this.#batches.length;
    useDevice(this.#program ? this.#gpu : this.tracer);
    const inputs = this.phase.inputs(this.#batches[k], k);
    if (this.#program) {
      await this.#program.assign(inputs);
      uploaded();
      return this.#program.replay();
    }
    return scope(() => {
      const tensors = upload(inputs);
      uploaded();
      return this.phase.train(tensors);
    });
  }

  /** Bytes held between steps: networks, optimiser and, where steps are replayed, everything that they need. */
  get heldBytes(): number {
    return this.#gpu.memory().live - this.#before;
  }

  /**
   * One step, from the batch on the host to the losses on the host. `hostMs` until it is submitted, of which `uploadMs` until the batch
   * has been written to the device.
   */
  async step(): Promise<{ ms: number; hostMs: number; uploadMs: number; dispatches: number }> {
    const before = this.#gpu.dispatches;
    const start = performance.now();
    let uploadMs = 0;
    const outcome = await this.#train(() => {
      uploadMs = performance.now() - start;
    });
    const terms = Object.values(outcome);
    this.#gpu.submit();
    const hostMs = performance.now() - start;
    await Promise.all(terms.map((term) => term.item()));
    for (const term of terms) term.dispose();
    return { ms: performance.now() - start, hostMs, uploadMs, dispatches: this.#gpu.dispatches - before };
  }

  /** Device time of every dispatch of one step. */
  profile(): Promise<DispatchTime[]> {
    return profiled(this.#gpu, async () => {
      for (const term of Object.values(await this.#train())) term.dispose();
    });
  }

  /** Frees the networks and the recording. */
  async close(): Promise<void> {
    await this.#program?.dispose();
    for (const group of Object.values(this.#plan.state)) {
      for (const tensor of Object.values(group)) tensor.dispose();
    }
    useDevice(this.#gpu);
  }
}
