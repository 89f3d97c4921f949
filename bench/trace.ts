import type { Device, MemoryUse, Storage } from '../src/gpu/device.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import type { Element, Kernel, Numbers, Params } from '../src/gpu/kernel.ts';

/** Launches between which a tensor is needed; both ends included. */
interface Life {
  bytes: number;
  first: number;
  last: number;
}

/**
 * Passes everything on to a GPU and notes which tensors live when: the bytes that the pool had to hand out at once, and
 * those that any order of these launches must hold at once, from the first use of each tensor to its last.
 */
export class Tracer implements Device {
  readonly kind = 'gpu';
  /** Kernels launched since `begin`, by name. */
  readonly kernels = new Map<string, Kernel>();
  /** The most bytes handed out at once since `begin`, as the pool rounds them. */
  peak = 0;
  readonly #gpu: Gpu;
  readonly #held = new Set<Storage>();
  readonly #lives = new Map<Storage, Life>();
  #resident: readonly Storage[] = [];
  #pooled = 0;
  #launches = 0;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Starts anew. What is held now counts as needed throughout. */
  begin(): void {
    this.kernels.clear();
    this.#lives.clear();
    this.#resident = [...this.#held];
    this.#launches = 0;
    this.peak = this.#pooled;
  }

  /** The bytes that must live at once, of the launches since `begin`. */
  mustLive(): number {
    const resident = new Set(this.#resident);
    const changes = new Array<number>(this.#launches + 1).fill(0);
    for (const [storage, { bytes, first, last }] of this.#lives) {
      if (resident.has(storage)) continue;
      changes[first] += bytes;
      if (!this.#held.has(storage)) changes[last + 1] -= bytes;
    }
    let live = this.#resident.reduce((sum, { length }) => sum + 4 * length, 0);
    let most = live;
    for (const change of changes) {
      live += change;
      most = Math.max(most, live);
    }
    return most;
  }

  alloc(length: number, type: Element): Storage {
    const storage = this.#counted(() => this.#gpu.alloc(length, type));
    this.#held.add(storage);
    return storage;
  }

  free(storage: Storage): void {
    this.#counted(() => this.#gpu.free(storage));
    this.#held.delete(storage);
  }

  colocate(storages: readonly Storage[]): void {
    this.#counted(() => this.#gpu.colocate(storages));
  }

  span(parts: readonly Storage[]): Storage {
    return this.#gpu.span(parts);
  }

  /** Does something that takes memory from the pool or gives it back. */
  #counted<T>(work: () => T): T {
    const before = this.#gpu.memory().live;
    const result = work();
    this.#pooled += this.#gpu.memory().live - before;
    this.peak = Math.max(this.peak, this.#pooled);
    return result;
  }

  write(storage: Storage, data: ArrayLike<number>, at?: number): void {
    this.#gpu.write(storage, data, at);
  }

  run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    this.#gpu.run(kernel, params, buffers);
    this.kernels.set(kernel.name, kernel as unknown as Kernel);
    const at = this.#launches++;
    for (const storage of kernel.bindings.flatMap(({ name }) => buffers[name].parts ?? [buffers[name]])) {
      const life = this.#lives.get(storage);
      if (life) life.last = at;
      else this.#lives.set(storage, { bytes: 4 * storage.length, first: at, last: at });
    }
  }

  read(storage: Storage): Promise<Numbers> {
    return this.#gpu.read(storage);
  }

  memory(): MemoryUse {
    return this.#gpu.memory();
  }
}
