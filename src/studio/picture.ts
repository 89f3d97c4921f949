// Pictures of pixels with one cursor: what is under the pointer or chosen by keys is told as text and marked in all of them.
import type { RgbImage } from '../data/types.ts';
import { h } from './dom.ts';

/** A rectangle of pixels. */
export interface Spot {
  x: number;
  y: number;
  width?: number;
  height?: number;
}

interface GroupOptions {
  /** What is drawn first may have another size; until then there is room for this one. */
  width: number;
  height: number;
  /** What is at a pixel, as text; the line below the pictures. */
  describe(x: number, y: number): string;
  /** A pixel was chosen, by a click or by keys. */
  onPixel?(x: number, y: number): void;
}

interface PictureOptions {
  /** Dragged, or moved by arrow keys, by so many pixels of the picture; without it arrow keys choose pixels. */
  onMove?(dx: number, dy: number, shift: boolean): void;
}

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
/** Pixels that an arrow key moves by with Shift. */
const FAR = 8;

/** Pictures of one size that share a cursor and a line of text. */
export class Pictures {
  /** What is at the cursor. */
  readonly readout = h('output', { class: 'readout', 'aria-live': 'polite' });
  readonly #options: GroupOptions;
  readonly #pictures: Picture[] = [];
  #chosen: { x: number; y: number } | null = null;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  /** @param title shown below the picture */
  add(title: string, options: PictureOptions = {}): Picture {
    const picture = new Picture(title, this.#options, {
      ...options,
      onHover: (at) => this.#show(at ?? this.#chosen),
      onChoose: (x, y) => this.#choose(x, y),
      cursor: () => this.#chosen,
    });
    this.#pictures.push(picture);
    return picture;
  }

  /** Puts the cursor somewhere and tells nobody. */
  moveTo(x: number, y: number): void {
    this.#chosen = { x, y };
    this.#show(this.#chosen);
  }

  /** Tells anew what is at the cursor, after the pictures have changed. */
  refresh(): void {
    this.#show(this.#chosen);
  }

  #choose(x: number, y: number): void {
    this.moveTo(x, y);
    this.#options.onPixel?.(x, y);
  }

  #show(at: { x: number; y: number } | null): void {
    this.readout.textContent = at ? this.#options.describe(at.x, at.y) : '';
    for (const picture of this.#pictures) picture.mark('cursor', at ? [at] : []);
  }
}

interface Wiring extends PictureOptions {
  onHover(at: { x: number; y: number } | null): void;
  onChoose(x: number, y: number): void;
  cursor(): { x: number; y: number } | null;
}

/** A canvas with a pixel for each of the image, enlarged, and marks above it. Made by `Pictures.add`. */
export class Picture {
  readonly figure: HTMLElement;
  readonly canvas = h('canvas', { class: 'pixels', role: 'img', tabindex: 0 });
  /** Around the canvas, as wide as the picture is shown. */
  readonly frame = h('div', { class: 'frame' }, this.canvas);
  readonly #title: string;
  readonly #marks = new Map<string, HTMLElement[]>();

  constructor(title: string, { width, height }: { width: number; height: number }, wiring: Wiring) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.#title = title;
    this.canvas.setAttribute('aria-label', title);
    this.figure = h('figure', { class: 'picture' }, this.frame, h('figcaption', {}, title));
    this.#wire(wiring);
  }

  /** @param seen what the picture shows, for those who do not see it; added to the title */
  draw({ width, height, data }: RgbImage, seen = ''): void {
    const { canvas } = this;
    canvas.width = width;
    canvas.height = height;
    const pixels = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = data[3 * i + c];
      pixels.data[4 * i + 3] = 255;
    }
    canvas.getContext('2d')!.putImageData(pixels, 0, 0);
    canvas.setAttribute('aria-label', seen ? `${this.#title}: ${seen}` : this.#title);
  }

  /** Frames pixels; what was marked under this name before is no longer. */
  mark(name: string, spots: readonly Spot[]): void {
    for (const old of this.#marks.get(name) ?? []) old.remove();
    const { width, height } = this.canvas;
    const made = spots.map((spot) => {
      const box = h('div', { class: `mark ${name}`, 'aria-hidden': 'true' });
      box.style.left = `${(100 * spot.x) / width}%`;
      box.style.top = `${(100 * spot.y) / height}%`;
      box.style.width = `${(100 * (spot.width ?? 1)) / width}%`;
      box.style.height = `${(100 * (spot.height ?? 1)) / height}%`;
      return box;
    });
    this.#marks.set(name, made);
    this.frame.append(...made);
  }

  #pixelAt({ clientX, clientY }: MouseEvent): { x: number; y: number } | null {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const x = Math.floor(((clientX - left) / width) * this.canvas.width);
    const y = Math.floor(((clientY - top) / height) * this.canvas.height);
    return x >= 0 && y >= 0 && x < this.canvas.width && y < this.canvas.height ? { x, y } : null;
  }

  #wire({ onMove, onHover, onChoose, cursor }: Wiring): void {
    const { canvas } = this;
    canvas.addEventListener('pointermove', (event) => {
      if (onMove && event.buttons & 1) {
        const scale = canvas.width / canvas.getBoundingClientRect().width;
        onMove(event.movementX * scale, event.movementY * scale, event.shiftKey);
      } else onHover(this.#pixelAt(event));
    });
    canvas.addEventListener('pointerleave', () => onHover(null));
    if (onMove) {
      canvas.classList.add('movable');
      canvas.addEventListener('pointerdown', ({ pointerId }) => canvas.setPointerCapture(pointerId));
    } else {
      canvas.addEventListener('click', (event) => {
        const at = this.#pixelAt(event);
        if (at) onChoose(at.x, at.y);
      });
    }
    canvas.addEventListener('keydown', (event) => {
      const by = ARROWS[event.key];
      if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      if (onMove) {
        onMove(...by, event.shiftKey);
        return;
      }
      const step = event.shiftKey ? FAR : 1;
      const at = cursor() ?? { x: Math.floor(canvas.width / 2), y: Math.floor(canvas.height / 2) };
      const within = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1);
      onChoose(within(at.x + step * by[0], canvas.width), within(at.y + step * by[1], canvas.height));
    });
  }
}
