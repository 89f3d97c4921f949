// Start, pause, one step, reset; and what the run is doing, in words.
import { button, h } from '../dom.ts';
import type { TrainSession } from './session.ts';

interface Actions {
  /** Starts or goes on. @param steps null: to the end */
  go(steps: number | null): void;
  pause(): void;
  reset(): void;
  /** Puts the settings of the run back into the form. */
  takeBack(): void;
}

export class Controls {
  readonly root: HTMLElement;
  readonly #main: HTMLButtonElement;
  readonly #one: HTMLButtonElement;
  readonly #reset: HTMLButtonElement;
  readonly #status = h('p', { class: 'status', role: 'status' });
  readonly #hint = h('p', { class: 'note hint' });
  readonly #differs: HTMLElement;
  #runs = false;

  constructor(actions: Actions) {
    this.#main = button('Start', () => (this.#runs ? actions.pause() : actions.go(null)), {
      class: 'primary main-button',
    });
    this.#one = button('One step', () => actions.go(1));
    this.#reset = button('Reset', actions.reset, {
      title: 'Back to before the first step, with the settings beside',
    });
    this.#differs = h(
      'p',
      { class: 'differs', hidden: true },
      'The settings are not those of this run; Start anew or Reset takes them. ',
      button('Take them back', actions.takeBack, { class: 'link' }),
    );
    this.root = h(
      'div',
      { class: 'controls' },
      h('div', { class: 'buttons' }, this.#main, this.#one, this.#reset, this.#status),
      this.#hint,
      this.#differs,
    );
  }

  /**
   * @param differs the form asks for another run
   * @param phase that is trained now
   * @param hint of less weight than the state
   */
  put(session: TrainSession, differs: boolean, phase: string | null, hint: string): void {
    const { stage, preparing, step, run } = session;
    this.#runs = stage === 'running';
    const isNew = stage === 'empty' || stage === 'lost' || stage === 'done' || differs;
    this.#main.textContent = this.#runs
      ? 'Pause'
      : !isNew
        ? step > 0
          ? 'Go on'
          : 'Start'
        : step > 0
          ? 'Start anew'
          : 'Start';
    this.#main.disabled = preparing;
    this.#one.disabled = preparing || this.#runs || (stage === 'done' && !differs);
    this.#reset.disabled = preparing || run === null;
    this.#differs.hidden = !differs || preparing;
    say(this.#status, this.#words(session, phase));
    this.#hint.textContent = hint;
    this.#hint.hidden = hint === '';
  }

  #words({ stage, preparing, step, run }: TrainSession, phase: string | null): string {
    if (preparing) return 'Building the run …';
    switch (stage) {
      case 'empty':
        return 'Ready.';
      case 'running':
        return phase === null ? 'Compiling kernels, then the first step …' : `Training: ${phase}.`;
      case 'paused':
        return step > 0 ? `Paused after step ${step} of ${run!.total}.` : 'Ready to start.';
      case 'done':
        return `Done: ${step} steps.`;
      case 'lost':
        return `The run ended after step ${step}.`;
    }
  }
}

/** Text that is announced when it changes, and only then. */
function say(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}
