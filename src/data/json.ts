import type * as z from 'zod/mini';
import { type FileSource, fileName } from './files.ts';
import { MAX_PROBLEMS } from './problems.ts';
import { DataError } from './types.ts';
import './zod-english.ts';

/** A few bytes of JSON become many of JavaScript: `[],` is three, an empty array forty. */
const MAX_JSON_BYTES = 16 * 2 ** 20;

/**
 * The value of a JSON file.
 * @throws DataError on a file of more than 16 MB, on bytes that are not UTF-8 and on text that is not JSON
 */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  if (bytes.length > MAX_JSON_BYTES)
    throw new DataError(`${file}: ${bytes.length} bytes; the limit is ${MAX_JSON_BYTES}`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new DataError(`${file}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * What a JSON file holds, by a schema.
 * @throws DataError when the file is missing, is no JSON, or does not fit: with the keys that do not, one a line
 */
export async function readJson<T>(files: FileSource, path: string, schema: z.ZodMiniType<T>): Promise<T> {
  const file = fileName(files, path);
  const parsed = schema.safeParse(parseJson(await files.read(path), file));
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues
    .slice(0, MAX_PROBLEMS)
    .map(({ path: key, message }) => `${file}: ${key.join('.') || '(all)'}: ${message}`);
  throw new DataError(lines.join('\n'));
}

/** A value of a JSON file for an error message. Not written out whole: it may be deeper than the stack. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value !== 'object' || value === null) return String(value);
  const count = Object.keys(value).length;
  if (Array.isArray(value)) return count === 0 ? '[]' : `a list of ${count}`;
  return count === 0 ? '{}' : `an object of ${count} keys`;
}
