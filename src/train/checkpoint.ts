// Checkpoints: `checkpoints/step-N/` holds one safetensors file per group of tensors and a manifest with the size and
// sha256 of each. The folder appears by one rename when everything is on the disk, so that a crash at any moment leaves
// the one before untouched; what verifies is loaded, what does not is named.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, type SafeTensor, writeSafetensors } from '../data/safetensors.ts';
import { DataError } from '../data/types.ts';
import { appearWhole, syncFolder, UNFINISHED, writeSynced } from './durable.ts';

/** Tensors by name. */
export type TensorGroup = Record<string, SafeTensor>;

export interface Checkpoint {
  step: number;
  /** By group, such as `model`, `optimizer`, `teacher`. */
  groups: Record<string, TensorGroup>;
  /** Whatever else the run needs to go on exactly: seed, schedule position, best score, configuration. */
  meta: Record<string, unknown>;
}

interface Manifest {
  format: 'warpmix-checkpoint-1';
  step: number;
  files: Record<string, { bytes: number; sha256: string }>;
  meta: Record<string, unknown>;
}

const FORMAT = 'warpmix-checkpoint-1';
const MANIFEST = 'manifest.json';
const ENDING = '.safetensors';
const GROUP = /^\w[\w-]*$/;
const DEFAULT_KEEP = 2;

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const folderOf = (dir: string) => join(dir, 'checkpoints');
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The manifest vouches for itself too: its own hash comes last. */
const manifestText = (body: Manifest): string =>
  `${JSON.stringify({ ...body, sha256: sha256(JSON.stringify(body)) }, null, 1)}\n`;

/** JSON would turn these into null without a word. */
function checkMeta(meta: object): void {
  JSON.stringify(meta, (name, value) => {
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new RangeError(`writeCheckpoint: ${name} in meta is ${value}, which JSON cannot hold`);
    return value;
  });
}

/** The way on after a write that failed, for one on a full disk. */
export const RESUME_WHEN_WRITABLE =
  'The checkpoints before are untouched: when the cause is gone, continue with --resume auto.';

/** Steps that have a checkpoint, verified or not, newest first. */
function steps(folder: string): number[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => /^step-\d+$/.test(name))
    .map((name) => Number(name.slice('step-'.length)))
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
  if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`writeCheckpoint: step ${step}`);
  if (keep < 1) throw new RangeError(`writeCheckpoint: keep ${keep}; at least the new one stays`);
  for (const group of Object.keys(groups)) {
    if (!GROUP.test(group)) throw new RangeError(`writeCheckpoint: ${group} is no name for a file`);
  }
  checkMeta(meta);
  cleanCheckpoints(dir);
  try {
    appearWhole(path, (temporary) => {
      mkdirSync(temporary, { recursive: true });
      const files: Manifest['files'] = {};
      for (const [group, tensors] of Object.entries(groups)) {
        const bytes = writeSafetensors(new Map(Object.entries(tensors)));
        writeSynced(join(temporary, group + ENDING), bytes);
        files[group + ENDING] = { bytes: bytes.length, sha256: sha256(bytes) };
      }
      writeSynced(
        join(temporary, MANIFEST),
        manifestText({ format: FORMAT, step, files, meta: { ...meta } }),
      );
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

function readManifest(path: string): Manifest {
  const name = join(path, MANIFEST);
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch (error) {
    throw new DataError(`${name}: cannot be read: ${reason(error)}`);
  }
  let stored: Manifest & { sha256?: string };
  try {
    stored = JSON.parse(text);
  } catch {
    throw new DataError(`${name}: is damaged: not JSON`);
  }
  const { sha256: stated, ...body } = stored;
  if (stated !== sha256(JSON.stringify(body))) throw new DataError(`${name}: is damaged: its sha256 differs`);
  if (body.format !== FORMAT)
    throw new DataError(`${name}: format ${JSON.stringify(body.format)}; this version reads ${FORMAT}`);
  return body;
}

/** The manifest and the bytes of every file it names, all verified. */
function verified(path: string): { manifest: Manifest; files: Map<string, Uint8Array> } {
  const manifest = readManifest(path);
  const files = new Map<string, Uint8Array>();
  for (const [file, { bytes: size, sha256: stated }] of Object.entries(manifest.files)) {
    const name = join(path, file);
    if (!file.endsWith(ENDING) || !GROUP.test(file.slice(0, -ENDING.length)))
      throw new DataError(`${join(path, MANIFEST)}: names ${JSON.stringify(file)}; expected GROUP${ENDING}`);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(name);
    } catch (error) {
      throw new DataError(`${name}: cannot be read: ${reason(error)}`);
    }
    if (bytes.length !== size)
      throw new DataError(`${name}: is damaged: ${bytes.length} bytes, its manifest says ${size}`);
    if (sha256(bytes) !== stated) throw new DataError(`${name}: is damaged: its sha256 differs`);
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
  const groups: Checkpoint['groups'] = {};
  for (const [file, bytes] of files) {
    const { tensors } = readSafetensors(bytes, join(path, file));
    groups[file.slice(0, -ENDING.length)] = Object.fromEntries(tensors);
  }
  return { step: manifest.step, groups, meta: manifest.meta };
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
