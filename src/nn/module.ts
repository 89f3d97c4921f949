import { keep, type Shape, sizeOf, Tensor, tensor } from '../autograd/tensor.ts';
import { threefry2x32 } from '../gpu/threefry.ts';

/**
 * Random start values, drawn on the host so that every adapter starts from the same bits. Each call of a method takes the
 * next stream of the generator.
 */
export class Initializer {
  readonly seed: number;
  #stream = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** Uniform in [-bound, bound). */
  uniform(shape: Shape, bound: number): Tensor {
    const stream = this.#stream++;
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i += 2) {
      const pair = threefry2x32(this.seed, 0x1417, stream, i);
      values[i] = ((pair[0] >>> 8) / 0x800000 - 1) * bound;
      if (i + 1 < values.length) values[i + 1] = ((pair[1] >>> 8) / 0x800000 - 1) * bound;
    }
    return keep(tensor(values, shape));
  }

  constant(shape: Shape, value: number): Tensor {
    return keep(tensor(new Float32Array(sizeOf(shape)).fill(value), shape));
  }
}

/**
 * Something with parameters. Fields that are tensors are parameters, fields that are modules (or arrays of them) are
 * children; names follow the fields, as in PyTorch: `layer1.0.conv1.weight`.
 */
export abstract class Module {
  /** Fields that are state but not trained, such as running statistics. */
  protected readonly buffers: readonly string[] = [];

  /** Trained tensors by name. */
  parameters(): Record<string, Tensor> {
    return this.#collect((owner, field) => !owner.buffers.includes(field));
  }

  /** Everything a checkpoint must hold, by name: parameters and buffers. */
  state(): Record<string, Tensor> {
    return this.#collect(() => true);
  }

  #collect(
    wanted: (owner: Module, field: string) => boolean,
    prefix = '',
    found: Record<string, Tensor> = {},
  ) {
    for (const [field, value] of Object.entries(this)) {
      if (value instanceof Tensor) {
        if (wanted(this, field)) found[prefix + field] = value;
      } else if (value instanceof Module) {
        value.#collect(wanted, `${prefix}${field}.`, found);
      } else if (Array.isArray(value)) {
        value.forEach((one, i) => {
          if (one instanceof Module) one.#collect(wanted, `${prefix}${field}.${i}.`, found);
        });
      }
    }
    return found;
  }
}

/** `root` and every module below it, by path as in the names of parameters: `''` is the root, then `layer1.0.conv1`. */
export function modulesOf(root: Module, path = ''): [path: string, module: Module][] {
  const below = (name: string, value: unknown): [string, Module][] =>
    value instanceof Module ? modulesOf(value, path ? `${path}.${name}` : name) : [];
  return [
    [path, root],
    ...Object.entries(root).flatMap(([field, value]) =>
      Array.isArray(value) ? value.flatMap((one, i) => below(`${field}.${i}`, one)) : below(field, value),
    ),
  ];
}

/**
 * Runs `fn`; a call of a public method of one of `modules`, by whatever code, becomes `around(name, call)`, which makes the call and
 * returns what it returned. Afterwards the modules are what they were.
 */
export function watchCalls<T>(
  modules: readonly (readonly [name: string, module: Module])[],
  around: (name: string, call: () => unknown) => unknown,
  fn: () => T,
): T {
  const put: [Module, string][] = [];
  try {
    for (const [name, module] of modules) {
      for (
        let of = Object.getPrototypeOf(module);
        of !== Module.prototype && of !== null;
        of = Object.getPrototypeOf(of)
      ) {
        for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(of))) {
          if (key === 'constructor' || typeof value !== 'function' || Object.hasOwn(module, key)) continue;
          const watched = (...args: unknown[]) => around(name, () => value.apply(module, args));
          Object.defineProperty(module, key, { value: watched, configurable: true });
          put.push([module, key]);
        }
      }
    }
    return fn();
  } finally {
    for (const [module, key] of put) Reflect.deleteProperty(module, key);
  }
}

/**
 * Copies values between equally named tensors, on the device.
 * @returns the names that were copied.
 * @throws when a name is in both with different shapes.
 */
export async function copyState(
  source: Record<string, Tensor>,
  destination: Record<string, Tensor>,
): Promise<string[]> {
  const names = Object.keys(destination).filter((name) => name in source);
  for (const name of names) {
    const from = source[name];
    const to = destination[name];
    if (from.shape.join() !== to.shape.join()) {
      throw new Error(
        `copyState: '${name}' is [${from.shape}] in the source and [${to.shape}] in the destination`,
      );
    }
    to.assign(await from.data());
  }
  return names;
}
