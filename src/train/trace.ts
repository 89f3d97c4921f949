// A trace of a few training steps in the Trace Event Format, which Perfetto (https://ui.perfetto.dev) and chrome://tracing
// open: what the host does, every dispatch on the device, and the bytes in use. Format:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
import type { Gpu } from '../gpu/gpu.ts';
import type { DispatchTime } from '../gpu/profile.ts';
import { writeWhole } from './durable.ts';
import type { StepTrace } from './loop.ts';

/** Steps of each phase that are traced: not the first, which compiles, where there is a second. */
const FIRST = 1;
const COUNT = 3;

const TRACKS = { host: 1, loader: 2, device: 3 } as const;

interface Event {
  name: string;
  ph: 'X' | 'C' | 'M';
  /** Microseconds. */
  ts?: number;
  dur?: number;
  pid: 1;
  tid?: number;
  args?: Record<string, unknown>;
}

/** What one step measured; its device times are on a clock of their own. */
interface Step {
  name: string;
  dispatches: readonly DispatchTime[];
  /** Host clock, ms: the result of the last dispatch had been read. */
  read: number;
}

/**
 * Collects the steps of one run and writes them to a file, anew after each. Results do not change: a traced step runs the same
 * dispatches in the same order. It takes longer, because each has a pass of its own.
 */
export class Trace implements StepTrace {
  readonly path: string;
  readonly #gpu: Gpu;
  readonly #host: Event[] = [];
  readonly #steps: Step[] = [];
  #tracing = false;

  /** @throws DataError when nothing can be written there */
  constructor(path: string, gpu: Gpu) {
    this.path = path;
    this.#gpu = gpu;
    this.#write();
  }

  /** True for the steps to be traced, `done` of `total` having been done before. */
  covers(done: number, total: number): boolean {
    const first = Math.min(FIRST, total - 1);
    return done >= first && done < first + COUNT;
  }

  /** Runs one step with its dispatches timed, and writes the file. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const results: T[] = [];
    const timed = async () => {
      this.#tracing = true;
      try {
        results.push(await this.span('host', name, work));
      } finally {
        this.#tracing = false;
      }
      read = performance.now();
    };
    let read = 0;
    const dispatches = await this.#gpu.profile(timed);
    if (dispatches) this.#steps.push({ name, dispatches, read });
    else await timed();
    this.#write();
    return results[0];
  }

  /** Notes how long `work` takes, until its promise settles where it returns one; outside a traced step just runs it. */
  span<T>(track: 'host' | 'loader', name: string, work: () => T): T {
    if (!this.#tracing) return work();
    const start = performance.now();
    const end = () =>
      this.#host.push({
        name,
        ph: 'X',
        ts: 1000 * start,
        dur: 1000 * (performance.now() - start),
        pid: 1,
        tid: TRACKS[track],
      });
    const result = work();
    if (result instanceof Promise) result.then(end, end);
    else end();
    return result;
  }

  /**
   * Device events on the host's clock. The clocks differ by an unknown constant; it is taken as small as possible while no
   * dispatch ends after the host has read its result, so a dispatch may be shown later than it ran, never earlier.
   */
  #device(): Event[] {
    const end = ({ start, ms }: DispatchTime) => start + ms;
    const shift = Math.min(
      ...this.#steps.map(({ read, dispatches }) => read - Math.max(...dispatches.map(end))),
    );
    return this.#steps.flatMap(({ dispatches }) =>
      dispatches.flatMap(({ kernel, variant, params, start, ms, live }): Event[] => [
        {
          name: kernel,
          ph: 'X',
          ts: 1000 * (start + shift),
          dur: 1000 * ms,
          pid: 1,
          tid: TRACKS.device,
          args: { variant, ...params },
        },
        { name: 'memory', ph: 'C', ts: 1000 * (start + shift), pid: 1, args: { bytes: live } },
      ]),
    );
  }

  #write(): void {
    const { vendor, architecture, description } = this.#gpu.adapter;
    const adapter = [vendor, architecture, description].filter(Boolean).join(' ');
    const named = (name: string, tid: number, label: string): Event => ({
      name,
      ph: 'M',
      pid: 1,
      tid,
      args: { name: label },
    });
    const events = [
      named('process_name', TRACKS.host, 'warpmix train'),
      named('thread_name', TRACKS.host, 'host'),
      named('thread_name', TRACKS.loader, 'next batch'),
      named('thread_name', TRACKS.device, adapter),
      ...this.#host,
      ...this.#device(),
    ];
    // One event a line: greppable, and half-way readable in an editor.
    const nanoseconds = (_: string, value: unknown) =>
      typeof value === 'number' ? Math.round(1000 * value) / 1000 : value;
    const lines = events.map((event) => JSON.stringify(event, nanoseconds)).join(',\n');
    writeWhole(
      this.path,
      `{"displayTimeUnit":"ms","otherData":${JSON.stringify({ adapter })},"traceEvents":[\n${lines}\n]}\n`,
    );
  }
}
