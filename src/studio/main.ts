import { findAdapter } from './adapter.ts';
import { putInAddress, readAddress } from './address.ts';
import { h } from './dom.ts';
import { notice, report } from './notices.ts';
import type { Section } from './section.ts';

const sections = {
  train: async (root: HTMLElement) => (await import('./train/page.ts')).mountTrain(root),
  inside: async (root: HTMLElement) => (await import('./inside/page.ts')).mountInside(root),
  measure: async (root: HTMLElement) => (await import('./measure/page.ts')).mountMeasure(root),
};
type Name = keyof typeof sections;
const names = Object.keys(sections) as Name[];

const one = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;
const tabOf = (name: Name) => one<HTMLButtonElement>(`#tab-${name}`);
const panelOf = (name: Name) => one(`#panel-${name}`);
const mounted = new Map<Name, Promise<Section>>();
let usable = false;

function show(name: Name): void {
  for (const other of names) {
    const chosen = other === name;
    tabOf(other).setAttribute('aria-selected', String(chosen));
    tabOf(other).tabIndex = chosen ? 0 : -1;
    panelOf(other).hidden = !chosen;
  }
  putInAddress({ tab: name });
  if (!usable) return;
  let section = mounted.get(name);
  if (section)
    section.then(
      (known) => known.shown?.(),
      () => {},
    );
  else {
    section = sections[name](panelOf(name));
    mounted.set(name, section);
    section.catch(report);
  }
}

/** Arrow keys move between tabs (WAI-ARIA Authoring Practices, "Tabs"). */
function wireTabs(): void {
  names.forEach((name, i) => {
    tabOf(name).addEventListener('click', () => show(name));
    tabOf(name).addEventListener('keydown', ({ key }) => {
      const by = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
      if (by === 0) return;
      const next = names[(i + by + names.length) % names.length];
      show(next);
      tabOf(next).focus();
    });
  });
}

const themes = { system: '◐', light: '☀', dark: '☾' } as const;
type Theme = keyof typeof themes;

/** A page that may not store anything keeps the theme until it is closed. */
function wireTheme(): void {
  const known = Object.keys(themes) as Theme[];
  let theme: Theme = 'system';
  try {
    const stored = localStorage.getItem('theme');
    if (known.includes(stored as Theme)) theme = stored as Theme;
  } catch {}
  const put = () => {
    document.documentElement.dataset.theme = theme;
    one('#theme').textContent = themes[theme];
    one('#theme').setAttribute('aria-label', `Colours: ${theme}`);
    one('#theme').title = `Colours: ${theme}`;
  };
  one('#theme').addEventListener('click', () => {
    theme = known[(known.indexOf(theme) + 1) % known.length];
    try {
      localStorage.setItem('theme', theme);
    } catch {}
    put();
  });
  put();
}

async function start(): Promise<void> {
  wireTheme();
  wireTabs();
  const { values, problems } = readAddress(location.hash);
  for (const problem of problems) notice('warning', `${problem}.`);
  const wanted = values.tab as Name | undefined;
  if (wanted !== undefined && !names.includes(wanted)) {
    notice('warning', `the address names the section '${wanted}'; there are ${names.join(', ')}.`);
  }
  const first = wanted && names.includes(wanted) ? wanted : 'train';
  show(first);
  const adapter = await findAdapter();
  const line = one('#adapter');
  if (!adapter.ok) {
    line.textContent = 'no WebGPU';
    one('main').replaceChildren(
      h('div', { class: 'blocked' }, h('h2', {}, adapter.problem), h('p', {}, adapter.advice)),
    );
    return;
  }
  line.replaceChildren(
    adapter.name,
    ...(adapter.software ? [' ', h('span', { class: 'badge' }, 'software')] : []),
  );
  if (adapter.advice) line.title = adapter.advice;
  usable = true;
  show(first);
  addEventListener('hashchange', () => {
    const { values, problems } = readAddress(location.hash);
    for (const problem of problems) notice('warning', `${problem}.`);
    const tab = values.tab as Name;
    show(names.includes(tab) ? tab : first);
  });
}

start().catch(report);
