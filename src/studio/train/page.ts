// The section that trains. The run is in a worker; here are its settings, its controls and what can be seen of it.
import { putInAddress, readAddress } from '../address.ts';
import { button, choice, h } from '../dom.ts';
import { notice, report } from '../notices.ts';
import { WorkerDiedError } from '../rpc.ts';
import type { Section } from '../section.ts';
import { Controls } from './controls.ts';
import { Curves } from './curves.ts';
import { wireDrop } from './drop.ts';
import { download, Files } from './files.ts';
import { RunForm } from './form.ts';
import { type Copy, keep, kept } from './keep.ts';
import { addressOf, firstRequest, readRequest, sameRequest } from './link.ts';
import { Numbers } from './numbers.ts';
import { Scores } from './scores.ts';
import { TrainSession } from './session.ts';
import { Wall } from './wall.ts';

/** Seconds between pictures while training; null: none. */
const EVERY = [
  ['10', 'every 10 s'],
  ['30', 'every 30 s'],
  ['', 'when it pauses'],
] as const;

/** Pictures take at most a fifth of the time, however slow the adapter is. */
const MOST_SHARE = 5;

/** Milliseconds of rest after which a paused run is looked at: who steps on does not wait for scores. */
const REST = 700;

class TrainPage implements Section {
  readonly #form: RunForm;
  readonly #controls: Controls;
  readonly #numbers = new Numbers();
  readonly #curves = new Curves();
  readonly #scores: Scores;
  readonly #wall: Wall;
  readonly #files: Files;
  readonly #session: TrainSession;
  readonly #about = h(
    'p',
    { class: 'about' },
    'Start trains the run that is described beside, in a worker of this page and on the adapter of this machine. Curves, scores and ' +
      'pictures come as it goes on. The address of the page holds the settings, so that a link repeats the run.',
  );
  readonly #notes = h('ul', { class: 'note log', 'aria-label': 'Notes' });
  readonly #scoreButton: HTMLButtonElement;
  readonly #pictureButton: HTMLButtonElement;
  #phase: string | null = null;
  #hint = '';
  #seconds = '10';
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  /** Steps that the pictures and the scores show. */
  #seen = { pictures: -1, scores: -1 };
  #looking = false;
  /** What the last pictures took, milliseconds. */
  #pictureMs = 0;
  #storageTold = false;
  #takeAwayLoss = () => {};
  #takeAwayOffer = () => {};

  constructor(root: HTMLElement) {
    this.#form = new RunForm(() => this.#settingsChanged());
    this.#form.put(firstRequest);
    this.#session = new TrainSession({
      changed: () => this.#put(),
      prepared: () => this.#prepared(),
      stepped: (step) => {
        if (this.#phase !== step.phase) {
          this.#phase = step.phase;
          this.#put();
        }
        this.#curves.add(step.phase, step.step, step.terms);
        this.#numbers.stepped(step);
      },
      note: (text) => this.#note(text),
      saved: (copy) => void this.#keep(copy),
      lost: (why) => this.#lost(why),
    });
    this.#controls = new Controls({
      go: (steps) => void this.#go(steps),
      pause: () => this.#session.pause(),
      reset: () => void this.#build(),
      takeBack: () => {
        this.#form.put(this.#session.run!.request);
        this.#settingsChanged();
      },
    });
    this.#scoreButton = button('Score now', () => void this.#score(), { disabled: true });
    this.#scores = new Scores(this.#scoreButton);
    this.#pictureButton = button('Draw now', () => void this.#picture(), { disabled: true });
    const every = choice(EVERY, this.#seconds, (seconds) => {
      this.#seconds = seconds;
      this.#plan();
    });
    this.#wall = new Wall(this.#pictureButton, h('label', { class: 'inline' }, 'and', every));
    this.#files = new Files(
      () => void this.#downloadCheckpoint(),
      (file) => void this.#upload(file),
    );
    root.replaceChildren(
      h(
        'div',
        { class: 'train' },
        this.#form.root,
        h(
          'div',
          { class: 'run-column' },
          this.#controls.root,
          this.#about,
          this.#numbers.root,
          this.#curves.root,
          this.#notes,
        ),
        this.#scores.root,
        this.#files.root,
        this.#wall.root,
      ),
    );
    wireDrop(root, {
      folder: (folder) => this.#form.take(folder),
      file: (file) => void this.#upload(file),
      failed: report,
    });
    this.#watchVisibility();
    this.#readAddress();
    this.#put();
    void this.#offerKept();
  }

  shown(): void {
    this.#readAddress();
  }

  /** The form shows what the address asks for; an address that asks for nothing is given what the form shows. */
  #readAddress(): void {
    const read = readRequest(readAddress(location.hash));
    for (const problem of read?.problems ?? []) notice('warning', `${problem}.`);
    if (read && !sameRequest(read.request, this.#form.request)) this.#form.put(read.request);
    this.#settingsChanged();
  }

  #settingsChanged(): void {
    const { request } = this.#form;
    putInAddress(addressOf(request), request.set);
    this.#put();
  }

  #differs(): boolean {
    const { run } = this.#session;
    return run !== null && !sameRequest(this.#form.request, run.request);
  }

  #put(): void {
    const { stage, preparing, run, copy } = this.#session;
    this.#controls.put(this.#session, this.#differs(), this.#phase, this.#hint);
    const alive = !preparing && run !== null && stage !== 'lost';
    this.#files.put(run, !preparing && (alive || copy !== null));
    this.#scoreButton.disabled = !alive || this.#looking;
    this.#pictureButton.disabled = !alive || this.#looking;
    this.#plan();
  }

  /** Builds the run that the form asks for. @returns whether there is one */
  async #build(): Promise<boolean> {
    this.#form.error(null);
    try {
      await this.#session.prepare(this.#form.request, this.#form.folders);
      return true;
    } catch (error) {
      this.#form.error((error as Error).message);
      return false;
    }
  }

  async #go(steps: number | null): Promise<void> {
    const { stage } = this.#session;
    const isReady = stage === 'paused' && !this.#differs();
    if (isReady || (await this.#build())) this.#session.go(steps);
  }

  #prepared(): void {
    const run = this.#session.run!;
    this.#takeAwayLoss();
    this.#takeAwayOffer();
    this.#phase = null;
    this.#hint = '';
    this.#seen = { pictures: -1, scores: -1 };
    this.#about.textContent = run.about;
    this.#notes.replaceChildren();
    this.#numbers.reset(run);
    this.#curves.reset(run);
    this.#scores.reset();
    this.#wall.reset();
  }

  #note(text: string): void {
    this.#notes.append(h('li', {}, text));
    while (this.#notes.childElementCount > 5) this.#notes.firstElementChild!.remove();
  }

  /** When the run is looked at next. */
  #plan(): void {
    clearTimeout(this.#lookTimer);
    const { stage, step, preparing } = this.#session;
    if (preparing || this.#looking || step === 0) return;
    if (stage === 'running' && this.#seconds !== '' && !document.hidden) {
      const rest = Math.max(1000 * Number(this.#seconds), MOST_SHARE * this.#pictureMs);
      this.#lookTimer = setTimeout(() => void this.#picture(), rest);
    } else if ((stage === 'paused' || stage === 'done') && this.#seen.scores !== step) {
      this.#lookTimer = setTimeout(() => void this.#lookAtRest(), REST);
    }
  }

  async #lookAtRest(): Promise<void> {
    const { step } = this.#session;
    await this.#keepNow();
    if (this.#seen.pictures !== step) await this.#picture();
    if (this.#session.stage !== 'running' && this.#session.step === step) await this.#score();
  }

  /** One look at a time, and none that keeps the page from hearing of a loss. */
  async #look(button: HTMLButtonElement, busy: string, ask: () => Promise<void>): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const text = button.textContent;
    button.textContent = busy;
    this.#put();
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof WorkerDiedError)) report(error);
    } finally {
      this.#looking = false;
      button.textContent = text;
      this.#put();
    }
  }

  #picture(): Promise<void> {
    return this.#look(this.#pictureButton, 'Drawing …', async () => {
      const { run, step } = this.#session;
      const began = performance.now();
      this.#seen.pictures = step;
      const looked = await this.#session.galleries();
      if (run !== this.#session.run) return;
      this.#seen.pictures = looked.step;
      this.#pictureMs = performance.now() - began;
      await this.#wall.put(looked.seen, run!.classes, looked.step);
    });
  }

  #score(): Promise<void> {
    return this.#look(this.#scoreButton, 'Scoring …', async () => {
      const { run, step } = this.#session;
      this.#seen.scores = step;
      const looked = await this.#session.evaluate();
      if (run !== this.#session.run) return;
      this.#seen.scores = looked.step;
      this.#scores.put(looked.seen, run!.classes, looked.step);
    });
  }

  async #downloadCheckpoint(): Promise<void> {
    try {
      const { bytes, name } =
        this.#session.stage === 'lost' ? this.#session.copy! : await this.#session.checkpoint();
      download(name, bytes, 'application/zip');
    } catch (error) {
      report(error);
    }
  }

  async #upload(file: File): Promise<void> {
    const bytes = await this.#bytesOf(file, 'choose it again, or another file');
    if (bytes) await this.#load({ bytes, step: 0, name: file.name });
  }

  /** @returns null where the browser cannot read it, which is told. */
  async #bytesOf(file: File, next: string): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      return new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      report(
        new Error(`${file.name}, ${file.size} bytes: cannot be read (${(error as Error).message}); ${next}`),
      );
      return null;
    }
  }

  /** A run that rests is kept as it is: the worker keeps one from time to time only. */
  async #keepNow(): Promise<void> {
    if (this.#session.copy?.step === this.#session.step) return;
    try {
      await this.#keep(await this.#session.checkpoint());
    } catch (error) {
      if (!(error instanceof WorkerDiedError)) report(error);
    }
  }

  /** @returns whether the run is there */
  async #load(copy: Copy): Promise<boolean> {
    this.#form.error(null);
    try {
      await this.#session.load(copy, this.#form.folders);
    } catch (error) {
      report(error);
      return false;
    }
    copy.step = this.#session.step;
    this.#form.put(this.#session.run!.request);
    this.#settingsChanged();
    return true;
  }

  async #keep(copy: Copy): Promise<void> {
    this.#session.copy = copy;
    try {
      await keep(copy);
    } catch (error) {
      if (this.#storageTold) return;
      this.#storageTold = true;
      const { name, message } = error as Error;
      notice(
        'warning',
        `this browser keeps no copy of the run (${name}: ${message}). Training goes on; a downloaded checkpoint outlives this page.`,
        { 'Download checkpoint': () => void this.#downloadCheckpoint() },
      );
    }
  }

  /** A run that was kept before this page was opened. */
  async #offerKept(): Promise<void> {
    // Where storage is refused nothing is kept, which the first copy will tell.
    const found = await kept().catch(() => null);
    if (!found) return;
    const { step, file } = found;
    const when = new Date(file.lastModified).toLocaleString();
    const offer = () => {
      this.#takeAwayOffer = notice(
        'warning',
        `this browser keeps a run of ${when}, step ${step}. Another run will take its place.`,
        {
          [`Go on from step ${step}`]: async () => {
            const bytes = await this.#bytesOf(
              file,
              'another tab may have replaced it: reload the page to see what is kept',
            );
            if (bytes && !(await this.#load({ bytes, step, name: file.name }))) offer();
          },
        },
      );
    };
    offer();
  }

  #lost(why: string): void {
    const { copy } = this.#session;
    /** What fails leaves the offers where they were. */
    const next = async (made: Promise<boolean>) => {
      if (await made) this.#session.go(null);
      else tell();
    };
    const tell = () => {
      this.#takeAwayLoss = notice(
        'error',
        `${why.replace(/\.$/, '')}. Its curves and pictures stay here. ` +
          (copy ? `There is a copy of step ${copy.step}.` : 'There was no copy of it yet.'),
        {
          ...(copy && {
            [`Go on from step ${copy.step}`]: () => void next(this.#load(copy)),
            [`Download step ${copy.step}`]: () => {
              download(copy.name, copy.bytes, 'application/zip');
              tell();
            },
          }),
          'Start again': () => void next(this.#build()),
        },
      );
    };
    tell();
  }

  /** A hidden page draws nothing while its worker trains on; it says so when it is seen again. */
  #watchVisibility(): void {
    let before: number | null = null;
    document.addEventListener('visibilitychange', () => {
      const { stage, step } = this.#session;
      if (document.hidden) before = stage === 'running' ? step : null;
      else if (before !== null) {
        const made = step - before;
        // Browsers may put a hidden page to sleep, and its workers with it.
        this.#hint = `While this page was hidden, training made ${made === 0 ? 'no step' : made === 1 ? '1 step' : `${made} steps`}.`;
      }
      this.#put();
    });
  }
}

export async function mountTrain(root: HTMLElement): Promise<Section> {
  return new TrainPage(root);
}
