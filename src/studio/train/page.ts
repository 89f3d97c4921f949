import { h } from '../dom.ts';
import type { Section } from '../section.ts';

export async function mountTrain(root: HTMLElement): Promise<Section> {
  root.replaceChildren(h('p', {}, 'Train'));
  return {};
}
