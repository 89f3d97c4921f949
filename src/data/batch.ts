// Batches of frames as bytes, mirrored and cut, ready for upload; colours are changed on the device. Everything is a pure function of
// (seed, step), so a resumed run sees what an uninterrupted one would have seen.
import { HostTensor } from '../autograd/program.ts';
import {
  crop,
  cropIntrinsics,
  type Draw,
  draws,
  hflip,
  hflipIntrinsics,
  type Jitter,
  randomCrop,
  randomJitter,
  type Window,
} from './augment.ts';
import { sampleIndex } from './sampler.ts';
import { DataError, type Intrinsics, type LabelMap, type RgbImage, type Split } from './types.ts';

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

function seenBy<T extends RgbImage | LabelMap>({ mirrored, window }: View, map: T): T {
  const facing = mirrored ? hflip(map) : map;
  return window ? crop(facing, window) : facing;
}

function cameraOf({ mirrored, window }: View, camera: Intrinsics): Intrinsics {
  const facing = mirrored ? hflipIntrinsics(camera) : camera;
  return window ? cropIntrinsics(facing, window) : facing;
}

/** Frames of one batch are one tensor. @throws DataError naming a frame of another size than the first. */
function checkSizes(refs: readonly FrameRef[], samples: readonly { stored: Size }[]): void {
  const [{ stored: first }] = samples;
  samples.forEach(({ stored }, i) => {
    if (stored.width === first.width && stored.height === first.height) return;
    const [id, beside] = [refs[i], refs[0]].map(({ split, index }) => split.id(index));
    throw new DataError(
      `frame ${id}: ${stored.width}x${stored.height} pixels beside ${first.width}x${first.height} of frame ${beside} in one batch ` +
        `(image ${i}); expected one size`,
    );
  });
}

/** The place of a sample in a run, on which its draws depend. */
export interface Place {
  seed: number;
  step: number;
  /** Its number in the batch. */
  sample: number;
}

/** Pixels of a frame before anything is cut out of it. */
type Size = { width: number; height: number };

/** A frame for segmentation. */
export interface LabelledSample {
  image: RgbImage;
  /** Null for a frame without labels. */
  label: Uint8Array | null;
  mirrored: boolean;
  stored: Size;
}

export interface LabelledOptions extends Place {
  /** Mirrored or not; null: by chance. */
  flip: boolean | null;
  /** A square of the frame only, mirrored before it is cut. */
  crop: boolean;
}

async function labelledSample({ split, index }: FrameRef, options: LabelledOptions): Promise<LabelledSample> {
  const { image, label } = await split.load(index);
  const draw = draws(options.seed, options.step, options.sample);
  const view: View = {
    mirrored: options.flip ?? draw(FLIP) < 0.5,
    window: options.crop ? squareWindow(image, draw) : null,
  };
  return {
    image: seenBy(view, image),
    label: label ? seenBy(view, label).data : null,
    mirrored: view.mirrored,
    stored: { width: image.width, height: image.height },
  };
}

/** A frame between its neighbours. */
export interface VideoSample {
  images: RgbImage[];
  /** How the networks see them; null: as they are. One for the three: a change of colour between them would be photometric error. */
  jitter: Jitter | null;
  camera: Intrinsics;
  stored: Size;
}

export interface VideoOptions extends Place {
  augment: Augmentation | null;
}

interface Augmentation {
  recolour: boolean;
  crop: boolean;
}

async function videoSample({ split, index }: FrameRef, options: VideoOptions): Promise<VideoSample> {
  const [before, after] = split.neighbours(index) ?? [index, index];
  const frames = await Promise.all([before, index, after].map((at) => split.load(at)));
  const { width, height } = frames[1].image;
  const stored = { width, height };
  const camera = split.intrinsics!;
  const { augment } = options;
  const images = frames.map(({ image }) => image);
  if (!augment) return { images, jitter: null, camera, stored };
  const draw = draws(options.seed, options.step, options.sample);
  const view: View = {
    mirrored: draw(FLIP) < 0.5,
    window: augment.crop ? squareWindow(images[0], draw) : null,
  };
  return {
    images: images.map((image) => seenBy(view, image)),
    jitter: augment.recolour && draw(JITTER) < 0.5 ? randomJitter(STRENGTH, draw, JITTER_FACTORS) : null,
    camera: cameraOf(view, camera),
    stored,
  };
}

