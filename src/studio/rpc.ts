// Calls between the page and its workers. GPU objects cannot leave the thread that made them, so each worker has a device of its
// own, and what crosses is plain data.

/** What a worker answers, by name. */
export type Api = Record<string, (...args: never[]) => unknown>;
/** What a worker tells unasked, by name. */
export type Events = Record<string, unknown>;

type Request = { id: number; name: string; args: unknown[] };
type Reply =
  | { id: number; value: unknown }
  | { id: number; error: { name: string; message: string } }
  | { event: string; detail: unknown }
  | { lives: true };

/** A value with the buffers that move to the other side in place of being copied. */
export class Moved<T> {
  constructor(
    readonly value: T,
    readonly buffers: Transferable[],
  ) {}
}

/** The other thread ended, or was ended. */
export class WorkerDiedError extends Error {
  override name = 'WorkerDiedError';
}

/** The global scope of a worker, as far as it is used; the types of the page's know none. */
const scope = () =>
  globalThis as unknown as {
    name: string;
    addEventListener(type: 'message', listen: (event: MessageEvent<Request>) => void): void;
    postMessage(message: Reply, moved?: Transferable[]): void;
  };

/**
 * A lock that this worker holds for life. The browser lets it go when the worker ends, however that comes about, and the page that
 * waits for it knows. Where locks are refused the page hears of those deaths only that have an event.
 */
function holdLock(): void {
  const life = () => {
    scope().postMessage({ lives: true } satisfies Reply);
    return new Promise<never>(() => {});
  };
  navigator.locks?.request(scope().name, life).catch(() => {});
}

/** In a worker: answers calls, one at a time unless a method returns before its work is done. */
export function serve<A extends Api>(api: A): void {
  holdLock();
  scope().addEventListener('message', async ({ data }: MessageEvent<Request>) => {
    const { id, name, args } = data;
    try {
      const result = await api[name](...(args as never[]));
      const moved = result instanceof Moved ? result : new Moved(result, []);
      scope().postMessage({ id, value: moved.value } satisfies Reply, moved.buffers);
    } catch (error) {
      const { name, message } = error as Error;
      scope().postMessage({ id, error: { name, message } } satisfies Reply);
    }
  });
}

/** In a worker: tells the page something. */
export function tell<E extends Events, K extends keyof E & string>(
  event: K,
  detail: E[K],
  buffers: Transferable[] = [],
): void {
  scope().postMessage({ event, detail } satisfies Reply, buffers);
}

type Answer<T> = Awaited<T> extends Moved<infer V> ? V : Awaited<T>;

/** In the page: a worker and the calls that it answers. */
export class Remote<A extends Api, E extends Events> {
  readonly #worker: Worker;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #listeners = new Map<string, ((detail: never) => void)[]>();
  #nextId = 1;
  #dead: WorkerDiedError | null = null;
  readonly #waiting = new AbortController();

  /** @param section that the worker is for; its address ends with it. @param onDeath told once, when the worker ends without being asked. */
  constructor(section: string, onDeath: (error: WorkerDiedError) => void) {
    const file = `worker.js#${section}`;
    const name = `${file} ${crypto.randomUUID()}`;
    const died = (why: string) => {
      if (this.#dead) return;
      const error = new WorkerDiedError(`the worker ended${why}`);
      this.#end(error);
      onDeath(error);
    };
    this.#worker = new Worker(new URL(file, document.baseURI), { type: 'module', name });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      if ('lives' in data) {
        navigator.locks
          .request(name, { signal: this.#waiting.signal }, () => {})
          .then(
            () => died(' without a word: the system or the browser stopped it, perhaps for want of memory'),
            () => {}, // this side ended it
          );
        return;
      }
      if ('event' in data) {
        for (const listen of this.#listeners.get(data.event) ?? []) listen(data.detail as never);
        return;
      }
      const waiting = this.#open.get(data.id);
      this.#open.delete(data.id);
      if ('error' in data)
        waiting?.reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
      else waiting?.resolve(data.value);
    });
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      died(`: ${event.message || `${file} cannot be loaded`}`);
    });
  }

  /** @throws what the worker threw, by its name, or WorkerDiedError */
  call<K extends keyof A & string>(name: K, ...args: Parameters<A[K]>): Promise<Answer<ReturnType<A[K]>>> {
    if (this.#dead) return Promise.reject(this.#dead);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, name, args } satisfies Request);
    });
  }

  on<K extends keyof E & string>(event: K, listen: (detail: E[K]) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listen as (detail: never) => void]);
  }

  /** Ends the worker at once, in the middle of whatever it does. */
  terminate(): void {
    this.#end(new WorkerDiedError('the worker was ended'));
  }

  #end(error: WorkerDiedError): void {
    this.#dead = error;
    this.#worker.terminate();
    this.#waiting.abort();
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }
}
