import type { MemoryUse } from './device.ts';
import { OutOfMemoryError } from './errors.ts';

/** Smallest size class that holds `bytes`: four classes per power of two, so at most a quarter is wasted. */
export function sizeClass(bytes: number): number {
  const least = Math.max(256, bytes);
  const power = 2 ** Math.floor(Math.log2(least));
  for (const quarter of [4, 5, 6, 7]) {
    const size = (power * quarter) / 4;
    if (size >= least) return size;
  }
  return power * 2;
}

/**
 * Buffers by size class. A freed buffer is handed out again at once: commands run in the order they were recorded, so
 * a later writer cannot overtake an earlier reader. One buffer is never cut in two, because a buffer may not be
 * readable through one binding and writable through another in the same dispatch; tensors that share one all the same are
 * put there by `Device.colocate`.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #pending: (promise: Promise<void>) => void;
  readonly #free = new Map<number, GPUBuffer[]>();
  #live = 0;
  #peak = 0;
  #reserved = 0;

  constructor(device: GPUDevice, pending: (promise: Promise<void>) => void) {
    this.#device = device;
    this.#pending = pending;
  }

  take(bytes: number, what: string): GPUBuffer {
    const limit = this.#limit(bytes, what);
    const size = Math.min(sizeClass(bytes), limit - (limit % 4));
    const buffer = this.#free.get(size)?.pop() ?? this.#create(size, `pool ${size} B`, what);
    this.#count(size);
    return buffer;
  }

  give(buffer: GPUBuffer): void {
    this.#live -= buffer.size;
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
  }

  /**
   * A buffer of exactly `bytes`, a multiple of four, that is handed out once; it ends with `drop`.
   * @param usage beside copying.
   */
  own(bytes: number, what: string, usage = GPUBufferUsage.STORAGE): GPUBuffer {
    this.#limit(bytes, what);
    const buffer = this.#create(bytes, what, what, usage);
    this.#count(bytes);
    return buffer;
  }

  /** Everything that uses the buffer must have been submitted. */
  drop(buffer: GPUBuffer): void {
    this.#live -= buffer.size;
    this.#reserved -= buffer.size;
    buffer.destroy();
  }

  memory(): MemoryUse {
    return { live: this.#live, peak: this.#peak, reserved: this.#reserved };
  }

  #count(size: number): void {
    this.#live += size;
    this.#peak = Math.max(this.#peak, this.#live);
  }

  /** Bytes of the largest buffer. @throws OutOfMemoryError where `bytes` are more. */
  #limit(bytes: number, what: string): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (bytes > limit) {
      throw new OutOfMemoryError(
        `${what} needs ${bytes} bytes; this device's largest buffer is ${limit} bytes. ` +
          'Use a smaller batch or image size.',
      );
    }
    return limit;
  }

  #create(size: number, label: string, what: string, usage = GPUBufferUsage.STORAGE): GPUBuffer {
    this.#device.pushErrorScope('out-of-memory');
    const buffer = this.#device.createBuffer({
      label,
      size,
      usage: usage | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#reserved += size;
    const held = this.#reserved;
    this.#pending(
      this.#device.popErrorScope().then((error) => {
        if (error) {
          throw new OutOfMemoryError(
            `${what}: the adapter has no ${size} bytes left; ${held} bytes are held. Use a smaller batch or image size.`,
          );
        }
      }),
    );
    return buffer;
  }
}
