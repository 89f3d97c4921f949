// A reader of TensorBoard event files that shares nothing with the writer: checks records bit by bit, without the writer's tables, and parses protobuf generically.

function slowCrc(bytes: Uint8Array): bigint {
  // The remainder of the reflected message polynomial modulo Castagnoli's 0x1edc6f41, bit after bit.
  let register = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0n; bit < 8n; bit++) {
      const feedback = (register ^ (BigInt(byte) >> bit)) & 1n;
      register >>= 1n;
      if (feedback) register ^= 0x82f63b78n;
    }
  }
  return register ^ 0xffffffffn;
}

const unmask = (stored: number): bigint => {
  const rotated = (BigInt(stored) - 0xa282ead8n) & 0xffffffffn;
  return ((rotated << 15n) | (rotated >> 17n)) & 0xffffffffn;
};

export type Field = { number: number; value: bigint | Buffer };

export function parse(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => message.subarray(at, (at += length));
  while (at < message.length) {
    const key = Number(varint());
    const type = key & 7;
    const value = type === 0 ? varint() : take(type === 1 ? 8 : type === 5 ? 4 : Number(varint()));
    fields.push({ number: key >> 3, value });
  }
  if (at !== message.length) throw new Error('a field runs past the end');
  return fields;
}

export const bytesOf = (fields: Field[], number: number) =>
  fields.filter((f) => f.number === number).map((f) => f.value as Buffer);

/** The events of a file, up to the first bad record. */
export function read(file: Uint8Array): Field[][] {
  const events: Field[][] = [];
  const bytes = Buffer.from(file);
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    if (slowCrc(bytes.subarray(at, at + 8)) !== unmask(bytes.readUInt32LE(at + 8))) break;
    const data = bytes.subarray(at + 12, at + 12 + length);
    if (data.length < length || slowCrc(data) !== unmask(bytes.readUInt32LE(at + 12 + length))) break;
    events.push(parse(data));
    at += 16 + length;
  }
  return events;
}
