import { InterruptedError } from '../../train/loop.ts';

/** Work that must not overlap, in the order of asking. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Waits for all who asked before. @returns ends the turn */
  async take(): Promise<() => void> {
    const before = this.#last;
    let end = () => {};
    this.#last = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    return end;
  }

  async during<T>(work: () => T | Promise<T>): Promise<T> {
    const end = await this.take();
    try {
      return await work();
    } finally {
      end();
    }
  }
}

/** Lets a number of steps pass. */
export class Gate {
  #open = 0;
  #ended = false;
  #wake = () => {};

  /** Steps that may pass from now on. */
  allow(steps: number): void {
    this.#open = steps;
    this.#wake();
  }

  /** The next step will have to wait. */
  get isClosed(): boolean {
    return this.#open <= 0 && !this.#ended;
  }

  /** Nothing passes any more. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Waits until a step may pass. @throws InterruptedError when none will */
  async pass(): Promise<void> {
    while (!this.#ended && this.#open <= 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#ended) throw new InterruptedError('the run was ended', 130);
    this.#open -= 1;
  }
}
