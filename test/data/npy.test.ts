import { deflateSync } from 'node:zlib';
import { readDepthArray, readNpy, readNpz } from '../../src/data/npy.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { concat, messageOf, npy, zip } from './fixtures.ts';

const test = suite('npy');
const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const floats = (...values: number[]) => bytesOf(Float32Array.of(...values));

test('what numpy wrote: savez_compressed(x=arange(6, "f4").reshape(2, 3) / 2, y=array([1, 2, 3], "u1")), numpy 2.4', () => {
  const file = Buffer.from(
    'UEsDBC0AAAAIAAAAIQALwLB2//////////8FABQAeC5ucHkBABAAmAAAAAAAAABXAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Ce' +
      'll9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYIsGdgaADiA0DM4MDAoOAAAFBLAwQtAAAACAAAACEAKuOOsf//////////' +
      'BQAUAHkubnB5AQAQAIMAAAAAAAAARwAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBeU2qorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC' +
      '+RrGOpo6CrUKFAAuRiZmAFBLAQItAy0AAAAIAAAAIQALwLB2VwAAAJgAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQAq' +
      '446xRwAAAIMAAAAFAAAAAAAAAAAAAACAAY4AAAB5Lm5weVBLBQYAAAAAAgACAGYAAAAMAQAAAAA=',
    'base64',
  );
  const arrays = readNpz(file, 'a.npz');
  equal([...arrays.keys()], ['x', 'y']);
  equal(arrays.get('x'), { dtype: 'F32', shape: [2, 3], data: Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5) });
  equal(arrays.get('y'), { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) });
});

test('every dtype, all three versions, a scalar, no values, and an array that starts at an odd byte', () => {
  for (const [descr, array] of [
    ['<f8', Float64Array.of(Math.PI, -1)],
    ['<f4', Float32Array.of(Number.NaN, -0)],
    ['<f2', Uint16Array.of(0x3c00, 1)],
    ['<i8', BigInt64Array.of(-(2n ** 63n), 5n)],
    ['<i4', Int32Array.of(-5, 2 ** 31 - 1)],
    ['<i2', Int16Array.of(-5, 5)],
    ['|i1', Int8Array.of(-5, 5)],
    ['<u8', BigUint64Array.of(2n ** 64n - 1n, 5n)],
    ['<u4', Uint32Array.of(2 ** 32 - 1, 5)],
    ['<u2', Uint16Array.of(65_535, 5)],
    ['|u1', Uint8Array.of(255, 5)],
    ['|b1', Uint8Array.of(1, 0)],
  ] as const) {
    for (const version of [1, 2, 3]) {
      const file = npy(header(`'${descr}'`, '(2,)'), bytesOf(array), version);
      const odd = concat(new Uint8Array(1), file).subarray(1);
      for (const bytes of [file, odd]) {
        const { shape, data } = readNpy(bytes, 'a.npy');
        equal(shape, [2]);
        equal(bytesOf(data), bytesOf(array), descr);
        is(data.constructor, array.constructor);
      }
    }
  }
  equal(readNpy(npy(header("'<f4'", '()'), floats(3)), 'a').shape, []);
  equal(readNpy(npy(header("'<f4'", '(0, 7)'), new Uint8Array(0)), 'a').data.length, 0);
});

test("Fortran's order becomes row-major", () => {
  // Element (i, j, k) of a 2x3x4 array holds 12i + 4j + k; the first axis runs fastest in the file.
  const stored: number[] = [];
  for (let k = 0; k < 4; k++)
    for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) stored.push(12 * i + 4 * j + k);
  const { shape, data } = readNpy(npy(header("'<f4'", '(2, 3, 4)', 'True'), floats(...stored)), 'a');
  equal(shape, [2, 3, 4]);
  equal(
    Array.from(data, Number),
    Array.from({ length: 24 }, (_, i) => i),
  );
});

