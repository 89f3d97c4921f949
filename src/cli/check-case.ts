/** One line of `warpmix check`. Errors are the largest of any output or gradient. */
export interface CheckCase {
  name: string;
  op: string;
  ok: boolean;
  /** Largest |error|. */
  maxAbsErr: number;
  /** Largest |error| over the largest |expected|. */
  maxRelErr: number;
  note?: string;
  /** Nothing here computes it: neither passed nor failed. */
  unsupported?: true;
}

/** Largest |error| allowed, as a share of the largest |expected|. */
export const TOLERANCE = 5e-4;

export interface Deviation {
  abs: number;
  rel: number;
}

/** The largest finite magnitude. */
export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++)
    if (Number.isFinite(values[i])) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/** How far `got` is from `want`; infinite where the lengths differ or a value is NaN on one side only. */
export function deviation(got: ArrayLike<number>, want: ArrayLike<number>): Deviation {
  if (got.length !== want.length) return { abs: Number.POSITIVE_INFINITY, rel: Number.POSITIVE_INFINITY };
  let abs = 0;
  for (let i = 0; i < want.length; i++) {
    if (Object.is(got[i], want[i])) continue;
    const error = Math.abs(got[i] - want[i]);
    abs = Math.max(abs, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return { abs, rel: abs === 0 ? 0 : abs / largest(want) };
}
