// The page's side of the worker: one worker for all views, made when the first one asks, and made anew when it is lost.
import { notice } from '../notices.ts';
import { Remote } from '../rpc.ts';
import type { InsideApi } from './api.ts';

type Engine = Remote<InsideApi, Record<string, never>>;

let remote: Engine | null = null;
let takeAway = () => {};

/** Calls that failed for the same reason say so once. */
function failed(error: Error, again: () => void): void {
  takeAway();
  const lost = error.name === 'WorkerDiedError' || error.name === 'DeviceLostError';
  if (lost) {
    remote?.terminate();
    remote = null;
  }
  takeAway = notice(
    'error',
    lost ? `${error.message}. Nothing that was set is lost.` : error.message,
    lost ? { 'Start it again': again } : { 'Try again': again },
  );
}

/** Asks the worker. @throws what it threw, by its name */
export const ask: Engine['call'] = (name, ...args) => {
  remote ??= new Remote('inside', () => {});
  return remote.call(name, ...args);
};

/**
 * Calls `work` with one value at a time; of those that come meanwhile only the newest is taken. What goes wrong is told to the user.
 * @param root has `aria-busy` while there is work
 */
export function newest<T>(root: HTMLElement, work: (value: T) => Promise<void>): (value: T) => void {
  let waiting: { value: T } | null = null;
  let busy = false;
  const run = async () => {
    busy = true;
    root.setAttribute('aria-busy', 'true');
    while (waiting) {
      const { value }: { value: T } = waiting;
      waiting = null;
      try {
        await work(value);
      } catch (error) {
        failed(error as Error, () => put(value));
      }
    }
    busy = false;
    root.setAttribute('aria-busy', 'false');
  };
  const put = (value: T) => {
    waiting = { value };
    if (!busy) run();
  };
  return put;
}
