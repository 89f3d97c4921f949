import * as z from 'zod/mini';
import { type ClassInfo, DataError } from '../data/types.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { latestCheckpoint, readCheckpoint } from '../train/checkpoint.ts';
import type { Checkpoint } from '../train/checkpoint-format.ts';
import { type Config, ConfigError, checkConfig } from '../train/config.ts';
import { checkClasses, restore } from '../train/loop.ts';
import type { Plan } from '../train/plan.ts';
import { readConfig } from '../train/run-folder.ts';
import { note } from './output.ts';
import { recipeNamed } from './recipes.ts';
import { UsageError } from './usage.ts';
import { applyVariants, runVariants } from './variants.ts';

/** What a run was started with. @throws DataError when the folder holds no run. */
export function readSettings(dir: string): { recipe: string; config: Config; variants: unknown } {
  const stored = readConfig(dir);
  if (!stored)
    throw new DataError(`${dir}: holds no run (no config.json); name a folder that 'warpmix train' wrote`);
  const { recipe, variants, ...settings } = stored;
  try {
    recipeNamed(String(recipe));
    return { recipe: String(recipe), config: checkConfig(settings, `${dir}/config.json`), variants };
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof UsageError)) throw error;
    // Nobody typed this: the folder is damaged, or another version's.
    throw new DataError(`${dir}/config.json: ${error.message}`);
  }
}

/**
 * The settings and the newest intact checkpoint of a finished (or interrupted) run. `gpu` runs the kernel variants from now
 * on that it was trained with; null where nothing is run.
 * @throws DataError when the folder holds no run or no checkpoint
 */
export function readRun(
  gpu: Gpu | null,
  dir: string,
): { recipe: string; config: Config; checkpoint: Checkpoint } {
  const { recipe, config, variants } = readSettings(dir);
  const { found, skipped } = latestCheckpoint(dir);
  for (const { path, reason } of skipped) note(`skipped ${path}: ${reason}`);
  if (!found) throw new DataError(`${dir}: has no intact checkpoint`);
  const ran = z.optional(runVariants).safeParse(variants);
  if (!ran.success) throw new DataError(`${dir}/config.json: 'variants' is not what 'warpmix train' writes`);
  if (gpu && ran.data) applyVariants(gpu, ran.data);
  return { recipe, config, checkpoint: readCheckpoint(found.path) };
}

/** The classes that the networks of a checkpoint tell; null in one that does not say how they are drawn. */
function classesOf({ meta }: Checkpoint): ClassInfo[] | null {
  const found = z
    .object({ classes: z.array(z.string()), colors: z.array(z.tuple([z.number(), z.number(), z.number()])) })
    .safeParse(meta);
  return found.success
    ? found.data.classes.map((name, id) => ({ id, name, color: found.data.colors[id] }))
    : null;
}

/** The models of a run, on the current device, to predict with: the data of the run need not be there. */
export async function openToPredict(gpu: Gpu, dir: string): Promise<Plan> {
  const { recipe, config, checkpoint } = readRun(gpu, dir);
  const plan = await recipeNamed(recipe).plan(untaught(config), classesOf(checkpoint) ?? 'score');
  restore(plan, checkpoint);
  return plan;
}

/** Settings of a run that learns nothing: no choice of labelled images applies. */
const untaught = (config: Config): Config => ({
  ...config,
  method: { ...config.method, selection: 'random' },
  labels: null,
  labelIds: null,
});

/**
 * The models of a run, on the current device, and the data that they are scored on.
 * @param gpu that device, where it runs kernels.
 * @param data evaluates on another data set than the run's own.
 * @param evaluation evaluates on another split than the run's own.
 * @throws DataError when the folder holds no run or no checkpoint, or the data have other classes than its networks tell
 */
export async function openRun(
  gpu: Gpu | null,
  dir: string,
  data?: string,
  evaluation?: Config['evaluation'],
): Promise<{ recipe: string; config: Config; plan: Plan }> {
  const { recipe, config: stored, checkpoint } = readRun(gpu, dir);
  const config = { ...stored, evaluation: evaluation ?? stored.evaluation };
  const looked = untaught(config);
  const plan = await recipeNamed(recipe).plan(
    data === undefined ? looked : { ...looked, data, video: data },
    'score',
  );
  checkClasses(dir, 'score', checkpoint, plan);
  restore(plan, checkpoint);
  return { recipe, config, plan };
}
