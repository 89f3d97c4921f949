import { h } from '../dom.ts';
import type { Section } from '../section.ts';

export async function mountMeasure(root: HTMLElement): Promise<Section> {
  root.replaceChildren(h('p', {}, 'Measure'));
  return {};
}
