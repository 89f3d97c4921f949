import { paint, type Rgb } from '../../data/paint.ts';
import type { ClassInfo, RgbImage } from '../../data/types.ts';
import { h } from '../dom.ts';

const BELOW: Rgb = [33, 102, 172];
const ZERO: Rgb = [247, 247, 247];
const ABOVE: Rgb = [178, 24, 43];

/** Blue below zero, white at it, red above; `most` and beyond is full colour. */
export function signedColour(value: number, most: number): Rgb {
  const share = most > 0 ? Math.min(Math.abs(value) / most, 1) : 0;
  const end = value < 0 ? BELOW : ABOVE;
  return [0, 1, 2].map((c) => Math.round(ZERO[c] + share * (end[c] - ZERO[c]))) as unknown as Rgb;
}

/** @param values [height, width] */
export const signedPicture = (
  values: ArrayLike<number>,
  width: number,
  height: number,
  most: number,
): RgbImage => paint(width, height, (i) => signedColour(values[i], most));

/** The size that all but one in fifty values stay below: a few large ones would leave the others white. */
export function typicalSize(values: ArrayLike<number>): number {
  const sizes = Float64Array.from(values, Math.abs).sort();
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || sizes[sizes.length - 1];
}

/** What the colours of `signedPicture` mean. */
export class SignedLegend {
  readonly element: HTMLElement;
  readonly #least = h('span', {});
  readonly #most = h('span', {});

  constructor() {
    this.element = h(
      'div',
      { class: 'signed-legend' },
      this.#least,
      h('i', { class: 'ramp', 'aria-hidden': 'true' }),
      this.#most,
    );
  }

  /** @param most in full colour. @param show with its unit */
  update(most: number, show: (value: number) => string): void {
    this.#least.textContent = `blue ${show(-most)}`;
    this.#most.textContent = `red ${show(most)}`;
  }
}

/** The classes that fill most of a picture, in words. */
export function classesInWords(classes: readonly ClassInfo[], labels: ArrayLike<number>): string {
  const counts = new Map<number, number>();
  for (const id of Array.from(labels)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 5)
    .map(([id, count]) => `${classes[id]?.name ?? 'void'} ${Math.round((100 * count) / labels.length)} %`)
    .join(', ');
}

/** Names beside colours, of the classes that occur. */
export function classLegend(classes: readonly ClassInfo[], labels: ArrayLike<number>): HTMLElement {
  const seen = new Set(Array.from(labels));
  return h(
    'ul',
    { class: 'class-legend', 'aria-label': 'Classes in the picture' },
    ...classes
      .filter(({ id }) => seen.has(id))
      .map(({ name, color }) => {
        const swatch = h('i', { class: 'swatch' });
        swatch.style.background = `rgb(${color.join(' ')})`;
        return h('li', {}, swatch, name);
      }),
    seen.has(255) && h('li', {}, h('i', { class: 'swatch void' }), 'void: no label'),
  );
}
