// The street world as a data set: worlds by split and snippet, rendered when asked for.
import { cityscapesClasses } from '../classes.ts';
import { DataError, type Dataset, type Frame, type Split } from '../types.ts';
import { poseMatrix, streetIntrinsics } from './camera.ts';
import type { Look } from './light.ts';
import { Renderer } from './render.ts';
import type { World } from './scene.ts';
import { buildWorld } from './world.ts';

export type StreetVariant = Look;

export const streetVariants: readonly StreetVariant[] = ['clean', 'night'];

export interface StreetOptions {
  /** Look of the world: `clean` (day, the default) or `night`. Geometry, labels and poses do not depend on it. */
  variant?: string;
  /** Pixels, at least 32 each. */
  width?: number;
  height?: number;
  seed?: number;
  /** Snippets in each split; every snippet is a world of its own. */
  snippets?: { train: number; val: number; unlabelled: number };
  framesPerSnippet?: number;
}

const SMALLEST = 32;
/** Bytes of rendered frames that one data set keeps. */
const CACHE_BYTES = 96 * 1024 * 1024;
const SNIPPETS = { train: 24, val: 6, unlabelled: 96 };
const SPLIT_STREAM = { train: 1, val: 2, unlabelled: 3 } as const;

/** 8-bit frames and worlds, dropped oldest first. */
class Cache<T> {
  private readonly items = new Map<number, T>();
  constructor(private readonly capacity: number) {}

  get(key: number, make: () => T): T {
    let item = this.items.get(key);
    if (item === undefined) {
      item = make();
      if (this.items.size >= this.capacity) this.items.delete(this.items.keys().next().value as number);
      this.items.set(key, item);
    }
    return item;
  }
}

/**
 * Opens the street world. Frames are `[height, width]`, rendered in `load` and kept in a bounded cache; the same
 * options give the same bytes. `train` and `val` have labels (Cityscapes train ids, 255 = void), exact z-depth in
 * metres (0 in the sky) and camera-to-world poses; `unlabelled` has images and intrinsics only. Throws DataError
 * for an unknown variant or a size below 32 pixels. Frames are shared with the cache: do not write into them.
 */
export function openStreet(options: StreetOptions = {}): Dataset {
  const {
    variant = 'clean',
    width = 128,
    height = 64,
    seed = 0,
    snippets = SNIPPETS,
    framesPerSnippet = 8,
  } = options;
  const look = streetVariants.find((known) => known === variant);
  if (!look)
    throw new DataError(`street:${variant}: unknown variant; known are ${streetVariants.join(', ')}`);
  for (const [name, value] of Object.entries({ width, height })) {
    if (!Number.isInteger(value) || value < SMALLEST)
      throw new DataError(
        `street: ${name} ${value}; expected a whole number of pixels, at least ${SMALLEST}`,
      );
  }
  if (!Number.isInteger(framesPerSnippet) || framesPerSnippet < 1)
    throw new DataError(`street: framesPerSnippet ${framesPerSnippet}; expected a whole number, at least 1`);

  const intrinsics = streetIntrinsics(width, height);
  const renderer = new Renderer(intrinsics);
  const perSplit = Math.max(8, Math.floor(CACHE_BYTES / (3 * width * height * 8)));

  const split = (name: keyof typeof SPLIT_STREAM): Split => {
    const truth = name !== 'unlabelled';
    const length = snippets[name] * framesPerSnippet;
    const worlds = new Cache<World>(2);
    const frames = new Cache<Frame>(perSplit);
    const check = (index: number) => {
      if (!Number.isInteger(index) || index < 0 || index >= length)
        throw new DataError(`street: frame ${index} of ${name}; expected 0 to ${length - 1}`);
    };
    const id = (index: number) => {
      check(index);
      const snippet = Math.floor(index / framesPerSnippet);
      const frame = index % framesPerSnippet;
      return `${name}/${String(snippet).padStart(3, '0')}/${String(frame).padStart(2, '0')}`;
    };
    const render = (index: number): Frame => {
      const snippet = Math.floor(index / framesPerSnippet);
      // 28 bits: split, snippet, and 16 streams for the parts of a world.
      const stream = SPLIT_STREAM[name] * 2 ** 24 + snippet * 16;
      const world = worlds.get(snippet, () => buildWorld(seed, stream, framesPerSnippet));
      const { image, label, depth, camera } = renderer.render(world, index % framesPerSnippet, look, truth);
      return truth
        ? { id: id(index), image, label, depth, pose: poseMatrix(camera) }
        : { id: id(index), image };
    };
    return {
      length,
      hasLabels: truth,
      hasDepth: truth,
      hasPoses: truth,
      intrinsics,
      id,
      neighbours(index) {
        check(index);
        const frame = index % framesPerSnippet;
        return frame === 0 || frame === framesPerSnippet - 1 ? null : [index - 1, index + 1];
      },
      async load(index) {
        check(index);
        return frames.get(index, () => render(index));
      },
    };
  };

  return {
    spec: `street:${look}`,
    title: look === 'night' ? 'Street world at night' : 'Street world',
    classes: cityscapesClasses,
    width,
    height,
    train: split('train'),
    val: split('val'),
    unlabelled: split('unlabelled'),
  };
}
