import type * as z from 'zod';
import { type FileSource, fileName } from './files.ts';
import { DataError } from './types.ts';

/**
 * What a JSON file holds, by a schema.
 * @throws DataError when the file is missing, is no JSON, or does not fit: with the first key that does not
 */
export async function readJson<T>(files: FileSource, path: string, schema: z.ZodType<T>): Promise<T> {
  const file = fileName(files, path);
  const bytes = await files.read(path);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new DataError(`${file}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path: key, message } = parsed.error.issues[0];
  throw new DataError(`${file}: ${key.join('.') || '(all)'}: ${message}`);
}
