// One run in its worker, as the page knows it.
import { Remote, WorkerDiedError } from '../rpc.ts';
import type { Copy } from './keep.ts';
import type { ChosenFolder, Prepared, RunRequest, TrainApi, TrainEvents } from './protocol.ts';

type TrainRemote = Remote<TrainApi, TrainEvents>;

/** `lost`: its worker or device is gone, and what the page has seen of it is all there is. */
export type Stage = 'empty' | 'paused' | 'running' | 'done' | 'lost';

export interface SessionListener {
  /** `stage`, `step` or `preparing` changed. */
  changed(): void;
  /** Another run took the place of the one before. */
  prepared(run: Prepared): void;
  stepped(step: TrainEvents['step']): void;
  note(text: string): void;
  saved(copy: Copy): void;
  /** The run ended against its will. @param why in a sentence */
  lost(why: string): void;
}

export class TrainSession {
  stage: Stage = 'empty';
  run: Prepared | null = null;
  step = 0;
  /** A run is being built; the one before stays until it is. */
  preparing = false;
  /** The newest copy of this run. */
  copy: Copy | null = null;
  readonly #listener: SessionListener;
  #remote: TrainRemote | null = null;

  constructor(listener: SessionListener) {
    this.#listener = listener;
  }

  /** Builds a run from its settings. @throws what `TrainApi.prepare` does; the run before stays as it is */
  prepare(request: RunRequest, folders: ChosenFolder[]): Promise<void> {
    return this.#replace(null, (remote) => remote.call('prepare', request, folders));
  }

  /** Takes a run up from a copy. @throws what `TrainApi.load` does; the run before stays as it is */
  load(copy: Copy, folders: ChosenFolder[]): Promise<void> {
    return this.#replace(copy, (remote) => remote.call('load', copy.bytes, copy.name, folders));
  }

  /** Every run has a worker of its own, so that nothing of one is left in the next. */
  async #replace(copy: Copy | null, build: (remote: TrainRemote) => Promise<Prepared>): Promise<void> {
    this.pause();
    this.preparing = true;
    this.#listener.changed();
    const remote: TrainRemote = new Remote('train', (error) => {
      if (remote === this.#remote) this.#lose(error.message);
    });
    try {
      const run = await build(remote);
      this.#remote?.terminate();
      this.#remote = remote;
      this.run = run;
      this.step = run.start;
      this.stage = run.start >= run.total ? 'done' : 'paused';
      this.copy = copy;
      this.#listen(remote);
      this.#listener.prepared(run);
    } catch (error) {
      remote.terminate();
      throw error;
    } finally {
      this.preparing = false;
      this.#listener.changed();
    }
  }

  #listen(remote: TrainRemote): void {
    remote.on('step', (step) => {
      this.step = step.step;
      this.#listener.stepped(step);
    });
    remote.on('state', ({ running, step, done }) => {
      this.step = step;
      this.stage = done ? 'done' : running ? 'running' : 'paused';
      this.#listener.changed();
    });
    remote.on('note', (text) => this.#listener.note(text));
    remote.on('saved', (copy) => this.#listener.saved(copy));
    remote.on('failed', ({ name, message }) => {
      remote.terminate();
      this.#lose(`${name}: ${message}`);
    });
  }

  #lose(why: string): void {
    this.#remote = null;
    this.stage = 'lost';
    this.#listener.changed();
    this.#listener.lost(why);
  }

  /** Goes on, for some steps or with null to the end. */
  go(steps: number | null): void {
    this.stage = 'running';
    this.#listener.changed();
    this.#call('run', steps).catch(ignoreDeath);
  }

  /** Stops after the step that is being made. */
  pause(): void {
    if (this.stage === 'running') this.#call('pause').catch(ignoreDeath);
  }

  /** @throws WorkerDiedError when the worker is lost meanwhile, of which the listener hears too */
  galleries = () => this.#call('galleries');
  evaluate = () => this.#call('evaluate');
  checkpoint = () => this.#call('checkpoint');

  #call<K extends keyof TrainApi & string>(name: K, ...args: Parameters<TrainApi[K]>) {
    if (!this.#remote) return Promise.reject(new WorkerDiedError('there is no run'));
    return this.#remote.call(name, ...args);
  }
}

/** For what nobody needs to hear of: the listener is told that the run is lost. */
export function ignoreDeath(error: unknown): void {
  if (!(error instanceof WorkerDiedError)) throw error;
}
