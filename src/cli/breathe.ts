// Not every place has setImmediate: pages have not.
const later: (go: () => void) => void = 'setImmediate' in globalThis ? setImmediate : setTimeout;

/** Lets signals, messages and timers through: work on the reference device or in plain loops never waits for anything. */
export const breathe = (): Promise<void> => new Promise((resolve) => later(resolve));
