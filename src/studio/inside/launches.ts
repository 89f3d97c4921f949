// The kernels that ran for what a view shows: their WGSL as it was compiled, folded.
import { h } from '../dom.ts';
import type { Ran } from './gpu.ts';

const pairs = (values: Record<string, number>) =>
  Object.entries(values)
    .map(([name, value]) => `${name} = ${Number(value.toPrecision(6))}`)
    .join(', ');

const place = ({ kernel, variant }: Ran) => `${kernel}/${variant}`;

/** @param marked says of a line of the WGSL whether it is one to look at. */
export function code(text: string, marked: (line: string) => boolean = () => false): HTMLElement {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => (marked(line) ? h('mark', {}, `${line}\n`) : `${line}\n`));
  return h('pre', { class: 'code', tabindex: 0 }, h('code', {}, ...lines));
}

function describe(ran: Ran, marked?: (line: string) => boolean): HTMLDetailsElement {
  const { kernel, variant, summary, formula, variantSummary, params, constants, workgroups, grid, times } =
    ran;
  const groups = `${workgroups} workgroup${workgroups === 1 ? '' : 's'}`;
  const facts: [string, string][] = [
    ['computes', summary],
    ['formula', formula],
    ['variant', `${variant}: ${variantSummary}`],
    ['dispatched', `${groups}, as ${grid[0]} x ${grid[1]}${times > 1 ? `, ${times} times` : ''}`],
    ['parameters', pairs(params)],
    ['constants', pairs(constants)],
  ];
  return h(
    'details',
    { class: 'launch' },
    h(
      'summary',
      {},
      h('code', {}, kernel),
      ` variant ${variant}, ${groups}${times > 1 ? `, ${times} times` : ''} `,
      h('span', { class: 'note' }, pairs(params)),
    ),
    h(
      'dl',
      {},
      ...facts.filter(([, text]) => text).flatMap(([name, text]) => [h('dt', {}, name), h('dd', {}, text)]),
    ),
    code(ran.wgsl, marked),
  );
}

/** The list of launches of a view. */
export class Launches {
  readonly element = h('section', { class: 'launches' });
  readonly #main: readonly string[];
  readonly #marked?: (line: string) => boolean;
  #shown = '';

  /** @param main kernels that the view is about, shown first. @param marked lines of their WGSL to look at */
  constructor(main: readonly string[], marked?: (line: string) => boolean) {
    this.#main = main;
    this.#marked = marked;
  }

  show(ran: readonly Ran[]): void {
    const key = ran.map((one) => `${place(one)} ${pairs(one.params)} ${one.times}`).join('\n');
    if (key === this.#shown) return;
    this.#shown = key;
    const open = new Set(
      [...this.element.querySelectorAll('details[open]')].map((one) => (one as HTMLElement).dataset.of),
    );
    const main = this.#main.flatMap((name) => ran.filter(({ kernel }) => kernel === name));
    const others = ran.filter(({ kernel }) => !this.#main.includes(kernel));
    const item = (one: Ran, marked?: (line: string) => boolean) => {
      const made = describe(one, marked);
      made.dataset.of = place(one);
      return made;
    };
    const rest = h(
      'details',
      { class: 'launch', 'data-of': 'others' },
      h('summary', {}, `${others.length} more, around ${main.length === 1 ? 'it' : 'them'}`),
      ...others.map((one) => item(one)),
    );
    this.element.replaceChildren(
      h('h3', {}, 'The WGSL that ran'),
      ...main.map((one) => item(one, this.#marked)),
      ...(others.length > 0 ? [rest] : []),
    );
    for (const one of this.element.querySelectorAll('details')) one.open = open.has(one.dataset.of);
  }
}
