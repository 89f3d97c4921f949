// Training augmentations on the CPU. Every draw is a pure function of (seed, step, sample, use), so a resumed run
// sees what the uninterrupted one would have seen.
import { threefry2x32, uniform } from '../gpu/threefry.ts';
import type { Intrinsics, RgbImage } from './types.ts';

/** RGB in [0, 1], row-major `[height, width, 3]`. */
export interface FloatImage {
  width: number;
  height: number;
  data: Float32Array;
}

/** Anything with one or three values a pixel: images, label maps, depth maps. */
type Raster = { width: number; height: number; data: Uint8Array | Float32Array };

/** A number in [0, 1) for each use; the same use gives the same number. */
export type Draw = (use: number) => number;

/** Keeps these draws apart from other users of the seed. */
const AUGMENT_KEY = 0x61_75_67_6d;

/** The draws of one sample of one training step; `step` and `sample` are u32. */
export function draws(seed: number, step: number, sample: number): Draw {
  const [stream] = threefry2x32(seed, AUGMENT_KEY, step, sample);
  return (use) => uniform(seed, stream, use);
}

/** Bytes 0 to 255 as floats 0 to 1. */
export function toFloat(image: RgbImage): FloatImage {
  const data = new Float32Array(image.data.length);
  for (let i = 0; i < data.length; i++) data[i] = image.data[i] / 255;
  return { width: image.width, height: image.height, data };
}

/** Floats 0 to 1, clamped, as bytes 0 to 255, rounded. */
export function toBytes(image: FloatImage): RgbImage {
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.round(255 * clamp(image.data[i]));
  return { width: image.width, height: image.height, data };
}

const clamp = (v: number) => Math.min(1, Math.max(0, v));

function empty<T extends Raster>(like: T, length: number): T['data'] {
  return like.data instanceof Float32Array ? new Float32Array(length) : new Uint8Array(length);
}

/** Mirror image, left to right, of an image, label or depth map. Disparity sign and poses are the caller's. */
export function hflip<T extends Raster>(map: T): T {
  const { width, height, data: from } = map;
  const channels = from.length / (width * height);
  const data = empty(map, from.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = channels * (y * width + x);
      const mirrored = channels * (y * width + width - 1 - x);
      for (let c = 0; c < channels; c++) data[at + c] = from[mirrored + c];
    }
  }
  return { ...map, data };
}

/** The camera that sees the mirror image. */
export function hflipIntrinsics(intrinsics: Intrinsics): Intrinsics {
  return { ...intrinsics, cx: intrinsics.width - 1 - intrinsics.cx };
}

