import type { Tensor } from '../autograd/tensor.ts';
import { BatchNorm2d, Conv2d } from '../nn/layers.ts';
import { type Initializer, Module } from '../nn/module.ts';
import { add, affine, relu } from '../ops/elementwise.ts';
import { maxPool2d } from '../ops/pool.ts';

export interface EncoderConfig {
  /** Channels of the stem and of the four stages. */
  widths: readonly [number, number, number, number, number];
  /** Blocks in each of the four stages. */
  blocks: readonly [number, number, number, number];
  /** `basic`: two 3x3 convolutions, as in ResNet-18 and -34; `bottleneck`: 1x1, 3x3, 1x1, as in ResNet-50. */
  block: 'basic' | 'bottleneck';
  /** `conv7`: 7x7 stride 2 then max pooling, as ResNet; `conv3`: 3x3 stride 2, the first stage strides instead. */
  stem: 'conv7' | 'conv3';
}

/** Two 3x3 convolutions with a shortcut (He et al., CVPR 2016, figure 5 left). */
class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Conv2d | null;
  readonly downsample_bn: BatchNorm2d | null;

  constructor(init: Initializer, inputs: number, outputs: number, stride: number) {
    super();
    this.conv1 = new Conv2d(init, inputs, outputs, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(init, outputs);
    this.conv2 = new Conv2d(init, outputs, outputs, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(init, outputs);
    const reshapes = stride !== 1 || inputs !== outputs;
    this.downsample = reshapes ? new Conv2d(init, inputs, outputs, 1, { stride, bias: false }) : null;
    this.downsample_bn = reshapes ? new BatchNorm2d(init, outputs) : null;
  }

  apply(x: Tensor, training: boolean): Tensor {
    const inner = this.bn1.apply(this.conv1.apply(x), training, 'relu');
    const residual = this.bn2.apply(this.conv2.apply(inner), training);
    const shortcut = this.downsample ? this.downsample_bn!.apply(this.downsample.apply(x), training) : x;
    return relu(add(residual, shortcut));
  }
}

/**
 * 1x1 convolution to a quarter of the channels, 3x3, 1x1 back, with a shortcut (He et al., CVPR 2016, figure 5 right). The 3x3
 * convolution strides, as in torchvision.
 */
class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Conv2d | null;
  readonly downsample_bn: BatchNorm2d | null;

  constructor(init: Initializer, inputs: number, outputs: number, stride: number) {
    super();
    const inner = outputs / 4;
    this.conv1 = new Conv2d(init, inputs, inner, 1, { bias: false });
    this.bn1 = new BatchNorm2d(init, inner);
    this.conv2 = new Conv2d(init, inner, inner, 3, { stride, padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(init, inner);
    this.conv3 = new Conv2d(init, inner, outputs, 1, { bias: false });
    this.bn3 = new BatchNorm2d(init, outputs);
    const reshapes = stride !== 1 || inputs !== outputs;
    this.downsample = reshapes ? new Conv2d(init, inputs, outputs, 1, { stride, bias: false }) : null;
    this.downsample_bn = reshapes ? new BatchNorm2d(init, outputs) : null;
  }

  apply(x: Tensor, training: boolean): Tensor {
    const narrow = this.bn1.apply(this.conv1.apply(x), training, 'relu');
    const inner = this.bn2.apply(this.conv2.apply(narrow), training, 'relu');
    const residual = this.bn3.apply(this.conv3.apply(inner), training);
    const shortcut = this.downsample ? this.downsample_bn!.apply(this.downsample.apply(x), training) : x;
    return relu(add(residual, shortcut));
  }
}

/**
 * ResNet. Images in [0, 1] are normalised inside, (x - 0.45) / 0.225 (Monodepth2,
 * networks/resnet_encoder.py).
 */
export class ResNetEncoder extends Module {
  readonly config: EncoderConfig;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: (BasicBlock | Bottleneck)[];
  readonly layer2: (BasicBlock | Bottleneck)[];
  readonly layer3: (BasicBlock | Bottleneck)[];
  readonly layer4: (BasicBlock | Bottleneck)[];

  /** @param channels of the input: 3 for an image, 6 for a pair of frames. */
  constructor(init: Initializer, config: EncoderConfig, channels = 3) {
    super();
    this.config = config;
    const { widths, blocks, block, stem } = config;
    const Block = block === 'basic' ? BasicBlock : Bottleneck;
    const size = stem === 'conv7' ? 7 : 3;
    this.conv1 = new Conv2d(init, channels, widths[0], size, {
      stride: 2,
      padding: (size - 1) / 2,
      bias: false,
    });
    this.bn1 = new BatchNorm2d(init, widths[0]);
    const stage = (index: number) =>
      Array.from({ length: blocks[index] }, (_, i) => {
        const stride = i > 0 || (index === 0 && stem === 'conv7') ? 1 : 2;
        return new Block(init, i === 0 ? widths[index] : widths[index + 1], widths[index + 1], stride);
      });
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.layer4 = stage(3);
  }

  /**
   * @param x [N,H,W,channels] in [0, 1]; H and W multiples of 32.
   * @returns five maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size.
   */
  apply(x: Tensor, training: boolean): Tensor[] {
    const normal = affine(x, 1 / 0.225, -0.45 / 0.225);
    let at = this.bn1.apply(this.conv1.apply(normal), training, 'relu');
    const maps = [at];
    if (this.config.stem === 'conv7') at = maxPool2d(at, { kernel: 3, stride: 2, padding: 1 });
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) {
      for (const block of stage) at = block.apply(at, training);
      maps.push(at);
    }
    return maps;
  }
}
