// Orders of samples as pure functions of (seed, stream, position): a resumed run needs the position only.
import { uniform } from '../gpu/threefry.ts';

/** Stream of `labelSubset`, so that the choice of labels does not follow the order of training. */
const LABEL_STREAM = 0x6c_61_62_6c;

/** Fisher-Yates; pass `pass` of a stream has its own counters, which repeat after 2^32 samples. */
function shuffled(n: number, seed: number, stream: number, pass: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniform(seed, stream, pass * n + i) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** The numbers 0 to n - 1 in an order fixed by seed and stream (u32 each). */
export function permutation(n: number, seed: number, stream: number): number[] {
  return [...shuffled(n, seed, stream, 0)];
}

/**
 * Which of n frames keep their labels: the first `count` of a permutation seeded by the run's seed. A larger count
 * keeps the labels of a smaller one and adds to them.
 * @throws RangeError unless 0 <= count <= n
 */
export function labelSubset(n: number, count: number, seed: number): { labelled: number[]; rest: number[] } {
  if (!Number.isInteger(count) || count < 0 || count > n)
    throw new RangeError(`${count} labels from ${n} labelled frames; expected a whole number from 0 to ${n}`);
  const order = permutation(n, seed, LABEL_STREAM);
  return { labelled: order.slice(0, count), rest: order.slice(count) };
}

/** The pass that each sequence is in: calls come in order of k, and results do not depend on what is kept here. */
const passes = new Map<string, { pass: number; order: Uint32Array }>();
const MAX_SEQUENCES = 16;

/**
 * The k-th index of an endless sequence of passes over 0 to n - 1, each shuffled anew.
 * @throws RangeError when n is 0: there is nothing to draw
 */
export function sampleIndex(n: number, seed: number, stream: number, k: number): number {
  if (n < 1) throw new RangeError('sampleIndex: no samples to draw from');
  const pass = Math.floor(k / n);
  const key = `${n} ${seed} ${stream}`;
  let current = passes.get(key);
  if (current?.pass !== pass) {
    if (!current && passes.size >= MAX_SEQUENCES) passes.clear();
    current = { pass, order: shuffled(n, seed, stream, pass) };
    passes.set(key, current);
  }
  return current.order[k - pass * n];
}
