import { h } from '../dom.ts';
import { fixed } from './lesson.ts';

/** The nine numbers of a 3x3 window, a row of it to a line. */
export class Nine {
  readonly element: HTMLTableElement;
  readonly #cells: HTMLTableCellElement[];

  /** @param cells what stands in them, if not text. @param below the table, in a line of its own */
  constructor(caption: string, cells: readonly HTMLElement[] = [], below?: HTMLElement) {
    this.#cells = Array.from({ length: 9 }, (_, i) => h('td', {}, cells[i]));
    this.element = h(
      'table',
      { class: 'window' },
      h('caption', {}, caption),
      ...[0, 1, 2].map((j) => h('tr', {}, ...this.#cells.slice(3 * j, 3 * j + 3))),
    );
    const foot = below && this.element.createTFoot().insertRow();
    foot?.append(h('td', { class: 'total', colspan: 3 }, below));
  }

  show(values: readonly string[]): void {
    this.#cells.forEach((cell, i) => {
      cell.textContent = values[i];
    });
  }

  /** @param values in [0, 1], each on its shade of grey */
  showGrey(values: ArrayLike<number>): void {
    this.show(Array.from(values, (value) => fixed(value, 3)));
    this.#cells.forEach((cell, i) => {
      const grey = Math.round(255 * values[i]);
      cell.style.background = `rgb(${grey} ${grey} ${grey})`;
      cell.style.color = values[i] > 0.5 ? '#000' : '#fff';
    });
  }
}
