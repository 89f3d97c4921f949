// Batches of frames as flat arrays, augmented, ready for upload. Everything is a pure function of (seed, step), so a
// resumed run sees what an uninterrupted one would have seen.
import {
  colorJitter,
  crop,
  cropIntrinsics,
  type Draw,
  draws,
  type FloatImage,
  hflip,
  hflipIntrinsics,
  randomCrop,
  randomJitter,
  toFloat,
  type Window,
} from './augment.ts';
import { sampleIndex } from './sampler.ts';
import { DataError, type Frame, type Intrinsics, type LabelMap, type Split } from './types.ts';

/** One frame of one split. */
export interface FrameRef {
  split: Split;
  index: number;
}

/** Every frame of a split. */
export const allFrames = (split: Split): FrameRef[] =>
  Array.from({ length: split.length }, (_, index) => ({ split, index }));

/** The frames that have a neighbour before and after them. */
export const videoFrames = (refs: readonly FrameRef[]): FrameRef[] =>
  refs.filter(({ split, index }) => split.neighbours(index) !== null);

/** The frames of step `step`: reshuffled passes over `refs`. `stream` keeps several samplers of one run apart. */
export const pickFrames = (
  refs: readonly FrameRef[],
  batch: number,
  seed: number,
  stream: number,
  step: number,
): FrameRef[] =>
  Array.from({ length: batch }, (_, b) => refs[sampleIndex(refs.length, seed, stream, step * batch + b)]);

const FLIP = 0;
const JITTER = 1;
const JITTER_FACTORS = 2;
/** After the seven that the factors take. */
const CROP = 9;

/** Monodepth2's and Three Ways' colour jitter: +-20 %, hue +-0.1, for half of the samples. */
const STRENGTH = { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 };

/** How a sample sees its frame: mirrored or not, and where it is cut; null: the whole. */
interface View {
  mirrored: boolean;
  window: Window | null;
}

/** A square of the shorter side, like the 512x512 of 1024x512 pixels in Three Ways. */
function squareWindow({ width, height }: { width: number; height: number }, draw: Draw): Window {
  const side = Math.min(width, height);
  return randomCrop({ width, height }, side, side, draw, CROP);
}

function seenBy<T extends FloatImage | LabelMap>({ mirrored, window }: View, map: T): T {
  const facing = mirrored ? hflip(map) : map;
  return window ? crop(facing, window) : facing;
}

function cameraOf({ mirrored, window }: View, camera: Intrinsics): Intrinsics {
  const facing = mirrored ? hflipIntrinsics(camera) : camera;
  return window ? cropIntrinsics(facing, window) : facing;
}

/** Frames of one batch are one tensor. @throws DataError naming a frame of another size than the first. */
function checkSizes(refs: readonly FrameRef[], frames: readonly Frame[]): void {
  const [{ image: first }] = frames;
  frames.forEach(({ id, image }, i) => {
    if (image.width === first.width && image.height === first.height) return;
    throw new DataError(
      `frame ${id}: ${image.width}x${image.height} pixels beside ${first.width}x${first.height} of frame ` +
        `${refs[0].split.id(refs[0].index)} in one batch (image ${i}); expected one size`,
    );
  });
}

