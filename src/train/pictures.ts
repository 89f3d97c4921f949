// Pictures of what a model sees and says, from host arrays `[height, width]` to `RgbImage`.
import { paint, type Rgb } from '../data/paint.ts';
import type { ClassInfo, RgbImage } from '../data/types.ts';

export {
  disparityPicture,
  grid,
  inverseDepth,
  overlayPicture,
  row,
  upscale,
} from '../data/paint.ts';

/** Pixels a side of the checkerboard that stands for void. */
const CHECK = 4;
const checker = (x: number, y: number): Rgb =>
  (Math.floor(x / CHECK) + Math.floor(y / CHECK)) % 2 === 0 ? [112, 112, 112] : [144, 144, 144];

const OFF: Rgb = [38, 42, 51];
const ON: Rgb = [245, 243, 235];

const mix = (a: Rgb, b: Rgb, t: number): Rgb => {
  const share = Math.min(Math.max(t, 0), 1);
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])];
};

/** An image [height, width, 3] with values in [0, 1], as it is on the device. */
export function rgbPicture(values: ArrayLike<number>, width: number, height: number): RgbImage {
  return {
    width,
    height,
    data: Uint8Array.from(values, (v) => Math.round(255 * Math.min(Math.max(v, 0), 1))),
  };
}

/** Class colours; void, and any id without a class, as a grey checkerboard. */
export function labelPicture(
  label: ArrayLike<number>,
  width: number,
  height: number,
  classes: readonly ClassInfo[],
): RgbImage {
  return paint(width, height, (i, x, y) => classes[label[i]]?.color ?? checker(x, y));
}

/** A mask: 0 dark, anything else bright. */
export function maskPicture(mask: ArrayLike<number>, width: number, height: number): RgbImage {
  return paint(width, height, (i) => (mask[i] === 0 ? OFF : ON));
}

/** Shades of grey: `low` and below is black, `high` and above is white. */
export function greyPicture(
  values: ArrayLike<number>,
  width: number,
  height: number,
  low: number,
  high: number,
): RgbImage {
  return paint(width, height, (i) => mix([0, 0, 0], [255, 255, 255], (values[i] - low) / (high - low)));
}

/** Where a prediction is wrong: red with a hatch that also shows without colour. Right is dim, void is a checkerboard. */
export function errorPicture(
  prediction: ArrayLike<number>,
  truth: ArrayLike<number>,
  width: number,
  height: number,
  classes: readonly ClassInfo[],
): RgbImage {
  return paint(width, height, (i, x, y) => {
    if (!classes[truth[i]]) return checker(x, y);
    if (prediction[i] === truth[i]) return OFF;
    return (x + y) % 4 === 0 ? [255, 190, 170] : [232, 48, 40];
  });
}

/** Confidence from 0 (dark blue) to 1 (pale yellow). */
export function confidencePicture(confidence: ArrayLike<number>, width: number, height: number): RgbImage {
  return paint(width, height, (i) =>
    confidence[i] < 0.5
      ? mix([20, 28, 66], [47, 125, 140], 2 * confidence[i])
      : mix([47, 125, 140], [250, 240, 170], 2 * confidence[i] - 1),
  );
}
