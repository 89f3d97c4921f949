import { DataError } from './types.ts';

/** Runs `step`; a DataError that it throws becomes one of `problems`, once, and the result is undefined. */
export async function noting<T>(problems: string[], step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    if (!problems.includes(error.message)) problems.push(error.message);
    return undefined;
  }
}
