import { h } from '../dom.ts';
import type { Section } from '../section.ts';
import { mountTape } from './tape-page.ts';

export async function mountInside(root: HTMLElement): Promise<Section> {
  const tape = h('div', {});
  root.replaceChildren(tape);
  return mountTape(tape);
}