const join = (parts: readonly Float32Array[]): Float32Array => {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

/** Images [N,H,W,3] in [0, 1] with labels [N,H,W]; 255 everywhere for a frame without labels. */
export interface LabelledBatch {
  n: number;
  height: number;
  width: number;
  images: Float32Array;
  labels: Int32Array;
  /** True where the image was mirrored. */
  flipped: boolean[];
}

export interface BatchOptions {
  seed: number;
  step: number;
  /** Mirror half of the samples; a list: those that it says. */
  flip: boolean | readonly boolean[];
  /** Look at a square of each frame only, mirrored before it is cut. */
  crop: boolean;
  /** Keep labels (of these frames) or blank them all. */
  labelled: (ref: FrameRef) => boolean;
}

/** Loads frames for segmentation: mirrored, cut, not recoloured (Three Ways trains labelled images without colour changes). */
export async function labelledBatch(
  refs: readonly FrameRef[],
  options: BatchOptions,
): Promise<LabelledBatch> {
  const frames = await Promise.all(refs.map(({ split, index }) => split.load(index)));
  checkSizes(refs, frames);
  const { flip } = options;
  const views = frames.map(({ image }, b): View => {
    const draw = draws(options.seed, options.step, b);
    return {
      mirrored: typeof flip === 'boolean' ? flip && draw(FLIP) < 0.5 : flip[b],
      window: options.crop ? squareWindow(image, draw) : null,
    };
  });
  const images = frames.map(({ image }, b) => seenBy(views[b], toFloat(image)));
  const { width, height } = images[0];
  const labels = new Int32Array(refs.length * width * height).fill(255);
  frames.forEach(({ label }, b) => {
    if (label && options.labelled(refs[b])) labels.set(seenBy(views[b], label).data, b * width * height);
  });
  const flipped = views.map(({ mirrored }) => mirrored);
  return { n: refs.length, height, width, images: join(images.map(({ data }) => data)), labels, flipped };
}

/** Three consecutive frames of a video, [N,H,W,3] each, and the same frames recoloured for the networks to see. */
export interface VideoBatch {
  n: number;
  height: number;
  width: number;
  target: Float32Array;
  /** Of every sample the frame before, then of every sample the frame after. */
  neighbours: Float32Array;
  seen: { previous: Float32Array; target: Float32Array; next: Float32Array };
  /** Camera of each sample, mirrored with it. */
  cameras: Intrinsics[];
}

interface Triple {
  plain: FloatImage[];
  seen: FloatImage[];
  camera: Intrinsics;
}

interface Augmentation {
  recolour: boolean;
  crop: boolean;
}

function augmentTriple(
  frames: readonly Frame[],
  camera: Intrinsics,
  draw: Draw,
  options: Augmentation,
): Triple {
  const view: View = {
    mirrored: draw(FLIP) < 0.5,
    window: options.crop ? squareWindow(frames[0].image, draw) : null,
  };
  const plain = frames.map(({ image }) => seenBy(view, toFloat(image)));
  // One set of factors for the three frames: a change of colour between them would be photometric error.
  const jitter = options.recolour && draw(JITTER) < 0.5 ? randomJitter(STRENGTH, draw, JITTER_FACTORS) : null;
  return {
    plain,
    seen: jitter ? plain.map((image) => colorJitter(image, jitter)) : plain,
    camera: cameraOf(view, camera),
  };
}

/**
 * Loads frames with their neighbours for self-supervised depth; `augment` mirrors half of them and recolours half of
 * what the networks see, never what the photometric loss compares (Monodepth2, mono_dataset.py); with `crop` it also cuts a square.
 * Mirrors and squares are those of `labelledBatch` at the same seed and step. A frame without neighbours stands in for them: it fits itself
 * without any warping, so the automask takes it out.
 */
export async function videoBatch(
  refs: readonly FrameRef[],
  { seed, step, augment }: { seed: number; step: number; augment: Augmentation | null },
): Promise<VideoBatch> {
  const loaded = await Promise.all(
    refs.map(({ split, index }) => {
      const [before, after] = split.neighbours(index) ?? [index, index];
      return Promise.all([split.load(before), split.load(index), split.load(after)]);
    }),
  );
  checkSizes(
    refs,
    loaded.map(([, frame]) => frame),
  );
  const triples = loaded.map((frames, b): Triple => {
    const camera = refs[b].split.intrinsics!;
    if (augment) return augmentTriple(frames, camera, draws(seed, step, b), augment);
    const plain = frames.map(({ image }) => toFloat(image));
    return { plain, seen: plain, camera };
  });
  const plain = (k: number) => triples.map((t) => t.plain[k].data);
  const seen = (k: number) => join(triples.map((t) => t.seen[k].data));
  return {
    n: refs.length,
    width: triples[0].plain[0].width,
    height: triples[0].plain[0].height,
    target: join(plain(1)),
    neighbours: join([...plain(0), ...plain(2)]),
    seen: { previous: seen(0), target: seen(1), next: seen(2) },
    cameras: triples.map((t) => t.camera),
  };
}
