// Data goes to stdout, everything else to stderr.
import pc from 'picocolors';

const hasColor = (stream: NodeJS.WriteStream): boolean =>
  Boolean(stream.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

/** Colours for what goes to stdout, and for what goes to stderr. No-ops where the stream is no terminal. */
export const outColors = pc.createColors(hasColor(process.stdout));
export const errColors = pc.createColors(hasColor(process.stderr));

/** A line of data on stdout. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON value as one line of stdout. Numbers that JSON does not know become strings. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v)));
}

/** Whether the cursor stands behind a `progress` line. */
let behindProgress = false;

/** A line for the person watching, on stderr; in place of a `progress` line, which the next one draws again. */
export function note(line: string): void {
  if (behindProgress) endProgress();
  process.stderr.write(`${line}\n`);
}

/** A line on a terminal that the next one replaces; elsewhere nothing. */
export function progress(line: string): void {
  if (!process.stderr.isTTY) return;
  behindProgress = true;
  // Blanks in place of an escape code: a dumb terminal shows them as well.
  const width = (process.stderr.columns || 80) - 1;
  process.stderr.write(`\r${line.slice(0, width).padEnd(width)}`);
}

/** Ends a series of `progress` lines. */
export function endProgress(): void {
  progress('');
  if (process.stderr.isTTY) process.stderr.write('\r');
  behindProgress = false;
}

/** Columns as wide as their widest cell, two spaces apart; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          typeof cell === 'number' ? String(cell).padStart(widths[i]) : cell.padEnd(widths[i]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