/** Part of an image in whole pixels: corner and size. */
export interface Window {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * A window of the given size, placed uniformly; takes uses `use` and `use + 1`.
 * @throws RangeError when the window is larger than the image
 */
export function randomCrop(
  image: { width: number; height: number },
  width: number,
  height: number,
  draw: Draw,
  use: number,
): Window {
  if (width > image.width || height > image.height)
    throw new RangeError(`crop of ${width}x${height} pixels from an image of ${image.width}x${image.height}`);
  const x = Math.floor(draw(use) * (image.width - width + 1));
  const y = Math.floor(draw(use + 1) * (image.height - height + 1));
  return { x, y, width, height };
}

/** The window of an image, label or depth map. */
export function crop<T extends Raster>(map: T, window: Window): T {
  const { x, y, width, height } = window;
  const channels = map.data.length / (map.width * map.height);
  const data = empty(map, channels * width * height);
  for (let row = 0; row < height; row++) {
    const at = channels * ((y + row) * map.width + x);
    data.set(map.data.subarray(at, at + channels * width), channels * width * row);
  }
  return { ...map, width, height, data };
}

/** The camera that sees the window. */
export function cropIntrinsics(intrinsics: Intrinsics, window: Window): Intrinsics {
  const { x, y, width, height } = window;
  return { ...intrinsics, width, height, cx: intrinsics.cx - x, cy: intrinsics.cy - y };
}

type JitterStep = 'brightness' | 'contrast' | 'saturation' | 'hue';

/** Factors of `colorJitter`: 1 keeps brightness, contrast and saturation; hue is a shift in turns, -0.5 to 0.5. */
export interface Jitter {
  brightness: number;
  contrast: number;
  saturation: number;
  hue: number;
  /** Order of the steps, which do not commute; as listed above by default. */
  order?: readonly JitterStep[];
}

/**
 * Factors drawn as torchvision's ColorJitter draws them: [max(0, 1 - s), 1 + s] for the first three, [-s, s] for the
 * hue, in random order. Takes seven uses from `use` on.
 */
export function randomJitter(strength: Omit<Jitter, 'order'>, draw: Draw, use: number): Jitter {
  const between = (low: number, high: number, at: number) => low + (high - low) * draw(use + at);
  const around = (s: number, at: number) => between(Math.max(0, 1 - s), 1 + s, at);
  const order: JitterStep[] = ['brightness', 'contrast', 'saturation', 'hue'];
  for (let i = 3; i > 0; i--) {
    const j = Math.floor(draw(use + 3 + i) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return {
    brightness: around(strength.brightness, 0),
    contrast: around(strength.contrast, 1),
    saturation: around(strength.saturation, 2),
    hue: between(-strength.hue, strength.hue, 3),
    order,
  };
}

const grey = (r: number, g: number, b: number) => 0.2989 * r + 0.587 * g + 0.114 * b;

/**
 * Brightness, contrast, saturation and hue as torchvision does them on float tensors: a product, a blend with the
 * image's mean grey, a blend with each pixel's grey, a turn of H in HSV; clamped to [0, 1] after each step.
 */
export function colorJitter(image: FloatImage, jitter: Jitter): FloatImage {
  const data = Float32Array.from(image.data);
  for (const step of jitter.order ?? (['brightness', 'contrast', 'saturation', 'hue'] as const)) {
    if (step === 'hue') turnHue(data, jitter.hue);
    else blend(data, step, jitter[step]);
  }
  return { ...image, data };
}

function blend(data: Float32Array, step: Exclude<JitterStep, 'hue'>, factor: number): void {
  let mean = 0;
  if (step === 'contrast') {
    for (let i = 0; i < data.length; i += 3) mean += grey(data[i], data[i + 1], data[i + 2]);
    mean /= data.length / 3;
  }
  const rest = 1 - factor;
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    const other = rest * (step === 'saturation' ? grey(r, g, b) : mean);
    data[i] = clamp(factor * r + other);
    data[i + 1] = clamp(factor * g + other);
    data[i + 2] = clamp(factor * b + other);
  }
}

function turnHue(data: Float32Array, turns: number): void {
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    const value = Math.max(r, g, b);
    const chroma = value - Math.min(r, g, b);
    if (chroma === 0) continue;
    let sixths = (b - r) / chroma + 2;
    if (value === r) sixths = (g - b) / chroma;
    else if (value !== g) sixths = (r - g) / chroma + 4;
    sixths += 6 * turns;
    for (let c = 0; c < 3; c++) {
      // Red, green and blue fall off from hues 0, 2 and 4 (in sixths of a turn). A remainder by `%` would take most of the time.
      let k = 5 - 2 * c + sixths;
      while (k >= 6) k -= 6;
      k += 6;
      if (k >= 6) k -= 6;
      data[i + c] = clamp(value - chroma * clamp(Math.min(k, 4 - k)));
    }
  }
}

/** Odd kernel size of about a tenth of the side, as in the ClassMix and Three Ways code (51 at 512 pixels). */
const kernelSize = (pixels: number) => {
  const tenth = Math.ceil(0.1 * pixels);
  return Math.floor(tenth - 0.5 + (tenth % 2));
};

/**
 * Separable Gaussian of `sigma` pixels, cut off at an odd kernel of about a tenth of each side; the border is
 * reflected without repeating its pixel.
 * @throws RangeError unless sigma is positive
 */
export function gaussianBlur(image: FloatImage, sigma: number): FloatImage {
  if (!(sigma > 0)) throw new RangeError(`gaussianBlur: sigma ${sigma} pixels; expected more than 0`);
  const { width, height } = image;
  const across = blurAxis(image.data, height, width, 3, sigma);
  return { width, height, data: blurAxis(across, 1, height, 3 * width, sigma) };
}

/** Blurs the middle axis of `[outer, length, inner]`. */
function blurAxis(
  from: Float32Array,
  outer: number,
  length: number,
  inner: number,
  sigma: number,
): Float32Array {
  // Beyond six sigma a weight is under the resolution of f32.
  const radius = Math.min((kernelSize(length) - 1) / 2, Math.ceil(6 * sigma));
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const sum = kernel.reduce((a, b) => a + b, 0);
  const to = new Float32Array(from.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < length; i++) {
      const at = inner * (o * length + i);
      for (let k = 0; k <= 2 * radius; k++) {
        const weight = kernel[k] / sum;
        let j = Math.abs(i + k - radius);
        if (j >= length) j = 2 * (length - 1) - j;
        const source = inner * (o * length + j);
        for (let c = 0; c < inner; c++) to[at + c] += weight * from[source + c];
      }
    }
  }
  return to;
}
