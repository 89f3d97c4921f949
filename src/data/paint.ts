// Pictures as host arrays: class colours, disparity, and panels put side by side.
import { magma } from './colormap.ts';
import type { ClassInfo, RgbImage } from './types.ts';

export type Rgb = readonly [number, number, number];

/** Behind and between panels. */
const BACKGROUND = 24;

/** An image from the colour of each pixel, by index in row-major order. */
export function paint(
  width: number,
  height: number,
  color: (index: number, x: number, y: number) => Rgb,
): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) data.set(color(i, x, y), i * 3);
  }
  return { width, height, data };
}

/** 1 / z, and 0 where depth is unknown. */
export const inverseDepth = (depth: ArrayLike<number>): Float32Array =>
  Float32Array.from(depth, (z) => (z > 0 ? 1 / z : 0));

/** numpy's percentile of sorted values, with linear interpolation. */
function percentile(sorted: Float32Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/**
 * Disparity in magma, near is bright: from the least value to the 95th percentile, as Monodepth2's `test_simple.py`
 * draws it. Black where it is not above 0, which means unknown.
 * @param disparity [height, width]
 */
export function disparityPicture(disparity: ArrayLike<number>, width: number, height: number): RgbImage {
  const known = Float32Array.from(disparity)
    .filter((d) => d > 0 && d < Number.POSITIVE_INFINITY)
    .sort();
  const low = known.length > 0 ? known[0] : 0;
  const range = known.length > 0 ? percentile(known, 0.95) - low : 0;
  return paint(width, height, (i) =>
    disparity[i] > 0 ? magma(range > 0 ? (disparity[i] - low) / range : 0) : [0, 0, 0],
  );
}

/**
 * Class colours blended over an image; void pixels show the image, darkened as much.
 * @param label [height, width]; an id without a class is void
 * @param opacity of the class colours, 0 to 1
 */
export function overlayPicture(
  image: RgbImage,
  label: ArrayLike<number>,
  classes: readonly ClassInfo[],
  opacity: number,
): RgbImage {
  const at = (i: number, c: number) =>
    (1 - opacity) * image.data[i * 3 + c] + opacity * (classes[label[i]]?.color[c] ?? 0);
  return paint(image.width, image.height, (i) => [at(i, 0), at(i, 1), at(i, 2)]);
}

/** Enlarged by a whole factor, nearest neighbour. */
export function upscale(image: RgbImage, factor: number): RgbImage {
  const { width, data } = image;
  const out = new Uint8Array(data.length * factor * factor);
  for (let y = 0, to = 0; y < image.height * factor; y++) {
    const row = Math.floor(y / factor) * width;
    for (let x = 0; x < width * factor; x++, to += 3) {
      const at = (row + Math.floor(x / factor)) * 3;
      out[to] = data[at];
      out[to + 1] = data[at + 1];
      out[to + 2] = data[at + 2];
    }
  }
  return { width: width * factor, height: image.height * factor, data: out };
}

function compose(images: readonly RgbImage[], gap: number, across: boolean): RgbImage {
  const along = (image: RgbImage) => (across ? image.width : image.height);
  const length = Math.max(0, images.reduce((sum, image) => sum + along(image) + gap, 0) - gap);
  const breadth = Math.max(0, ...images.map((image) => (across ? image.height : image.width)));
  const [width, height] = across ? [length, breadth] : [breadth, length];
  const data = new Uint8Array(width * height * 3).fill(BACKGROUND);
  let offset = 0;
  for (const image of images) {
    const [left, top] = across ? [offset, 0] : [0, offset];
    for (let y = 0; y < image.height; y++) {
      const line = image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3);
      data.set(line, ((top + y) * width + left) * 3);
    }
    offset += along(image) + gap;
  }
  return { width, height, data };
}

/** Images side by side, tops aligned, `gap` pixels apart. */
export const row = (images: readonly RgbImage[], gap = 2): RgbImage => compose(images, gap, true);

/** Rows of images below each other, `gap` pixels apart. */
export const grid = (rows: readonly (readonly RgbImage[])[], gap = 2): RgbImage =>
  compose(
    rows.map((images) => row(images, gap)),
    gap,
    false,
  );
