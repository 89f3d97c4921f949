// What a run says of the weights that it starts from. Apart from the reading of files, which a browser cannot.
import type { Loaded } from '../models/pytorch.ts';

/** What was taken from one file. */
export interface WeightsReport extends Loaded {
  setting: string;
  file: string;
}

/** For a person: how much was taken, and what was left for which reason. */
export function weightsText({ setting, file, matched, left }: WeightsReport): string {
  const reasons = new Map<string, string[]>();
  for (const [name, why] of Object.entries(left)) reasons.set(why, [...(reasons.get(why) ?? []), name]);
  const leftText = [...reasons].map(([why, names]) => {
    const shown = names.length > 3 ? `${names.length} tensors, such as ${names[0]}` : names.join(', ');
    return `; left ${shown} (${why})`;
  });
  return `${setting}=${file}: took ${matched.length} tensors${leftText.join('')}`;
}
