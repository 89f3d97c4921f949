import type { Tensor } from '../autograd/tensor.ts';
import { Conv2d } from '../nn/layers.ts';
import { type Initializer, Module } from '../nn/module.ts';
import { add, mul, sigmoid } from '../ops/elementwise.ts';
import { DepthDecoder, SegmentationDecoder } from './decoder.ts';
import { ResNetEncoder } from './encoder.ts';
import type { ModelConfig } from './models.ts';

/**
 * What one task hands the other: SA(F) = conv(F) sigmoid(attention(F)), both 3x3 without bias. The attention starts at zero, so every
 * gate starts at one half (PAD-Net, Xu et al., CVPR 2018; model_parts.py of Three Ways).
 */
export class SelfAttention extends Module {
  readonly conv: Conv2d;
  readonly attention: Conv2d;

  constructor(init: Initializer, channels: number) {
    super();
    const options = { padding: 1, bias: false };
    this.conv = new Conv2d(init, channels, channels, 3, { ...options, start: 'head' });
    this.attention = new Conv2d(init, channels, channels, 3, { ...options, start: 'zero' });
  }

  /** @param x [N,H,W,channels]. */
  apply(x: Tensor): Tensor {
    return mul(this.conv.apply(x), sigmoid(this.attention.apply(x)));
  }
}

/** The level at which the tasks exchange features: a quarter of the size. */
const EXCHANGE = 2;

export interface MultiTaskOutputs {
  /** [N,H,W,classes]. */
  logits: Tensor;
  /** From the features before the exchange, [N,H/4,W/4,classes]. */
  intermediate: Tensor;
  /** In (0, 1), one map per scale; those at 1/8 and 1/4 come from before the exchange. */
  disparities: Tensor[];
}

/**
 * Depth and segmentation from one encoder and two decoders that look at each other once, at a quarter of the size
 * (joint_segmentation_depth_decoder.py of Three Ways): F_s + SA_d(F_d) and F_d + SA_s(F_s), both of the features before.
 */
export class MultiTaskModel extends Module {
  readonly encoder: ResNetEncoder;
  readonly segmentation: SegmentationDecoder;
  readonly depth: DepthDecoder;
  readonly intermediate: Conv2d;
  readonly fromDepth: SelfAttention;
  readonly fromSegmentation: SelfAttention;
  readonly #finestScale: number;

  /** Encoder and segmentation decoder are drawn first: at one seed they are those of a `SegmentationModel`. */
  constructor(init: Initializer, config: ModelConfig, classes: number) {
    super();
    const channels = config.decoder.widths[EXCHANGE];
    this.encoder = new ResNetEncoder(init, config.encoder);
    this.segmentation = new SegmentationDecoder(init, config.encoder, config.decoder, config.scores, classes);
    this.depth = new DepthDecoder(init, config.encoder, config.decoder, config.scales);
    this.intermediate = new Conv2d(init, channels, classes, 1, { start: 'head' });
    this.fromDepth = new SelfAttention(init, channels);
    this.fromSegmentation = new SelfAttention(init, channels);
    this.#finestScale = Math.min(...config.scales);
  }

  /** Everything, as training wants it. @param x [N,H,W,3] in [0, 1], H and W multiples of 32. */
  outputs(x: Tensor, training: boolean): MultiTaskOutputs {
    const shared = this.#shared(x, training);
    return {
      logits: this.#logits(shared, training),
      intermediate: this.intermediate.apply(shared.segmentation[EXCHANGE]),
      disparities: this.#disparities(shared, training),
    };
  }

  /** Logits [N,H,W,classes]; depth is followed as far as the exchange. */
  logits(x: Tensor, training: boolean): Tensor {
    return this.#logits(this.#shared(x, training), training);
  }

  /** Disparities in (0, 1), one map per scale, finest first; segmentation is followed as far as the exchange. */
  disparities(x: Tensor, training: boolean): Tensor[] {
    return this.#disparities(this.#shared(x, training), training);
  }

  /** Both decoders down to the exchange. */
  #shared(x: Tensor, training: boolean) {
    const maps = this.encoder.apply(x, training);
    return {
      maps,
      segmentation: this.segmentation.decoder.apply(maps, training, EXCHANGE),
      depth: this.depth.decoder.apply(maps, training, EXCHANGE),
    };
  }

  #logits({ maps, segmentation, depth }: Shared, training: boolean): Tensor {
    const map = add(segmentation[EXCHANGE], this.fromDepth.apply(depth[EXCHANGE]));
    const { decoder, finest } = this.segmentation;
    const levels = [...segmentation];
    levels[EXCHANGE] = map;
    // Levels that are not computed are holes, which leave what is there.
    decoder.apply(maps, training, finest, { level: EXCHANGE, map }).forEach((finer, level) => {
      levels[level] = finer;
    });
    return this.segmentation.logits(levels);
  }

  #disparities({ maps, segmentation, depth }: Shared, training: boolean): Tensor[] {
    const map = add(depth[EXCHANGE], this.fromSegmentation.apply(segmentation[EXCHANGE]));
    const finer = this.depth.decoder.apply(maps, training, this.#finestScale, { level: EXCHANGE, map });
    return this.depth.disparities([...finer, ...depth.slice(finer.length)], training);
  }
}

interface Shared {
  maps: Tensor[];
  segmentation: Tensor[];
  depth: Tensor[];
}
