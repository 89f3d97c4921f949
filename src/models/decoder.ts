import type { Tensor } from '../autograd/tensor.ts';
import { Conv2d, ReflectConv3x3 } from '../nn/layers.ts';
import { type Initializer, Module } from '../nn/module.ts';
import { add, sigmoid } from '../ops/elementwise.ts';
import { concat } from '../ops/movement.ts';
import { resizeBilinear, resizeNearest } from '../ops/resize.ts';
import type { EncoderConfig } from './encoder.ts';

export interface DecoderConfig {
  /** Channels of the five levels, full resolution first (Monodepth2: 16, 32, 64, 128, 256). */
  widths: readonly [number, number, number, number, number];
  /** Batch normalisation after every convolution: none in Monodepth2; `dec9` of the released Three Ways has it. */
  norm: boolean;
}

const double = (x: Tensor): Tensor => resizeNearest(x, [x.shape[1] * 2, x.shape[2] * 2]);

/**
 * U-Net decoder of Monodepth2 (networks/depth_decoder.py): at each level a 3x3 convolution, nearest x2, the encoder's map
 * of that size beside it, a 3x3 convolution; reflection padding and ELU throughout. Depth and segmentation share this
 * form, so that one can start from the other's weights (Hoyer et al., CVPR 2021).
 */
export class Decoder extends Module {
  readonly before: ReflectConv3x3[];
  readonly after: ReflectConv3x3[];

  constructor(init: Initializer, encoder: EncoderConfig, { widths, norm }: DecoderConfig) {
    super();
    this.before = [];
    this.after = [];
    for (let level = 0; level < 5; level++) {
      const inputs = level === 4 ? encoder.widths[4] : widths[level + 1];
      const skip = level > 0 ? encoder.widths[level - 1] : 0;
      this.before.push(new ReflectConv3x3(init, inputs, widths[level], { norm }));
      this.after.push(new ReflectConv3x3(init, widths[level] + skip, widths[level], { norm }));
    }
  }

  /**
   * @param maps the encoder's five maps.
   * @param stop the finest level computed.
   * @param from the level above the first one computed, and its map: by default the encoder's deepest.
   * @returns by level (level s has 1/2^s of the input's size), the finest first; levels that are not computed are missing.
   */
  apply(
    maps: readonly Tensor[],
    training: boolean,
    stop = 0,
    from: { level: number; map: Tensor } = { level: 5, map: maps[4] },
  ): Tensor[] {
    const levels: Tensor[] = [];
    let at = from.map;
    for (let level = from.level - 1; level >= stop; level--) {
      at = double(this.before[level].apply(at, training, 'elu'));
      if (level > 0) at = concat([at, maps[level - 1]], 3);
      at = this.after[level].apply(at, training, 'elu');
      levels[level] = at;
    }
    return levels;
  }
}

/** Disparity at several scales. */
export class DepthDecoder extends Module {
  readonly decoder: Decoder;
  readonly heads: ReflectConv3x3[];
  readonly #scales: readonly number[];

  constructor(init: Initializer, encoder: EncoderConfig, config: DecoderConfig, scales: readonly number[]) {
    super();
    this.decoder = new Decoder(init, encoder, config);
    this.heads = scales.map((scale) => new ReflectConv3x3(init, config.widths[scale], 1, { start: 'head' }));
    this.#scales = scales;
  }

  /** @returns disparities in (0, 1), near = large, [N, H/2^s, W/2^s, 1] for each scale s, in the order of `scales`. */
  apply(maps: readonly Tensor[], training: boolean): Tensor[] {
    return this.disparities(this.decoder.apply(maps, training, Math.min(...this.#scales)), training);
  }

  /** What the heads say about the decoder's maps, by level. */
  disparities(levels: readonly Tensor[], training: boolean): Tensor[] {
    return this.#scales.map((scale, i) => sigmoid(this.heads[i].apply(levels[scale], training)));
  }
}

/**
 * Class scores at full resolution from the shared decoder: a 1x1 convolution at each of some levels, their scores enlarged and added
 * up from the deepest to the finest (FCN, Long et al., CVPR 2015, section 4.2). With the finest level alone it is the head of Three
 * Ways. The deeper ones shorten the way from the loss to the encoder, which matters when training is short and starts from nothing.
 */
export class SegmentationDecoder extends Module {
  readonly decoder: Decoder;
  readonly classifiers: Conv2d[];
  readonly #scores: readonly number[];

  /** @param scores levels that are classified: 0 is full resolution, s is 1/2^s. */
  constructor(
    init: Initializer,
    encoder: EncoderConfig,
    config: DecoderConfig,
    scores: readonly number[],
    classes: number,
  ) {
    super();
    this.decoder = new Decoder(init, encoder, config);
    this.classifiers = scores.map((s) => new Conv2d(init, config.widths[s], classes, 1, { start: 'head' }));
    this.#scores = scores;
  }

  /** @returns logits [N,H,W,classes]. */
  apply(maps: readonly Tensor[], training: boolean): Tensor {
    return this.logits(this.decoder.apply(maps, training, this.finest));
  }

  /** The finest level that is classified: the decoder need not go further. */
  get finest(): number {
    return Math.min(...this.#scores);
  }

  /** What the classifiers say about the decoder's maps, by level. */
  logits(levels: readonly Tensor[]): Tensor {
    let sum: Tensor | null = null;
    for (let level = 4; level >= 0; level--) {
      if (sum) sum = resizeBilinear(sum, [2 * sum.shape[1], 2 * sum.shape[2]]);
      const at = this.#scores.indexOf(level);
      if (at < 0) continue;
      const here = this.classifiers[at].apply(levels[level]);
      sum = sum ? add(sum, here) : here;
    }
    return sum!;
  }
}
