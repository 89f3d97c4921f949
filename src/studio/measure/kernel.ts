// One kernel: what it computes, its variants from fast to naive, measured, and its WGSL, which can be edited and run.
import { putInAddress } from '../address.ts';
import { button, h } from '../dom.ts';
import { report } from '../notices.ts';
import { changedLines, Editor } from './editor.ts';
import { type Lab, wasTold } from './lab.ts';
import { ladderParts, launchParts } from './ladder.ts';
import type { Found, KernelFacts, Launched, Place, VariantFacts } from './protocol.ts';
import { runParts } from './result.ts';
import type { Settings } from './settings.ts';
import { heading, verdict } from './show.ts';

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
  /** Something went wrong before all was measured. */
  #failed = false;

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
    const same = before?.kernel === place.kernel && before.preset === preset && this.#shows(wanted);
    if (same && !this.#failed) return;
    this.#failed = false;
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
      this.#showLadder();
      await this.#measure(here);
      if (here()) this.#status.textContent = '';
    } catch (error) {
      if (!wasTold(error)) report(error);
      if (!here()) return;
      this.#failed = true;
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
    if (variant.wgsl === null && variant.name === this.#place!.variant) {
      this.#title.textContent = `${variant.name} ${variant.why}`;
      return;
    }
    if (variant.wgsl === null) {
      putInAddress({ variant: variant.name });
      void this.show(this.#kernel!, variant.name);
      return;
    }
    this.#variant = variant;
    this.#title.textContent = `WGSL of ${this.#kernel!.name}/${variant.name}, as compiled`;
    this.#editor.show(`WGSL of ${this.#kernel!.name}`, this.#texts.get(this.#key) ?? variant.wgsl);
    this.#launch.replaceChildren(...launchParts(this.#launched!, variant.constants));
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
    const choose = (variant: VariantFacts) => {
      putInAddress({ variant: variant.name });
      this.#choose(variant);
      this.#showLadder();
    };
    this.#ladder.replaceChildren(...ladderParts(this.#launched!, this.#found, this.#variant, choose));
  }

  async #runText(): Promise<void> {
    if (this.#run.disabled || !this.#place || !this.#variant) return;
    const [place, { name }, text] = [this.#place, this.#variant, this.#editor.text];
    const key = this.#key;
    const here = () => this.#variant !== null && key === this.#key;
    this.#run.disabled = true;
    this.#editor.mark([]);
    this.#result.replaceChildren(heading('Run'), h('p', {}, 'Running …'));
    try {
      const limits = await this.#settings.limits();
      const ran = await this.#lab.run(place, name, text, limits, this.#settings.long);
      if (!here()) return;
      this.#editor.mark(ran.messages);
      this.#result.replaceChildren(
        ...runParts(ran, text === this.#original, (line, column) => this.#editor.goTo(line, column)),
      );
    } catch (error) {
      if (!wasTold(error)) report(error);
      if (!here()) return;
      const why = (error as Error).message;
      this.#result.replaceChildren(
        heading('Run'),
        h('p', {}, verdict(false, `It did not come back: ${why}. The text is kept; Run tries it again.`)),
      );
    } finally {
      this.#run.disabled = this.#variant === null;
    }
  }
}
