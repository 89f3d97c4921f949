import { type Config, type PresetName, presets } from '../train/config.ts';
import type { Purpose } from '../train/frames.ts';
import type { Plan } from '../train/plan.ts';
import { depthRecipe, supervisedRecipe, threeWaysDaRecipe, threeWaysRecipe } from '../train/recipes.ts';
import { didYouMean, UsageError } from './usage.ts';

interface Recipe {
  summary: string;
  /** The phase whose length `--steps` sets. */
  main: 'depth' | 'segmentation';
  /** @param purpose by default to train. */
  plan(config: Config, purpose?: Purpose): Promise<Plan>;
}

/** The one table of recipes. */
export const recipes: Record<string, Recipe> = {
  depth: { summary: 'self-supervised depth from video (Monodepth2)', main: 'depth', plan: depthRecipe },
  supervised: {
    summary: 'segmentation from the labelled images alone',
    main: 'segmentation',
    plan: supervisedRecipe,
  },
  'three-ways': {
    summary: 'depth pre-training, transfer, mean teacher with DepthMix (Hoyer et al.)',
    main: 'segmentation',
    plan: threeWaysRecipe,
  },
  'three-ways-da': {
    summary: 'the same with a labelled source domain, Cross-Domain DepthMix, matching geometry',
    main: 'segmentation',
    plan: threeWaysDaRecipe,
  },
};

/** @throws UsageError naming the nearest recipe */
export function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  const names = Object.keys(recipes);
  throw new UsageError(`unknown recipe '${name}'${didYouMean(name, names)}; recipes: ${names.join(', ')}`);
}

/** @throws UsageError listing the presets */
export function presetNamed(name: string): PresetName {
  if (Object.hasOwn(presets, name)) return name as PresetName;
  throw new UsageError(`--preset '${name}': expected one of ${Object.keys(presets).join(', ')}`);
}
