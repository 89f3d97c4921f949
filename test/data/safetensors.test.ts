import { readSafetensors, type SafeTensor, writeSafetensors } from '../../src/data/safetensors.ts';
import { DataError } from '../../src/data/types.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('safetensors');

/** A file from a header as text or bytes; its length field can be faked. */
function file(header: string | Uint8Array, dataBytes: number, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const out = new Uint8Array(8 + text.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  out.set(text, 8);
  return out;
}

const f32 = (begin: number, end: number, shape: number[] = [(end - begin) / 4]) =>
  JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] });

const plain = `{"a":${f32(0, 8)}}`;

// The reason each is refused, and a file that has no other fault.
const faults: [string, Uint8Array, RegExp][] = [
  ['header length 2^63', file(plain, 8, 2n ** 63n), /header length 9223372036854775808 is beyond 2\^53/],
  ['header length 101 MB', file(plain, 8, 101_000_000n), /header of 101000000 bytes; the limit/],
  ['header longer than the file', file(plain, 8, 5000n), /header of 5000 bytes in a file of \d+ bytes/],
  ['header that is no object', file(`[${plain}]`, 8), /starts with byte 0x5b/],
  ['bad UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0), /not UTF-8/],
  ['overlap', file(`{"a":${f32(0, 8)},"b":${f32(4, 12)}}`, 12), /"b" at bytes 4 to 12: overlaps tensor "a"/],
  ['hole', file(`{"a":${f32(0, 8)},"b":${f32(12, 16)}}`, 16), /"b" at bytes 12 to 16: leaves a hole/],
  ['shape overflow', file(`{"a":${f32(0, 8, [2 ** 31, 2 ** 31])}}`, 8), /too many values to count/],
  ['bytes after the end', file(plain, 12), /4 bytes after the end of tensor "a"/],
  ['key twice', file(`{"a":${f32(0, 4)},"a":${f32(4, 8)}}`, 8), /key "a" twice/],
  ['__proto__', file(`{"__proto__":${f32(0, 8)}}`, 8), /"__proto__" is reserved/],
  ['shorter than eight bytes', new Uint8Array(5), /5 bytes; a safetensors file has at least 8/],
  ['an empty header', file('', 0), /expected '\{'/],
  ['data cut off', file(plain, 4), /ends at byte 8 of the data, which has 4/],
  ['wrong size', file(`{"a":${f32(0, 8, [3])}}`, 8), /8 bytes; F32 of shape \[3\] needs 12/],
  ['end before begin', file(`{"a":${f32(8, 0, [0])}}`, 8), /ends before it begins/],
  ['hole at the start', file(`{"a":${f32(4, 12)}}`, 12), /hole after the start of the data/],
  ['unknown dtype', file(plain.replace('F32', 'F31'), 8), /dtype "F31"; known are/],
  ['inherited dtype', file(plain.replace('F32', 'toString'), 8), /dtype "toString"/],
  ['negative offset', file('{"a":{"dtype":"F32","shape":[],"data_offsets":[-4,0]}}', 0), /found "-4,0\]/],
  ['fraction', file('{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}', 6), /expected '\]'/],
  ['no shape', file('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4), /needs dtype, shape/],
  ['number beyond 2^53', file(plain.replace('[2]', '[9007199254740993]'), 8), /beyond 2\^53/],
  ['metadata of another type', file('{"__metadata__":{"step":12}}', 0), /value of "step" is not a string/],
  ['metadata __proto__', file('{"__metadata__":{"__proto__":"x"}}', 0), /reserved/],
  ['text after the header', file('{} {}', 0), /expected the end of the header/],
  ['a line break in a string', file('{"a\nb":1}', 0), /malformed string/],
  ['a header that stops', file('{"a":', 0), /found its end/],
  ['a number with a leading zero', file(plain.replace('[2]', '[02]'), 8), /expected '\]', found "2\]/],
  [
    'a shape of many axes',
    file(`{"a":${f32(0, 4, new Array(33).fill(1))}}`, 4),
    /a list of more than 32 numbers, the most axes a shape may have/,
  ],
  [
    'a number of a million digits',
    file(plain.replace('[2]', `[${'9'.repeat(1e6)}]`), 8),
    /the number 9{40} is beyond 2\^53$/,
  ],
  ['half a surrogate pair', file(`{"\\ud800":${f32(0, 8)}}`, 8), /half a surrogate pair/],
  ['a long name', file(`{"${'a'.repeat(2000)}":${f32(0, 8)}}`, 8), /of 2000 characters/],
];

/** Bytes on and beside the heap. */
const taken = () => process.memoryUsage().heapUsed + process.memoryUsage().external;

for (const [what, bytes, pattern] of faults) {
  test(`refuses ${what}`, () => {
    const before = taken();
    let caught: unknown;
    try {
      readSafetensors(bytes, 'some.safetensors');
    } catch (error) {
      caught = error;
    }
    ok(caught instanceof DataError, `threw ${caught}`);
    ok(pattern.test(caught.message), caught.message);
    ok(caught.message.startsWith('some.safetensors: '), caught.message);
    const grown = taken() - before;
    ok(grown < 10e6, `took ${grown} bytes`);
  });
}

test('metadata and tensors have at most 100,000 keys', () => {
  const pairs = Array.from({ length: 100_001 }, (_, i) => `"${i}":""`);
  const crowded = file(`{"__metadata__":{${pairs}}}`, 0);
  throws(() => readSafetensors(crowded, 'f'), /f: __metadata__ holds more than 100000 keys/);
});

test('the eleven faults give eleven different messages', () => {
  const messages = faults.slice(0, 11).map(([, bytes]) => {
    try {
      readSafetensors(bytes, 'f');
      return '';
    } catch (error) {
      return (error as Error).message.replace(/\d+/g, 'N');
    }
  });
  is(new Set(messages).size, 11);
});

test('what is written is read back, at any alignment', () => {
  const tensors = new Map<string, SafeTensor>([
    [
      'layer.0.weight',
      { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, Number.NaN, Infinity, -0) },
    ],
    ['ids', { dtype: 'I32', shape: [2], data: Int32Array.of(-1, 2 ** 31 - 1) }],
    ['count', { dtype: 'U32', shape: [], data: Uint32Array.of(2 ** 32 - 1) }],
    ['bytes', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) }],
    ['nothing', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
    ['steps', { dtype: 'I64', shape: [1], data: BigInt64Array.of(-(2n ** 63n)) }],
    ['ünïcode "quoted" \\', { dtype: 'F64', shape: [1, 1], data: Float64Array.of(Math.PI) }],
  ]);
  const metadata = { format: 'warpmix', note: 'line\nbreak "and" \\ quotes' };
  const bytes = writeSafetensors(tensors, metadata);
  is(new DataView(bytes.buffer).getBigUint64(0, true) % 8n, 0n);
  const shifted = new Uint8Array(bytes.length + 3).subarray(3);
  shifted.set(bytes);
  for (const one of [bytes, shifted, Buffer.from(bytes)]) {
    const read = readSafetensors(one, 'round-trip');
    equal(read.metadata, metadata);
    is(read.tensors.size, tensors.size);
    for (const [name, { dtype, shape, data }] of tensors) {
      const got = read.tensors.get(name)!;
      is(got.dtype, dtype);
      equal(got.shape, shape);
      equal([...got.data].map(String), [...data].map(String));
      is(got.data.buffer.byteLength, data.byteLength, 'a copy of its own');
    }
  }
  equal(writeSafetensors(tensors, metadata), bytes, 'same bytes twice');
});

test('an empty file of tensors is a file', () => {
  const read = readSafetensors(writeSafetensors(new Map()), 'empty');
  is(read.tensors.size, 0);
  equal(read.metadata, {});
});

test('what could not be read back is not written', () => {
  const one = (name: string, shape: number[], length = 2): Map<string, SafeTensor> =>
    new Map([[name, { dtype: 'F32', shape, data: new Float32Array(length) }]]);
  throws(() => writeSafetensors(one('a', [3])), /Float32Array of 2 values for F32 of shape \[3\]/);
  throws(() => writeSafetensors(one('a', [-1, -2])), /shape \[-1,-2\]; expected at most 32 whole numbers/);
  throws(() => writeSafetensors(one('a', [0.5, 4])), /shape \[0\.5,4\]/);
  throws(() => writeSafetensors(one('a', new Array(33).fill(1), 1)), /expected at most 32/);
  throws(() => writeSafetensors(one('__metadata__', [2])), /"__metadata__" is reserved/);
  throws(() => writeSafetensors(one('\udc00', [2])), /half a surrogate pair/);
  throws(() => writeSafetensors(new Map(), { ['x'.repeat(2000)]: '' }), /of 2000 characters/);
});
