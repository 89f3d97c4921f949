// Times of dispatches by whatever clock a browser offers: exact timestamps, timestamps rounded to 65,536 ns, or none at all.
import { median } from '../../../bench/measure.ts';
import type { Gpu } from '../../gpu/gpu.ts';

/** By what dispatches are timed. */
export interface Clock {
  kind: 'timestamps' | 'wall';
  /** Nanoseconds of which all timestamps are multiples. */
  quantum: number;
}

/** A duration, and how it was taken. */
export interface Timing {
  /** Median of a dispatch, milliseconds. */
  ms: number;
  samples: number;
  /** Dispatches in one sample. */
  repeats: number;
}

/** What a clock needs of a device. */
export type Timed = Pick<Gpu, 'profile' | 'sync'>;

/** Timestamps no finer than this many nanoseconds are said to be quantised. */
export const COARSE_NS = 1000;
/** A sample of quantised timestamps lasts this many quanta at least: two percent. */
const QUANTA = 50;
/** A sample by wall-clock lasts this many milliseconds at least, for what submitting costs to count little. */
const WALL_MS = 20;
const MOST_REPEATS = 2048;
const SAMPLES = 9;
/** Milliseconds after which no further sample is taken, but for three. */
const BUDGET = 1500;

/** The largest number of nanoseconds of which all durations are multiples. */
export function quantumOf(durations: readonly number[]): number {
  let quantum = 0;
  for (const ms of durations) {
    let [a, b] = [quantum, Math.round(ms * 1e6)];
    while (b > 0) [a, b] = [b, a % b];
    quantum = a;
  }
  return quantum;
}

/** Finds out how `work`, some dispatches of unlike lengths, can be timed. */
export async function findClock(gpu: Timed, work: () => void): Promise<Clock> {
  const durations: number[] = [];
  for (let round = 0; round < 4; round++) {
    const times = await gpu.profile(work);
    if (!times) return { kind: 'wall', quantum: 0 };
    durations.push(...times.map(({ ms }) => ms));
  }
  return { kind: 'timestamps', quantum: quantumOf(durations) };
}

/** Milliseconds of `repeats` dispatches, one after the other. */
async function sample(gpu: Timed, clock: Clock, dispatch: () => void, repeats: number): Promise<number> {
  const all = () => {
    for (let k = 0; k < repeats; k++) dispatch();
  };
  if (clock.kind === 'timestamps') {
    const times = (await gpu.profile(all))!;
    const last = times.at(-1)!;
    return last.start + last.ms - times[0].start;
  }
  await gpu.sync();
  const start = performance.now();
  all();
  await gpu.sync();
  return performance.now() - start;
}

/**
 * Times dispatches in turns, so that what else the machine does falls on all alike. Each is repeated in a sample until the
 * sample is long against the clock's grain.
 * @param before called before each sample
 */
export async function time(
  gpu: Timed,
  clock: Clock,
  dispatches: readonly (() => void)[],
  before: () => void = () => {},
): Promise<Timing[]> {
  const least =
    clock.kind === 'wall' ? WALL_MS : clock.quantum > COARSE_NS ? (QUANTA * clock.quantum) / 1e6 : 0;
  const begun = performance.now();
  const repeats: number[] = [];
  for (const dispatch of dispatches) {
    before();
    // The first compiles and touches the memory.
    await sample(gpu, clock, dispatch, 1);
    let count = 1;
    while (least > 0 && count < MOST_REPEATS) {
      before();
      const ms = await sample(gpu, clock, dispatch, count);
      if (ms >= least) break;
      count = Math.min(MOST_REPEATS, Math.ceil(count * Math.min(16, Math.max(2, (1.2 * least) / ms))));
    }
    repeats.push(count);
  }
  const samples: number[][] = dispatches.map(() => []);
  for (let round = 0; round < SAMPLES && (round < 3 || performance.now() - begun < BUDGET); round++) {
    for (const [i, dispatch] of dispatches.entries()) {
      before();
      samples[i].push((await sample(gpu, clock, dispatch, repeats[i])) / repeats[i]);
    }
  }
  return samples.map((all, i) => ({ ms: median(all), samples: all.length, repeats: repeats[i] }));
}
