// Frames kept as files, shared by the readers: decode, check, resize. A reader only says which files belong together.
import { decodeImage, decodeLabel, imageSize } from './codecs.ts';
import { type FileSource, fileName } from './files.ts';
import { MAX_SIDE } from './image-limits.ts';
import { noting } from './problems.ts';
import { resizeDepth, resizeImage, resizeLabel, scaleIntrinsics } from './resize.ts';
import {
  type ClassInfo,
  DataError,
  type Dataset,
  type DepthMap,
  type Frame,
  type Intrinsics,
  type LabelMap,
  type Origin,
  type RgbImage,
  type Split,
  type SplitName,
} from './types.ts';

/** Size at which frames come out; both or neither. Neither: as stored. */
export interface ReadOptions {
  width?: number;
  height?: number;
}

/** Paths under the source's root of what is known about one moment. */
export interface FrameFiles {
  id: string;
  image: string;
  label?: string;
  depth?: DepthFile;
  /** Camera-to-world, row-major 4x4, metres. */
  pose?: Float64Array;
  /** Positions of the frames just before and after. */
  neighbours?: readonly [number, number];
  /** Size that the image must have, because the intrinsics hold for it. */
  stored?: { width: number; height: number };
}

export interface DepthFile {
  path: string;
  /** Depth in metres at the size of the image; undefined where the file is sound and its calibration is not. */
  decode: (bytes: Uint8Array, name: string) => DepthMap | undefined;
}

/** What label files hold. */
export interface LabelFiles {
  classes: readonly ClassInfo[];
  /** Class id of each stored value, where files hold other ids than `classes`; 255 = void. */
  table?: readonly number[];
  /** The stored values; by default those of an 8-bit grey or palette PNG. */
  decode?: (bytes: Uint8Array, name: string) => LabelMap;
}

/** `LabelFiles.table` for want of a sound list of classes: no value is out of range. */
export const ANY_ID: readonly number[] = Array.from({ length: 255 }, (_, id) => id);

interface FileSplitInit {
  files: FileSource;
  /** Samples in order. */
  frames: readonly FrameFiles[];
  /** Frames that are loaded as neighbours and never drawn as samples; their indices follow those of `frames`. */
  context?: readonly FrameFiles[];
  labels: LabelFiles;
  /** Camera at any size; it is scaled to the working size. */
  intrinsics: Intrinsics | null;
  /** Working size; 0 where no image tells it: frames can be inspected then, and not loaded. */
  width: number;
  height: number;
}

type Report = (message: string) => void;

const VOID = 255;

/**
 * A split whose frames are files. Indices from `length` on, up to the number of context frames, can be loaded and are
 * only ever handed out by `neighbours`.
 */
export class FileSplit implements Split {
  readonly length: number;
  /** Number of context frames. */
  readonly contextLength: number;
  readonly hasLabels: boolean;
  readonly hasDepth: boolean;
  readonly hasPoses: boolean;
  readonly intrinsics: Intrinsics | null;
  origin?: Origin;
  private readonly all: readonly FrameFiles[];

  constructor(private readonly init: FileSplitInit) {
    const { frames, context = [], intrinsics, width, height } = init;
    this.all = [...frames, ...context];
    this.length = frames.length;
    this.contextLength = context.length;
    this.hasLabels = frames.length > 0 && frames.every((frame) => frame.label !== undefined);
    this.hasDepth = frames.length > 0 && frames.every((frame) => frame.depth !== undefined);
    this.hasPoses = frames.length > 0 && frames.every((frame) => frame.pose !== undefined);
    this.intrinsics = intrinsics && scaleIntrinsics(intrinsics, width, height);
  }

  id(index: number): string {
    return this.frame(index).id;
  }

  neighbours(index: number): readonly [number, number] | null {
    return this.frame(index).neighbours ?? null;
  }

  /**
   * @throws DataError naming the file: missing or undecodable, label or depth of another size than the image, a
   *   class id that is neither in the list nor 255 (with the first such pixel)
   */
  async load(index: number): Promise<Frame> {
    const { image, label, depth } = await this.read(index, (message) => {
      throw new DataError(message);
    });
    const { width, height } = this.init;
    const { id, pose } = this.frame(index);
    return {
      id,
      image: resizeImage(image!, width, height),
      label: label && resizeLabel(label, width, height),
      depth: depth && resizeDepth(depth, width, height),
      pose,
    };
  }