test('each fault of an npy file has its own message', async () => {
  const faults: [Uint8Array, RegExp][] = [
    [npy(header("'|O'", '(2,)'), new Uint8Array(99)), /array of Python objects, whose pickle could run code/],
    [npy(header("[('x', '<f4')]", '(2,)'), new Uint8Array(8)), /array of records/],
    [npy(header("'>f4'", '(2,)'), new Uint8Array(8)), /big-endian array \(>f4\); save it as '<f4'/],
    [npy(header("'<U2'", '(1,)'), new Uint8Array(8)), /dtype "<U2"; known are <f8/],
    [npy(header("'toString'", '(1,)'), new Uint8Array(8)), /dtype "toString"/],
    [npy(header("'<f4'", '(2, 2)'), new Uint8Array(12)), /12 bytes of data; <f4 of shape \(2,2\) needs 16/],
    [npy(header("'<f4'", '(2,)'), new Uint8Array(12)), /12 bytes of data; <f4 of shape \(2\) needs 8/],
    [npy(header("'<f4'", '(4294967296, 4294967296)'), new Uint8Array(8)), /too many values to count/],
    [npy(header("'<f4'", '(9007199254740993,)'), new Uint8Array(8)), /expected whole numbers below 2\^53/],
    [npy(header("'<f4'", `(${'1, '.repeat(33)})`), new Uint8Array(4)), /34 axes; the limit is 32/],
    [npy(header("'<f4'", '(-1,)'), new Uint8Array(8)), /npy header .*expected \{'descr'/],
    [npy('import os', new Uint8Array(8)), /npy header "import os"/],
    [npy(header("'<f4'", '(2,)').padEnd(10_001), new Uint8Array(8)), /npy header of 10001 bytes; the limit/],
    [
      npy(header("'<f4'", '(2,)'), new Uint8Array(8)).subarray(0, 40),
      /npy header of 58 bytes in a file of 40/,
    ],
    [npy(header("'<f4'", '(2,)'), new Uint8Array(8), 4), /npy version 4\.0; known are/],
    [new TextEncoder().encode('x,y,z,1,2,3,4,5'), /not an npy file/],
    [new Uint8Array(3), /not an npy file: 3 bytes/],
  ];
  const messages = new Set<string>();
  for (const [bytes, expected] of faults) {
    const message = await messageOf(() => readNpy(bytes, 'some.npy'));
    ok(message.startsWith('some.npy: ') && expected.test(message), `${expected}: ${message}`);
    messages.add(message);
  }
  is(messages.size, faults.length);
});

const sound = npy(header("'<f4'", '(2,)'), floats(1, 2));

test('each fault of an npz file has its own message, and nothing is inflated before the directory is sound', async () => {
  const entry = { name: 'a.npy', content: sound };
  const deflated = { ...entry, method: 8 };
  const whole = zip([deflated]);
  // 400 MB of zeros, and their true size in the directory: within the ratio of deflate, twice within the limit.
  const bomb = { ...deflated, packed: new Uint8Array(400_000), size: 400_000_000 };
  const faults: [Uint8Array, RegExp][] = [
    [zip([{ ...entry, name: '../a.npy' }]), /entry "\.\.\/a\.npy": the name leaves the archive/],
    [zip([{ ...entry, name: '/etc/a.npy' }]), /entry "\/etc\/a\.npy": the name leaves the archive/],
    [zip([{ ...entry, name: 'C:\\a.npy' }]), /the name leaves the archive/],
    [zip([{ ...entry, name: 'x/../../a.npy' }]), /the name leaves the archive/],
    [zip([entry, entry]), /entry "a\.npy": is listed twice/],
    [zip([{ ...entry, localName: 'b.npy' }]), /entry "a\.npy": is called "b\.npy" where it lies/],
    [zip([{ ...entry, name: 'a.txt' }]), /entry "a\.txt" is no npy file/],
    [
      zip([{ ...entry, content: npy(header("'|O'", '()'), new Uint8Array(9)) }]),
      /a\.npy: array of Python objects/,
    ],
    [zip([{ ...entry, flags: 1 }]), /is encrypted/],
    [zip([{ ...entry, method: 12 }]), /packed by method 12; expected 0 \(stored\) or 8 \(deflate\)/],
    [zip([{ ...entry, crc: 7 }]), /is damaged: its CRC is 0x[0-9a-f]{8}, the archive says 0x00000007/],
    [zip([{ ...entry, size: 9 }]), /stored, yet \d+ bytes in the archive and 9 outside/],
    [
      zip([bomb, { ...bomb, name: 'b.npy' }]),
      /brings the archive to 800000000 bytes inflated; the limit is 536870912/,
    ],
    [zip([{ ...deflated, size: 200_000 }]), /bytes cannot inflate to the 200000 bytes/],
    [zip([{ ...deflated, size: 20 }]), /inflates to more than the 20 bytes/],
    [zip([{ ...deflated, size: 90 }]), /inflates to 76 bytes, its size needs 90/],
    [zip([{ ...deflated, packed: Uint8Array.of(7, 7, 7) }]), /does not inflate: /],
    [zip([{ ...entry, offset: 5 }]), /no header at byte 5/],
    [zip([{ ...entry, offset: 1e6 }]), /header at byte 1000000, inside the directory/],
    [whole.subarray(0, whole.length - 30), /without the end record of a zip archive/],
    [concat(whole, new Uint8Array(5)), /without the end record of a zip archive/],
    [concat(new Uint8Array(0), whole.subarray(20)), /directory at bytes \d+ to \d+, but its end record/],
    [sound, /without the end record of a zip archive/],
  ];
  for (const [bytes, expected] of faults) {
    const before = process.memoryUsage().external;
    const message = await messageOf(() => readNpz(bytes, 'some.npz'));
    ok(message.startsWith('some.npz: ') && expected.test(message), `${expected}: ${message}`);
    const grown = process.memoryUsage().external - before;
    ok(grown < 10e6, `${expected}: took ${grown} bytes`);
  }
});

test('a bomb whose directory lies ends at the size that the directory states', async () => {
  const packed = deflateSync(new Uint8Array(100 * 2 ** 20)).subarray(2, -4);
  const before = process.memoryUsage().external;
  const message = await messageOf(() =>
    readNpz(zip([{ name: 'a.npy', content: sound, method: 8, packed }]), 'bomb.npz'),
  );
  is(message, 'bomb.npz: entry "a.npy": inflates to more than the 76 bytes that its size needs');
  const grown = process.memoryUsage().external - before;
  ok(grown < 40e6, `took ${grown} bytes`);
});

test('depth comes in metres from one float array, and the first value that is no depth is named', async () => {
  const depth = (values: number[], shape = '(2, 2)') => npy(header("'<f4'", shape), floats(...values));
  const good = depth([0, 1.5, 80, 2]);
  for (const bytes of [good, zip([{ name: 'depth.npy', content: good, method: 8 }])])
    equal(readDepthArray(bytes, 'd'), { width: 2, height: 2, data: Float32Array.of(0, 1.5, 80, 2) });
  const faults: [Uint8Array, RegExp][] = [
    [depth([1, 2, Number.NaN, 4]), /^d\.npy: pixel \(x 0, y 1\) holds NaN; expected metres from 0 on/],
    [depth([1, Number.POSITIVE_INFINITY, 3, 4]), /pixel \(x 1, y 0\) holds Infinity/],
    [depth([1, 2, 3, -4]), /pixel \(x 1, y 1\) holds -4/],
    [
      depth([1, 2, 3, 4], '(4,)'),
      /depth of F32 and shape \(4\); expected F32 or F64 of shape \(height, width\)/,
    ],
    [npy(header("'|u1'", '(1, 2)'), Uint8Array.of(1, 2)), /depth of U8 and shape \(1,2\)/],
    [npy(header("'<f4'", '(0, 5)'), new Uint8Array(0)), /image of 5x0 pixels/],
    [npy(header("'<f4'", '(1, 20000)'), new Uint8Array(80_000)), /image of 20000x1 pixels; the limit/],
    [zip(['a.npy', 'b.npy'].map((name) => ({ name, content: good }))), /2 arrays; expected one, the depth/],
  ];
  for (const [bytes, expected] of faults) {
    const message = await messageOf(() => readDepthArray(bytes, 'd.npy'));
    ok(expected.test(message), message);
  }
});
