/** Eight-bit RGB, row-major `[height, width, 3]`. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Class ids, row-major `[height, width]`; 255 = void, in no loss and no metric. */
export interface LabelMap {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Z-depth in metres, row-major `[height, width]`; 0 = no measurement. */
export interface DepthMap {
  width: number;
  height: number;
  data: Float32Array;
}

/** Pinhole camera in pixels at the size given; pixel (0, 0) is the centre of the top-left pixel. */
export interface Intrinsics {
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

export interface ClassInfo {
  id: number;
  name: string;
  color: readonly [number, number, number];
}

/** What is known about one moment. Every map has the image's size. */
export interface Frame {
  id: string;
  image: RgbImage;
  label?: LabelMap;
  depth?: DepthMap;
  /** Camera-to-world, row-major 4x4, metres. */
  pose?: Float64Array;
}

export const SPLIT_NAMES = ['train', 'val', 'unlabelled', 'test'] as const;
export type SplitName = (typeof SPLIT_NAMES)[number];

/** How another thread opens a split: `openDataset(spec, options)[split]`, with each label's id replaced by its entry in `relabel`. */
export interface Origin {
  spec: string;
  options: { width?: number; height?: number; seed?: number };
  split: SplitName;
  relabel?: readonly number[];
}

/** Frames of one split, in order. Loading the same index twice gives the same pixels. */
export interface Split {
  readonly length: number;
  readonly hasLabels: boolean;
  readonly hasDepth: boolean;
  readonly hasPoses: boolean;
  /** Null when the camera is unknown: nothing self-supervised can be trained on it. */
  readonly intrinsics: Intrinsics | null;
  /** Set by `openDataset`; without it frames can be loaded on this thread only. */
  origin?: Origin;
  /** So many frames in a row are best loaded by one thread, which keeps what they share. */
  readonly together?: number;
  id(index: number): string;
  /** Indices of the frames just before and just after in the same video, or null at an end and for single images. */
  neighbours(index: number): readonly [number, number] | null;
  load(index: number): Promise<Frame>;
}

export interface Dataset {
  /** The spec it was opened from, such as `street:night`. */
  spec: string;
  title: string;
  /** Empty when the data has no labels. `id` equals the position in the list. */
  classes: readonly ClassInfo[];
  /** Size at which frames come out of `load`. */
  width: number;
  height: number;
  train: Split;
  val: Split;
  /** Frames without labels for self-supervision and consistency; may be the training frames themselves. */
  unlabelled: Split;
  /** Frames that are scored in place of `val` on request. Nothing stands in where the data set has none. */
  test?: Split;
}

/** Bad data: names the file, the value and what was expected. Exit code 4 of the command line. */
export class DataError extends Error {
  override name = 'DataError';
}
