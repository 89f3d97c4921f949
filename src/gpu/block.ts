// Tensors side by side in one block, so that one dispatch can run over many of them.
import type { Storage } from './device.ts';

/**
 * Each begins at a multiple of so many words: 256 bytes, the largest that an adapter may ask of the offset of a binding (WebGPU,
 * minStorageBufferOffsetAlignment). What lies between two of them is padding: it may hold anything.
 */
const ALIGN = 64;

/** Words that a storage of `length` takes in a block; an empty one takes some too, because a binding of nothing is refused. */
export const padded = (length: number): number => Math.ceil(Math.max(1, length) / ALIGN) * ALIGN;

/** Storages that are to lie in one block of `length` words, each with its first word. */
interface Layout<S extends Storage> {
  members: { storage: S; at: number }[];
  length: number;
}

/**
 * Blocks of at most `most` words for those of `storages` that lie in none yet, in their order, each once. A block of one would be
 * of no use and is left out.
 */
export function layOut<S extends Storage>(
  storages: readonly S[],
  most = Number.POSITIVE_INFINITY,
): Layout<S>[] {
  const layouts: Layout<S>[] = [];
  for (const storage of new Set(storages)) {
    if (storage.place) continue;
    const size = padded(storage.length);
    let last = layouts.at(-1);
    if (!last || last.length + size > most || last.members[0].storage.type !== storage.type) {
      last = { members: [], length: 0 };
      layouts.push(last);
    }
    last.members.push({ storage, at: last.length });
    last.length += size;
  }
  return layouts.filter(({ members }) => members.length > 1);
}

/** True where `b` begins right after `a` and its padding. */
export const follows = (a: Storage, b: Storage): boolean =>
  a.place !== null &&
  a.place.block === b.place?.block &&
  a.place.at + padded(a.length) === b.place.at &&
  a.type === b.type;

/** Words from the first of `storages`, which follow one another, to the end of the last one's padding. */
export const spanned = (storages: readonly Storage[]): number =>
  storages.reduce((sum, { length }) => sum + padded(length), 0);
