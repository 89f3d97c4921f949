// One kernel: what it computes, its variants from fast to naive, measured, and its WGSL, which can be edited and run.
import { TOLERANCE } from '../../cli/check-case.ts';
import { putInAddress } from '../address.ts';
import { button, h } from '../dom.ts';
import { report } from '../notices.ts';
import { changedLines, Editor } from './editor.ts';
import { MOST_TURNS } from './guard.ts';
import { type Lab, wasTold } from './lab.ts';
import type { Found, KernelFacts, Launched, Message, Place, Ran, VariantFacts } from './protocol.ts';
import type { Settings } from './settings.ts';
import {
  bytesOf,
  duration,
  errorText,
  flopsOf,
  notMeasured,
  type Origin,
  origin,
  percent,
  rateOf,
  verdict,
} from './show.ts';

/** Lines of what is wrong that are shown. */
const MOST_WRONG = 3;

const listed = (values: Record<string, number>): string =>
  Object.entries(values)
    .map((pair) => pair.join('='))
    .join(' ');

const columns: readonly (readonly [title: string, origin?: Origin])[] = [
  ['Variant'],
  ['Workgroups'],
  ['Time', 'measured'],
  ['Rate', 'modelled / measured'],
  ['Of limit', 'modelled / measured'],
  ['Error', 'measured'],
];

const head = (title: string, ...more: (Node | string)[]) => h('h3', {}, title, ' ', ...more);

