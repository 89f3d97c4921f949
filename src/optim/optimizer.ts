import * as kernels from '../../kernels/optim.ts';
import { colocate, stretches } from '../autograd/block.ts';
import { keep, launch, ShapeError, shapeText, step, type Tensor, tensor } from '../autograd/tensor.ts';

/** Parameters that share a learning rate and a weight decay. */
export interface ParameterGroup {
  params: readonly Tensor[];
  lr: number;
  weightDecay?: number;
}

export interface StepOptions {
  /** Factor on every group's learning rate: the schedule's value at this step. */
  lrScale?: number;
  /** Factor on every gradient, a scalar on the device: `clipByGlobalNorm(...).scale`. */
  clip?: Tensor;
}

/** The device would take any number, and the parameters would be NaN without a word. */
function expectRate(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw new RangeError(`optimizer: ${name} is ${value}, expected a finite number, 0 or more`);
}

/**
 * Updates parameters in place, after moving them side by side in memory, so that one launch updates all that share a rate. A step
 * has two halves, because writing to a buffer ends the pass being recorded:
 * `advance` puts the numbers of the step into one small buffer, `apply` launches the kernels. `step` does both; a loop
 * that calls `advance` before its forward pass keeps the whole step in one submission.
 */
abstract class Optimizer {
  readonly groups: readonly ParameterGroup[];
  /** All parameters, group after group: the order of the gradients. */
  readonly params: readonly Tensor[];
  /** Steps taken. To resume, set it beside the tensors of `state`. */
  steps = 0;
  readonly #hyper: Tensor;
  readonly #unclipped: Tensor;
  readonly #slots: Record<string, readonly Tensor[]>;

