import { crc32c, fileVersionEvent, imageEvent, scalarsEvent, startEvent } from '../../src/train/tfevents.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { bytesOf, parse, read } from './read-events.ts';

const test = suite('TensorBoard events');

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
