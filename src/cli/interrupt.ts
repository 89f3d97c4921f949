const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type Stop = (exitCode: number) => void;

let handler: Stop | null = null;

for (const [signal, code] of Object.entries(CODES)) {
  process.on(signal, () => {
    const stop = handler;
    handler = null; // the second time ends at once
    if (stop) stop(code);
    else process.exit(code);
  });
}

/**
 * What the first Ctrl-C or SIGTERM does in place of ending the process: finish the step, save, then exit with the
 * code given. A second one ends at once. Null: so does the first.
 */
export function onInterrupt(stop: Stop | null): void {
  handler = stop;
}
