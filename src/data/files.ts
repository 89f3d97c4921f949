import { DataError } from './types.ts';

/** A folder to read from: on disk (`nodeFiles`), or one that a browser's user has opened. */
export interface FileSource {
  /** How errors name the folder. */
  readonly root: string;
  /** Bytes of a file. DataError when it is missing, not a plain file or outside the folder. */
  read(path: string): Promise<Uint8Array>;
  /** Names in a folder, sorted. DataError when it is missing or outside. */
  list(path: string): Promise<string[]>;
  /** Whether a file or folder is there. DataError when it is outside. */
  exists(path: string): Promise<boolean>;
}

/** Whether a path stays under the folder it is relative to: no `..`, nothing absolute, no URL, no backslash. */
export function isInside(path: string): boolean {
  if (path.includes('\\') || path.includes('\0') || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return false;
  return !path.startsWith('/') && !path.split('/').includes('..');
}

/** How errors name a file of a source. */
export const fileName = (files: FileSource, path: string): string =>
  path === '' || path === '.' ? files.root : `${files.root.replace(/\/$/, '')}/${path}`;

/** Throws a DataError unless `isInside(path)`. */
export function checkInside(files: FileSource, path: string): void {
  if (!isInside(path)) throw new DataError(`${files.root}: path ${JSON.stringify(path)} leaves the folder`);
}
