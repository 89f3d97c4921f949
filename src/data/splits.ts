// What the readers of data sets share: which images a folder holds, which label belongs to which image, and a split
// for each list of frames.
import { imageSize } from './codecs.ts';
import {
  FileSplit,
  type FrameFiles,
  type LabelFiles,
  type Opened,
  type ReadOptions,
  type SplitName,
} from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { noting } from './problems.ts';
import { DataError, type Intrinsics } from './types.ts';

/** One split as a reader finds it. */
export interface SplitFiles {
  /** Samples in order. */
  frames: FrameFiles[];
  /** Frames that are loaded as neighbours and never drawn as samples; their indices follow those of `frames`. */
  context?: FrameFiles[];
  /** Camera at any size. */
  intrinsics?: Intrinsics | null;
  /** One message for each file whose partner is missing. */
  unpaired?: string[];
  /** What keeps the split from being used, though the frames that there are can be checked. */
  problems?: string[];
}

/** Added to the title of a data set that has no evaluation split. */
export const NO_VAL = ' (no evaluation split: evaluated on its training frames)';

/**
 * Lists each split and opens it at the working size, by default that of the first image. What a list throws is a
 * problem of the data set, and the other splits are listed all the same.
 */
export async function openSplits(
  files: FileSource,
  options: ReadOptions,
  title: string,
  labels: LabelFiles,
  lists: Partial<Record<SplitName, () => Promise<SplitFiles>>>,
): Promise<Opened> {
  const opened: Opened = {
    title: lists.val ? title : title + NO_VAL,
    classes: labels.classes,
    width: options.width ?? 0,
    height: options.height ?? 0,
    splits: {},
    problems: [],
    unpaired: [],
  };
  for (const [name, list] of Object.entries(lists) as [SplitName, () => Promise<SplitFiles>][]) {
    await noting(opened.problems, async () => {
      const { frames, context, intrinsics = null, unpaired = [], problems = [] } = await list();
      opened.unpaired.push(...unpaired);
      opened.problems.push(...problems);
      if (frames.length === 0) return;
      if (opened.width === 0) Object.assign(opened, await firstSize(files, frames));
      const { width, height } = opened;
      opened.splits[name] = new FileSplit({ files, frames, context, labels, intrinsics, width, height });
    });
  }
  return opened;
}

/**
 * Width and height in pixels of the first image whose header can be read: one damaged file must not hide what is wrong
 * with the others.
 * @throws DataError with a message for each image when none can be read
 */
export async function firstSize(
  files: FileSource,
  frames: readonly FrameFiles[],
): Promise<{ width: number; height: number }> {
  const problems: string[] = [];
  for (const { image } of frames) {
    const size = await noting(problems, async () =>
      imageSize(await files.read(image), fileName(files, image)),
    );
    if (size) return size;
  }
  throw new DataError(problems.join('\n'));
}

/** The name of a file without its ending. */
export const stemOf = (name: string): string => name.replace(/\.\w+$/, '');

/**
 * Names of the PNG and JPEG files of a folder, sorted; not the hidden ones that file managers leave behind.
 * @throws DataError when there is no such folder
 */
export async function imageNames(files: FileSource, folder: string): Promise<string[]> {
  return (await files.list(folder)).filter((name) => /^[^.].*\.(png|jpe?g)$/i.test(name));
}

/**
 * The images of a folder as frames, each with the label of its name.
 * @param labelName file name of the label of an image, from the image's name without its ending
 * @throws DataError when a folder is missing or holds no images
 */
export async function pairedFrames(
  files: FileSource,
  images: string,
  labels: string,
  labelName: (stem: string) => string = (stem) => `${stem}.png`,
): Promise<{ frames: FrameFiles[]; unpaired: string[] }> {
  const frames = (await imageFrames(files, images)).map((frame) => ({
    ...frame,
    label: `${labels}/${labelName(frame.id)}`,
  }));
  const wanted = new Set(frames.map((frame) => frame.label));
  const unpaired = (await imageNames(files, labels))
    .map((name) => `${labels}/${name}`)
    .filter((path) => !wanted.has(path))
    .map((path) => unpairedLabel(files, path, images));
  return { frames, unpaired };
}

/** How `unpaired` names a label that belongs to none of the images of a folder. */
export const unpairedLabel = (files: FileSource, path: string, images: string): string =>
  `${fileName(files, path)}: a label without an image: none of ${images} has its name`;

/**
 * The images of a folder as frames, named without their ending.
 * @throws DataError when there is no such folder, when it holds no images, and when two have one name
 */
export async function imageFrames(files: FileSource, folder: string): Promise<FrameFiles[]> {
  const frames = (await imageNames(files, folder)).map((name) => ({
    id: stemOf(name),
    image: `${folder}/${name}`,
  }));
  if (frames.length === 0)
    throw new DataError(`${fileName(files, folder)}: no images: looked for *.png, *.jpg and *.jpeg`);
  const twin = frames.find((frame, i) => i > 0 && frames[i - 1].id === frame.id);
  if (twin)
    throw new DataError(
      `${fileName(files, twin.image)}: a second image with the name ${twin.id}; keep one of the two`,
    );
  return frames;
}
