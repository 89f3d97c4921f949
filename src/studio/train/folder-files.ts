import { checkInside, type FileSource, fileName } from '../../data/files.ts';
import { DataError } from '../../data/types.ts';
import type { ChosenFolder } from './protocol.ts';

const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Without empty parts and `.`, as paths of files are kept. */
const plain = (path: string): string =>
  path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');

/** A folder that the user chose, as readers of data sets see it. */
export function folderFiles({ name, files }: ChosenFolder): FileSource {
  const byPath = new Map(files.map(({ path, file }) => [plain(path), file]));
  const inside = new Map<string, Set<string>>([['', new Set()]]);
  for (const path of byPath.keys()) {
    const parts = path.split('/');
    parts.forEach((part, i) => {
      const folder = parts.slice(0, i).join('/');
      const names = inside.get(folder);
      if (names) names.add(part);
      else inside.set(folder, new Set([part]));
    });
  }
  const source: FileSource = {
    root: name,
    async read(path) {
      checkInside(source, path);
      const where = fileName(source, path);
      const file = byPath.get(plain(path));
      if (!file)
        throw new DataError(`${where}: ${inside.has(plain(path)) ? 'not a plain file' : 'no such file'}`);
      if (file.size > MAX_FILE_BYTES)
        throw new DataError(`${where}: ${file.size} bytes; the limit is ${MAX_FILE_BYTES}`);
      try {
        return new Uint8Array(await file.arrayBuffer());
      } catch (error) {
        throw new DataError(
          `${where}: cannot be read: ${(error as Error).message}. If the folder has changed since, choose it again.`,
        );
      }
    },
    async list(path) {
      checkInside(source, path);
      const names = inside.get(plain(path));
      if (!names) throw new DataError(`${fileName(source, path)}: no such folder`);
      return [...names].sort();
    },
    async exists(path) {
      checkInside(source, path);
      return byPath.has(plain(path)) || inside.has(plain(path));
    },
  };
  return source;
}

/**
 * Opens the folder that a data spec names: by its own name, or by the last part of a path on the machine where the run began.
 * @throws DataError where it was not chosen
 */
export function openChosen(folders: readonly ChosenFolder[], wanted: string): FileSource {
  const last = wanted.split(/[/\\]/).filter(Boolean).at(-1) ?? wanted;
  const found = folders.find(({ name }) => name === wanted) ?? folders.find(({ name }) => name === last);
  if (!found) {
    throw new DataError(
      `folder '${last}': this page does not have it; a page forgets folders when it is reloaded. Choose it again.`,
    );
  }
  return folderFiles(found);
}
