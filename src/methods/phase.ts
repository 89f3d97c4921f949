import type { Inputs, Uploaded } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';

/**
 * A stretch of training: what one step is, which state it has. The loop (src/train) runs phases in order and knows
 * nothing else about a method. `Batch` is what `load` prepares on the host.
 */
export interface Phase<Batch = unknown, In extends Inputs = Inputs> {
  name: string;
  steps: number;
  /** Images that one step looks at, for images per second. */
  imagesPerStep: number;
  /** Counts the steps taken; the loop sets the count when a run resumes. `dispose` frees its tensors, not the parameters. */
  readonly optimizer: { steps: number; dispose(): void };
  /** Once, before the first step; not when a run resumes inside the phase. */
  begin?(): Promise<void>;
  /** The batch of a step: a pure function of the step's number. */
  load(step: number): Promise<Batch>;
  /**
   * The host's half of a step: counts it, writes its learning rate to the device, and returns what the other half needs. The
   * shapes are the same at every step, so that a recording of the other half serves for all of them.
   */
  inputs(batch: Batch, step: number): In;
  /**
   * The device's half: only launches, the same at every step, and no number from the host that changes. Returns scalars to
   * log, the total first. Everything else made inside is freed.
   */
  train(inputs: Uploaded<In>): Record<string, Tensor>;
}