export class KernelView {
  readonly element = h('article', { class: 'kernel' });
  readonly #lab: Lab;
  readonly #settings: Settings;
  readonly #about = h('header', {});
  readonly #status = h('p', { class: 'note status', role: 'status' });
  readonly #ladder = h('div', {});
  readonly #launch = h('div', {});
  readonly #result = h('div', { class: 'result', role: 'status', 'aria-label': 'Result of the run' });
  readonly #changed = h('span', { class: 'note' });
  readonly #title = h('h3', {});
  readonly #run = button('Run', () => this.#runText(), { class: 'primary', title: 'Ctrl-Enter in the text' });
  readonly #reset = button('Reset', () => this.#editor.replace(this.#original));
  readonly #editor = new Editor(
    () => this.#runText(),
    () => this.#edited(),
  );
  /** Edited texts by kernel, variant and the original. */
  readonly #texts = new Map<string, string>();
  #kernel: KernelFacts | null = null;
  #place: Place | null = null;
  #launched: Launched | null = null;
  #variant: VariantFacts | null = null;
  #found = new Map<string, Found>();
  #visits = 0;

  /** @param back shows the table */
  constructor(lab: Lab, settings: Settings, back: () => void) {
    this.#lab = lab;
    this.#settings = settings;
    this.element.append(
      h('div', { class: 'top' }, this.#about, button('← All kernels', back)),
      h(
        'div',
        { class: 'bench' },
        h(
          'section',
          { class: 'text', 'aria-label': 'WGSL' },
          h('div', { class: 'bar' }, this.#title, this.#changed, this.#reset, this.#run),
          this.#editor.element,
        ),
        h(
          'section',
          { class: 'facts', 'aria-label': 'Numbers' },
          this.#status,
          this.#result,
          this.#ladder,
          this.#launch,
        ),
      ),
    );
  }

  /** @param wanted looks at a launch that this variant can run. */
  async show(kernel: KernelFacts, wanted: string | null): Promise<void> {
    const { preset } = this.#settings;
    const place: Place = { kernel: kernel.name, preset, variant: wanted };
    const before = this.#place;
    if (before?.kernel === place.kernel && before.preset === preset && this.#shows(wanted)) return;
    const visit = ++this.#visits;
    const here = () => visit === this.#visits;
    this.#kernel = kernel;
    this.#place = place;
    this.#launched = this.#variant = null;
    this.#found = new Map();
    const { family, name, summary, formula, source } = kernel;
    this.#about.replaceChildren(
      h('h2', {}, name, ' ', h('span', { class: 'quiet' }, summary)),
      h('p', { class: 'formula' }, h('code', {}, formula)),
      h('p', { class: 'note' }, `after: ${source}; files: kernels/${family}.ts, shaders/${family}.wgsl.ts`),
    );
    for (const part of [this.#ladder, this.#launch, this.#result]) part.replaceChildren();
    this.#run.disabled = this.#reset.disabled = true;
    this.#title.textContent = 'WGSL';
    this.#editor.show(`WGSL of ${name}`, '');
    this.#changed.textContent = '';
    this.#status.textContent = 'A training step is run up to this kernel, for its inputs …';
    try {
      const launched = await this.#lab.call('look', place);
      if (!here()) return;
      this.#launched = launched;
      this.#choose(launched.variants.find((one) => one.name === (wanted ?? launched.chosen))!);
      this.#showLaunch();
      this.#showLadder();
      await this.#measure(here);
      if (here()) this.#status.textContent = '';
    } catch (error) {
      if (!wasTold(error)) report(error);
      if (!here()) return;
      this.#place = null;
      this.#status.textContent = 'Not all of it was measured. Open the kernel again to go on.';
    }
  }

  /** True where this variant is shown already, or will be. */
  #shows(wanted: string | null): boolean {
    return wanted === this.#place!.variant || wanted === this.#variant?.name;
  }

  /** Ends the measuring of the ladder. */
  leave(): void {
    this.#visits += 1;
    this.#place = null;
  }

  async #measure(here: () => boolean): Promise<void> {
    this.#status.textContent = 'Measuring what this adapter can do at most …';
    const limits = await this.#settings.limits();
    for (const { name } of this.#launched!.variants) {
      if (!here()) return;
      this.#status.textContent = `Measuring ${name} …`;
      this.#found.set(name, await this.#lab.call('variant', this.#place!, name, limits, this.#settings.long));
      if (here()) this.#showLadder();
    }
  }

  #choose(variant: VariantFacts): void {
    if (variant.wgsl === null) {
      putInAddress({ variant: variant.name });
      void this.show(this.#kernel!, variant.name);
      return;
    }
    this.#variant = variant;
    this.#title.textContent = `WGSL of ${this.#kernel!.name}/${variant.name}, as compiled`;
    this.#editor.show(`WGSL of ${this.#kernel!.name}`, this.#texts.get(this.#key) ?? variant.wgsl);
    this.#result.replaceChildren();
    this.#run.disabled = false;
    this.#edited();
  }

  get #original(): string {
    return this.#variant?.wgsl ?? '';
  }

  get #key(): string {
    return `${this.#kernel!.name}/${this.#variant!.name}\n${this.#original}`;
  }

  /** Takes note of the text as it is now. */
  #edited(): void {
    if (!this.#variant) return;
    const { text } = this.#editor;
    const lines = text === this.#original ? 0 : changedLines(this.#original, text);
    if (text === this.#original) this.#texts.delete(this.#key);
    else this.#texts.set(this.#key, text);
    this.#reset.disabled = text === this.#original;
    this.#changed.textContent =
      lines === 0 ? 'unchanged' : `${lines} ${lines === 1 ? 'line' : 'lines'} changed`;
  }

  #showLadder(): void {
    const { variants, chosen } = this.#launched!;
    const bound = [...this.#found.values()].find(({ rate }) => rate)?.rate?.bound;
    const rows = variants.flatMap((variant) => {
      const found = this.#found.get(variant.name);
      const select = button(
        variant.name === chosen ? `${variant.name} *` : variant.name,
        () => {
          putInAddress({ variant: variant.name });
          this.#choose(variant);
          this.#showLadder();
        },
        { class: 'name', 'aria-pressed': String(variant === this.#variant), title: variant.summary },
      );
      const chosenHere = variant === this.#variant ? 'chosen' : '';
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
          found?.error == null ? '' : verdict(found.error <= TOLERANCE, errorText(found.error)),
        ),
      );
      const why = h('td', { class: 'note' }, `${variant.summary}; ${variant.why}`);
      why.colSpan = columns.length;
      return [line, h('tr', { class: `why ${chosenHere}` }, why)];
    });
    this.#ladder.replaceChildren(
      head('Variants', h('span', { class: 'note' }, 'in the order in which they are tried; * runs here')),
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
      h(
        'p',
        { class: 'note' },
        bound ? `By its cost and this adapter's limits it is bound by ${bound}.` : '',
      ),
    );
  }

  #showLaunch(): void {
    const { params, from, perStep, buffers, flops, bytes } = this.#launched!;
    const constants = this.#variant?.constants ?? {};
    this.#launch.replaceChildren(
      head('Launch'),
      h('p', { class: 'note' }, perStep ? `${from}; ${perStep} like this a step` : from),
      h('p', {}, h('code', {}, listed(params))),
      ...(Object.keys(constants).length > 0
        ? [h('p', {}, 'Override constants: ', h('code', {}, listed(constants)))]
        : []),
      head('Cost', origin('modelled')),
      h(
        'p',
        {},
        `${flopsOf(flops)}, ${bytesOf(bytes)} that must cross memory, ${Number((flops / bytes).toPrecision(3))} FLOP a byte`,
      ),
      head('Bindings'),
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
    );
  }

  async #runText(): Promise<void> {
    if (this.#run.disabled || !this.#place || !this.#variant) return;
    const [place, { name }, text] = [this.#place, this.#variant, this.#editor.text];
    const key = this.#key;
    this.#run.disabled = true;
    this.#editor.mark([]);
    this.#result.replaceChildren(head('Run'), h('p', {}, 'Running …'));
    try {
      const limits = await this.#settings.limits();
      const ran = await this.#lab.run(place, name, text, limits, this.#settings.long);
      if (this.#variant && key === this.#key) this.#showRun(ran, text === this.#original);
    } catch (error) {
      if (!wasTold(error)) report(error);
      const why = (error as Error).message;
      this.#result.replaceChildren(
        head('Run'),
        h('p', {}, verdict(false, `It did not come back: ${why}. The text is kept; Run tries it again.`)),
      );
    } finally {
      this.#run.disabled = this.#variant === null;
    }
  }

  #showRun(ran: Ran, same: boolean): void {
    this.#editor.mark(ran.messages);
    const errors = ran.messages.filter(({ type }) => type === 'error').length;
    this.#result.replaceChildren(
      head('Run', h('span', { class: 'note' }, same ? 'the text as it was' : 'the edited text')),
      ...(errors > 0 ? [h('p', {}, verdict(false, 'The compiler refused it; nothing ran.'))] : []),
      ...(ran.messages.length > 0
        ? [h('ul', { class: 'messages' }, ...ran.messages.map((one) => this.#message(one)))]
        : []),
      ...(ran.failed === null
        ? []
        : [h('p', {}, verdict(false, 'It did not run to its end.')), h('pre', {}, ran.failed)]),
      ...(ran.stopped
        ? [
            h(
              'p',
              {},
              verdict(
                false,
                `Stopped: a loop turned more than ${MOST_TURNS.toLocaleString('en')} times in one invocation and was taken for ` +
                  'endless. On its own it would have held the GPU, and every page with it.',
              ),
            ),
          ]
        : []),
      ...(errors === 0 && !ran.stopped && (ran.failed === null || ran.reference)
        ? this.#comparison(ran)
        : []),
      ...(ran.timing ? [this.#race(ran.timing)] : []),
    );
  }

  #message({ type, line, column, text }: Message): HTMLLIElement {
    return h(
      'li',
      {},
      button(`line ${line}, column ${column}`, () => this.#editor.goTo(line, column), { class: 'name' }),
      ` ${type}: ${text}`,
    );
  }

  #comparison({ reference, unedited, long }: Ran): Node[] {
    const lines: Node[] = [];
    if (reference) {
      const { error, sizes, at, wrong } = reference;
      const right = error <= TOLERANCE && wrong.length === 0;
      const where =
        at === 'check' ? `${sizes} ${sizes === 1 ? 'size' : 'sizes'} of warpmix check` : 'this launch';
      lines.push(
        h(
          'p',
          {},
          verdict(
            right,
            `error against the reference ${errorText(error)}, at ${where}: ` +
              (right ? `within ${TOLERANCE}` : `fails, at most ${TOLERANCE} is allowed`),
          ),
          ' ',
          origin('measured'),
        ),
        ...wrong.slice(0, MOST_WRONG).map((line) => h('p', { class: 'note' }, line)),
      );
    } else {
      lines.push(
        h(
          'p',
          {},
          'Error against the reference: ',
          notMeasured(),
          '; the text fits no size of warpmix check, and at this launch its plain loops would take too long.',
        ),
      );
    }
    if (long !== null) {
      lines.push(
        h(
          'p',
          {},
          `At this launch it did not run: about ${duration(long)} in one dispatch, `,
          origin('modelled'),
          " and a GPU watchdog may end it. The box 'run it too' allows it.",
        ),
      );
    }
    if (unedited !== null) {
      lines.push(
        h(
          'p',
          {},
          verdict(
            unedited <= TOLERANCE,
            `difference from the unedited kernel ${errorText(unedited)}, at this launch`,
          ),
          ' ',
          origin('measured'),
        ),
      );
    }
    return lines;
  }

  #race({ edited, original }: NonNullable<Ran['timing']>): HTMLElement {
    const ratio = edited.ms / original.ms;
    return h(
      'p',
      { class: 'race' },
      h('b', {}, duration(edited.ms)),
      ' edited, ',
      h('b', {}, duration(original.ms)),
      ' as it was: ',
      h('b', {}, `ratio ${ratio.toPrecision(3)}`),
      ' ',
      origin('measured'),
      h(
        'span',
        { class: 'note' },
        ` in turns, medians of ${edited.samples} samples of ${edited.repeats} ${edited.repeats === 1 ? 'dispatch' : 'dispatches'}`,
      ),
    );
  }
}
