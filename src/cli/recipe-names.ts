// The recipes there are. Apart from what they train: a form of the studio shows them without the methods.
import { type PresetName, presets } from '../train/config.ts';
import { didYouMean, UsageError } from './usage.ts';

export interface AboutRecipe {
  summary: string;
  /** The phase whose length `--steps` sets. */
  main: 'depth' | 'segmentation';
}

export const RECIPES = {
  depth: { summary: 'self-supervised depth from video (Monodepth2)', main: 'depth' },
  supervised: { summary: 'segmentation from the labelled images alone', main: 'segmentation' },
  'three-ways': {
    summary: 'depth pre-training, transfer, mean teacher with DepthMix (Hoyer et al.)',
    main: 'segmentation',
  },
  'three-ways-da': {
    summary: 'the same with a labelled source domain, Cross-Domain DepthMix, matching geometry',
    main: 'segmentation',
  },
} as const satisfies Readonly<Record<string, AboutRecipe>>;

/** @throws UsageError naming the nearest recipe */
export function aboutRecipe(name: string): AboutRecipe {
  if (Object.hasOwn(RECIPES, name)) return RECIPES[name as keyof typeof RECIPES];
  const names = Object.keys(RECIPES);
  throw new UsageError(`unknown recipe '${name}'${didYouMean(name, names)}; recipes: ${names.join(', ')}`);
}

/** @throws UsageError listing the presets */
export function presetNamed(name: string): PresetName {
  if (Object.hasOwn(presets, name)) return name as PresetName;
  throw new UsageError(`--preset '${name}': expected one of ${Object.keys(presets).join(', ')}`);
}
