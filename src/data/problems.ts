import { DataError } from './types.ts';

/** No more faults than this are told of the fields or lines of one file. */
export const MAX_PROBLEMS = 20;

/** Runs `step`; a DataError that it throws becomes one of `problems`, and the result is undefined. */
export async function noting<T>(problems: string[], step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}