  /** @throws RangeError for a learning rate that is negative or no number, and for a parameter that is there twice. */
  constructor(groups: readonly ParameterGroup[], slots: readonly string[], extra: number) {
    this.groups = groups;
    this.params = groups.flatMap((group) => group.params);
    groups.forEach(({ lr }, group) => {
      expectRate(`learning rate of group ${group}`, lr);
    });
    if (new Set(this.params).size < this.params.length)
      throw new RangeError('optimizer: a parameter is there twice, expected each in one group, once');
    this.#hyper = keep(tensor(new Float32Array(extra + groups.length)));
    this.#unclipped = keep(tensor([1], []));
    // One after the other: each list is made in the memory that the one before has moved out of.
    colocate(this.params);
    this.#slots = Object.fromEntries(
      slots.map((slot) => {
        const tensors = this.params.map((w) => keep(tensor(new Float32Array(w.size), w.shape)));
        colocate(tensors);
        return [slot, tensors];
      }),
    );
  }

  /** The tensors a checkpoint needs beside the parameters and `steps`, as `slot.index`. Load them with `assign`. */
  state(): Record<string, Tensor> {
    return Object.fromEntries(
      Object.entries(this.#slots).flatMap(([slot, all]) => all.map((x, i) => [`${slot}.${i}`, x])),
    );
  }

  /** One step: `gradients` in the order of `params`. */
  step(gradients: readonly Tensor[], options: StepOptions = {}): void {
    this.advance(options.lrScale);
    this.apply(gradients, options.clip);
  }

  /** Counts a step and writes its numbers to the device. Nothing else of a step depends on its number. */
  advance(lrScale = 1): void {
    expectRate('lrScale', lrScale);
    this.steps += 1;
    this.#hyper.assign([...this.corrections(this.steps), ...this.groups.map((group) => group.lr * lrScale)]);
  }

  /**
   * Updates the parameters with the numbers of the last `advance`.
   * @throws ShapeError when gradients and parameters do not match.
   */
  apply(gradients: readonly Tensor[], clip: Tensor = this.#unclipped): void {
    if (gradients.length !== this.params.length) {
      throw new ShapeError(
        `optimizer: ${gradients.length} gradients for ${this.params.length} parameters, expected one each`,
      );
    }
    gradients.forEach((g, i) => {
      const w = this.params[i];
      if (shapeText(g.shape) !== shapeText(w.shape)) {
        throw new ShapeError(
          `optimizer: gradient ${i} is ${shapeText(g.shape)}, expected ${shapeText(w.shape)}`,
        );
      }
    });
    if (clip.size !== 1)
      throw new ShapeError(`optimizer: clip is ${shapeText(clip.shape)}, expected a scalar`);
    colocate(gradients);
    const columns = { w: this.params, g: gradients, ...this.#slots };
    step(() => {
      let at = 0;
      this.groups.forEach(({ params, weightDecay = 0 }, group) => {
        const rows = Object.values(columns).map((column) => column.slice(at, at + params.length));
        for (const row of stretches(rows)) {
          const tensors = Object.fromEntries(Object.keys(columns).map((name, i) => [name, row[i]]));
          const { size: n } = tensors.w;
          this.update({ n, group, weightDecay }, { ...tensors, hyper: this.#hyper, clip });
        }
        at += params.length;
      });
    });
  }

  /** Frees the state. The parameters are not touched. */
  dispose(): void {
    for (const one of [this.#hyper, this.#unclipped, ...Object.values(this.#slots).flat()]) one.dispose();
  }

  /** Numbers of step t that precede the learning rates in the buffer. */
  protected abstract corrections(t: number): number[];
  /** Launches the kernel for parameters of one group that lie side by side. */
  protected abstract update(
    params: { n: number; group: number; weightDecay: number },
    tensors: Record<string, Tensor>,
  ): void;
}

/**
 * Stochastic gradient descent, PyTorch's: weight decay is added to the gradient, no dampening.
 * Reference: Sutskever et al. 2013 for Nesterov's form.
 */
export class Sgd extends Optimizer {
  readonly #momentum: number;
  readonly #nesterov: boolean;

  constructor(groups: readonly ParameterGroup[], options: { momentum?: number; nesterov?: boolean } = {}) {
    super(groups, ['momentum'], 0);
    this.#momentum = options.momentum ?? 0.9;
    this.#nesterov = options.nesterov ?? false;
  }

  protected corrections(): number[] {
    return [];
  }

  protected update(
    params: { n: number; group: number; weightDecay: number },
    tensors: Record<string, Tensor>,
  ): void {
    const nesterov = this.#nesterov ? 1 : 0;
    launch(kernels.sgd, { ...params, momentum: this.#momentum, nesterov }, tensors);
  }
}

export interface AdamOptions {
  betas?: readonly [number, number];
  eps?: number;
  /** True for AdamW: the decay shrinks the parameter by lr * weightDecay and stays out of the moments. */
  decoupled?: boolean;
}

/** Adam (Kingma and Ba 2015), or AdamW (Loshchilov and Hutter 2019) with `decoupled`. PyTorch's formulas. */
export class Adam extends Optimizer {
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #decoupled: boolean;

  constructor(groups: readonly ParameterGroup[], options: AdamOptions = {}) {
    super(groups, ['m', 'v'], 2);
    this.#betas = options.betas ?? [0.9, 0.999];
    if (!this.#betas.every((beta) => beta >= 0 && beta < 1))
      throw new RangeError(`Adam: betas [${this.#betas}], expected two numbers from 0 to below 1`);
    this.#eps = options.eps ?? 1e-8;
    this.#decoupled = options.decoupled ?? false;
  }

  protected corrections(t: number): number[] {
    return this.#betas.map((beta) => 1 / (1 - beta ** t));
  }

  protected update(
    params: { n: number; group: number; weightDecay: number },
    tensors: Record<string, Tensor>,
  ): void {
    const [beta1, beta2] = this.#betas;
    launch(
      kernels.adam,
      {
        ...params,
        beta1,
        rest1: 1 - beta1,
        beta2,
        rest2: 1 - beta2,
        eps: this.#eps,
        decoupled: this.#decoupled ? 1 : 0,
      },
      tensors,
    );
  }
}
