import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { checkInside, type FileSource, fileName } from './files.ts';
import { DataError } from './types.ts';

const MAX_FILE_BYTES = 512 * 2 ** 20;

/**
 * A folder on disk; `root` relative to the working directory or absolute. Symbolic links are followed only as far as
 * they stay under the folder.
 * @throws DataError when there is no such folder
 */
export async function nodeFiles(root: string): Promise<FileSource> {
  const wanted = resolve(root);
  const real = await realpath(wanted).catch(() => null);
  if (real === null || !(await stat(real)).isDirectory()) throw new DataError(`${wanted}: no such folder`);

  const files: FileSource = { root, read, list, exists };

  async function locate(path: string): Promise<string | null> {
    checkInside(files, path);
    const target = await realpath(join(real!, path)).catch(() => null);
    if (target !== null && target !== real && !target.startsWith(real!.endsWith(sep) ? real! : real! + sep))
      throw new DataError(`${fileName(files, path)}: the link leads out of the folder, to ${target}`);
    return target;
  }

  async function read(path: string): Promise<Uint8Array> {
    const name = fileName(files, path);
    const target = await locate(path);
    if (target === null) throw new DataError(`${name}: no such file`);
    const info = await stat(target);
    if (!info.isFile()) throw new DataError(`${name}: not a plain file`);
    if (info.size > MAX_FILE_BYTES)
      throw new DataError(`${name}: ${info.size} bytes; the limit is ${MAX_FILE_BYTES}`);
    try {
      return await readFile(target);
    } catch (error) {
      throw new DataError(
        `${name}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  async function list(path: string): Promise<string[]> {
    const target = await locate(path);
    if (target === null || !(await stat(target)).isDirectory())
      throw new DataError(`${fileName(files, path)}: no such folder`);
    return (await readdir(target)).sort();
  }

  async function exists(path: string): Promise<boolean> {
    return (await locate(path)) !== null;
  }

  return files;
}
