// What the views have in common: title and formula on top, pictures beside the settings, the launches below.
import { h } from '../dom.ts';
import { formula, type Part } from './math.ts';

/** A number with three digits, or as many as said, as readers write it. */
export function num(value: number, digits = 3): string {
  const size = Math.abs(value);
  const text =
    value === 0
      ? '0'
      : size >= 1e-3 && size < 10 ** (digits + 2)
        ? value.toPrecision(digits).replace(/e\+?/, 'e')
        : value.toExponential(digits - 1);
  return text.replace('-', '−').replace('e-', 'e−');
}

/** The same with its sign. */
export const signed = (value: number, digits = 3): string =>
  value > 0 ? `+${num(value, digits)}` : num(value, digits);

export const fixed = (value: number, places: number): string => value.toFixed(places).replace('-', '−');

export const percent = (share: number): string => `${fixed(100 * share, 1)} %`;

interface Lesson {
  title: string;
  /** What is seen and what to do, in a sentence or two. */
  about: string;
  formulas: readonly (readonly Part[])[];
  /** Beside the settings. */
  stage: readonly (Node | string)[];
  /** Settings and the numbers that they move. */
  bench: readonly (Node | string)[];
  below: readonly (Node | string)[];
}

/** Fills a view. @returns takes away the line that says that kernels are compiled; call it when there are numbers */
export function lesson(
  root: HTMLElement,
  { title, about, formulas, stage, bench, below }: Lesson,
): () => void {
  const waiting = h(
    'p',
    { class: 'waiting', role: 'status' },
    'Compiling kernels: the first numbers take a few seconds.',
  );
  root.replaceChildren(
    h(
      'header',
      { class: 'lesson' },
      h('div', {}, h('h2', {}, title), h('p', {}, about)),
      h('div', { class: 'formulas' }, ...formulas.map((parts) => formula(...parts))),
    ),
    h(
      'div',
      { class: 'bench-beside' },
      h('div', { class: 'stage' }, ...stage),
      h('aside', { class: 'bench' }, ...bench),
      waiting,
    ),
    ...below,
  );
  return () => waiting.remove();
}

/** Names and values, replaced as a whole. */
export class Facts {
  readonly element = h('table', { class: 'facts' });

  /** @param caption of the table, for those who do not see where it stands */
  constructor(caption: string) {
    this.element.setAttribute('aria-label', caption);
  }

  show(rows: readonly (readonly [name: string | Node, value: string, note?: string])[]): void {
    this.element.replaceChildren(
      ...rows.map(([name, value, note]) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, name),
          h('td', { class: 'number' }, value),
          note !== undefined && h('td', { class: 'note' }, note),
        ),
      ),
    );
  }
}

/** A value on a scale from 0 with other values to compare with. */
export class Meter {
  readonly element = h('div', { class: 'meter', 'aria-hidden': 'true' });

  show(value: number, ticks: Record<string, number>): void {
    const most = 1.25 * Math.max(value, ...Object.values(ticks));
    const at = (v: number) => `${(100 * v) / most}%`;
    const bar = h('i', { class: 'bar' });
    bar.style.width = at(value);
    this.element.replaceChildren(
      bar,
      ...Object.entries(ticks).map(([name, v]) => {
        const tick = h('span', { class: 'tick' }, name);
        tick.style.left = at(v);
        return tick;
      }),
    );
  }
}
