// What the tables of `warpmix bench` have in common: rows, medians, rounds.

/** One line of a table. Times are medians in milliseconds. */
export interface Row {
  case: string;
  ours: { ms: number } & Record<string, unknown>;
  /** By name; without `ms` where the peer failed, `error` says why. */
  peers: Record<string, { ms?: number; firstMs?: number; error?: string; maxRelErr?: number }>;
  /** The fastest peer's time over ours: above one, ours is faster. Null without peers. */
  ratio: number | null;
}

export const alone = (name: string, ours: Row['ours']): Row => ({
  case: name,
  ours,
  peers: {},
  ratio: null,
});

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Wall-clock milliseconds of `work`. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export interface Rounds {
  most: number;
  /** No round begins after this many milliseconds, but for the first three. */
  budget: number;
}

/**
 * Takes one sample of each contestant in turn, round after round, so that what else the machine does falls on all alike.
 * @returns the samples of each contestant.
 */
export async function interleaved(
  contestants: readonly (() => Promise<number>)[],
  { most, budget }: Rounds,
): Promise<number[][]> {
  const samples: number[][] = contestants.map(() => []);
  const start = performance.now();
  for (let round = 0; round < most && (round < 3 || performance.now() - start < budget); round++) {
    for (const [i, sample] of contestants.entries()) samples[i].push(await sample());
  }
  return samples;
}

/** Numbers in [-0.5, 0.5) that repeat after a thousand. */
export function filler(length: number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = ((i * 7919) % 1000) / 1000 - 0.5;
  return values;
}
