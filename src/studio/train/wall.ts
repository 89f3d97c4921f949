// Pictures of what the networks see: one row a subject, whose pixels can be asked for their values.
import type { RgbImage } from '../../data/types.ts';
import type { Gallery } from '../../train/plan.ts';
import { choice, h } from '../dom.ts';
import type { Prepared } from './protocol.ts';
import { classShares, type Reading, readingOf } from './readings.ts';
import { classSwatch, percent } from './scores.ts';

type Classes = Prepared['classes'];
type Panel = Gallery['panels'][number];

const GAP = 12;
/** Panels that are to be beside each other, at least. */
const BESIDE = 4;
/** Width of a panel, pixels. */
const LARGE_ENOUGH = 240;

function draw(canvas: HTMLCanvasElement, { width, height, data }: RgbImage): void {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let from = 0, to = 0; to < pixels.data.length; from += 3, to += 4) {
    pixels.data[to] = data[from];
    pixels.data[to + 1] = data[from + 1];
    pixels.data[to + 2] = data[from + 2];
    pixels.data[to + 3] = 255;
  }
  canvas.getContext('2d')!.putImageData(pixels, 0, 0);
}

const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Shown {
  panel: Panel;
  reading: Reading;
  canvas: HTMLCanvasElement;
  marker: HTMLElement;
}

/** What a gallery is about, and which of its kind it is: `Depth: val/000/01`, `DepthMix 2`. */
function parts(title: string): { subject: string; which: string } {
  const match = /^(.*?)(?:: | (?=\d+$))(.*)$/.exec(title);
  return match ? { subject: match[1], which: match[2] } : { subject: title, which: '' };
}

/** Galleries of one subject, of which one is shown. */
class Row {
  readonly root: HTMLElement;
  readonly #classes: Classes;
  readonly #which: HTMLElement;
  readonly #panels = h('div', { class: 'panels' });
  readonly #legend = h('ul', { class: 'legend', 'aria-label': 'Classes' });
  readonly #readout = h('p', { class: 'readout', role: 'status' });
  #shown: Shown[] = [];
  #galleries: Gallery[] = [];
  #at = 0;
  #pixel: { x: number; y: number } | null = null;

  constructor(
    readonly subject: string,
    classes: Classes,
  ) {
    this.#classes = classes;
    this.#which = h('span', {});
    this.root = h(
      'section',
      { class: 'wall-row', 'aria-label': subject },
      h('div', { class: 'head' }, h('h3', {}, subject), this.#which, this.#readout),
      this.#panels,
      this.#legend,
    );
  }

  put(galleries: Gallery[]): void {
    const names = galleries.map(({ title }) => parts(title).which);
    if (names.join() !== this.#galleries.map(({ title }) => parts(title).which).join()) {
      this.#at = Math.min(this.#at, galleries.length - 1);
      const select = choice(
        names.map((name, i) => [String(i), name] as const),
        String(this.#at),
        (value) => {
          this.#at = Number(value);
          this.#pixel = null;
          this.#show();
        },
      );
      select.setAttribute('aria-label', `Which picture: ${this.subject}`);
      this.#which.replaceChildren(...(galleries.length > 1 ? [select] : []));
    }
    this.#galleries = galleries;
    this.#show();
  }

  #show(): void {
    const { panels } = this.#galleries[this.#at];
    // Focus and the place of the reader stay where they are while pictures are renewed.
    if (panels.map(({ title }) => title).join() !== this.#shown.map(({ panel }) => panel.title).join()) {
      this.#shown = panels.map((panel) => this.#panel(panel, panels));
      this.#panels.replaceChildren(
        ...this.#shown.map(({ panel, canvas, marker }) =>
          h(
            'figure',
            { class: 'panel' },
            h('div', { class: 'frame' }, canvas, marker),
            h('figcaption', {}, h('b', {}, panel.title), ' ', panel.caption),
          ),
        ),
      );
    }
    for (const [i, shown] of this.#shown.entries()) {
      shown.panel = panels[i];
      shown.reading = readingOf(panels[i], panels, this.#classes);
      draw(shown.canvas, panels[i].image);
      shown.canvas.setAttribute(
        'aria-label',
        `${panels[i].title}: ${shown.reading.summary}. Arrow keys read single pixels.`,
      );
    }
    this.fit();
    this.#putLegend();
    this.#read();
  }

