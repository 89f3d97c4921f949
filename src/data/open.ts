import { openCityscapes } from './cityscapes.ts';
import { checkWorkingSize } from './file-split.ts';
import type { FileSource } from './files.ts';
import { openPack } from './pack.ts';
import { openStreet } from './street/index.ts';
import { DataError, type Dataset } from './types.ts';

const WORKING = 'street[:VARIANT], pack:DIR, cityscapes:DIR';
const READERS = ['street', 'pack', 'cityscapes'];
const PLANNED = ['gta5', 'synthia', 'camvid', 'kitti', 'mapillary', 'voc'];

/** Parts of a data spec `NAME` or `NAME:REST`. */
export interface DataSpec {
  reader: 'street' | 'pack' | 'cityscapes';
  /** Variant of the street world, or folder; '' when not given. */
  rest: string;
}

/** @throws DataError on a name that has no reader, with the nearest name that has one, and on a missing folder */
export function parseSpec(spec: string): DataSpec {
  const colon = spec.indexOf(':');
  const name = colon < 0 ? spec : spec.slice(0, colon);
  const rest = colon < 0 ? '' : spec.slice(colon + 1);
  const quoted = JSON.stringify(spec);
  if (PLANNED.includes(name))
    throw new DataError(`data ${quoted}: there is no reader for ${name} yet; these work: ${WORKING}`);
  if (!READERS.includes(name)) {
    const near = nearestName(name, [...READERS, ...PLANNED]);
    throw new DataError(
      `data ${quoted}: no such reader${near ? ` (did you mean ${near}?)` : ''}; these work: ${WORKING}`,
    );
  }
  if (name !== 'street' && rest === '')
    throw new DataError(`data ${quoted}: no folder; expected ${name}:DIR`);
  return { reader: name as DataSpec['reader'], rest };
}

/**
 * Opens a data set by its spec: `street[:VARIANT]`, `pack:DIR` or `cityscapes:DIR`, a relative DIR being relative to
 * the working directory.
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
  if (reader === 'street') return openStreet({ variant: rest || undefined, ...options });
  const files = await openFolder(rest);
  return reader === 'pack' ? openPack(files, spec, options) : openCityscapes(files, spec, options);
}

/** A folder on disk. Loaded on demand: a browser bundle has no file system to import. */
export async function openFolder(folder: string): Promise<FileSource> {
  const { nodeFiles } = await import('./files-node.ts');
  return nodeFiles(folder);
}

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

/** The name with the fewest edits, if they are at most half its letters. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editDistance(name.toLowerCase().slice(0, 40), candidate) }))
    .sort((a, b) => a.edits - b.edits);
  return ranked[0].edits <= ranked[0].candidate.length / 2 ? ranked[0].candidate : undefined;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}
