// Random choices for world building, from the project's counter-based generator: a world depends on its seed and
// stream numbers only, never on the order in which worlds are asked for.
import { uniform } from '../../gpu/threefry.ts';

/** Draws in sequence from one (seed, stream) pair. */
export class Dice {
  private counter = 0;

  constructor(
    private readonly seed: number,
    private readonly stream: number,
  ) {}

  /** Uniform in [0, 1). */
  next(): number {
    return uniform(this.seed, this.stream, this.counter++);
  }

  range(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)];
  }

  /** One key of `weights`, with probability in proportion to its value. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const keys = Object.keys(weights) as K[];
    let left = this.next() * keys.reduce((sum, key) => sum + weights[key], 0);
    for (const key of keys) {
      left -= weights[key];
      if (left < 0) return key;
    }
    return keys[keys.length - 1];
  }
}
