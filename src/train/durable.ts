// Files that survive a crash: under its name a file or folder is either absent, or whole and on the disk.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DataError } from '../data/types.ts';

/** What a crash may leave behind ends in this. */
export const UNFINISHED = '.tmp';

/** The name under which `path` is made before it is renamed. */
const making = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}${UNFINISHED}`);

function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** @throws DataError when `--out` names a file, before the work whose results would have no place */
export function expectFolder(out: string): void {
  if (existsSync(out) && !isFolder(out)) throw new DataError(`${out}: is a file; name a folder with --out`);
}

/**
 * Makes a folder and those above it, where they are missing. Step by step: Node's own `recursive` never ends below /proc.
 * @throws DataError naming the folder and the reason
 */
export function makeFolder(path: string): void {
  if (isFolder(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if (isFolder(path)) return; // somebody else was faster
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR') throw new DataError(`${path}: is a file, expected a folder`);
    throw new DataError(`${path}: cannot be made: ${message}`);
  }
}

/** Writes a file and waits until it is on the disk. */
export function writeSynced(path: string, bytes: Uint8Array | string): void {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Waits until the names in a folder are on the disk. Windows has no such call, and no need of it. */
export function syncFolder(path: string): void {
  if (process.platform !== 'win32') sync(path);
}

/**
 * Makes a file or folder by `make(temporary name)`, then gives it its name. Nothing stays behind when that fails.
 * @throws DataError naming the path and the reason, such as a full disk
 */
export function appearWhole(path: string, make: (temporary: string) => void): void {
  const temporary = making(path);
  try {
    make(temporary);
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new DataError(`${path}: cannot be written: ${(error as Error).message}`);
  }
}

/** Writes a file so that its name holds either the old bytes or all of the new ones. */
export function writeWhole(path: string, bytes: Uint8Array | string): void {
  const fault = isFolder(path)
    ? 'it is a folder, expected the name of a file'
    : isFolder(dirname(path))
      ? null
      : `there is no folder ${dirname(path)}`;
  if (fault) throw new DataError(`${path}: cannot be written: ${fault}`);
  appearWhole(path, (temporary) => writeSynced(temporary, bytes));
}
