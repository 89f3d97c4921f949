/** Under Node, something to wait for that never comes: a wait on it with a time limit is a sleep. */
const never = typeof setImmediate === 'function' ? new Int32Array(new SharedArrayBuffer(4)) : null;

/** Longest nap, milliseconds. Up to there a nap is a sixteenth of the time waited: what it can cost at most. */
const LONGEST = 4;

/** When the last wait began. */
let began = 0;
let turn: Promise<void> | null = null;
/** Something has come that nobody has woken up for yet. */
let come = false;

/** One turn of the event loop with a nap in it, however many wait for it; without one where news came earlier in the turn. */
const nap = (never: Int32Array): Promise<void> =>
  (turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = null;
      const length = (performance.now() - began) / 16;
      if (!come) Atomics.wait(never, 0, 0, Math.min(length, LONGEST));
      come = false;
      resolve();
    });
  }));

/**
 * Waits for a promise of Dawn's on a software adapter. While one is outstanding, Dawn's Node binding asks the device for news
 * on every turn of the event loop (dawn/src/dawn/node/binding/AsyncRunner.cpp), which takes a core away from the threads that
 * compile and compute. A turn that naps leaves it to them.
 */
export async function patiently<T>(news: Promise<T>): Promise<T> {
  let waiting = true;
  began = performance.now();
  const settled = news.finally(() => {
    waiting = false;
    come = true;
  });
  // A rejection is for the caller, who gets `settled` after the loop.
  settled.catch(() => {});
  while (never && waiting) await nap(never);
  return settled;
}
