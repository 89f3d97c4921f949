import type { Tensor } from '../autograd/tensor.ts';
import { type Initializer, Module } from '../nn/module.ts';
import { type DecoderConfig, DepthDecoder, SegmentationDecoder } from './decoder.ts';
import { type EncoderConfig, ResNetEncoder } from './encoder.ts';
import { type PoseConfig, PoseNet } from './poseNet.ts';

/** Sizes of all networks of a recipe. */
export interface ModelConfig {
  encoder: EncoderConfig;
  decoder: DecoderConfig;
  pose: PoseConfig;
  /** Scales at which disparity is predicted and trained: 0 is full resolution, s is 1/2^s. */
  scales: readonly number[];
  /** Decoder levels at which classes are predicted, to be added up; 0 is full resolution, s is 1/2^s. */
  scores: readonly number[];
}

/** Disparity from one image, motion from two: everything self-supervised depth trains. */
export class DepthModel extends Module {
  readonly encoder: ResNetEncoder;
  readonly decoder: DepthDecoder;
  readonly pose: PoseNet;

  constructor(init: Initializer, config: ModelConfig) {
    super();
    this.encoder = new ResNetEncoder(init, config.encoder);
    this.decoder = new DepthDecoder(init, config.encoder, config.decoder, config.scales);
    this.pose = new PoseNet(init, config.encoder, config.pose);
  }

  /** Disparities in (0, 1), one map per scale, finest first. @param x [N,H,W,3] in [0, 1]. */
  disparities(x: Tensor, training: boolean): Tensor[] {
    return this.decoder.apply(this.encoder.apply(x, training), training);
  }
}

/** Disparity from one image at full size, with batch normalisation throughout: `dec9` of the released Three Ways. */
export class DisparityModel extends Module {
  readonly encoder: ResNetEncoder;
  readonly decoder: DepthDecoder;

  constructor(init: Initializer, config: ModelConfig) {
    super();
    this.encoder = new ResNetEncoder(init, config.encoder);
    this.decoder = new DepthDecoder(init, config.encoder, { ...config.decoder, norm: true }, [0]);
  }

  /** [N,H,W,1] in (0, 1). @param x [N,H,W,3] in [0, 1]. */
  disparity(x: Tensor, training: boolean): Tensor {
    return this.decoder.apply(this.encoder.apply(x, training), training)[0];
  }
}

/** Class scores from one image. */
export class SegmentationModel extends Module {
  readonly encoder: ResNetEncoder;
  readonly decoder: SegmentationDecoder;

  constructor(init: Initializer, config: ModelConfig, classes: number) {
    super();
    this.encoder = new ResNetEncoder(init, config.encoder);
    this.decoder = new SegmentationDecoder(init, config.encoder, config.decoder, config.scores, classes);
  }

  /** Logits [N,H,W,classes]. @param x [N,H,W,3] in [0, 1], H and W multiples of 32. */
  logits(x: Tensor, training: boolean): Tensor {
    return this.decoder.apply(this.encoder.apply(x, training), training);
  }
}
