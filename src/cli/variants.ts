// Variants by measurement: the cache that `warpmix tune` fills, one file for each adapter, and what a run keeps of it.
import { mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import { version } from '../../package.json';
import { DataError } from '../data/types.ts';
import type { AdapterInfo, Gpu } from '../gpu/gpu.ts';
import { chooseVariant, launchKey } from '../gpu/kernel.ts';
import { writeWhole } from '../train/durable.ts';
import { kernelList } from './kernel-list.ts';
import { note } from './output.ts';

const measurement = z.object({
  kernel: z.string(),
  params: z.record(z.string(), z.number()),
  /** The variant to run. */
  variant: z.string(),
  /** Median milliseconds of a dispatch, by variant; those that failed are missing. */
  ms: z.record(z.string(), z.number()),
});

/** What was measured of a kernel at some parameters. */
export type Measurement = z.infer<typeof measurement>;

const identity = ({ vendor, architecture, description }: AdapterInfo) => ({
  warpmix: version,
  vendor,
  architecture,
  description,
});

const cacheFile = z.object({
  adapter: z.object({
    warpmix: z.string(),
    vendor: z.string(),
    architecture: z.string(),
    description: z.string(),
  }),
  launches: z.array(measurement),
});

/** Where the measurements of an adapter are: in WARPMIX_CACHE, or else in the user's cache folder. */
export function cachePath(adapter: AdapterInfo): string {
  const { WARPMIX_CACHE, XDG_CACHE_HOME } = process.env;
  const folder = WARPMIX_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'warpmix');
  const name = Object.values(identity(adapter)).join(' ');
  return join(folder, `variants-${name.toLowerCase().replace(/[^a-z0-9.]+/g, '-')}.json`);
}

/** What has been measured on this adapter. A file that is damaged is named on stderr and counts as none. */
export function readMeasurements(adapter: AdapterInfo): Measurement[] {
  const path = cachePath(adapter);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      note(`ignored ${path}: ${(error as Error).message}`);
    return [];
  }
  try {
    const { adapter: from, launches } = cacheFile.parse(JSON.parse(text));
    if (JSON.stringify(from) === JSON.stringify(identity(adapter))) return launches;
    note(`ignored ${path}: it is of another adapter or version`);
  } catch {
    note(`ignored ${path}: it is damaged; 'warpmix tune' writes it anew`);
  }
  return [];
}

/** @throws DataError where the file cannot be written */
export function writeMeasurements(adapter: AdapterInfo, launches: readonly Measurement[]): void {
  const path = cachePath(adapter);
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw new DataError(
      `${path}: cannot be written: ${(error as Error).message}; WARPMIX_CACHE names another folder`,
    );
  }
  const head = `{"adapter":${JSON.stringify(identity(adapter))},"launches":[\n`;
  writeWhole(path, `${head}${launches.map((one) => JSON.stringify(one)).join(',\n')}\n]}\n`);
}

/** The measured variants that are not what the rule gives, by launch. Entries of kernels or variants long gone are left out. */
function faster(gpu: Gpu): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { kernel: name, params, variant } of readMeasurements(gpu.adapter)) {
    const kernel = kernelList.find((one) => one.kernel.name === name)?.kernel;
    if (kernel?.variants.some((one) => one.name === variant) !== true) continue;
    if (chooseVariant(kernel, params, gpu.adapter).name !== variant)
      found[launchKey(kernel, params)] = variant;
  }
  return found;
}

/** What a run was started with beside the rule; in its config.json as `variants`. */
export const runVariants = z.object({
  /** By WARPMIX_VARIANTS: kernel -> variant. */
  pinned: z.record(z.string(), z.string()),
  /** By `--tuned`: launch -> variant, where it is not the one that the rule gives; null without. */
  measured: z.nullable(z.record(z.string(), z.string())),
});
export type RunVariants = z.infer<typeof runVariants>;

/**
 * Sets up a device for a run, and says what the run's config.json must hold; undefined where the rule alone chooses.
 * @param before config.json of the run that is resumed. Its measurements count, not those in the cache, so that the bits
 *   stay the same.
 */
export function startVariants(
  gpu: Gpu,
  tuned: boolean,
  before: Record<string, unknown> | null,
): RunVariants | undefined {
  const kept = runVariants.safeParse(before?.variants).data?.measured;
  let measured: Record<string, string> | null = null;
  if (tuned) {
    const now = faster(gpu);
    measured = kept ?? now;
    if (kept && JSON.stringify(kept) !== JSON.stringify(now))
      note(
        'the measurements of this adapter have changed since; the run keeps those that it was started with',
      );
    if (!kept && Object.keys(now).length === 0)
      note("--tuned: nothing measured here is faster than the rule's choice; 'warpmix tune' measures");
  }
  for (const [launch, variant] of Object.entries(measured ?? {})) gpu.measured.set(launch, variant);
  return gpu.pinned.size > 0 || measured ? { pinned: Object.fromEntries(gpu.pinned), measured } : undefined;
}

/** Runs on `gpu` what a finished run was trained with. A pin of WARPMIX_VARIANTS is stronger. */
export function applyVariants(gpu: Gpu, { pinned, measured }: RunVariants): void {
  for (const [kernel, variant] of Object.entries(pinned)) {
    if (!gpu.pinned.has(kernel)) gpu.pins.set(kernel, variant);
  }
  for (const [launch, variant] of Object.entries(measured ?? {})) gpu.measured.set(launch, variant);
}
