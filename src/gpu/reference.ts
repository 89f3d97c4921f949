import { layOut, spanned } from './block.ts';
import type { Device, MemoryUse, Storage } from './device.ts';
import type { Element, Kernel, Numbers, Params } from './kernel.ts';

interface HostStorage extends Storage {
  data: Numbers;
  place: { block: Numbers; at: number } | null;
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
    const data = host(length, type);
    const storage: HostStorage = { id: this.#next++, length, type, data, place: null, parts: null };
    return storage;
  }

  free({ length, parts }: Storage): void {
    if (!parts) this.#live -= length * 4;
  }

  write(storage: Storage, data: ArrayLike<number>, at = 0): void {
    (storage as HostStorage).data.set(data, at);
  }

  run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    const arrays: Record<string, Numbers> = {};
    for (const { name } of kernel.bindings) arrays[name] = (buffers[name] as HostStorage).data;
    kernel.reference(params, arrays);
  }

  async read(storage: Storage): Promise<Numbers> {
    return (storage as HostStorage).data.slice();
  }

  colocate(storages: readonly Storage[]): void {
    for (const { members, length } of layOut(storages as readonly HostStorage[])) {
      const block = host(length, members[0].storage.type);
      for (const { storage, at } of members) {
        block.set(storage.data, at);
        storage.data = block.subarray(at, at + storage.length);
        storage.place = { block, at };
      }
    }
  }

  span(parts: readonly Storage[]): Storage {
    const [{ place, type }] = parts as readonly HostStorage[];
    const { block, at } = place!;
    const length = spanned(parts);
    const data = block.subarray(at, at + length);
    const storage: HostStorage = { id: this.#next++, length, type, data, place, parts };
    return storage;
  }

  memory(): MemoryUse {
    return { live: this.#live, peak: this.#peak, reserved: this.#live };
  }
}
