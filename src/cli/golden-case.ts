import type { Tensor } from '../autograd/tensor.ts';
import { DataError } from '../data/types.ts';

/** For each of our axes, the file's axis it comes from. */
export type Axes = readonly number[];

/** A case asks for something that is not built: no failure, and no success either. */
export class Unsupported extends Error {
  override name = 'Unsupported';
}

/** The parameters of a case. It notes which were read: one that an adapter ignores would make its result mean nothing. */
export class Params {
  private readonly all: Record<string, unknown>;
  private readonly left: Set<string>;

  constructor(json: string) {
    try {
      this.all = JSON.parse(json);
    } catch {
      throw new DataError(`params are not JSON: ${json.slice(0, 80)}`);
    }
    this.left = new Set(Object.keys(this.all));
  }

  has(name: string): boolean {
    return Object.hasOwn(this.all, name);
  }

  private get(name: string): unknown {
    this.left.delete(name);
    return this.has(name) ? this.all[name] : undefined;
  }

  private typed<T>(
    name: string,
    fallback: T | undefined,
    is: (value: unknown) => value is T,
    what: string,
  ): T {
    const value = this.get(name) ?? fallback;
    if (value === undefined) throw new DataError(`parameter '${name}' is missing`);
    if (!is(value)) throw new Unsupported(`parameter '${name}' is ${JSON.stringify(value)}, no ${what}`);
    return value;
  }

  number(name: string, fallback?: number): number {
    return this.typed(name, fallback, (v): v is number => typeof v === 'number', 'number');
  }

  flag(name: string, fallback?: boolean): boolean {
    return this.typed(name, fallback, (v): v is boolean => typeof v === 'boolean', 'true or false');
  }

  /** One of the words given. */
  word<W extends string>(name: string, words: readonly W[], fallback?: W): W {
    return this.typed(
      name,
      fallback,
      (v): v is W => words.includes(v as W),
      `word out of ${words.join(', ')}`,
    );
  }

  /** Whole numbers; one alone is a list of one. */
  list(name: string, fallback?: readonly number[]): number[] {
    const value = this.get(name) ?? fallback;
    const list = typeof value === 'number' ? [value] : value;
    if (list === undefined) throw new DataError(`parameter '${name}' is missing`);
    if (!Array.isArray(list) || !list.every((v) => Number.isInteger(v)))
      throw new Unsupported(`parameter '${name}' is ${JSON.stringify(value)}, no list of whole numbers`);
    return list;
  }

  /** Two numbers; one alone stands for both. */
  twoNumbers(name: string): [number, number] {
    const value = this.get(name);
    const list = typeof value === 'number' ? [value, value] : value;
    if (!Array.isArray(list) || list.length !== 2 || !list.every((v) => typeof v === 'number'))
      throw new Unsupported(`parameter '${name}' is ${JSON.stringify(value)}, not two numbers`);
    return [list[0], list[1]];
  }

  /** One whole number for both axes, or [along H, along W]. */
  pair(name: string, fallback?: number): [number, number] {
    const list = this.list(name, fallback === undefined ? undefined : [fallback]);
    if (list.length === 1) return [list[0], list[0]];
    if (list.length !== 2) throw new Unsupported(`parameter '${name}' is [${list}], no pair`);
    return [list[0], list[1]];
  }

  /** Reads a parameter that must have one value for the op to be the same. */
  only(name: string, value: unknown): void {
    const found = this.get(name) ?? value;
    if (JSON.stringify(found) !== JSON.stringify(value))
      throw new Unsupported(
        `parameter '${name}' is ${JSON.stringify(found)}; only ${JSON.stringify(value)} is built`,
      );
  }

  unread(): string[] {
    return [...this.left].map((name) => `parameter '${name}'`);
  }
}

/** The inputs of a case. It notes which were used. */
export class Inputs {
  private readonly left: Set<string>;

  /** @param host the values of the same tensors, row-major */
  constructor(
    private readonly all: ReadonlyMap<string, Tensor>,
    private readonly host: ReadonlyMap<string, ArrayLike<number>>,
  ) {
    this.left = new Set(all.keys());
  }

  get(name: string): Tensor {
    const found = this.maybe(name);
    if (!found) throw new DataError(`input 'in/${name}' is missing`);
    return found;
  }

  maybe(name: string): Tensor | null {
    this.left.delete(name);
    return this.all.get(name) ?? null;
  }

  /** The values of an input, for what is computed on the host. */
  numbers(name: string): ArrayLike<number> {
    this.get(name);
    return this.host.get(name)!;
  }

  unread(): string[] {
    return [...this.left].map((name) => `input 'in/${name}'`);
  }
}