  /** Everything wrong with one frame, in place of the first thing, and image and labels as stored where they are readable. */
  async inspect(index: number): Promise<{ problems: string[]; image?: RgbImage; label?: LabelMap }> {
    const problems: string[] = [];
    const { image, label } = await this.read(index, (message) => problems.push(message));
    return { problems, image, label };
  }

  private frame(index: number): FrameFiles {
    const frame = this.all[index];
    if (!frame) throw new RangeError(`frame ${index} of a split of ${this.all.length}`);
    return frame;
  }

  private async read(
    index: number,
    report: Report,
  ): Promise<{ image?: RgbImage; label?: LabelMap; depth?: DepthMap }> {
    const entry = this.frame(index);
    const { files, labels } = this.init;
    const { stored } = entry;
    const open = async <T>(
      path: string,
      decode: (bytes: Uint8Array, name: string) => T,
    ): Promise<T | undefined> => {
      try {
        return decode(await files.read(path), fileName(files, path));
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        report(error.message);
        return undefined;
      }
    };
    const image = await open(entry.image, decodeImage);
    const label =
      entry.label === undefined ? undefined : await open(entry.label, labels.decode ?? decodeLabel);
    const depth = entry.depth === undefined ? undefined : await open(entry.depth.path, entry.depth.decode);

    // A truncated image still tells its size.
    const size = image ?? (await noting([], async () => imageSize(await files.read(entry.image), '')));
    if (size && stored && (size.width !== stored.width || size.height !== stored.height))
      report(
        `${fileName(files, entry.image)}: ${size.width}x${size.height} pixels, the intrinsics are for ${stored.width}x${stored.height}`,
      );
    for (const [map, path, what] of [
      [label, entry.label, 'label'],
      [depth, entry.depth?.path, 'depth'],
    ] as const) {
      if (size && map && path !== undefined && (map.width !== size.width || map.height !== size.height))
        report(
          `${fileName(files, path)}: ${what} of ${map.width}x${map.height} pixels, its image ${entry.image} has ${size.width}x${size.height}`,
        );
    }
    if (label) this.toClasses(label, fileName(files, entry.label!), report);
    return { image, label, depth };
  }

  /** Maps stored values to class ids in place; reports the first value that has none. */
  private toClasses(label: LabelMap, name: string, report: Report): void {
    const { classes, table } = this.init.labels;
    const known = table?.length ?? classes.length;
    let bad = -1;
    for (let i = 0; i < label.data.length; i++) {
      const value = label.data[i];
      if (value === VOID) continue;
      if (value >= known) {
        if (bad < 0) bad = i;
      } else if (table) label.data[i] = table[value];
    }
    if (bad >= 0)
      report(
        `${name}: pixel (x ${bad % label.width}, y ${Math.floor(bad / label.width)}) holds label id ${label.data[bad]}; expected 0 to ${known - 1}, or ${VOID} for void`,
      );
  }
}

/** What a reader has found: usable splits, and everything that keeps the rest from being usable. */
export interface Opened {
  title: string;
  classes: readonly ClassInfo[];
  width: number;
  height: number;
  splits: Partial<Record<SplitName, FileSplit>>;
  problems: string[];
  /** Files whose partner is missing. The data set opens without them; `data check` tells them. */
  unpaired: string[];
}

/**
 * The data set from its splits: `val` and `unlabelled` are the training frames where the data has none of its own; `test` is absent.
 * @throws DataError with every problem, one a line
 */
export function assemble(spec: string, opened: Opened): Dataset {
  const { title, classes, width, height, splits, problems } = opened;
  const { train, test } = splits;
  if (problems.length > 0 || !train) throw new DataError([...new Set(problems)].join('\n'));
  const val = splits.val ?? train;
  const unlabelled = splits.unlabelled ?? train;
  return { spec, title, classes, width, height, train, val, unlabelled, ...(test && { test }) };
}

/** @throws DataError unless both or neither of `width` and `height` are given, whole, and in 1 to 16384 pixels */
export function checkWorkingSize(options: ReadOptions): void {
  const { width, height } = options;
  if (width === undefined && height === undefined) return;
  for (const side of [width, height]) {
    if (side === undefined || !Number.isInteger(side) || side < 1 || side > MAX_SIDE)
      throw new DataError(
        `working size ${width}x${height}: expected two whole numbers of pixels from 1 to ${MAX_SIDE}`,
      );
  }
}
