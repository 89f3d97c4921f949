import { crc32c, fileVersionEvent, imageEvent, scalarsEvent, startEvent } from '../../src/train/tfevents.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('TensorBoard events');

// A reader of its own: checks records bit by bit, without the writer's tables, and parses protobuf generically.

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

type Field = { number: number; value: bigint | Buffer };

function parse(message: Buffer): Field[] {
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
  is(at, message.length, 'a field runs past the end');
  return fields;
}

const bytesOf = (fields: Field[], number: number) =>
  fields.filter((f) => f.number === number).map((f) => f.value as Buffer);

/** The events of a file, up to the first bad record. */
function read(file: Uint8Array): Field[][] {
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

test('CRC-32C of known strings', () => {
  is(crc32c(new TextEncoder().encode('123456789')), 0xe3069283);
  // RFC 3720, B.4
  is(crc32c(new Uint8Array(32)), 0x8a9136aa);
  is(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  is(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

const STEP = 5_000_000_000; // needs more than 32 bits
const file = Buffer.concat([
  fileVersionEvent(1700000000.25),
  startEvent(1700000001, 11),
  scalarsEvent(1700000002.5, STEP, { 'loss/größe': 0.1, accuracy: -2.5, broken: Number.NaN }),
  imageEvent(1700000003, 3, 'picture', { width: 300, height: 2, png: Uint8Array.of(1, 2, 3) }),
]);

test('an independent reader gets the values back', () => {
  const [version, start, scalars, image] = read(file);
  is(bytesOf(version, 1)[0].readDoubleLE(), 1700000000.25);
  is(bytesOf(version, 3)[0].toString(), 'brain.Event:2');

  is(start.find((f) => f.number === 2)?.value, 11n);
  equal(parse(bytesOf(start, 7)[0]), [{ number: 1, value: 1n }]);

  is(scalars.find((f) => f.number === 2)?.value, BigInt(STEP));
  const values = bytesOf(parse(bytesOf(scalars, 5)[0]), 1).map((value) => {
    const fields = parse(value);
    return [bytesOf(fields, 1)[0].toString(), bytesOf(fields, 2)[0].readFloatLE()];
  });
  equal(values, [
    ['loss/größe', Math.fround(0.1)],
    ['accuracy', -2.5],
    ['broken', Number.NaN],
  ]);

  const value = parse(bytesOf(parse(bytesOf(image, 5)[0]), 1)[0]);
  is(bytesOf(value, 1)[0].toString(), 'picture');
  equal(parse(bytesOf(value, 4)[0]), [
    { number: 1, value: 2n },
    { number: 2, value: 300n },
    { number: 3, value: 3n },
    { number: 4, value: Buffer.from([1, 2, 3]) },
  ]);
});

test('a flipped bit is noticed: the reader stops at the bad record', () => {
  const first = fileVersionEvent(1700000000.25).length;
  const second = startEvent(1700000001, 11).length;
  for (const at of [first, first + 9, first + 20, first + second - 1]) {
    const damaged = Buffer.from(file);
    damaged[at] ^= 16;
    is(read(damaged).length, 1, `byte ${at}`);
  }
  ok(read(file).length === 4);
});
