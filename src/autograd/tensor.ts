import type { Device, Storage } from '../gpu/device.ts';
import type { Element, Kernel, Numbers, Params } from '../gpu/kernel.ts';

/** An argument has the wrong shape, type or device. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}

export type Shape = readonly number[];

/** Storage shared by a tensor and its reshapes; freed with the last of them. */
interface Shared {
  storage: Storage;
  users: number;
}

/** How a tensor was computed. `vjp` maps the output's cotangent to one cotangent per input (null where not needed). */
export interface Node {
  op: string;
  inputs: readonly Tensor[];
  vjp: (cotangent: Tensor, needed: readonly boolean[]) => readonly (Tensor | null)[];
}

export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

export const shapeText = (shape: Shape): string => `[${shape.join(',')}]`;

/** A dense array on a device, row-major. Values never change after creation, but for parameters under an optimiser. */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: Element;
  readonly device: Device;
  readonly size: number;
  /** Null for leaves and for everything computed while nothing is recorded. */
  node: Node | null = null;
  /** True when gradients may be asked with respect to this tensor or something it was computed from. */
  tracked = false;
  /** Of a tensor over others, which lie side by side: those. */
  readonly parts: readonly Tensor[] | null;
  readonly #shared: Shared;
  #disposed = false;

  constructor(
    device: Device,
    shape: Shape,
    dtype: Element,
    shared?: Shared,
    parts: readonly Tensor[] | null = null,
  ) {
    for (const d of shape) {
      if (!Number.isInteger(d) || d < 0)
        throw new ShapeError(`shape ${shapeText(shape)}: sizes are whole numbers, 0 or more`);
    }
    this.device = device;
    this.parts = parts;
    this.shape = [...shape];
    this.dtype = dtype;
    this.size = sizeOf(shape);
    this.#shared = shared ?? { storage: device.alloc(this.size, dtype), users: 0 };
    this.#shared.users += 1;
    scopes.at(-1)?.add(this);
  }

  get storage(): Storage {
    if (this.#disposed)
      throw new ShapeError(`a disposed tensor ${shapeText(this.shape)} was used; keep it with keep()`);
    return this.#shared.storage;
  }

  /** The same values under another shape; no copy, no gradient record (see `reshape` of src/ops). */
  view(shape: Shape): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new ShapeError(
        `reshape: ${shapeText(this.shape)} has ${this.size} values, ${shapeText(shape)} needs ${sizeOf(shape)}`,
      );
    }
    void this.storage;
    return new Tensor(this.device, shape, this.dtype, this.#shared, this.parts);
  }

  /** The values, in row-major order: f32 as Float32Array on a GPU, Float64Array on the reference device. */
  data(): Promise<Numbers> {
    return this.device.read(this.storage);
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(`item: ${shapeText(this.shape)} holds ${this.size} values, not one`);
    return (await this.data())[0];
  }

  /**
   * Overwrites the values in place: parameters on load, and buffers a recorded step reads from.
   * @param pieces the values in row-major order, in one array or in several that follow one another.
   */
  assign(...pieces: readonly ArrayLike<number>[]): void {
    const count = pieces.reduce((sum, { length }) => sum + length, 0);
    if (count !== this.size)
      throw new ShapeError(`assign: ${count} values for shape ${shapeText(this.shape)} (${this.size})`);
    let at = 0;
    for (const piece of pieces) {
      this.device.write(this.storage, piece, at);
      at += piece.length;
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.node = null;
    for (const scope of scopes) scope.delete(this);
    if (--this.#shared.users === 0) this.device.free(this.#shared.storage);
  }
}

// Innermost last. Every new tensor belongs to the innermost scope and is freed with it.
const scopes: Set<Tensor>[] = [];

let device: Device | null = null;

/** The device on which new tensors are made. */
export function currentDevice(): Device {
  if (!device) throw new Error('no device: call useDevice(await openGpu()) first');
  return device;
}

export function useDevice(next: Device): void {
  device = next;
}

/** Runs `fn` with another current device. */
export function onDevice<T>(other: Device, fn: () => T): T {
  const before = device;
  device = other;
  try {
    return fn();
  } finally {
    device = before;
  }
}

const tensorsIn = (value: unknown, found: Tensor[] = []): Tensor[] => {
  if (value instanceof Tensor) found.push(value);
  else if (Array.isArray(value)) for (const one of value) tensorsIn(one, found);
  else if (value && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const one of Object.values(value)) tensorsIn(one, found);
  }
  return found;
};

/**
 * Runs `fn` and frees every tensor made inside it, but for those it returns (alone, in arrays or in plain objects) and
 * those passed to `keep`. Returned tensors belong to the enclosing step, or to the caller where there is none.
 */
export function step<T>(fn: () => T): T {
  const scope = new Set<Tensor>();
  scopes.push(scope);
  let result: T;
  try {
    result = fn();
  } catch (error) {
    scopes.pop();
    for (const tensor of scope) tensor.dispose();
    throw error;
  }
  scopes.pop();
  for (const tensor of tensorsIn(result)) {
    if (scope.delete(tensor)) scopes.at(-1)?.add(tensor);
  }
  for (const tensor of scope) tensor.dispose();
  return result;
}

/** Takes a tensor out of every step; it lives until `dispose`. */
export function keep(tensor: Tensor): Tensor {
  for (const scope of scopes) scope.delete(tensor);
  return tensor;
}

/** An uninitialised tensor. */
export function empty(shape: Shape, dtype: Element = 'f32', on: Device = currentDevice()): Tensor {
  return new Tensor(on, shape, dtype);
}

/** One tensor, [words], over tensors that follow one another in a block (`Device.colocate`), and the padding behind each. */
export function over(parts: readonly Tensor[]): Tensor {
  const [{ device, dtype }] = parts;
  const storage = device.span(parts.map((part) => part.storage));
  return new Tensor(device, [storage.length], dtype, { storage, users: 0 }, parts);
}

/** A tensor from values in row-major order. */
export function tensor(
  data: ArrayLike<number>,
  shape: Shape = [data.length],
  dtype: Element = 'f32',
): Tensor {
  const made = empty(shape, dtype);
  made.assign(data);
  return made;
}

export const scalar = (value: number): Tensor => tensor([value], []);

export type Watcher = (
  kernel: Kernel,
  params: Params,
  tensors: Record<string, Tensor>,
  done: boolean,
) => void;

let watcher: Watcher | null = null;

/** Calls `watch` before and after every launch that `fn` makes. */
export function watchLaunches<T>(watch: Watcher, fn: () => T): T {
  const before = watcher;
  watcher = watch;
  try {
    return fn();
  } finally {
    watcher = before;
  }
}

/** Runs a kernel on tensors, by binding name. */
export function launch<P extends Params>(
  kernel: Kernel<P>,
  params: P,
  tensors: Record<string, Tensor>,
): void {
  const buffers: Record<string, Storage> = {};
  let on: Device | null = null;
  for (const name in tensors) {
    const one = tensors[name];
    if (on && one.device !== on) throw new ShapeError(`${kernel.name}: '${name}' lives on another device`);
    on = one.device;
    buffers[name] = one.storage;
  }
  watcher?.(kernel as unknown as Kernel, params, tensors, false);
  on?.run(kernel, params, buffers);
  watcher?.(kernel as unknown as Kernel, params, tensors, true);
}
