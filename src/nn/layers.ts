import type { Tensor } from '../autograd/tensor.ts';
import { type Conv2dOptions, conv2d } from '../ops/conv2d.ts';
import { batchNorm } from '../ops/norm.ts';
import { reflectionPad2d } from '../ops/pad.ts';
import { type Initializer, Module } from './module.ts';

/**
 * Convolution with weights [K,K,C/groups,out]. Weights and bias start uniform in +-1/sqrt(fan-in), PyTorch's default.
 */
export class Conv2d extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly #options: Conv2dOptions;

  constructor(
    init: Initializer,
    inputs: number,
    outputs: number,
    kernel: number,
    options: Conv2dOptions & { bias?: boolean } = {},
  ) {
    super();
    const { bias = true, ...conv } = options;
    const perGroup = inputs / (options.groups ?? 1);
    const bound = 1 / Math.sqrt(perGroup * kernel * kernel);
    this.weight = init.uniform([kernel, kernel, perGroup, outputs], bound);
    this.bias = bias ? init.uniform([outputs], bound) : null;
    this.#options = conv;
  }

  apply(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this.#options);
  }
}

/** 3x3 convolution after reflection padding by one: keeps the size, and no dark frame of zeros enters. */
export class ReflectConv3x3 extends Module {
  readonly conv: Conv2d;

  constructor(init: Initializer, inputs: number, outputs: number) {
    super();
    this.conv = new Conv2d(init, inputs, outputs, 3);
  }

  apply(x: Tensor): Tensor {
    return this.conv.apply(reflectionPad2d(x, 1));
  }
}

/** Batch normalisation over N, H, W with running statistics. */
export class BatchNorm2d extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
  protected override readonly buffers = ['running_mean', 'running_var'];

  constructor(init: Initializer, channels: number) {
    super();
    this.weight = init.constant([channels], 1);
    this.bias = init.constant([channels], 0);
    this.running_mean = init.constant([channels], 0);
    this.running_var = init.constant([channels], 1);
  }

  /** @param training true: statistics of this batch, and the running ones move toward them. */
  apply(x: Tensor, training: boolean): Tensor {
    return batchNorm(x, this.weight, this.bias, this.running_mean, this.running_var, { training });
  }
}
