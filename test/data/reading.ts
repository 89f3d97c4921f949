// What the tests of readers do with a small tree: write it, open or check it, and remove it again.
import { checkDataset } from '../../src/data/check.ts';
import { encodePng } from '../../src/data/codecs.ts';
import { openDataset } from '../../src/data/open.ts';
import type { Dataset } from '../../src/data/types.ts';
import { folderOf } from './fixtures.ts';

export type Tree = Record<string, Uint8Array | string | object>;

/** Opens a tree with the reader of the name and hands the data set to `run`. */
export async function opened(
  reader: string,
  tree: Tree,
  run: (dataset: Dataset) => unknown,
  options: { width?: number; height?: number } = {},
): Promise<void> {
  const folder = folderOf(tree);
  try {
    await run(await openDataset(`${reader}:${folder.root}`, options));
  } finally {
    folder.remove();
  }
}

/** What `data check` tells of a tree, with paths from the root of the tree. */
export async function check(reader: string, tree: Tree): Promise<string[]> {
  const folder = folderOf(tree);
  try {
    const found = await checkDataset(`${reader}:${folder.root}`);
    return found.map((text) => text.replaceAll(`${folder.root}/`, '').replaceAll(folder.root, 'ROOT'));
  } finally {
    folder.remove();
  }
}

/** A PNG of one colour. */
export const rgb = (value: number, width: number, height: number): Uint8Array =>
  encodePng({ width, height, data: new Uint8Array(3 * width * height).fill(value) });
