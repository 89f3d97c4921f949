import type { Tensor } from '../autograd/tensor.ts';
import { Conv2d } from '../nn/layers.ts';
import { type Initializer, Module } from '../nn/module.ts';
import { affine, relu } from '../ops/elementwise.ts';
import { concat, reshape, slice } from '../ops/movement.ts';
import { mean } from '../ops/reduce.ts';
import { type EncoderConfig, ResNetEncoder } from './encoder.ts';

export interface RelativePose {
  /** Rotation vector [N,3], radians. */
  axisAngle: Tensor;
  /** [N,3], in the units of the predicted depth. */
  translation: Tensor;
}

/**
 * Motion between two frames (Monodepth2, networks/pose_decoder.py): a ResNet on the stacked pair, four convolutions, mean
 * over space, times a small number. The original predicts two motions and uses the first; this one predicts that one.
 *
 * It starts from no motion, so that the first steps find the direction of travel before depth can answer a wrong one by
 * moving everything out of sight. The original must not start there, because its rotation has no gradient at zero;
 * `poseMatrix` has the true one.
 */
export class PoseNet extends Module {
  readonly encoder: ResNetEncoder;
  readonly squeeze: Conv2d;
  readonly pose0: Conv2d;
  readonly pose1: Conv2d;
  readonly pose2: Conv2d;
  readonly #scale: number;

  /**
   * @param width channels of the pose head: 256 in Monodepth2.
   * @param scale of the motion: what the last layer says is multiplied by it. 0.01 in Monodepth2.
   */
  constructor(init: Initializer, config: EncoderConfig, width: number, scale: number) {
    super();
    this.encoder = new ResNetEncoder(init, config, 6);
    this.#scale = scale;
    this.squeeze = new Conv2d(init, config.widths[4], width, 1);
    this.pose0 = new Conv2d(init, width, width, 3, { padding: 1 });
    this.pose1 = new Conv2d(init, width, width, 3, { padding: 1 });
    this.pose2 = new Conv2d(init, width, 6, 1, { start: 'zero' });
  }

  /** @param earlier,later images [N,H,W,3] in temporal order. */
  apply(earlier: Tensor, later: Tensor, training: boolean): RelativePose {
    const deepest = this.encoder.apply(concat([earlier, later], 3), training)[4];
    const hidden = [this.squeeze, this.pose0, this.pose1].reduce((x, conv) => relu(conv.apply(x)), deepest);
    const n = earlier.shape[0];
    const motion = affine(reshape(mean(this.pose2.apply(hidden), [1, 2]), [n, 6]), this.#scale, 0);
    return { axisAngle: slice(motion, [0, 0], [n, 3]), translation: slice(motion, [0, 3], [n, 6]) };
  }
}
