// What a selection chose and why, as one page.
import { html } from './html.ts';
import type { Gallery } from './plan.ts';
import { figure, page } from './report.ts';

/** One self-contained HTML file. @param about one sentence: from what, how. */
export const selectionPage = ({ title, panels }: Gallery, about: string): string =>
  page(title, [
    html`<h1>${title}</h1>`,
    html`<p class="lead">${about}</p>`,
    html`<p>In the order of choice: the first few alone would have been the choice at a smaller budget. Each image stands above its
predicted disparity, near is bright, where a depth network took part.</p>`,
    html`<div class="figures four">${panels.map(figure)}</div>`,
  ]);
