// What a view can be set to: a control for each setting, and all of them in the address, `look=depth_2 z_0.5`.
import { putInAddress, readAddress } from '../address.ts';
import { choice, h } from '../dom.ts';
import { notice } from '../notices.ts';

interface Range {
  label: string;
  min: number;
  max: number;
  step: number;
  value: number;
  /** As text, with its unit. */
  show?: (value: number) => string;
}

/** The first is the one at the start. */
interface Choice {
  label: string;
  of: readonly (readonly [value: string, text: string])[];
}

type Spec = Record<string, Range | Choice>;
type Values<S extends Spec> = { [K in keyof S]: S[K] extends Range ? number : string };

/** Milliseconds between changes of the address, at least: browsers refuse to change it at every move of a pointer. */
const PAUSE = 150;
/** Decimal places that the address keeps. */
const PLACES = 4;
/** Between the ends of a range, whole where its steps are. */
function bounded({ min, max, step }: Range, value: number): number {
  const within = Math.min(Math.max(value, min), max);
  return Number.isInteger(step) ? Math.round(within) : Number(within.toFixed(PLACES));
}

export class Settings<S extends Spec> {
  readonly values: Values<S>;
  readonly #view: string;
  readonly #spec: S;
  readonly #changed: () => void;
  #written = Number.NEGATIVE_INFINITY;
  #later: ReturnType<typeof setTimeout> | 0 = 0;
  /** Put a value into the controls that show it. */
  readonly #shown: { [name: string]: ((value: never) => void) | undefined } = {};

  /** @param changed called after every change, also one by `set` or by the address */
  constructor(view: string, spec: S, changed: () => void) {
    this.#view = view;
    this.#spec = spec;
    this.#changed = changed;
    this.values = this.#fromText('');
    this.#follow();
  }

  /** Takes what the address says, if it speaks of this view. */
  read(): void {
    const before = this.#text();
    this.#follow();
    if (this.#text() !== before) this.#changed();
  }

  /** Numbers are kept within their ranges. */
  set(changes: Partial<Values<S>>): void {
    const values = { ...changes };
    for (const name in changes) {
      const one = this.#spec[name];
      if ('min' in one) values[name] = bounded(one, changes[name] as number) as Values<S>[typeof name];
    }
    this.#take(values);
    this.#write();
    this.#changed();
  }

  /** The control of a setting, with its label. */
  control(name: keyof S & string): HTMLElement {
    const one = this.#spec[name];
    return 'min' in one ? this.#slider(name, one) : this.#choice(name, one);
  }

  #slider(name: string, { label, min, max, step, show = String }: Range): HTMLElement {
    const input = h('input', { type: 'range', min, max, step, 'aria-label': label });
    const output = h('output', {});
    this.#showing(name, (value: number) => {
      input.value = String(value);
      output.textContent = show(value);
      input.setAttribute('aria-valuetext', show(value));
    });
    input.addEventListener('input', () =>
      this.set({ [name]: input.valueAsNumber } as unknown as Partial<Values<S>>),
    );
    return h('label', { class: 'knob' }, h('span', {}, label), input, output);
  }

  #choice(name: string, { label, of }: Choice): HTMLElement {
    const select = choice(of, String(this.values[name]), (value) =>
      this.set({ [name]: value } as unknown as Partial<Values<S>>),
    );
    // Without it the name would have the chosen text in it.
    select.setAttribute('aria-label', label);
    this.#showing(name, (value: string) => {
      select.value = value;
    });
    return h('label', { class: 'knob' }, h('span', {}, label), select);
  }

  #showing<V>(name: string, show: (value: V) => void): void {
    this.#shown[name] = show as (value: never) => void;
    show(this.values[name] as V);
  }

  #take(values: Partial<Values<S>>): void {
    Object.assign(this.values, values);
    for (const name in values) this.#shown[name]?.(values[name] as never);
  }

  #follow(): void {
    const { view, look } = readAddress(location.hash).values;
    if (view !== this.#view) return;
    this.#take(this.#fromText(look ?? ''));
    // What meant nothing is told once.
    this.#write();
  }

  #write(): void {
    if (this.#later) return;
    const wait = this.#written + PAUSE - performance.now();
    if (wait > 0) {
      this.#later = setTimeout(() => {
        this.#later = 0;
        if (readAddress(location.hash).values.view === this.#view) this.#write();
      }, wait);
      return;
    }
    this.#written = performance.now();
    putInAddress({ view: this.#view, look: this.#text() || undefined });
  }

  /** What differs from the start. */
  #text(): string {
    const start = this.#start();
    return Object.entries(this.values)
      .filter(([name, value]) => value !== start[name])
      .map(([name, value]) => `${name}_${value}`)
      .join(' ');
  }

  #start(): Values<S> {
    const entries = Object.entries(this.#spec).map(([name, one]) => [
      name,
      'min' in one ? one.value : one.of[0][0],
    ]);
    return Object.fromEntries(entries);
  }

  #fromText(text: string): Values<S> {
    const values: Record<string, number | string> = this.#start();
    for (const item of text.split(' ').filter(Boolean)) {
      const [, name, said] = item.match(/^(\w+?)_(.*)$/) ?? [];
      const one = name && Object.hasOwn(this.#spec, name) ? this.#spec[name] : null;
      const number = Number(said);
      if (one && 'min' in one && said !== '' && number >= one.min && number <= one.max) {
        values[name] = bounded(one, number);
      } else if (one && 'of' in one && one.of.some(([value]) => value === said)) values[name] = said;
      else notice('warning', `the address says '${item}', which the view '${this.#view}' does not know.`);
    }
    return values as Values<S>;
  }
}
