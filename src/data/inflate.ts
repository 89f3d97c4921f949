// fflate inflates whatever it is given, into memory that grows until nothing is left. Here the size is known beforehand,
// the data goes in by small pieces, and the first byte too many ends it.
import { Inflate, Unzlib } from 'fflate';

/** Deflate's longest match (258 bytes) takes at least two bits. */
const MOST_EXPANSION = 1032;
// fflate copies 32 KB at each piece of input.
const LEAST_PIECE = 256;
const MOST_PIECE = 8192;

/**
 * Inflates `data`, which must give exactly `expected` bytes; never holds more than one piece of it.
 * @param format `zlib` with its header and trailer (PNG), or bare `deflate` (zip)
 * @param take receives the pieces in order
 * @param fail throws the caller's error, from what is wrong
 */
export function inflateExactly(
  format: 'zlib' | 'deflate',
  data: Uint8Array,
  expected: number,
  take: (piece: Uint8Array) => void,
  fail: (what: string) => never,
): void {
  if (expected > data.length * MOST_EXPANSION)
    fail(`${data.length} bytes cannot inflate to the ${expected} bytes that its size needs`);
  // A piece makes no more than about the whole, or a quarter of a megabyte.
  const step = Math.min(MOST_PIECE, Math.max(LEAST_PIECE, Math.ceil(expected / MOST_EXPANSION)));
  let total = 0;
  const count = (piece: Uint8Array) => {
    total += piece.length;
    if (total <= expected) take(piece);
  };
  const inflator = format === 'zlib' ? new Unzlib(count) : new Inflate(count);
  let broken: unknown;
  for (let at = 0; at < data.length && total <= expected && broken === undefined; at += step) {
    try {
      inflator.push(data.subarray(at, at + step));
    } catch (error) {
      broken = error;
    }
  }
  if (broken !== undefined)
    fail(`does not inflate: ${broken instanceof Error ? broken.message : String(broken)}`);
  if (total > expected) fail(`inflates to more than the ${expected} bytes that its size needs`);
  if (total < expected) fail(`inflates to ${total} bytes, its size needs ${expected}`);
}
