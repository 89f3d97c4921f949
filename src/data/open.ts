import { readCamvid } from './camvid.ts';
import { readCityscapes } from './cityscapes.ts';
import { assemble, checkWorkingSize, type Opened, type ReadOptions } from './file-split.ts';
import type { FileSource } from './files.ts';
import { readFolder } from './folder.ts';
import { readGta5 } from './gta5.ts';
import { readKittiOdometry } from './kitti-odometry.ts';
import { readKittiRaw } from './kitti-raw.ts';
import { readMapillary } from './mapillary.ts';
import { readPack } from './pack.ts';
import { parseSpec, type READERS } from './spec.ts';
import { openStreet } from './street/index.ts';
import { readSynthia } from './synthia.ts';
import { type Dataset, SPLIT_NAMES } from './types.ts';
import { readVoc } from './voc.ts';

/** What is in a folder: its splits, and everything wrong that can be seen without opening every file. */
type Reader = (files: FileSource, options?: ReadOptions) => Promise<Opened>;

/** By their names, `READERS`. */
export const readers: Readonly<Record<string, Reader>> = {
  pack: readPack,
  folder: readFolder,
  cityscapes: readCityscapes,
  gta5: readGta5,
  synthia: readSynthia,
  camvid: readCamvid,
  kitti: async (files, options) =>
    (await files.exists('sequences')) ? readKittiOdometry(files, options) : readKittiRaw(files, options),
  mapillary: readMapillary,
  voc: readVoc,
} satisfies Record<(typeof READERS)[number], Reader>;

/**
 * Opens a data set by its spec: `street[:VARIANT]`, or `NAME:DIR` with one of `readers`, a relative DIR being relative
 * to the working directory.
 * @param options `width` and `height` in pixels, both or neither: the size of every frame, by default as stored;
 *   `seed` is for data that are generated
 * @throws DataError on an unknown spec, a missing folder, a bad manifest, an empty split
 */
export async function openDataset(
  spec: string,
  options: { width?: number; height?: number; seed?: number } = {},
): Promise<Dataset> {
  const { reader, rest } = parseSpec(spec);
  checkWorkingSize(options);
  const dataset =
    reader === 'street'
      ? openStreet({ variant: rest || undefined, ...options })
      : await openFiles(await openFolder(rest), spec, options);
  for (const name of SPLIT_NAMES) {
    // A split that stands in for another keeps its first name.
    const split = dataset[name];
    if (split) split.origin ??= { spec, options, split: name };
  }
  return dataset;
}

/**
 * Opens a data set by the reader that its spec names, from a folder that is open already.
 * @throws DataError as `openDataset` does
 */
export async function openFiles(
  files: FileSource,
  spec: string,
  options: ReadOptions = {},
): Promise<Dataset> {
  checkWorkingSize(options);
  return assemble(spec, await readers[parseSpec(spec).reader](files, options));
}

let folders = async (folder: string): Promise<FileSource> => {
  // Loaded on demand: a browser bundle has no file system to import.
  const { nodeFiles } = await import('./files-node.ts');
  return nodeFiles(folder);
};

/** Takes the folders of data specs from `open` from now on, in place of the disk: a page has those that its user chose. */
export function useFolders(open: (folder: string) => Promise<FileSource>): void {
  folders = open;
}

/** A folder that a data spec names. @throws DataError where there is none */
export const openFolder = (folder: string): Promise<FileSource> => folders(folder);

/**
 * The size to train at: about `pixels` pixels in about the aspect of the data, both sides multiples of `multiple`
 * pixels and at least two of them (the coarsest feature map has a stride of `multiple` and needs neighbours). Misses
 * in pixels and in aspect count alike, as squared logarithms of the ratio.
 */
export function workingSize(
  datasetWidth: number,
  datasetHeight: number,
  pixels: number,
  multiple = 32,
): { width: number; height: number } {
  const aspect = datasetWidth / datasetHeight;
  const most = (side: number) => Math.max(2, Math.ceil(side / multiple) + 1);
  let best = { width: 0, height: 0, miss: Number.POSITIVE_INFINITY };
  for (let rows = 2; rows <= most(Math.sqrt(pixels / aspect)); rows++) {
    for (let columns = 2; columns <= most(Math.sqrt(pixels * aspect)); columns++) {
      const [width, height] = [columns * multiple, rows * multiple];
      const miss = Math.log((width * height) / pixels) ** 2 + Math.log(width / height / aspect) ** 2;
      if (miss < best.miss) best = { width, height, miss };
    }
  }
  return { width: best.width, height: best.height };
}
