// A run folder as one file: a zip of config.json, log.jsonl and one checkpoint, written by the studio's page, which has no folders.
import { strToU8, type Zippable, zipSync } from 'fflate';
import { DataError } from '../data/types.ts';
import { readZip } from '../data/zip.ts';
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
} from './checkpoint-format.ts';
import { json, logUpTo } from './run-log.ts';

export const CONFIG = 'config.json';
export const LOG = 'log.jsonl';

/** What an archive holds. */
export interface ArchivedRun {
  /** As config.json has it: the recipe and every setting. */
  config: Record<string, unknown>;
  /** Text of log.jsonl up to the checkpoint. */
  log: string;
  checkpoint: Checkpoint;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Parameters hardly shrink, and take long to try. */
const STORED = { level: 0 } as const;

/** The archive of a run, which `warpmix train --resume` takes too. */
export async function packRun({ config, log, checkpoint }: ArchivedRun): Promise<Uint8Array> {
  const { step, groups, meta } = checkpoint;
  checkNames(step, groups);
  const stated: Manifest['files'] = {};
  const folder = `${CHECKPOINTS}/step-${step}`;
  const files: Zippable = {
    [CONFIG]: strToU8(`${json(config, 2)}\n`),
    [LOG]: strToU8(log),
  };
  for (const [file, bytes] of groupFiles(groups)) {
    stated[file] = { bytes: bytes.length, sha256: await sha256(bytes) };
    files[`${folder}/${file}`] = [bytes, STORED];
  }
  const body = manifestBody(step, stated, { ...meta, config });
  files[`${folder}/${MANIFEST}`] = strToU8(manifestText(body, await sha256(strToU8(body))));
  return zipSync(files);
}

/**
 * The files of a run by their names in its folder: those that training goes on from. The archive may hold the folder itself, as
 * `zip -r` makes it, and more.
 * @param name how errors call the archive
 * @throws DataError as `readZip` does, and where there is no run or more than one
 */
export function runFiles(bytes: Uint8Array, name: string): Map<string, Uint8Array> {
  const all = readZip(bytes, name);
  const roots = [...all.keys()].filter((path) => path === CONFIG || path.endsWith(`/${CONFIG}`));
  if (roots.length !== 1) {
    throw new DataError(
      `${name}: holds ${roots.length === 0 ? `no ${CONFIG}` : roots.join(', ')}; expected the archive of one run, as the ` +
        'studio saves it',
    );
  }
  const root = roots[0].slice(0, -CONFIG.length);
  const wanted = /^(config\.json|log\.jsonl|checkpoints\/step-\d+\/[^/]+)$/;
  return new Map(
    [...all].flatMap(([path, content]) => {
      const inside = path.startsWith(root) ? path.slice(root.length) : '';
      return wanted.test(inside) ? [[inside, content] as const] : [];
    }),
  );
}

function parsed(text: string, name: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {}
  throw new DataError(`${name}: is damaged: no JSON object`);
}

/**
 * Reads an archive: its newest checkpoint, which must be intact.
 * @param name how errors call the archive
 * @throws DataError naming the part that is missing or damaged
 */
export async function unpackRun(bytes: Uint8Array, name: string): Promise<ArchivedRun> {
  const files = runFiles(bytes, name);
  const nameOf = (path: string) => `${name}: ${path}`;
  const content = (path: string) => {
    const found = files.get(path);
    if (!found) throw new DataError(`${nameOf(path)}: missing`);
    return found;
  };
  const textOf = (path: string) => new TextDecoder().decode(content(path));
  const steps = [...files.keys()].flatMap((path) => {
    const [top, folder] = path.split('/');
    return top === CHECKPOINTS ? [stepOf(folder)!] : [];
  });
  if (steps.length === 0) throw new DataError(`${nameOf(CHECKPOINTS)}: missing; the run saved none yet`);
  const folder = `${CHECKPOINTS}/step-${Math.max(...steps)}`;
  const path = `${folder}/${MANIFEST}`;
  const opened = openManifest(textOf(path), nameOf(path));
  const manifest = readManifest(opened, await sha256(strToU8(opened.body)), nameOf(path));
  const groups = new Map<string, Uint8Array>();
  for (const [file, stated] of Object.entries(manifest.files)) {
    const bytes = content(`${folder}/${file}`);
    checkFile(stated, bytes, await sha256(bytes), nameOf(`${folder}/${file}`));
    groups.set(file, bytes);
  }
  return {
    config: parsed(textOf(CONFIG), nameOf(CONFIG)),
    log: logUpTo(textOf(LOG), manifest.step),
    checkpoint: readGroupFiles(manifest, groups, (file) => nameOf(`${folder}/${file}`)),
  };
}
