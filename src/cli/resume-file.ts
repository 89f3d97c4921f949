// `train --resume FILE`: a run that the studio saved as a file goes on in a folder.
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DataError } from '../data/types.ts';
import { appearWhole, makeFolder, syncFolder, writeSynced } from '../train/durable.ts';
import { runFiles, unpackRun } from '../train/run-archive.ts';

/** A file that holds a run, all of it checked. */
export interface ResumeFile {
  /** As its config.json has it. */
  config: Record<string, unknown>;
  /** Makes the run folder. @throws DataError where it cannot be written; nothing stays behind then */
  unpack(): void;
}

/**
 * @param dir the folder that is to be made of it
 * @throws DataError naming what of the file is damaged, or a folder that holds something already
 */
export async function readResumeFile(file: string, dir: string): Promise<ResumeFile> {
  if (existsSync(dir) && !(statSync(dir).isDirectory() && readdirSync(dir).length === 0)) {
    throw new DataError(
      `${dir}: holds something already; name another folder with --out for the run of ${file}, or continue the run that is ` +
        'there with --resume auto',
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new DataError(`--resume ${file}: cannot be read: ${(error as Error).message}`);
  }
  const { config } = await unpackRun(bytes, file);
  return {
    config,
    unpack() {
      appearWhole(dir, (temporary) => {
        for (const [path, content] of runFiles(bytes, file)) {
          const folder = dirname(join(temporary, path));
          makeFolder(folder);
          writeSynced(join(temporary, path), content);
          syncFolder(folder);
        }
        if (existsSync(dir)) rmdirSync(dir); // a folder cannot be renamed over another one everywhere
      });
    },
  };
}
