import type { Tensor } from '../autograd/tensor.ts';
import { BatchNorm2d, Conv2d } from '../nn/layers.ts';
import { type Initializer, Module } from '../nn/module.ts';
import { affine } from '../ops/elementwise.ts';
import { concat, reshape, slice } from '../ops/movement.ts';
import { opticalFlow } from '../ops/opticalFlow.ts';
import { mean } from '../ops/reduce.ts';
import { type EncoderConfig, ResNetEncoder } from './encoder.ts';

export interface RelativePose {
  /** Rotation vector [N,3], radians. */
  axisAngle: Tensor;
  /** [N,3], in the units of the predicted depth. */
  translation: Tensor;
}

export interface PoseConfig {
  /** `images`: the stacked pair, as in Monodepth2. `flow`: the optical flow between them, see `FlowEncoder`. */
  sees: 'images' | 'flow';
  /** Channels of the head: 256 in Monodepth2. */
  width: number;
  /** Of the motion: what the last layer says is multiplied by it, so it is how fast pose can grow beside depth. 0.01 in Monodepth2. */
  scale: number;
}

/** A ResNet on the stacked pair (Monodepth2): learns what motion looks like from nothing, which takes long. */
class PairEncoder extends Module {
  readonly resnet: ResNetEncoder;
  readonly channels: number;

  constructor(init: Initializer, config: EncoderConfig) {
    super();
    this.resnet = new ResNetEncoder(init, config, 6);
    this.channels = config.widths[4];
  }

  apply(earlier: Tensor, later: Tensor, training: boolean): Tensor {
    return this.resnet.apply(concat([earlier, later], 3), training)[4];
  }
}

/** Side of the cells of flow, pixels. */
const CELL = 4;

/**
 * Two strided convolutions on the optical flow of cells of 4 pixels, 1/16 of the size in the end. Where frames are small, rotations
 * are fractions of a pixel: a ResNet on the pair does not find them in a few hundred steps, least squares does at once.
 */
class FlowEncoder extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly channels: number;

  constructor(init: Initializer, channels: number) {
    super();
    this.channels = channels;
    this.conv1 = new Conv2d(init, 2, Math.ceil(channels / 2), 3, { stride: 2, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(init, Math.ceil(channels / 2));
    this.conv2 = new Conv2d(init, Math.ceil(channels / 2), channels, 3, {
      stride: 2,
      padding: 1,
      bias: false,
    });
    this.bn2 = new BatchNorm2d(init, channels);
  }

  apply(earlier: Tensor, later: Tensor, training: boolean): Tensor {
    const flow = opticalFlow(earlier, later, CELL);
    const half = this.bn1.apply(this.conv1.apply(flow), training, 'relu');
    return this.bn2.apply(this.conv2.apply(half), training, 'relu');
  }
}

/**
 * Motion between two frames (Monodepth2, networks/pose_decoder.py): an encoder of the pair, four convolutions, mean over space,
 * times a small number. The original predicts two motions and uses the first; this one predicts that one.
 *
 * It starts from no motion, so that the first steps find the direction of travel before depth can answer a wrong one by
 * moving everything out of sight. The original must not start there, because its rotation has no gradient at zero;
 * `poseMatrix` has the true one.
 */
export class PoseNet extends Module {
  readonly encoder: PairEncoder | FlowEncoder;
  readonly squeeze: Conv2d;
  readonly pose0: Conv2d;
  readonly pose1: Conv2d;
  readonly pose2: Conv2d;
  readonly #scale: number;

  /** @param config of the ResNet that sees the pair; not used where the network sees its flow. */
  constructor(init: Initializer, config: EncoderConfig, { sees, width, scale }: PoseConfig) {
    super();
    this.encoder = sees === 'flow' ? new FlowEncoder(init, width) : new PairEncoder(init, config);
    this.#scale = scale;
    this.squeeze = new Conv2d(init, this.encoder.channels, width, 1);
    this.pose0 = new Conv2d(init, width, width, 3, { padding: 1 });
    this.pose1 = new Conv2d(init, width, width, 3, { padding: 1 });
    this.pose2 = new Conv2d(init, width, 6, 1, { start: 'zero' });
  }

  /** @param earlier,later images [N,H,W,3] in temporal order. */
  apply(earlier: Tensor, later: Tensor, training: boolean): RelativePose {
    const seen = this.encoder.apply(earlier, later, training);
    const hidden = [this.squeeze, this.pose0, this.pose1].reduce((x, conv) => conv.apply(x, 'relu'), seen);
    const n = earlier.shape[0];
    const motion = affine(reshape(mean(this.pose2.apply(hidden), [1, 2]), [n, 6]), this.#scale, 0);
    return { axisAngle: slice(motion, [0, 0], [n, 3]), translation: slice(motion, [0, 3], [n, 6]) };
  }
}