  #panel(panel: Panel, row: readonly Panel[]): Shown {
    const canvas = h('canvas', { class: 'pixels', role: 'img', tabindex: 0 });
    const marker = h('i', { class: 'marker', 'aria-hidden': 'true', hidden: true });
    const inside = (x: number, y: number) => ({
      x: Math.min(Math.max(x, 0), canvas.width - 1),
      y: Math.min(Math.max(y, 0), canvas.height - 1),
    });
    const move = (pixel: { x: number; y: number } | null) => {
      this.#pixel = pixel;
      this.#read(canvas);
    };
    canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => {
      const across = canvas.width / canvas.clientWidth;
      move(inside(Math.floor(offsetX * across), Math.floor(offsetY * across)));
    });
    canvas.addEventListener('pointerleave', () => move(null));
    canvas.addEventListener('blur', () => move(null));
    canvas.addEventListener('keydown', (event) => {
      const by = ARROWS[event.key];
      if (!by) return;
      event.preventDefault();
      const stride = event.shiftKey ? 8 : 1;
      const from = this.#pixel ?? { x: canvas.width >> 1, y: canvas.height >> 1 };
      move(this.#pixel ? inside(from.x + stride * by[0], from.y + stride * by[1]) : from);
    });
    return { panel, reading: readingOf(panel, row, this.#classes), canvas, marker };
  }

  /** Says what is at the chosen pixel, in the panel that is looked at and in those of its classes. */
  #read(at?: HTMLCanvasElement): void {
    const pixel = this.#pixel;
    const looked = this.#shown.find(({ canvas }) => canvas === (at ?? document.activeElement));
    for (const { canvas, marker, panel } of this.#shown) {
      const same = looked && panel.image.width === looked.panel.image.width;
      marker.hidden = !pixel || !same;
      if (!pixel || !same) continue;
      const scale = canvas.clientWidth / canvas.width;
      marker.style.left = `${(pixel.x + 0.5) * scale}px`;
      marker.style.top = `${(pixel.y + 0.5) * scale}px`;
    }
    if (!pixel || !looked) {
      this.#readout.textContent = '';
      return;
    }
    const { x, y } = pixel;
    const others = this.#shown.filter(({ reading, panel }) => {
      const { width, height } = looked.panel.image;
      return (
        reading !== looked.reading &&
        reading.labels !== null &&
        panel.image.width === width &&
        panel.image.height === height
      );
    });
    this.#readout.textContent = [
      `x ${x}, y ${y}`,
      ...[looked, ...others].map(({ panel, reading }) => `${panel.title}: ${reading.at(x, y)}`),
    ].join(' · ');
  }

  #putLegend(): void {
    const labelled = this.#shown.filter(({ reading }) => reading.labels !== null);
    const shares = labelled.map(({ reading }) => classShares(reading.labels!, this.#classes.length));
    const present = this.#classes
      .map((one, k) => ({ ...one, shares: shares.map((share) => share[k]) }))
      .filter((one) => one.shares.some((share) => share > 0));
    this.#legend.hidden = present.length === 0;
    const which = labelled.map(({ panel }) => panel.title).join(' / ');
    this.#legend.replaceChildren(
      h('li', { class: 'note' }, `Share of the pixels, ${which}:`),
      ...present.map(({ name, color, shares }) =>
        h(
          'li',
          {},
          classSwatch(color),
          `${name} `,
          h('span', { class: 'note' }, shares.map(percent).join(' / ')),
        ),
      ),
    );
  }

  /** Enlarges by whole factors: as far as the row holds all panels where they are large enough, or some otherwise. */
  fit(): void {
    const total = this.#panels.clientWidth + GAP;
    for (const { canvas } of this.#shown) {
      const scale = (beside: number) => Math.max(1, Math.floor((total / beside - GAP) / canvas.width));
      const all = scale(Math.max(BESIDE, this.#shown.length));
      const chosen = all * canvas.width >= LARGE_ENOUGH ? all : scale(BESIDE);
      canvas.style.width = `${canvas.width * chosen}px`;
    }
  }
}

export class Wall {
  readonly root: HTMLElement;
  readonly #place = h('div', {});
  readonly #when = h('span', { class: 'note' });
  #rows = new Map<string, Row>();

  /** @param controls that ask for pictures */
  constructor(...controls: HTMLElement[]) {
    this.root = h(
      'section',
      { class: 'wall', 'aria-label': 'Pictures' },
      h('div', { class: 'head' }, h('h2', {}, 'Pictures'), this.#when, ...controls),
      this.#place,
    );
    new ResizeObserver(() => {
      for (const row of this.#rows.values()) row.fit();
    }).observe(this.#place);
    this.reset();
  }

  reset(): void {
    this.#rows = new Map();
    this.#when.textContent = '';
    this.#place.replaceChildren(
      h(
        'p',
        { class: 'note empty' },
        'What the networks see is drawn while they train. Hover, or focus and arrow keys, read pixels.',
      ),
    );
  }

  async put(galleries: readonly Gallery[], classes: Classes, step: number): Promise<void> {
    const rows = this.#rows;
    if (rows.size === 0) this.#place.replaceChildren();
    this.#when.textContent = `after step ${step}`;
    const groups = new Map<string, Gallery[]>();
    for (const gallery of galleries) {
      const { subject } = parts(gallery.title);
      groups.set(subject, [...(groups.get(subject) ?? []), gallery]);
    }
    for (const [subject, group] of groups) {
      let row = rows.get(subject);
      if (!row) {
        row = new Row(subject, classes);
        rows.set(subject, row);
        this.#place.append(row.root);
      }
      row.put(group);
      // Large pictures take their time: the page may answer its user between two rows.
      await new Promise((resolve) => setTimeout(resolve));
      if (rows !== this.#rows) return;
    }
  }
}