/**
 * Makes samples out of frames: pure functions, so that it does not matter where they run. Both reject with a DataError where a frame
 * cannot be read.
 */
export interface Samples {
  labelled(ref: FrameRef, options: LabelledOptions): Promise<LabelledSample>;
  video(ref: FrameRef, options: VideoOptions): Promise<VideoSample>;
}

/** On the thread that asks. */
export const samplesHere: Samples = { labelled: labelledSample, video: videoSample };

let samples = samplesHere;

/** Has `next` make the samples of every batch from now on. */
export function useSamples(next: Samples): void {
  samples = next;
}

/** Images of one size, [N,H,W,3] in [0, 1]. */
export const imageTensor = (images: readonly RgbImage[]): HostTensor =>
  new HostTensor(
    images.map(({ data }) => data),
    [images.length, images[0].height, images[0].width, 3],
    'unorm8',
  );

/** N images, bytes [H,W,3] each, with labels [H,W]; 255 everywhere for a frame without labels. */
export interface LabelledBatch {
  n: number;
  height: number;
  width: number;
  images: Uint8Array[];
  labels: Uint8Array[];
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
  { seed, step, flip, crop, labelled }: BatchOptions,
): Promise<LabelledBatch> {
  const flipOf = (sample: number) => (typeof flip === 'boolean' ? (flip ? null : false) : flip[sample]);
  const made = await Promise.all(
    refs.map((ref, sample) => samples.labelled(ref, { seed, step, sample, flip: flipOf(sample), crop })),
  );
  checkSizes(refs, made);
  const { width, height } = made[0].image;
  return {
    n: refs.length,
    height,
    width,
    images: made.map(({ image }) => image.data),
    labels: made.map(({ label }, b) =>
      label && labelled(refs[b]) ? label : new Uint8Array(width * height).fill(255),
    ),
    flipped: made.map(({ mirrored }) => mirrored),
  };
}

/** Three consecutive frames of N videos, bytes [H,W,3] each. */
export interface VideoBatch {
  n: number;
  height: number;
  width: number;
  /** Of every sample the frame before, then of every sample the frame itself, then of every sample the frame after. */
  frames: Uint8Array[];
  /** How the networks see the frames of each sample; null: as they are. */
  jitter: (Jitter | null)[];
  /** Camera of each sample, mirrored with it. */
  cameras: Intrinsics[];
}

/**
 * Loads frames with their neighbours for self-supervised depth; `augment` mirrors half of them and has half of
 * what the networks see recoloured, never what the photometric loss compares (Monodepth2, mono_dataset.py); with `crop` it also cuts a square.
 * Mirrors and squares are those of `labelledBatch` at the same seed and step. A frame without neighbours stands in for them: it fits itself
 * without any warping, so the automask takes it out.
 */
export async function videoBatch(
  refs: readonly FrameRef[],
  { seed, step, augment }: { seed: number; step: number; augment: Augmentation | null },
): Promise<VideoBatch> {
  const triples = await Promise.all(
    refs.map((ref, sample) => samples.video(ref, { seed, step, sample, augment })),
  );
  checkSizes(refs, triples);
  const [{ width, height }] = triples[0].images;
  return {
    n: refs.length,
    width,
    height,
    frames: [0, 1, 2].flatMap((k) => triples.map(({ images }) => images[k].data)),
    jitter: triples.map(({ jitter }) => jitter),
    cameras: triples.map((t) => t.camera),
  };
}
