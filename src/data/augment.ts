// Training augmentations on the CPU. Every draw is a pure function of (seed, step, sample, use), so a resumed run
// sees what the uninterrupted one would have seen.
import { threefry2x32, uniform } from '../gpu/threefry.ts';
import type { Intrinsics, LabelMap, RgbImage } from './types.ts';

/** Anything with one or three bytes a pixel: images and label maps. */
type Raster = RgbImage | LabelMap;

/** A number in [0, 1) for each use; the same use gives the same number. */
export type Draw = (use: number) => number;

/** Keeps these draws apart from other users of the seed. */
const AUGMENT_KEY = 0x61_75_67_6d;

/** The draws of one sample of one training step; `step` and `sample` are u32. */
export function draws(seed: number, step: number, sample: number): Draw {
  const [stream] = threefry2x32(seed, AUGMENT_KEY, step, sample);
  return (use) => uniform(seed, stream, use);
}

/** Mirror image, left to right, of an image or a label map. Cameras and poses are the caller's. */
export function hflip<T extends Raster>(map: T): T {
  const { width, height, data: from } = map;
  const channels = from.length / (width * height);
  const data = new Uint8Array(from.length);
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

/** The window of an image or a label map. */
export function crop<T extends Raster>(map: T, window: Window): T {
  const { x, y, width, height } = window;
  const channels = map.data.length / (map.width * map.height);
  const data = new Uint8Array(channels * width * height);
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

const STEPS = ['brightness', 'contrast', 'saturation', 'hue'] as const;

/** A change of colours: factors, of which 1 keeps brightness, contrast and saturation, and a shift of the hue in turns, -0.5 to 0.5. */
export interface Jitter extends Record<(typeof STEPS)[number], number> {
  /** Order of the steps, which do not commute. */
  order: readonly (typeof STEPS)[number][];
}

/**
 * Factors drawn as torchvision's ColorJitter draws them: [max(0, 1 - s), 1 + s] for the first three, [-s, s] for the
 * hue, in random order. Takes seven uses from `use` on.
 */
export function randomJitter(strength: Omit<Jitter, 'order'>, draw: Draw, use: number): Jitter {
  const between = (low: number, high: number, at: number) => low + (high - low) * draw(use + at);
  const around = (s: number, at: number) => between(Math.max(0, 1 - s), 1 + s, at);
  const order = [...STEPS];
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
