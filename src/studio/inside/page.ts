import { h } from '../dom.ts';
import type { Section } from '../section.ts';

export async function mountInside(root: HTMLElement): Promise<Section> {
  root.replaceChildren(h('p', {}, 'Inside'));
  return {};
}
