// Checkpoints: `checkpoints/step-N/` holds one safetensors file per group of tensors and a manifest with the size and
// sha256 of each. The folder appears by one rename when everything is on the disk, so that a crash at any moment leaves
// the one before untouched; what verifies is loaded, what does not is named.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../data/types.ts';
import {
  CHECKPOINTS,
  type Checkpoint,
  checkFile,
  checkNames,
  groupFiles,
  MANIFEST,
  type Manifest,
  manifestBody,
  manifestText,
  openManifest,
  readGroupFiles,
  readManifest,
  stepOf,
  type TensorGroup,
} from './checkpoint-format.ts';
import { appearWhole, syncFolder, UNFINISHED, writeSynced } from './durable.ts';

const DEFAULT_KEEP = 2;

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const folderOf = (dir: string) => join(dir, CHECKPOINTS);
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The way on after a write that failed, for one on a full disk. */
export const RESUME_WHEN_WRITABLE =
  'The checkpoints before are untouched: when the cause is gone, continue with --resume auto.';

/** Steps that have a checkpoint, verified or not, newest first. */
function steps(folder: string): number[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .map(stepOf)
    .filter((step) => step !== null)
    .sort((a, b) => b - a);
}

/** Removes what a crash has left in `checkpoints/`. */
export function cleanCheckpoints(dir: string): void {
  const folder = folderOf(dir);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names.filter((n) => n.endsWith(UNFINISHED)))
    rmSync(join(folder, name), { recursive: true, force: true });
}

/**
 * Writes `checkpoints/step-N/` of a run folder. Only the newest `keep` stay. Checkpoints of later steps go too: the run
 * has been taken back to before them, and they must not be resumed from.
 * @param groups file stem, such as `model`, to tensors by name
 * @param meta anything JSON can hold
 * @returns the path of the checkpoint
 * @throws DataError when it cannot be written, for one on a full disk; those before it are then untouched
 */
export function writeCheckpoint(
  dir: string,
  step: number,
  groups: Readonly<Record<string, Readonly<TensorGroup>>>,
  meta: Readonly<Record<string, unknown>>,
  options: { keep?: number } = {},
): string {
  const { keep = DEFAULT_KEEP } = options;
  const folder = folderOf(dir);
  const path = join(folder, `step-${step}`);
  checkNames(step, groups);
  if (keep < 1) throw new RangeError(`writeCheckpoint: keep ${keep}; at least the new one stays`);
  manifestBody(step, {}, meta);
  cleanCheckpoints(dir);
  try {
    appearWhole(path, (temporary) => {
      mkdirSync(temporary, { recursive: true });
      const files: Manifest['files'] = {};
      for (const [file, bytes] of groupFiles(groups)) {
        writeSynced(join(temporary, file), bytes);
        files[file] = { bytes: bytes.length, sha256: sha256(bytes) };
      }
      const body = manifestBody(step, files, meta);
      writeSynced(join(temporary, MANIFEST), manifestText(body, sha256(body)));
      syncFolder(temporary);
      // A folder cannot be renamed over another one. Only a step taken again, after a damaged checkpoint, gets here.
      if (existsSync(path)) renameSync(path, join(folder, `.step-${step}.replaced${UNFINISHED}`));
    });
  } catch (error) {
    throw new DataError(`${reason(error)}. ${RESUME_WHEN_WRITABLE}`);
  }
  cleanCheckpoints(dir);
  const others = steps(folder).filter((other) => other !== step);
  const stale = others.filter((other) => other > step);
  const old = others.filter((other) => other < step).slice(keep - 1);
  for (const other of [...stale, ...old])
    rmSync(join(folder, `step-${other}`), { recursive: true, force: true });
  return path;
}

function read(name: string): Buffer {
  try {
    return readFileSync(name);
  } catch (error) {
    throw new DataError(`${name}: cannot be read: ${reason(error)}`);
  }
}

/** The manifest and the bytes of every file it names, all verified. */
function verified(path: string): { manifest: Manifest; files: Map<string, Uint8Array> } {
  const name = join(path, MANIFEST);
  const opened = openManifest(read(name).toString('utf8'), name);
  const manifest = readManifest(opened, sha256(opened.body), name);
  const files = new Map<string, Uint8Array>();
  for (const [file, stated] of Object.entries(manifest.files)) {
    const bytes = read(join(path, file));
    checkFile(stated, bytes, sha256(bytes), join(path, file));
    files.set(file, bytes);
  }
  return { manifest, files };
}

/**
 * Reads one checkpoint, every file checked against the manifest.
 * @param path `.../checkpoints/step-N`
 * @throws DataError naming the file that is missing or damaged
 */
export function readCheckpoint(path: string): Checkpoint {
  const { manifest, files } = verified(path);
  return readGroupFiles(manifest, files, (file) => join(path, file));
}

/** The newest checkpoint of a run folder that verifies, and those newer ones that do not, with the reason. */
export function latestCheckpoint(dir: string): {
  found: { path: string; step: number } | null;
  skipped: { path: string; reason: string }[];
} {
  const folder = folderOf(dir);
  const skipped: { path: string; reason: string }[] = [];
  for (const step of steps(folder)) {
    const path = join(folder, `step-${step}`);
    try {
      verified(path);
      return { found: { path, step }, skipped };
    } catch (error) {
      skipped.push({ path, reason: reason(error) });
    }
  }
  return { found: null, skipped };
}

/**
 * The newest intact checkpoint of a run that trained a depth network.
 * @throws DataError naming the folder and what is missing there
 */
export function depthCheckpoint(dir: string): Checkpoint {
  const { found, skipped } = latestCheckpoint(dir);
  if (!found) {
    const damaged = skipped.map(({ path, reason }) => `; ${path}: ${reason}`).join('');
    throw new DataError(
      `${dir}: holds no intact checkpoint; name a folder that 'warpmix train' wrote${damaged}`,
    );
  }
  const checkpoint = readCheckpoint(found.path);
  if (checkpoint.groups.depth) return checkpoint;
  throw new DataError(
    `${dir}: holds no depth network; name a run of 'depth', 'three-ways' or 'three-ways-da'`,
  );
}
