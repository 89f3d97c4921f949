// Colour jitter and blur of mixed images, on the device (Three Ways, train.py; DACS, ClassMix). One draw per
// batch, as in the released code. Labels stay as they are.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { type Tensor, tensor } from '../autograd/tensor.ts';
import type { Draw } from '../data/augment.ts';
import { conv2d } from '../ops/conv2d.ts';
import { add, clamp, mul } from '../ops/elementwise.ts';
import { matmul } from '../ops/matmul.ts';
import { reshape } from '../ops/movement.ts';
import { reflectionPad2d } from '../ops/pad.ts';
import { mean } from '../ops/reduce.ts';

/** What one step does to its mixed images; numbers, drawn on the host. */
export interface StrongAugmentation {
  /** Null: no colour change. */
  jitter: { brightness: number; contrast: number; saturation: number; hue: number } | null;
  /** Standard deviation of the blur, pixels; null: none. */
  sigma: number | null;
}

const STRENGTH = 0.25;

/**
 * Jitter with probability 0.8 by up to +-25 % and a turn of the hue, blur with probability 0.5 and sigma in [0.15, 1.15] pixels.
 * @param hue the largest turn, a share of the full circle: 0.25 in the released code.
 */
export function drawStrong(draw: Draw, hue: number): StrongAugmentation {
  const factor = (use: number) => 1 + STRENGTH * (2 * draw(use) - 1);
  return {
    jitter:
      draw(0) > 0.2
        ? {
            brightness: factor(1),
            contrast: factor(2),
            saturation: factor(3),
            hue: hue * (2 * draw(4) - 1),
          }
        : null,
    sigma: draw(5) > 0.5 ? 0.15 + draw(6) : null,
  };
}

const GREY = [0.299, 0.587, 0.114];

/**
 * Saturation and hue as one 3x3 matrix on row vectors (r, g, b): hue turns the chroma plane of YIQ, a linear stand-in for
 * the shift in HSV that image libraries make.
 * @param hue in turns, +-0.5.
 */
export function saturationHueMatrix(saturation: number, hue: number): number[] {
  const c = saturation * Math.cos(2 * Math.PI * hue);
  const s = saturation * Math.sin(2 * Math.PI * hue);
  // RGB -> YIQ -> turn and scale (I, Q) -> RGB, with the NTSC matrices.
  const toYiq = [GREY, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]];
  const toRgb = [
    [1, 0.9563, 0.621],
    [1, -0.2721, -0.6474],
    [1, -1.107, 1.7046],
  ];
  const turn = [
    [1, 0, 0],
    [0, c, -s],
    [0, s, c],
  ];
  const product = (a: number[][], b: number[][]) =>
    a.map((row) => b[0].map((_, j) => row.reduce((sum, v, k) => sum + v * b[k][j], 0)));
  const m = product(product(toRgb, turn), toYiq);
  // Transposed: pixels are rows.
  return [0, 1, 2].flatMap((input) => [0, 1, 2].map((output) => m[output][input]));
}

/** Weights of a Gaussian over 2 radius + 1 pixels, summing to one. */
export function gaussianWeights(sigma: number, radius: number): number[] {
  const raw = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((w) => w / total);
}

/** More than three sigma; the released kernel is a tenth of the side long, of which the rest is near zero. */
const RADIUS = 4;

/**
 * The numbers of an augmentation as tensors of fixed shapes. What is not to happen is done with numbers that change no bit:
 * factors of one, the identity, a blur whose only weight is the middle one.
 */
export function strongInputs({ jitter, sigma }: StrongAugmentation) {
  const { brightness, contrast, saturation, hue } = jitter ?? {
    brightness: 1,
    contrast: 1,
    saturation: 1,
    hue: 0,
  };
  const colours = jitter ? saturationHueMatrix(saturation, hue) : [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const middle = Array.from({ length: 2 * RADIUS + 1 }, (_, i) => (i === RADIUS ? 1 : 0));
  const weights = sigma === null ? middle : gaussianWeights(sigma, RADIUS);
  const perChannel = weights.flatMap((v) => [v, v, v]);
  return {
    brightness: new HostTensor([brightness], []),
    contrast: new HostTensor([contrast], []),
    greyShare: new HostTensor([1 - contrast], []),
    colours: new HostTensor(colours, [3, 3]),
    rows: new HostTensor(perChannel, [1, weights.length, 1, 3]),
    columns: new HostTensor(perChannel, [weights.length, 1, 1, 3]),
  };
}

/** Applies the augmentation to images [N,H,W,3] in [0, 1]. */
export function strongAugment(images: Tensor, numbers: Uploaded<ReturnType<typeof strongInputs>>): Tensor {
  const { brightness, contrast, greyShare, colours, rows, columns } = numbers;
  const [n, h, w] = images.shape;
  const bright = clamp(mul(images, brightness), 0, 1);
  const grey = matmul(reshape(bright, [n * h * w, 3]), tensor(GREY, [3, 1]));
  const level = mean(reshape(grey, [n, h, w, 1]), [1, 2, 3], true);
  const contrasted = clamp(add(mul(bright, contrast), mul(level, greyShare)), 0, 1);
  const mixed = matmul(reshape(contrasted, [n * h * w, 3]), colours);
  const x = reflectionPad2d(clamp(reshape(mixed, [n, h, w, 3]), 0, 1), RADIUS);
  return conv2d(conv2d(x, rows, null, { groups: 3 }), columns, null, { groups: 3 });
}
