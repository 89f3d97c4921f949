// Folders that the user chooses or drops. Their files are read by the worker, when it wants them.
import type { ChosenFolder } from './protocol.ts';

/** The name stands in a link, which has room for so much. */
const LONGEST_NAME = 150;

/** @param files of an input with `webkitdirectory` */
export function chosenFolder(files: Iterable<File>): ChosenFolder | null {
  const list = [...files];
  if (list.length === 0) return null;
  const name = list[0].webkitRelativePath.split('/')[0].slice(0, LONGEST_NAME);
  return {
    name,
    files: list.map((file) => ({ path: file.webkitRelativePath.split('/').slice(1).join('/'), file })),
  };
}

/** Whether a drag holds files, and not text or a link. */
export const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** The one file or folder that was dropped. Call it before anything is awaited: the event lets go of its items. */
export function droppedEntry(event: DragEvent): FileSystemEntry | null {
  for (const item of event.dataTransfer?.items ?? []) {
    const entry = item.webkitGetAsEntry();
    if (entry) return entry;
  }
  return null;
}

export const fileOf = (entry: FileSystemEntry): Promise<File> =>
  new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));

/** Everything below a dropped folder. */
export async function folderOf(entry: FileSystemEntry): Promise<ChosenFolder> {
  const files: ChosenFolder['files'] = [];
  const walk = async (folder: FileSystemDirectoryEntry, prefix: string): Promise<void> => {
    const reader = folder.createReader();
    const some = () =>
      new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    // It gives up to a hundred at a time, and none at the end.
    for (let entries = await some(); entries.length > 0; entries = await some()) {
      for (const one of entries) {
        const path = prefix + one.name;
        if (one.isDirectory) await walk(one as FileSystemDirectoryEntry, `${path}/`);
        else files.push({ path, file: await fileOf(one) });
      }
    }
  };
  await walk(entry as FileSystemDirectoryEntry, '');
  return { name: entry.name.slice(0, LONGEST_NAME), files };
}

/** Files by which a pack is known, in the folder itself or in that of its training split. */
const OF_A_PACK = /^(train\/)?(manifest|intrinsics)\.json$/;

/** The reader that a folder is for: `pack` where it says so, otherwise unknown. */
export const readerOf = ({ files }: ChosenFolder): string | null =>
  files.some(({ path }) => OF_A_PACK.test(path)) ? 'pack' : null;
