// The newest copy of a run in the browser's own storage (OPFS), for when the page is closed or its worker is lost.

/** A run as one file. */
export interface Copy {
  bytes: Uint8Array;
  step: number;
  name: string;
}

/** The step is in the name: it and the bytes come about at once, or not at all. */
const NAME = /^warpmix-last-(\d{1,12})\.zip$/;

interface Kept {
  step: number;
  file: File;
}

async function keptFiles(folder: FileSystemDirectoryHandle): Promise<Kept[]> {
  const kept: Kept[] = [];
  for await (const [name, handle] of folder.entries()) {
    const match = NAME.exec(name);
    if (!match || handle.kind !== 'file') continue;
    kept.push({ step: Number(match[1]), file: await (handle as FileSystemFileHandle).getFile() });
  }
  return kept.filter(({ file }) => file.size > 0).sort((a, b) => b.file.lastModified - a.file.lastModified);
}

/** Keeps a copy in place of the one before, which stays until this one is whole. @throws where storage is full or refused */
export async function keep({ bytes, step }: Copy): Promise<void> {
  const folder = await navigator.storage.getDirectory();
  const name = `warpmix-last-${step}.zip`;
  // What is written is put into its place when the stream is closed.
  const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
  try {
    await stream.write(bytes as Uint8Array<ArrayBuffer>);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    const before = await keptFiles(folder);
    if (!before.some((one) => one.step === step)) await folder.removeEntry(name).catch(() => {});
    throw error;
  }
  for (const { file } of await keptFiles(folder)) if (file.name !== name) await folder.removeEntry(file.name);
}

/** The newest copy that is kept here. */
export async function kept(): Promise<Kept | null> {
  return (await keptFiles(await navigator.storage.getDirectory()))[0] ?? null;
}
