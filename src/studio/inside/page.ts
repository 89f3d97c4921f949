import { putInAddress, readAddress } from '../address.ts';
import { h } from '../dom.ts';
import { notice, report } from '../notices.ts';
import type { Section } from '../section.ts';
import { mountConvolution } from './convolution.ts';
import { mountEntropy } from './entropy.ts';
import { mountMix } from './mix.ts';
import { mountSsim } from './ssim.ts';
import { mountTape } from './tape-page.ts';
import { mountWarp } from './warp.ts';

type Mount = (root: HTMLElement) => Promise<Section>;

/** The sub-tabs: name in the address, title, and the view, made when it is first shown. */
const views: Record<string, { title: string; mount: Mount }> = {
  warp: { title: 'View warping', mount: mountWarp },
  ssim: { title: 'SSIM', mount: mountSsim },
  mix: { title: 'DepthMix', mount: mountMix },
  entropy: { title: 'Cross-entropy', mount: mountEntropy },
  convolution: { title: 'Convolution', mount: mountConvolution },
  tape: { title: 'Tape', mount: mountTape },
};
const names = Object.keys(views);

export async function mountInside(root: HTMLElement): Promise<Section> {
  const mounted = new Map<string, Promise<Section>>();
  /** What the address said of each view when it was left. */
  const looks = new Map<string, string | undefined>();
  let current: string | null = null;

  const tabs = names.map((name) =>
    h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-inside-${name}`,
        'aria-controls': `panel-inside-${name}`,
      },
      views[name].title,
    ),
  );
  const panels = names.map((name) =>
    h('div', {
      role: 'tabpanel',
      id: `panel-inside-${name}`,
      'aria-labelledby': `tab-inside-${name}`,
      class: 'inside',
      hidden: true,
    }),
  );

  function show(name: string): void {
    current = name;
    names.forEach((other, i) => {
      const chosen = other === name;
      tabs[i].setAttribute('aria-selected', String(chosen));
      tabs[i].tabIndex = chosen ? 0 : -1;
      panels[i].hidden = !chosen;
    });
    putInAddress({ view: name });
    const known = mounted.get(name);
    if (known) {
      known.then(
        (view) => view.shown?.(),
        () => {},
      );
      return;
    }
    const view = views[name].mount(panels[names.indexOf(name)]);
    mounted.set(name, view);
    view.catch((error) => {
      mounted.delete(name);
      report(error, { 'Try again': () => show(name) });
    });
  }

  /** By the user's hand: the address goes back to what it said of that view. */
  function choose(name: string): void {
    if (name === current) return;
    if (current) looks.set(current, readAddress(location.hash).values.look);
    putInAddress({ view: name, look: looks.get(name) });
    show(name);
  }

  tabs.forEach((tab, i) => {
    tab.addEventListener('click', () => choose(names[i]));
    tab.addEventListener('keydown', ({ key }) => {
      const by = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
      if (by === 0) return;
      const next = (i + by + names.length) % names.length;
      choose(names[next]);
      tabs[next].focus();
    });
  });

  /** The view that the address names, or the one that is shown. */
  function follow(): void {
    const wanted = readAddress(location.hash).values.view;
    const known = wanted !== undefined && names.includes(wanted);
    if (wanted !== undefined && !known)
      notice('warning', `the address names the view '${wanted}'; there are ${names.join(', ')}.`);
    show(known ? wanted : (current ?? names[0]));
  }

  root.replaceChildren(
    h('div', { role: 'tablist', 'aria-label': 'Views', class: 'tabs inside-tabs' }, ...tabs),
    ...panels,
  );
  follow();
  return { shown: follow };
}
