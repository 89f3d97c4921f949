// What a checkpoint is made of, wherever it is kept: one safetensors file per group of tensors, and a manifest with the size and
// sha256 of each. Hashes are the caller's to compute, because a page has only a slow promise of them.
import * as z from 'zod';
import { readSafetensors, type SafeTensor, writeSafetensors } from '../data/safetensors.ts';
import { DataError } from '../data/types.ts';

/** Tensors by name. */
export type TensorGroup = Record<string, SafeTensor>;

export interface Checkpoint {
  step: number;
  /** By group, such as `model`, `optimizer`, `teacher`. */
  groups: Record<string, TensorGroup>;
  /** Whatever else the run needs to go on exactly: seed, schedule position, best score, configuration. */
  meta: Record<string, unknown>;
}

const FORMAT = 'warpmix-checkpoint-1';

const manifest = z.object({
  format: z.literal(FORMAT),
  step: z.int().min(0),
  files: z.record(z.string(), z.object({ bytes: z.int().min(0), sha256: z.string() })),
  meta: z.record(z.string(), z.unknown()),
});

export type Manifest = z.infer<typeof manifest>;

const ENDING = '.safetensors';
const GROUP = /^\w[\w-]*$/;

export const CHECKPOINTS = 'checkpoints';
export const MANIFEST = 'manifest.json';

/** The step whose folder this is the name of; null for any other name. */
export const stepOf = (folder: string): number | null =>
  /^step-\d+$/.test(folder) ? Number(folder.slice('step-'.length)) : null;

/** @throws RangeError on a step or the name of a group that no checkpoint can have */
export function checkNames(step: number, groups: Readonly<Record<string, unknown>>): void {
  if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`writeCheckpoint: step ${step}`);
  for (const group of Object.keys(groups)) {
    if (!GROUP.test(group)) throw new RangeError(`writeCheckpoint: ${group} is no name for a file`);
  }
}

/** Name and bytes of the file of each group. */
export function* groupFiles(
  groups: Readonly<Record<string, Readonly<TensorGroup>>>,
): Generator<[file: string, bytes: Uint8Array]> {
  for (const [group, tensors] of Object.entries(groups))
    yield [group + ENDING, writeSafetensors(new Map(Object.entries(tensors)))];
}

/**
 * What a manifest says, as the text that its own hash is of.
 * @throws RangeError on a number in `meta` that JSON would turn into null without a word
 */
export function manifestBody(step: number, files: Manifest['files'], meta: Manifest['meta']): string {
  const body: Manifest = { format: FORMAT, step, files, meta: { ...meta } };
  return JSON.stringify(body, (name, value) => {
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new RangeError(`writeCheckpoint: ${name} in meta is ${value}, which JSON cannot hold`);
    return value;
  });
}

/** The manifest vouches for itself too: its own hash comes last. */
export const manifestText = (body: string, sha256: string): string =>
  `${JSON.stringify({ ...JSON.parse(body), sha256 }, null, 1)}\n`;

/**
 * The text that a manifest's own hash must be of, and that hash.
 * @param name how errors call the file
 */
export function openManifest(text: string, name: string): { body: string; sha256: string | undefined } {
  try {
    const { sha256, ...body } = JSON.parse(text);
    return { body: JSON.stringify(body), sha256 };
  } catch {
    throw new DataError(`${name}: is damaged: not JSON`);
  }
}

/**
 * A manifest whose text was found to be whole.
 * @param found sha256 of `body`
 * @throws DataError naming the file
 */
export function readManifest(
  { body, sha256 }: ReturnType<typeof openManifest>,
  found: string,
  name: string,
): Manifest {
  if (sha256 !== found) throw new DataError(`${name}: is damaged: its sha256 differs`);
  const stored = JSON.parse(body);
  if (stored.format !== FORMAT)
    throw new DataError(`${name}: format ${JSON.stringify(stored.format)}; this version reads ${FORMAT}`);
  const { success, data } = manifest.safeParse(stored);
  if (!success) throw new DataError(`${name}: is damaged: not what a manifest of ${FORMAT} says`);
  for (const file of Object.keys(data.files)) {
    if (!file.endsWith(ENDING) || !GROUP.test(file.slice(0, -ENDING.length)))
      throw new DataError(`${name}: names ${JSON.stringify(file)}; expected GROUP${ENDING}`);
  }
  return data;
}

/**
 * Holds a file against its manifest.
 * @param found sha256 of `bytes`
 * @throws DataError naming the file
 */
export function checkFile(
  stated: Manifest['files'][string],
  bytes: Uint8Array,
  found: string,
  name: string,
): void {
  if (bytes.length !== stated.bytes)
    throw new DataError(`${name}: is damaged: ${bytes.length} bytes, its manifest says ${stated.bytes}`);
  if (found !== stated.sha256) throw new DataError(`${name}: is damaged: its sha256 differs`);
}

/** @param files of the manifest, checked. @param nameOf how errors call a file */
export function readGroupFiles(
  { step, meta }: Manifest,
  files: ReadonlyMap<string, Uint8Array>,
  nameOf: (file: string) => string,
): Checkpoint {
  const groups: Checkpoint['groups'] = {};
  for (const [file, bytes] of files) {
    const { tensors } = readSafetensors(bytes, nameOf(file));
    groups[file.slice(0, -ENDING.length)] = Object.fromEntries(tensors);
  }
  return { step, groups, meta };
}
