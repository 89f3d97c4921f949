import type { Device, MemoryUse, Storage } from './device.ts';
import type { Element, Kernel, Numbers, Params } from './kernel.ts';

interface HostStorage extends Storage {
  data: Numbers;
}

const host = (length: number, type: Element): Numbers =>
  type === 'f32'
    ? new Float64Array(length)
    : type === 'i32'
      ? new Int32Array(length)
      : new Uint32Array(length);

/**
 * Runs every kernel as its plain-loop reference, f32 held in f64. The same ops, models and losses run on it, so
 * gradients can be checked by finite differences without rounding noise, and a GPU result against it.
 */
export class ReferenceDevice implements Device {
  readonly kind = 'reference';
  #next = 1;
  #live = 0;
  #peak = 0;

  alloc(length: number, type: Element): Storage {
    this.#live += length * 4;
    this.#peak = Math.max(this.#peak, this.#live);
    const storage: HostStorage = { id: this.#next++, length, type, data: host(length, type) };
    return storage;
  }

  free(storage: Storage): void {
    this.#live -= storage.length * 4;
  }

  write(storage: Storage, data: ArrayLike<number>): void {
    (storage as HostStorage).data.set(data);
  }

  run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    const arrays: Record<string, Numbers> = {};
    for (const { name } of kernel.bindings) arrays[name] = (buffers[name] as HostStorage).data;
    kernel.reference(params, arrays);
  }

  async read(storage: Storage): Promise<Numbers> {
    return (storage as HostStorage).data.slice();
  }

  memory(): MemoryUse {
    return { live: this.#live, peak: this.#peak, reserved: this.#live };
  }
}
