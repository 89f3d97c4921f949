import type { Config } from '../train/config.ts';
import type { Purpose } from '../train/frames.ts';
import type { Plan } from '../train/plan.ts';
import { depthRecipe, supervisedRecipe, threeWaysDaRecipe, threeWaysRecipe } from '../train/recipes.ts';
import { type AboutRecipe, aboutRecipe, RECIPES } from './recipe-names.ts';

interface Recipe extends AboutRecipe {
  /** @param purpose by default to train. */
  plan(config: Config, purpose?: Purpose): Promise<Plan>;
}

/** The one table of what trains: a plan for each of `RECIPES`. */
export const recipes: Record<string, Recipe> = {
  depth: { ...RECIPES.depth, plan: depthRecipe },
  supervised: { ...RECIPES.supervised, plan: supervisedRecipe },
  'three-ways': { ...RECIPES['three-ways'], plan: threeWaysRecipe },
  'three-ways-da': { ...RECIPES['three-ways-da'], plan: threeWaysDaRecipe },
} satisfies Record<keyof typeof RECIPES, Recipe>;

/** @throws UsageError naming the nearest recipe */
export function recipeNamed(name: string): Recipe {
  aboutRecipe(name);
  return recipes[name];
}
