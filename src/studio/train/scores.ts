// How good the networks are: IoU of every class, and errors of depth.

import type { DepthEvaluation, SegmentationEvaluation } from '../../train/evaluate.ts';
import type { DepthScores } from '../../train/metrics.ts';
import type { Outcome } from '../../train/plan.ts';
import { h } from '../dom.ts';
import type { Prepared } from './protocol.ts';

type Classes = Prepared['classes'];

export const cssColor = ([r, g, b]: readonly number[]): string => `rgb(${r} ${g} ${b})`;

/** A class as legends show it. */
export function classSwatch(color: readonly number[]): HTMLElement {
  const swatch = h('span', { class: 'swatch' });
  swatch.style.background = cssColor(color);
  return swatch;
}

/** With one digit; what is less than that shows is not nothing. */
export const percent = (share: number): string =>
  share > 0 && share < 5e-4 ? '<0.1 %' : `${(100 * share).toFixed(1)} %`;

function iouTable({ scores, shares }: SegmentationEvaluation, classes: Classes): HTMLElement {
  const rows = classes.map(({ name, color }, k) => {
    const iou = scores.iou[name];
    const bar = h('div', { class: 'bar', 'aria-hidden': 'true' }, h('i', {}));
    const fill = bar.firstChild as HTMLElement;
    fill.style.width = `${100 * (iou ?? 0)}%`;
    return h(
      'tr',
      iou === null
        ? { class: 'absent', title: 'The labels have no such pixel: not scored, not in the mean' }
        : {},
      h('th', { scope: 'row' }, classSwatch(color), name),
      h('td', { class: 'number' }, iou === null ? 'n/a' : percent(iou)),
      h('td', { class: 'bars' }, iou === null ? null : bar),
      h('td', { class: 'number' }, percent(shares[k])),
    );
  });
  return h(
    'table',
    { class: 'iou' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, 'Class'),
        h('th', { scope: 'col', class: 'number' }, 'IoU'),
        h('td', {}),
        h('th', { scope: 'col', class: 'number' }, 'Of the pixels'),
      ),
    ),
    h('tbody', {}, ...rows),
  );
}

function depthTable({ ours, mirrored, constant, roadPlane }: DepthEvaluation): HTMLElement {
  const row = (name: string, scores: DepthScores | null | undefined) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      ...(['absRel', 'rmse', 'a1'] as const).map((key) =>
        h('td', { class: 'number' }, scores ? scores[key].toFixed(3) : 'n/a'),
      ),
    );
  return h(
    'table',
    { class: 'depth' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, 'Depth'),
        ...['abs rel', 'rmse, m', 'within 25 %'].map((name) =>
          h('th', { scope: 'col', class: 'number' }, name),
        ),
      ),
    ),
    h(
      'tbody',
      {},
      row('this network', ours),
      row('mean with the mirror image', mirrored),
      row('best flat road, no picture', roadPlane?.scores),
      row('best constant, no picture', constant?.scores),
    ),
  );
}

export class Scores {
  readonly root: HTMLElement;
  readonly #place = h('div', { class: 'score-tables' });
  readonly #when = h('span', { class: 'note' });

  /** @param button that asks for scores */
  constructor(button: HTMLButtonElement) {
    this.root = h(
      'section',
      { class: 'scores', 'aria-label': 'Scores' },
      h('div', { class: 'head' }, h('h2', {}, 'Scores'), this.#when, button),
      this.#place,
    );
    this.reset();
  }

  reset(): void {
    this.#when.textContent = '';
    this.#place.replaceChildren(
      h(
        'p',
        { class: 'note empty' },
        'On images that are not trained on: when training pauses, at the end, or now.',
      ),
    );
  }

  put({ segmentation, depth }: Outcome, classes: Classes, step: number): void {
    this.#when.textContent = `after step ${step}`;
    this.#place.replaceChildren();
    if (segmentation) {
      const { miou, pixelAcc } = segmentation.scores;
      this.#place.append(
        h(
          'div',
          {},
          h(
            'p',
            { class: 'headline' },
            h('b', {}, miou === null ? 'n/a' : percent(miou)),
            ' mIoU, ',
            h('b', {}, pixelAcc === null ? 'n/a' : percent(pixelAcc)),
            ' of the pixels right',
          ),
          iouTable(segmentation, classes),
        ),
      );
    }
    if (depth) this.#place.append(h('div', {}, depthTable(depth)));
  }
}
