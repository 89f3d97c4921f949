// The numbers of one kernel: its variants from fast to naive, its launch, its cost, its bindings.
import { button, h } from '../dom.ts';
import type { Found, Launched, VariantFacts } from './protocol.ts';
import {
  bytesOf,
  duration,
  errorText,
  flopsOf,
  heading,
  notMeasured,
  type Origin,
  origin,
  percent,
  rateOf,
  verdict,
} from './show.ts';

const columns: readonly (readonly [title: string, origin?: Origin])[] = [
  ['Variant'],
  ['Workgroups'],
  ['Time', 'measured'],
  ['Rate', 'modelled / measured'],
  ['Of limit', 'modelled / measured'],
  ['Error', 'measured'],
];

const listed = (values: Record<string, number>): string =>
  Object.entries(values)
    .map((pair) => pair.join('='))
    .join(' ');

/**
 * The variants, in the order in which they are tried.
 * @param shown the one whose text is shown. @param choose shows another
 */
export function ladderParts(
  { variants, chosen }: Launched,
  all: ReadonlyMap<string, Found>,
  shown: VariantFacts | null,
  choose: (variant: VariantFacts) => void,
): Node[] {
  const bound = [...all.values()].find(({ rate }) => rate)?.rate?.bound;
  const rows = variants.flatMap((variant) => {
    const found = all.get(variant.name);
    const select = button(
      variant.name === chosen ? `${variant.name} *` : variant.name,
      () => choose(variant),
      { class: 'name', 'aria-pressed': String(variant === shown), title: variant.summary },
    );
    const chosenHere = variant === shown ? 'chosen' : '';
    const line = h(
      'tr',
      { class: chosenHere },
      h('th', { scope: 'row' }, select),
      h('td', { class: 'number' }, variant.wgsl === null ? '' : variant.grid.join(' × ')),
      h(
        'td',
        { class: 'number' },
        found?.timing
          ? duration(found.timing.ms)
          : found?.long
            ? h('span', { class: 'none' }, `skipped, about ${duration(found.long)}`)
            : variant.wgsl === null
              ? ''
              : notMeasured(),
      ),
      h('td', { class: 'number' }, found?.rate ? rateOf(found.rate) : ''),
      h('td', { class: 'number' }, found?.rate ? percent(found.rate.share) : ''),
      h(
        'td',
        { class: 'number' },
        found?.error ? verdict(found.error.right, errorText(found.error.rel)) : '',
      ),
    );
    const why = h('td', { class: 'note' }, `${variant.summary}; ${variant.why}`);
    why.colSpan = columns.length;
    return [line, h('tr', { class: `why ${chosenHere}` }, why)];
  });
  return [
    heading('Variants', h('span', { class: 'note' }, 'in the order in which they are tried; * runs here')),
    h(
      'div',
      { class: 'scroll' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...columns.map(([title, from]) =>
              h(
                'th',
                { scope: 'col', class: title === 'Variant' ? '' : 'number' },
                title,
                from && origin(from),
              ),
            ),
          ),
        ),
        h('tbody', {}, ...rows),
      ),
    ),
    h('p', { class: 'note' }, bound ? `By its cost and this adapter's limits it is bound by ${bound}.` : ''),
  ];
}

/** What is launched, what it costs, what it is bound to. */
export function launchParts(
  { params, from, perStep, buffers, flops, bytes }: Launched,
  constants: Record<string, number>,
): Node[] {
  return [
    heading('Launch'),
    h('p', { class: 'note' }, perStep ? `${from}; ${perStep} like this a step` : from),
    h('p', {}, h('code', {}, listed(params))),
    ...(Object.keys(constants).length > 0
      ? [h('p', {}, 'Override constants: ', h('code', {}, listed(constants)))]
      : []),
    heading('Cost', origin('modelled')),
    h(
      'p',
      {},
      `${flopsOf(flops)}, ${bytesOf(bytes)} that must cross memory, ${Number((flops / bytes).toPrecision(3))} FLOP a byte`,
    ),
    heading('Bindings'),
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...['Binding', 'Name', 'Elements', 'Access'].map((title) => h('th', { scope: 'col' }, title)),
          h('th', { scope: 'col', class: 'number' }, 'Size'),
        ),
      ),
      h(
        'tbody',
        {},
        ...buffers.map(({ name, type, access, length }, i) =>
          h(
            'tr',
            {},
            h('td', {}, i + 1),
            h('th', { scope: 'row' }, h('code', {}, name)),
            h('td', {}, `${length} ${type}`),
            h('td', {}, access),
            h('td', { class: 'number' }, bytesOf(4 * length)),
          ),
        ),
      ),
    ),
  ];
}
