import type { Tensor } from '../autograd/tensor.ts';
import type { Activation } from '../ops/activation.ts';
import { type Conv2dOptions, conv2d } from '../ops/conv2d.ts';
import { batchNorm } from '../ops/norm.ts';
import { reflectionPad2d } from '../ops/pad.ts';
import { type Initializer, Module } from './module.ts';

/**
 * What a convolution starts from. `rectified`: weights uniform in +-sqrt(6 / fan-in), which keeps the variance through a
 * ReLU (He et al., ICCV 2015), bias zero. `head`, for layers that nothing rectifies: weights and bias in
 * +-1 / sqrt(fan-in), PyTorch's default. `zero`: all zeros.
 */
export type Start = 'rectified' | 'head' | 'zero';

/**
 * Convolution with weights [K,K,C/groups,out]. With PyTorch's default start throughout, as in Monodepth2's decoder, ten
 * layers shrink a signal a hundredfold, and short training ends before it has grown back: hence `rectified`.
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
    options: Conv2dOptions & { bias?: boolean; start?: Start } = {},
  ) {
    super();
    const { bias = true, start = 'rectified', ...conv } = options;
    const perGroup = inputs / (options.groups ?? 1);
    const fanIn = perGroup * kernel * kernel;
    const spread = { rectified: 6, head: 1, zero: 0 }[start];
    this.weight = init.uniform([kernel, kernel, perGroup, outputs], Math.sqrt(spread / fanIn));
    this.bias = bias ? init.uniform([outputs], start === 'head' ? 1 / Math.sqrt(fanIn) : 0) : null;
    this.#options = conv;
  }

  apply(x: Tensor, activation?: Activation): Tensor {
    return conv2d(x, this.weight, this.bias, { ...this.#options, activation });
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
  apply(x: Tensor, training: boolean, activation?: Activation): Tensor {
    const options = { training, activation };
    return batchNorm(x, this.weight, this.bias, this.running_mean, this.running_var, options);
  }
}

/**
 * 3x3 convolution after reflection padding by one: keeps the size, and no dark frame of zeros enters. `norm`: batch
 * normalisation after it, in place of the bias.
 */
export class ReflectConv3x3 extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d | null;

  constructor(
    init: Initializer,
    inputs: number,
    outputs: number,
    { start, norm = false }: { start?: Start; norm?: boolean } = {},
  ) {
    super();
    this.conv = new Conv2d(init, inputs, outputs, 3, { start, bias: !norm });
    this.bn = norm ? new BatchNorm2d(init, outputs) : null;
  }

  apply(x: Tensor, training: boolean, activation?: 'elu'): Tensor {
    const padded = reflectionPad2d(x, 1);
    if (this.bn) return this.bn.apply(this.conv.apply(padded), training, activation);
    return this.conv.apply(padded, activation);
  }
}
