// Where a tensor lies on a GPU: in a buffer of its own, or beside others in a block.

import { padded } from './block.ts';
import type { Storage } from './device.ts';
import { GpuError } from './errors.ts';
import type { Kernel } from './kernel.ts';

/** A buffer that several storages share. */
export interface Block {
  /** Null while it exists only inside a recording. */
  buffer: GPUBuffer | null;
  /** Words. */
  length: number;
  /** Storages that lie in it and are not freed. */
  users: number;
}

export interface GpuStorage extends Storage {
  /** Its own; null where it lies in a block, and where it exists only inside a recording. */
  buffer: GPUBuffer | null;
  place: { block: Block; at: number } | null;
  readonly parts: readonly GpuStorage[] | null;
  freed: boolean;
}

/** The storages that hold the values: those that a storage spans, or itself. */
export const partsOf = (storage: GpuStorage): readonly GpuStorage[] => storage.parts ?? [storage];

/** The buffer that a storage lies in. */
export const bufferIn = ({ place, buffer }: GpuStorage): GPUBuffer | null =>
  place ? place.block.buffer : buffer;

/** Bytes from the start of the buffer. */
export const offsetOf = ({ place }: GpuStorage): number => (place ? 4 * place.at : 0);

/** What a bind group gets: the buffer, or the part of it that is the storage's. */
export const resourceOf = (storage: GpuStorage, buffer: GPUBuffer): GPUBufferBinding =>
  storage.place ? { buffer, offset: offsetOf(storage), size: 4 * padded(storage.length) } : { buffer };

const overlap = (a: GpuStorage, b: GpuStorage): boolean =>
  a.place!.at < b.place!.at + padded(b.length) && b.place!.at < a.place!.at + padded(a.length);

/**
 * WebGPU lets a dispatch either read a buffer or write to it, whichever part of it.
 * @throws GpuError naming the two bindings
 */
export function rejectAliases(kernel: Kernel, storages: readonly GpuStorage[]): void {
  kernel.bindings.forEach((binding, i) => {
    if (binding.access === 'read') return;
    storages.forEach((other, j) => {
      if (j === i) return;
      const twin = kernel.bindings[j];
      if (other === storages[i]) {
        throw new GpuError(
          `${kernel.name}: '${binding.name}' is written and is the same tensor as '${twin.name}'; copy one`,
        );
      }
      if (!other.place || other.place.block !== storages[i].place?.block) return;
      if (twin.access === 'read' || overlap(other, storages[i])) {
        throw new GpuError(
          `${kernel.name}: '${binding.name}' (${storages[i].length} ${binding.type}) is written and lies in one block with ` +
            `'${twin.name}' (${other.length} ${twin.type}), as parameters of an optimiser do; copy one`,
        );
      }
    });
  });
}
