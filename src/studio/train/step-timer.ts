import type { Gpu } from '../../gpu/gpu.ts';
import type { StepTrace } from '../../train/loop.ts';

/** The first step of a phase compiles, the second still fills caches. */
const FIRST = 2;
const EVERY = 50;

/** Device time of a step now and then: a measured one takes longer, because each dispatch has a pass of its own. */
export class StepTimer implements StepTrace {
  readonly #gpu: Gpu;
  #ms: number | null = null;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  covers(done: number): boolean {
    return done === FIRST || (done > 0 && done % EVERY === 0);
  }

  async step<T>(_name: string, work: () => Promise<T>): Promise<T> {
    const results: T[] = [];
    const timed = async () => {
      results.push(await work());
    };
    const dispatches = await this.#gpu.profile(timed);
    if (dispatches) this.#ms = dispatches.reduce((sum, { ms }) => sum + ms, 0);
    else await timed();
    return results[0];
  }

  span<T>(_track: string, _name: string, work: () => T): T {
    return work();
  }

  /** Milliseconds of the step just made, where it was measured. */
  take(): number | null {
    const ms = this.#ms;
    this.#ms = null;
    return ms;
  }
}
