import type { Element, Kernel, Numbers, Params } from './kernel.ts';

/** A stretch of device memory holding `length` elements. */
export interface Storage {
  readonly id: number;
  readonly length: number;
  readonly type: Element;
  /** The block in which it lies beside others, and its first word there; null where it lies by itself. */
  readonly place: { readonly block: object; readonly at: number } | null;
  /** Of a storage over others (`Device.span`): those. */
  readonly parts: readonly Storage[] | null;
}

export interface MemoryUse {
  /** Bytes handed out now. */
  live: number;
  /** The most bytes ever handed out at once. */
  peak: number;
  /** Bytes held from the driver, pooled ones included. */
  reserved: number;
}

/**
 * Where kernels run: a WebGPU device (`Gpu`), plain TypeScript loops in f64 (`ReferenceDevice`), or nowhere
 * (`TracingDevice`, which tells what would run).
 * Calls are recorded in order; only `read` waits.
 */
export interface Device {
  readonly kind: 'gpu' | 'reference' | 'tracing';
  alloc(length: number, type: Element): Storage;
  free(storage: Storage): void;
  /** @param at where the values begin in the storage. */
  write(storage: Storage, data: ArrayLike<number>, at?: number): void;
  run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void;
  read(storage: Storage): Promise<Numbers>;
  /**
   * Moves storages side by side, values and all, in their order. One that lies beside others already stays where it is, as does
   * one that cannot be moved: `place` tells.
   */
  colocate(storages: readonly Storage[]): void;
  /** Another way to see storages that follow one another in a block: one, over them and their padding. It is freed by itself. */
  span(parts: readonly Storage[]): Storage;
  memory(): MemoryUse;
}
