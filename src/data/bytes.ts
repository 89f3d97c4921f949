// Binary files: numbers as PNG and JPEG store them, and files put together again.
export const be16 = (bytes: Uint8Array, at: number) => (bytes[at] << 8) | bytes[at + 1];
export const be32 = (bytes: Uint8Array, at: number) => be16(bytes, at) * 65_536 + be16(bytes, at + 2);

/** Parts of a file, one after another. Not a list of them: a file may hold millions, of a few bytes each. */
export class Gathered {
  private readonly all: Uint8Array;
  private length = 0;
  constructor(most: number) {
    this.all = new Uint8Array(most);
  }

  add(part: Uint8Array): void {
    this.all.set(part, this.length);
    this.length += part.length;
  }

  bytes(): Uint8Array {
    return this.all.subarray(0, this.length);
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
