import type { Device, MemoryUse, Storage } from './device.ts';
import type { Element, Kernel, Numbers, Params } from './kernel.ts';

/** Values where they are known: written from the host, or computed from such alone. */
export interface TracedStorage extends Storage {
  data: Numbers | null;
}

const hostArray = { f32: Float32Array, i32: Int32Array, u32: Uint32Array };

/**
 * Runs no kernel whose inputs are unknown, and knows only what the host wrote and what follows from it alone, by the
 * plain-loop references. Networks go through it in no time; `watchLaunches` says what they would have launched.
 */
export class TracingDevice implements Device {
  readonly kind = 'tracing';
  #next = 1;
  #live = 0;
  #peak = 0;

  alloc(length: number, type: Element): TracedStorage {
    this.#live += length * 4;
    this.#peak = Math.max(this.#peak, this.#live);
    return { id: this.#next++, length, type, data: null, place: null, parts: null };
  }

  free(storage: Storage): void {
    this.#live -= storage.length * 4;
  }

  write(storage: Storage, data: ArrayLike<number>, at = 0): void {
    const traced = storage as TracedStorage;
    traced.data ??= new hostArray[storage.type](storage.length);
    traced.data.set(data, at);
  }

  run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    const bound = kernel.bindings.map(({ name, type, access }) => ({
      name,
      type,
      access,
      storage: buffers[name] as TracedStorage,
    }));
    const known = bound.every(({ access, storage }) => access === 'write' || storage.data);
    const arrays: Record<string, Numbers> = {};
    for (const { name, type, access, storage } of bound) {
      if (access !== 'read' && !known) storage.data = null;
      if (known) arrays[name] = storage.data ??= new hostArray[type](storage.length);
    }
    if (known) kernel.reference(params, arrays);
  }

  /** @throws Error where the values are unknown */
  async read(storage: Storage): Promise<Numbers> {
    const { data, length, type } = storage as TracedStorage;
    if (!data) throw new Error(`a traced tensor of ${length} ${type} has no values`);
    return data.slice();
  }

  /** There is no memory in which anything could move: every tensor stays by itself. */
  colocate(): void {}

  span(): never {
    throw new Error('nothing lies side by side on a device without memory');
  }

  memory(): MemoryUse {
    return { live: this.#live, peak: this.#peak, reserved: this.#live };
  }
}
