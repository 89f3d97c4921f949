// Threads that load samples under Node, beside the one that trains: decoding and scaling a batch of `resnet18` takes one core
// longer than a large GPU takes for the step.
import { Worker } from 'node:worker_threads';
import { type FrameRef, type Samples, samplesHere } from './batch.ts';
import type { Job, Reply } from './loader-protocol.ts';
import { DataError } from './types.ts';

/** More would wait for the one thread that puts the samples into batches. */
const MOST_THREADS = 8;

interface Waiting {
  resolve(sample: unknown): void;
  reject(error: Error): void;
}

class Thread {
  readonly waiting = new Map<number, Waiting>();
  readonly #worker: Worker;
  /** Why it is no more. */
  #ended: Error | null = null;

  constructor(file: URL) {
    this.#worker = new Worker(file);
    this.#worker.on('message', (reply: Reply) => {
      const asked = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if (this.waiting.size === 0) this.#worker.unref();
      if ('sample' in reply) asked?.resolve(reply.sample);
      else {
        const error = reply.data ? new DataError(reply.message) : new Error(reply.message);
        error.stack = reply.stack;
        asked?.reject(error);
      }
    });
    this.#worker.on('error', (error) => this.#end(error.message));
    // A reply that cannot be read, whose id nobody knows.
    this.#worker.on('messageerror', (error) => this.#end(error.message));
    this.#worker.on('exit', (code) => this.#end(`exit code ${code}`));
    // A process whose work is done ends without waiting for its loaders.
    this.#worker.unref();
  }

  ask(job: Job): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.waiting.set(job.id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(job);
    });
  }

  end(): Promise<unknown> {
    return this.#worker.terminate();
  }

  #end(why: string): void {
    this.#ended ??= new Error(
      `a thread that loads data ended (${why}). Give the same command again; a training run goes on with --resume auto`,
    );
    for (const { reject } of this.waiting.values()) reject(this.#ended);
    this.waiting.clear();
    void this.#worker.terminate();
  }
}

/** Samples made by other threads, started with the first sample; frames that only this thread knows are loaded here. */
export class Loaders implements Samples {
  readonly #count: number;
  readonly #file: URL;
  #threads: Thread[] = [];
  #next = 0;

  /** @param cores of the machine, one of which is left to the thread that trains. */
  constructor(cores: number, file = new URL('loader-thread.mjs', import.meta.url)) {
    this.#count = Math.min(MOST_THREADS, cores - 1);
    this.#file = file;
  }

  labelled(ref: FrameRef, options: Parameters<Samples['labelled']>[1]): ReturnType<Samples['labelled']> {
    const job = this.#job(ref);
    if (!job) return samplesHere.labelled(ref, options);
    return this.#ask(ref, { ...job, kind: 'labelled', options }) as ReturnType<Samples['labelled']>;
  }

  video(ref: FrameRef, options: Parameters<Samples['video']>[1]): ReturnType<Samples['video']> {
    const job = this.#job(ref);
    if (!job) return samplesHere.video(ref, options);
    return this.#ask(ref, { ...job, kind: 'video', options }) as ReturnType<Samples['video']>;
  }

  /** Ends the threads; what is still asked of them is refused. The next sample starts others. */
  async end(): Promise<void> {
    const threads = this.#threads;
    this.#threads = [];
    await Promise.all(threads.map((thread) => thread.end()));
  }

  #job({ split, index }: FrameRef): Pick<Job, 'id' | 'origin' | 'index' | 'frame'> | null {
    if (!split.origin || this.#count < 1) return null;
    return { id: this.#next++, origin: split.origin, index, frame: split.id(index) };
  }

  #ask({ split: { together }, index }: FrameRef, job: Job): Promise<unknown> {
    if (this.#threads.length === 0)
      this.#threads = Array.from({ length: this.#count }, () => new Thread(this.#file));
    const idlest = () => this.#threads.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
    const thread = together ? this.#threads[Math.floor(index / together) % this.#count] : idlest();
    return thread.ask(job);
  }
}
