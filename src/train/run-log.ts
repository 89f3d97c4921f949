// log.jsonl as text: one JSON object a line.

/** JSON knows no NaN and no infinity: they become strings, so that a log shows them and stays readable. */
export const json = (value: unknown, indent?: number): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v), indent);

/** Events of a log, without lines that a crash has torn; each with its line. */
export function logEvents(text: string): { line: string; event: Record<string, unknown> }[] {
  const whole = text.split('\n').slice(0, -1);
  return whole.flatMap((line) => {
    try {
      return [{ line, event: JSON.parse(line) as Record<string, unknown> }];
    } catch {
      return [];
    }
  });
}

/** A log as it was after a step, before the run went on: without the events of later ones, and without its end. */
export const logUpTo = (text: string, step = Number.POSITIVE_INFINITY): string =>
  logEvents(text)
    .filter(({ event }) => !(typeof event.step === 'number' && event.step > step))
    .filter(({ event }) => step === Number.POSITIVE_INFINITY || event.event !== 'done')
    .map(({ line }) => `${line}\n`)
    .join('');
