import type { Limits } from '../../../bench/limits.ts';

/** A dispatch that is estimated to take longer than this many milliseconds does not run unasked. */
const LONG_MS = 250;
/** For that estimate: the share of the limit that a slow kernel reaches. */
const SLOW_SHARE = 0.05;

/**
 * Milliseconds of one dispatch by the cost model, where they are too many to run it unasked; else null.
 * @param cost of the dispatch
 */
export function tooLong(cost: { flops: number; bytes: number }, limits: Limits): number | null {
  const ms = Math.max(cost.flops / limits.gflops, cost.bytes / limits.gbps) / 1e6 / SLOW_SHARE;
  return ms > LONG_MS ? ms : null;
}
