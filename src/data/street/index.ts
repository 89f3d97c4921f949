// The street world as a data set: worlds by split and snippet, rendered when asked for.
import { cityscapesClasses } from '../classes.ts';
import { streetVariants } from '../spec.ts';
import { DataError, type Dataset, type Frame, type Split } from '../types.ts';
import { poseMatrix, streetIntrinsics } from './camera.ts';
import type { Look } from './light.ts';
import { Renderer } from './render.ts';
import type { World } from './scene.ts';
import { buildWorld } from './world.ts';

export type StreetVariant = Look;

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
/**
 * Bytes of rendered frames that one data set keeps: all of them up to 512x256 pixels. Frames are asked for in random order, so a
 * cache that is a little too small renders nearly everything again in every pass.
 */
const CACHE_BYTES = 512 * 1024 * 1024;
/** Worlds that one data set keeps, of about 0.7 MB each: all of the default ones. Building one takes half as long as a frame. */
const CACHE_WORLDS = 128;
const SNIPPETS = { train: 24, val: 6, unlabelled: 96 };
const SPLIT_STREAM = { train: 1, val: 2, unlabelled: 3 } as const;

/** Frames or worlds, dropped oldest first. */
class Cache<T> {
  readonly #items = new Map<string, T>();
  readonly #capacity: number;
  readonly #cost: (item: T) => number;
  #used = 0;

  /** @param cost of an item, in the unit of `capacity`. */
  constructor(capacity: number, cost: (item: T) => number) {
    this.#capacity = capacity;
    this.#cost = cost;
  }

  get(key: string, make: () => T): T {
    let item = this.#items.get(key);
    if (item === undefined) {
      item = make();
      this.#items.set(key, item);
      this.#used += this.#cost(item);
      for (const [oldest, dropped] of this.#items) {
        if (this.#used <= this.#capacity || oldest === key) break;
        this.#items.delete(oldest);
        this.#used -= this.#cost(dropped);
      }
    }
    return item;
  }
}

const frameBytes = ({ image, label, depth }: Frame): number =>
  image.data.byteLength + (label?.data.byteLength ?? 0) + (depth?.data.byteLength ?? 0);

/** Streets that somebody holds, by their options: all of them share one cache of frames. */
const opened = new Map<string, WeakRef<Dataset>>();

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

  const key = JSON.stringify({ variant, width, height, seed, snippets, framesPerSnippet });
  const held = opened.get(key)?.deref();
  if (held) return held;

  const intrinsics = streetIntrinsics(width, height);
  const renderer = new Renderer(intrinsics);
  const frames = new Cache<Frame>(CACHE_BYTES, frameBytes);
  const worlds = new Cache<World>(CACHE_WORLDS, () => 1);

  const split = (name: keyof typeof SPLIT_STREAM): Split => {
    const truth = name !== 'unlabelled';
    const length = snippets[name] * framesPerSnippet;
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
      const world = worlds.get(String(stream), () => buildWorld(seed, stream, framesPerSnippet));
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
      together: framesPerSnippet,
      id,
      neighbours(index) {
        check(index);
        const frame = index % framesPerSnippet;
        return frame === 0 || frame === framesPerSnippet - 1 ? null : [index - 1, index + 1];
      },
      async load(index) {
        check(index);
        return frames.get(id(index), () => render(index));
      },
    };
  };

  const dataset: Dataset = {
    spec: `street:${look}`,
    title: look === 'night' ? 'Street world at night' : 'Street world',
    classes: cityscapesClasses,
    width,
    height,
    train: split('train'),
    val: split('val'),
    unlabelled: split('unlabelled'),
  };
  opened.set(key, new WeakRef(dataset));
  return dataset;
}
