// Hostile inputs for the readers of files: valid files with a few edits, files put together from wrong parts, and noise.
// Every run draws the same ones (fast-check with a fixed seed), so a failure can be run again.
import { createContext, Script } from 'node:vm';
import fc from 'fast-check';
import { DataError } from '../../src/data/types.ts';

/** Inputs for each reader. */
export const INPUTS = 10_000;
export const SEED = 20_26;
const HANGS_AFTER_MS = 200_000;

const byte = fc.nat(255);
const anywhere = fc.nat(2 ** 31 - 1);
/** Numbers that length checks get wrong. */
const awkward = fc.constantFrom(
  ...[
    0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 255, 256, 257, 1000, 4000, 16_383, 16_384,
    16_385,
  ],
  ...[2 ** 15, 2 ** 16 - 1, 2 ** 16, 2 ** 24, 2 ** 27, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1],
);

const edit = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('byte' as const), at: anywhere, value: byte }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('number' as const),
      at: anywhere,
      value: awkward,
      bytes: fc.constantFrom(2, 4),
      little: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: anywhere }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('drop' as const), at: anywhere, count: fc.nat(40) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      at: anywhere,
      data: fc.uint8Array({ maxLength: 12 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('repeat' as const),
      at: anywhere,
      count: fc.integer({ min: 1, max: 40 }),
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function apply(bytes: Uint8Array, one: Edit): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = one.at % bytes.length;
  const out = Buffer.from(bytes);
  switch (one.kind) {
    case 'byte':
      out[at] = one.value;
      return out;
    case 'number': {
      const number = Buffer.alloc(one.bytes);
      const value = one.value % 256 ** one.bytes;
      if (one.little) number.writeUIntLE(value, 0, one.bytes);
      else number.writeUIntBE(value, 0, one.bytes);
      out.set(number.subarray(0, out.length - at), at);
      return out;
    }
    case 'cut':
      return out.subarray(0, at);
    case 'drop':
      return Buffer.concat([out.subarray(0, at), out.subarray(at + one.count)]);
    case 'insert':
      return Buffer.concat([out.subarray(0, at), one.data, out.subarray(at)]);
    case 'repeat': {
      const part = out.subarray(at, at + one.count);
      return Buffer.concat([out.subarray(0, at), ...new Array(one.times).fill(part), out.subarray(at)]);
    }
  }
}

/** One of `files` with one to four edits. */
export const edited = (...files: Uint8Array[]): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([file, edits]) => new Uint8Array(edits.reduce(apply, file)));

/** Random bytes after a start that the reader knows. */
export const noise = (start: ArrayLike<number>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom<ArrayLike<number>>(start, []), fc.uint8Array({ maxLength: 300 }))
    .map(([first, rest]) => new Uint8Array(Buffer.concat([Uint8Array.from(first), rest])));

/** A part of a file that is a list of tagged parts, such as chunks or segments. */
export interface Part<T> {
  tag: T;
  data: Uint8Array;
}

/** Files whose parts are dropped, doubled, swapped, edited or foreign; `join` makes lengths and checksums right again. */
export function rearranged<T>(
  files: readonly (readonly Part<T>[])[],
  foreign: fc.Arbitrary<Part<T>>,
  join: (parts: readonly Part<T>[]) => Uint8Array,
): fc.Arbitrary<Uint8Array> {
  const change = fc.oneof(
    fc.record({ kind: fc.constant('drop' as const), at: anywhere }),
    fc.record({ kind: fc.constant('double' as const), at: anywhere }),
    fc.record({ kind: fc.constant('swap' as const), at: anywhere }),
    fc.record({ kind: fc.constant('insert' as const), at: anywhere, part: foreign }),
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('edit' as const),
        at: anywhere,
        edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
      }),
    },
  );
  return fc
    .tuple(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([file, changes]) => {
      const parts = [...file];
      for (const one of changes) {
        if (parts.length === 0) break;
        const at = one.at % parts.length;
        const { tag, data } = parts[at];
        const next = (at + 1) % parts.length;
        if (one.kind === 'edit') parts[at] = { tag, data: one.edits.reduce(apply, data) };
        else if (one.kind === 'insert') parts.splice(at, 0, one.part);
        else if (one.kind === 'drop') parts.splice(at, 1);
        else if (one.kind === 'double') parts.splice(at, 0, parts[at]);
        else [parts[at], parts[next]] = [parts[next], parts[at]];
      }
      return join(parts);
    });
}

/** Bytes on and beside the heap. */
const taken = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/**
 * Gives `read` ten thousand inputs. Each must be read, or refused with a DataError that names the file in a message of
 * readable length; neither may take more than `most` bytes. `read` checks what it has read.
 * @returns how many were read, and how many different complaints there were (numbers and quotes left out)
 */
export function attack(
  inputs: fc.Arbitrary<Uint8Array>,
  read: (bytes: Uint8Array, name: string) => void,
  most: number,
): { read: number; complaints: number } {
  let accepted = 0;
  let last: Uint8Array = new Uint8Array(0);
  const complaints = new Set<string>();
  const property = fc.property(inputs, (bytes) => {
    last = bytes;
    const before = taken();
    try {
      read(bytes, 'some/file');
      accepted += 1;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const { message } = error;
      if (!message.startsWith('some/file: ')) throw new Error(`does not name the file: ${message}`);
      if (message.length > 1000) throw new Error(`a message of ${message.length} characters`);
      complaints.add(message.replace(/"(?:[^"\\]|\\.)*"|0x[0-9a-f]+|\d+/g, '#').slice(0, 60));
    }
    const grown = taken() - before;
    if (grown > most) throw new Error(`took ${grown} bytes for a file of ${bytes.length}`);
  });
  // A loop without end holds the thread, and no timer can end it; this can, and then the input is known.
  const context = { run: () => fc.assert(property, { numRuns: INPUTS, seed: SEED }) };
  try {
    new Script('run()').runInContext(createContext(context), { timeout: HANGS_AFTER_MS });
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new Error(`hangs on ${Buffer.from(last).toString('base64')}`);
  }
  return { read: accepted, complaints: complaints.size };
}
