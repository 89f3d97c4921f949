// What the readers of data sets share: which images a folder holds, which label belongs to which image, and a split
// for each list of frames.
import { imageSize } from './codecs.ts';
import { FileSplit, type FrameFiles, type LabelFiles, type Opened, type ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { noting } from './problems.ts';
import type { Intrinsics, SplitName } from './types.ts';

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
 * @param problems what is wrong with the data set apart from its splits
 */
export async function openSplits(
  files: FileSource,
  options: ReadOptions,
  title: string,
  labels: LabelFiles,
  lists: Partial<Record<SplitName, () => Promise<SplitFiles>>>,
  problems: readonly string[] = [],
): Promise<Opened> {
  const opened: Opened = {
    title: lists.val ? title : title + NO_VAL,
    classes: labels.classes,
    width: options.width ?? 0,
    height: options.height ?? 0,
    splits: {},
    problems: [...problems],
    unpaired: [],
  };
  for (const [name, list] of Object.entries(lists) as [SplitName, () => Promise<SplitFiles>][]) {
    const found = await noting(opened.problems, list);
    if (!found) continue;
    const { frames, context, intrinsics = null } = found;
    for (const message of found.unpaired ?? []) opened.unpaired.push(message);
    for (const message of found.problems ?? []) opened.problems.push(message);
    if (frames.length === 0) continue;
    if (opened.width === 0) Object.assign(opened, await firstSize(files, frames, opened.problems));
    const { width, height } = opened;
    opened.splits[name] = new FileSplit({ files, frames, context, labels, intrinsics, width, height });
  }
  return opened;
}

/**
 * Width and height in pixels of the first image whose header can be read: one damaged file must not hide what is wrong
 * with the others. When none can be read, undefined and a problem for each.
 */
export async function firstSize(
  files: FileSource,
  frames: readonly FrameFiles[],
  problems: string[],
): Promise<{ width: number; height: number } | undefined> {
  const unread: string[] = [];
  for (const { image } of frames) {
    const size = await noting(unread, async () => imageSize(await files.read(image), fileName(files, image)));
    if (size) return size;
  }
  for (const message of unread) problems.push(message);
  return undefined;
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

/** Names in a folder that need not be there. */
export const namesIn = async (
  files: FileSource,
  folder: string,
  problems: string[],
): Promise<ReadonlySet<string>> =>
  new Set(await noting(problems, async () => ((await files.exists(folder)) ? files.list(folder) : [])));

/**
 * The images of a folder as frames, each with the label of its name. A missing folder, one without images and two
 * images of one name are problems.
 * @param labelName file name of the label of an image, from the image's name without its ending
 */
export async function pairedFrames(
  files: FileSource,
  images: string,
  labels: string,
  labelName: (stem: string) => string = (stem) => `${stem}.png`,
): Promise<{ frames: FrameFiles[]; unpaired: string[]; problems: string[] }> {
  const problems: string[] = [];
  const found = await imageFrames(files, images, problems);
  const names = await noting(problems, () => imageNames(files, labels));
  // Of a folder that is missing as a whole one message is enough.
  if (!names || found.length === 0) return { frames: found, unpaired: [], problems };
  const frames = found.map((frame) => ({ ...frame, label: `${labels}/${labelName(frame.id)}` }));
  const wanted = new Set(frames.map((frame) => frame.label));
  const unpaired = names
    .map((name) => `${labels}/${name}`)
    .filter((path) => !wanted.has(path))
    .map((path) => unpairedLabel(files, path, images));
  return { frames, unpaired, problems };
}

/** How `unpaired` names a label that belongs to none of the images of a folder. */
export const unpairedLabel = (files: FileSource, path: string, images: string): string =>
  `${fileName(files, path)}: a label without an image: none of ${images} has its name`;

/**
 * The images of a folder as frames, named without their ending. A missing folder, one without images and two images of
 * one name are problems.
 */
export async function imageFrames(
  files: FileSource,
  folder: string,
  problems: string[],
): Promise<FrameFiles[]> {
  const names = await noting(problems, () => imageNames(files, folder));
  if (names?.length === 0)
    problems.push(`${fileName(files, folder)}: no images: looked for *.png, *.jpg and *.jpeg`);
  const seen = new Set<string>();
  return (names ?? []).map((name) => {
    const frame = { id: stemOf(name), image: `${folder}/${name}` };
    if (seen.has(frame.id))
      problems.push(
        `${fileName(files, frame.image)}: a second image with the name ${frame.id}; keep one of the two`,
      );
    seen.add(frame.id);
    return frame;
  });
}
