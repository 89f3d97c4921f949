import type { CheckCase } from '../../cli/check-case.ts';
import { notice } from '../notices.ts';
import { Remote, WorkerDiedError } from '../rpc.ts';
import type { AdapterLimits, MeasureApi, MeasureEvents, Ran } from './protocol.ts';

/** What a watchdog adds to the time within which a worker said that it would be back. */
const MARGIN_MS = 5000;

type Answer<K extends keyof MeasureApi> = Awaited<ReturnType<MeasureApi[K]>>;

/** The measuring worker, one call at a time; another takes its place when it is lost. */
export class Lab {
  #remote: Remote<MeasureApi, MeasureEvents>;
  #turn: Promise<unknown> = Promise.resolve();
  #limits: Promise<AdapterLimits> | null = null;
  readonly #gradients = new Map<string, Promise<CheckCase>>();
  #alive: (ms: number) => void = () => {};

  constructor() {
    this.#remote = this.#open();
  }

  #open(): Remote<MeasureApi, MeasureEvents> {
    const remote = new Remote<MeasureApi, MeasureEvents>('measure', ({ message }) =>
      this.#replace(remote, `${message}.`),
    );
    remote.on('alive', ({ ms }) => this.#alive(ms));
    return remote;
  }

  #replace(lost: Remote<MeasureApi, MeasureEvents>, why: string): void {
    if (this.#remote !== lost) return;
    lost.terminate();
    this.#remote = this.#open();
    notice(
      'warning',
      `${why} Another worker with a device of its own has taken its place; texts and numbers are kept.`,
    );
  }

  /** @throws what the worker threw, or WorkerDiedError */
  call<K extends keyof MeasureApi>(name: K, ...args: Parameters<MeasureApi[K]>): Promise<Answer<K>> {
    const made = this.#turn.then(async () => {
      const remote = this.#remote;
      try {
        return (await remote.call(name, ...args)) as Answer<K>;
      } catch (error) {
        if ((error as Error).name === 'DeviceLostError') this.#replace(remote, 'The GPU device was lost.');
        throw error;
      }
    });
    this.#turn = made.catch(() => {});
    return made as Promise<Answer<K>>;
  }

  /** Measured once, whatever becomes of the worker. */
  limits(): Promise<AdapterLimits> {
    this.#limits ??= this.call('limits').catch((error) => {
      this.#limits = null;
      throw error;
    });
    return this.#limits;
  }

  /** Checked once. */
  gradient(name: string): Promise<CheckCase> {
    let known = this.#gradients.get(name);
    if (!known) {
      known = this.call('gradient', name);
      known.catch(() => this.#gradients.delete(name));
      this.#gradients.set(name, known);
    }
    return known;
  }

  /** Runs edited code. A worker that does not answer in time is ended: its GPU work may never end. */
  run(...args: Parameters<MeasureApi['runEdited']>): Promise<Ran> {
    const made = this.#turn.then(async () => {
      const remote = this.#remote;
      let timer = 0;
      this.#alive = (ms) => {
        clearTimeout(timer);
        timer = window.setTimeout(
          () =>
            this.#replace(
              remote,
              'The edited code did not come back in time and was ended. If the next run does not answer either, the GPU still works on it: ' +
                'close this page, or start the browser anew.',
            ),
          ms + MARGIN_MS,
        );
      };
      this.#alive(0);
      try {
        return await remote.call('runEdited', ...args);
      } catch (error) {
        if ((error as Error).name === 'DeviceLostError')
          this.#replace(remote, 'The GPU device was lost while the edited code ran.');
        throw error;
      } finally {
        clearTimeout(timer);
        this.#alive = () => {};
      }
    });
    this.#turn = made.catch(() => {});
    return made;
  }
}

/** True where a worker was replaced, of which the reader has been told. */
export const wasTold = (error: unknown): boolean =>
  error instanceof WorkerDiedError || (error as Error).name === 'DeviceLostError';
