// The figures of a run while it goes on.
import { h } from '../dom.ts';
import type { Memory, Prepared, TrainEvents } from './protocol.ts';
import { coalesced } from './redraw.ts';

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** @param seconds of which a reader needs two parts at most */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const rate = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** The first steps compile; by this one its time was measured, if it can be. */
const MEASURED_BY = 3;

export class Numbers {
  readonly root: HTMLElement;
  readonly #values: Record<'step' | 'phase' | 'images' | 'eta' | 'gpu' | 'memory', HTMLElement>;
  readonly #gpuNote = h('span', { class: 'note' });
  readonly #timeline = h('div', { class: 'timeline', 'aria-hidden': 'true' });
  readonly #live = h('div', { class: 'live' });
  readonly #peak = h('div', { class: 'peak' });
  readonly #bar: HTMLElement;
  #run: Prepared | null = null;
  #last: TrainEvents['step'] | null = null;
  #step = 0;
  #gpuMs: number | null = null;
  /** Steps since the run was built. */
  #made = 0;
  readonly #draw = coalesced(() => this.#put());

  constructor() {
    const value = () => h('b', {}, '–');
    this.#values = {
      step: value(),
      phase: value(),
      images: value(),
      eta: value(),
      gpu: value(),
      memory: value(),
    };
    this.#bar = h(
      'div',
      { class: 'memory-bar', 'aria-hidden': 'true', hidden: true },
      this.#live,
      this.#peak,
    );
    const tile = (label: string, ...content: HTMLElement[]) =>
      h('div', { class: 'tile' }, h('dt', {}, label), h('dd', {}, ...content));
    const { step, phase, images, eta, gpu, memory } = this.#values;
    this.root = h(
      'div',
      { class: 'numbers' },
      this.#timeline,
      h(
        'dl',
        { class: 'tiles', 'aria-label': 'Progress' },
        tile('Step', step),
        tile('Phase', phase),
        tile('Images a second', images),
        tile('Time left', eta),
        tile('GPU time of a step', gpu, this.#gpuNote),
        tile('GPU memory', memory, this.#bar),
      ),
    );
  }

  reset(run: Prepared): void {
    this.#run = run;
    this.#last = null;
    this.#gpuMs = null;
    this.#made = 0;
    this.#step = run.start;
    this.#timeline.replaceChildren(
      ...run.phases.map(({ name, steps }) => {
        const part = h('div', {}, h('i', {}), h('span', {}, `${name}, ${steps}`));
        // A phase of a few steps beside one of thousands must still have room for its name.
        part.style.flexGrow = String(Math.max(steps, run.total / 8));
        return part;
      }),
    );
    this.#draw();
  }

  stepped(step: TrainEvents['step']): void {
    this.#last = step;
    this.#step = step.step;
    this.#gpuMs = step.gpuMs ?? this.#gpuMs;
    this.#made += 1;
    this.#draw();
  }

  #put(): void {
    const run = this.#run;
    if (!run) return;
    const values = this.#values;
    let before = 0;
    let current = run.phases.at(-1)?.name ?? '';
    for (const [i, { name, steps }] of run.phases.entries()) {
      const done = Math.min(Math.max((this.#step - before) / steps, 0), 1);
      (this.#timeline.children[i].firstChild as HTMLElement).style.width = `${100 * done}%`;
      if (this.#step >= before && this.#step < before + steps) current = name;
      before += steps;
    }
    values.step.textContent = `${this.#step} of ${run.total}`;
    values.phase.textContent = current;
    const last = this.#last;
    values.images.textContent = last ? rate(last.imagesPerSecond) : '–';
    values.eta.textContent = last ? duration(last.eta) : '–';
    if (this.#gpuMs !== null) {
      values.gpu.textContent = `${rate(this.#gpuMs)} ms`;
      this.#gpuNote.textContent = 'measured by timestamps, which the browser may round to 0.066 ms each';
    } else {
      values.gpu.textContent = '–';
      this.#gpuNote.textContent =
        this.#made > MEASURED_BY ? 'not measured: this adapter has no timestamps' : '';
    }
    this.#bar.hidden = !last;
    if (last) this.#putMemory(last.memory);
    else values.memory.textContent = '–';
  }

  #putMemory({ live, peak, reserved }: Memory): void {
    const share = (bytes: number) => `${(100 * bytes) / Math.max(reserved, peak, 1)}%`;
    this.#values.memory.textContent = `${mib(live)} live`;
    this.#values.memory.append(
      h('span', { class: 'note' }, `${mib(peak)} at the peak, ${mib(reserved)} reserved`),
    );
    this.#live.style.width = share(live);
    this.#peak.style.left = share(peak);
  }
}
