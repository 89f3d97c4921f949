import { deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import {
  decodeDepth16,
  decodeImage,
  decodeLabel,
  decodePng,
  encodePng,
  imageSize,
} from '../../src/data/codecs.ts';
import { decodeJpeg } from '../../src/data/jpeg.ts';
import { equal, is, ok, suite } from '../suite.ts';
import {
  chunk,
  concat,
  header,
  messageOf,
  progressiveJpeg,
  QUADRANTS,
  quadrantJpeg,
  rawPng,
  SIGNATURE,
  turnedJpeg,
} from './fixtures.ts';

const test = suite('codecs');
const palette = (n: number) => Array.from({ length: 3 * n }, (_, i) => (i * 37) % 256);
const list = (data: ArrayLike<number>) => Array.from(data);

for (const depth of [1, 2, 4, 8]) {
  test(`palette indices of ${depth} bits survive, at a width that does not fill its bytes`, () => {
    const most = 2 ** depth;
    const samples = Array.from({ length: 5 * 3 }, (_, i) => (i * 7 + 1) % most);
    const file = rawPng({ width: 5, height: 3, depth, colourType: 3, samples, palette: palette(most) });
    const label = decodeLabel(file, 'a.png');
    equal([label.width, label.height], [5, 3]);
    equal(list(label.data), samples);
    const image = decodeImage(file, 'a.png');
    equal(
      list(image.data),
      samples.flatMap((index) => palette(most).slice(3 * index, 3 * index + 3)),
    );
  });
}

test('grey, RGB and RGBA images: R = G = B, alpha dropped, grey of few bits spread to 255', () => {
  const grey = decodeImage(rawPng({ width: 2, height: 1, depth: 8, colourType: 0, samples: [7, 250] }), 'g');
  equal(list(grey.data), [7, 7, 7, 250, 250, 250]);
  const two = decodeImage(
    rawPng({ width: 4, height: 1, depth: 2, colourType: 0, samples: [0, 1, 2, 3] }),
    'g',
  );
  equal(list(two.data), [0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]);
  const rgba = rawPng({ width: 2, height: 1, depth: 8, colourType: 6, samples: [1, 2, 3, 0, 4, 5, 6, 128] });
  equal(list(decodeImage(rgba, 'g').data), [1, 2, 3, 4, 5, 6]);
  const greyAlpha = rawPng({ width: 2, height: 1, depth: 8, colourType: 4, samples: [9, 0, 8, 255] });
  equal(list(decodeImage(greyAlpha, 'g').data), [9, 9, 9, 8, 8, 8]);
});

test('16-bit grey becomes metres = value / 256', () => {
  const samples = [0, 1, 256, 65535, 0x1234, 300];
  const file = rawPng({ width: 3, height: 2, depth: 16, colourType: 0, samples });
  equal(
    list(decodeDepth16(file, 'd.png').data),
    samples.map((v) => v / 256),
  );
  equal(
    list(decodeDepth16(file, 'd.png', 100).data),
    samples.map((v) => Math.fround(v / 100)),
  );
});

test('interlaced 8-bit and 16-bit files decode; fewer bits are refused', async () => {
  for (const [width, height] of [
    [9, 7],
    [1, 1],
    [3, 5],
  ]) {
    const bytes = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 29) % 256);
    const rgb = encode({ width, height, data: bytes, channels: 3, depth: 8 }, { interlace: 'Adam7' });
    equal(list(decodePng(rgb, 'i').data), list(bytes));
    const words = Uint16Array.from({ length: width * height }, (_, i) => (i * 2999) % 65536);
    const grey = encode({ width, height, data: words, channels: 1, depth: 16 }, { interlace: 'Adam7' });
    equal(list(decodePng(grey, 'i').data), list(words));
  }
  const few = rawPng({ width: 1, height: 1, depth: 1, colourType: 0, samples: [1], interlace: 1 });
  ok(/few\.png.*interlaced.*1 bits/.test(await messageOf(() => decodePng(few, 'few.png'))));
});

test('encodePng gives back grey, RGB and 16-bit samples, and the same bytes each time', async () => {
  const rgb = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i * 14) };
  const label = { width: 3, height: 2, data: Uint8Array.of(0, 1, 2, 3, 18, 255) };
  const depth = { width: 3, height: 2, data: Uint16Array.of(0, 1, 255, 256, 257, 65535) };
  equal(list(decodeImage(encodePng(rgb), 'x').data), list(rgb.data));
  equal(list(decodeLabel(encodePng(label), 'x').data), list(label.data));
  equal(list(decodePng(encodePng(depth), 'x').data), list(depth.data));
  equal(encodePng(rgb), encodePng(rgb));
  const bad = { width: 3, height: 2, data: new Uint8Array(12) };
  ok(/12 samples for 3x2/.test(await messageOf(() => encodePng(bad), 'RangeError')));
});

test('labels of other kinds are refused with the file, what it is and what was expected', async () => {
  const cases: [Uint8Array, RegExp][] = [
    [rawPng({ width: 1, height: 1, depth: 8, colourType: 6, samples: [1, 2, 3, 4] }), /8-bit RGBA PNG/],
    [rawPng({ width: 1, height: 1, depth: 8, colourType: 2, samples: [1, 2, 3] }), /8-bit RGB PNG/],
    [rawPng({ width: 1, height: 1, depth: 16, colourType: 0, samples: [1] }), /16-bit grey PNG/],
    [rawPng({ width: 1, height: 1, depth: 1, colourType: 0, samples: [1] }), /1-bit grey PNG/],
    [quadrantJpeg(8, 8), /JPEG, which changes class ids/],
    [Uint8Array.of(1, 2, 3), /not a PNG/],
  ];
  for (const [bytes, expected] of cases) {
    const message = await messageOf(() => decodeLabel(bytes, 'dir/l.png'));
    ok(expected.test(message), message);
    ok(/^dir\/l\.png: .*expected 8-bit grey or a palette/.test(message), message);
  }
  const eight = rawPng({ width: 1, height: 1, depth: 8, colourType: 0, samples: [1] });
  const deep = rawPng({ width: 1, height: 1, depth: 16, colourType: 2, samples: [1, 2, 3] });
  ok(/8-bit grey PNG; expected 16-bit grey/.test(await messageOf(() => decodeDepth16(eight, 'd'))));
  ok(/16-bit PNG as an image/.test(await messageOf(() => decodeImage(deep, 'd'))));
});

test('a PNG cut anywhere is refused, by name and byte count', async () => {
  const samples = Array.from({ length: 64 }, (_, i) => (i * 11) % 251);
  const whole = rawPng({ width: 8, height: 8, depth: 8, colourType: 0, samples });
  for (let length = 9; length < whole.length; length++) {
    const message = await messageOf(() => decodePng(whole.subarray(0, length), 'cut.png'));
    ok(message.startsWith('cut.png: PNG truncated') && message.includes(String(length)), message);
  }
  // Complete chunks around image data that stop early.
  const half = rawPng({
    width: 8,
    height: 8,
    depth: 8,
    colourType: 0,
    samples,
    idat: deflateSync(new Uint8Array(36)),
  });
  const message = await messageOf(() => decodePng(half, 'half.png'));
  ok(/half\.png: .*inflates to 36 bytes, its size needs 72/.test(message), message);
});

test('any flipped byte of the image data or header is refused', async () => {
  const whole = rawPng({
    width: 4,
    height: 4,
    depth: 8,
    colourType: 0,
    samples: Array.from({ length: 16 }, (_, i) => i),
  });
  for (let at = 16; at < whole.length; at++) {
    const broken = Uint8Array.from(whole);
    broken[at] ^= 0x20;
    ok((await messageOf(() => decodePng(broken, 'flip.png'))).startsWith('flip.png: '), `byte ${at}`);
  }
});

test('sizes over the limits are refused from the header alone', async () => {
  for (const [width, height] of [
    [30_000, 30_000],
    [16_385, 1],
    [16_000, 16_000],
    [0, 5],
  ]) {
    const file = concat(SIGNATURE, header(width, height, 8, 2), chunk('IEND', new Uint8Array(0)));
    for (const run of [() => decodeImage(file, 'big.png'), () => imageSize(file, 'big.png')]) {
      const message = await messageOf(run);
      ok(message.startsWith(`big.png: image of ${width}x${height} pixels`), message);
      ok(width === 0 || message.includes('limit'), message);
    }
  }
  const jpeg = quadrantJpeg(16, 16);
  const sof = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  jpeg.set([0xff, 0xdc, 0xff, 0xdc], sof + 5);
  ok(
    /big\.jpg: image of 65500x65500 pixels; the limit/.test(
      await messageOf(() => decodeImage(jpeg, 'big.jpg')),
    ),
  );
});

test('a 4x4 PNG with 200 MB of deflated zeros is refused or passed over, whichever chunk holds them, without inflating it', async () => {
  const bomb = deflateSync(new Uint8Array(200 * 2 ** 20));
  const idat = rawPng({
    width: 4,
    height: 4,
    depth: 8,
    colourType: 0,
    samples: new Array(16).fill(0),
    idat: bomb,
  });
  const profile = rawPng({
    width: 4,
    height: 4,
    depth: 8,
    colourType: 0,
    samples: new Array(16).fill(3),
    extra: chunk('iCCP', concat(Uint8Array.of(0x78, 0, 0), bomb)),
  });
  const before = process.memoryUsage().external;
  const message = await messageOf(() => decodePng(idat, 'bomb.png'));
  ok(/bomb\.png: .*more than the 20 bytes/.test(message), message);
  equal(list(decodePng(profile, 'profile.png').data), new Array(16).fill(3));
  const grown = process.memoryUsage().external - before;
  ok(grown < 10e6, `took ${grown} bytes`);
});

test('a second header cannot change the size that was checked', async () => {
  const extra = header(5000, 5000, 8, 0);
  const file = rawPng({ width: 1, height: 1, depth: 8, colourType: 0, samples: [1], extra });
  ok(/second header/.test(await messageOf(() => decodePng(file, 'two.png'))));
});

test('JPEG: colours within a few levels, grey as R = G = B, EXIF orientation ignored', () => {
  const file = quadrantJpeg(32, 16);
  const image = decodeImage(file, 'q.jpg');
  equal([image.width, image.height], [32, 16]);
  equal(imageSize(file, 'q.jpg'), { width: 32, height: 16 });
  for (const [x, y, q] of [
    [4, 4, 0],
    [28, 4, 1],
    [4, 12, 2],
    [28, 12, 3],
  ]) {
    for (let c = 0; c < 3; c++) {
      const found = image.data[3 * (32 * y + x) + c];
      ok(Math.abs(found - QUADRANTS[q][c]) <= 4, `(${x}, ${y}) channel ${c}: ${found}`);
    }
  }
  equal(decodeImage(turnedJpeg(file), 'q.jpg').data, image.data);
});

test('a progressive grey JPEG decodes', () => {
  const { width, height, data } = decodeJpeg(progressiveJpeg(), 'p.jpg');
  equal([width, height], [8, 8]);
  equal(list(data), new Array(192).fill(168));
});

test('a JPEG cut anywhere is refused, by name and byte count', async () => {
  const whole = quadrantJpeg(32, 32);
  for (let length = 3; length < whole.length; length++) {
    const message = await messageOf(() => decodeImage(whole.subarray(0, length), 'cut.jpg'));
    is(message, `cut.jpg: JPEG truncated: ${length} bytes and no end marker`);
  }
  // Entropy data that stop early, with the end marker in place.
  const early = concat(whole.subarray(0, whole.length - 12), Uint8Array.of(0xff, 0xd9));
  const message = await messageOf(() => decodeImage(early, 'early.jpg'));
  ok(message.startsWith('early.jpg: corrupt JPEG of 32x32 pixels: '), message);
});

test('JPEG with four components, 12 bits or arithmetic coding is refused by name', async () => {
  const patched = (offset: number, value: number) => {
    const file = quadrantJpeg(8, 8);
    file[file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xc0) + offset] = value;
    return file;
  };
  ok(/c\.jpg: JPEG with 4 components/.test(await messageOf(() => decodeImage(patched(9, 4), 'c.jpg'))));
  ok(/c\.jpg: JPEG with 12 bits/.test(await messageOf(() => decodeImage(patched(4, 12), 'c.jpg'))));
  ok(/c\.jpg: .*SOF9/.test(await messageOf(() => decodeImage(patched(1, 0xc9), 'c.jpg'))));
  ok(
    /c\.gif: neither PNG nor JPEG/.test(
      await messageOf(() => decodeImage(Uint8Array.of(71, 73, 70), 'c.gif')),
    ),
  );
});

test('a wrong CRC names the chunk and where it lies; other chunks and their CRCs do not matter', async () => {
  const extra = chunk('tEXt', Uint8Array.of(65, 0, 66));
  extra[extra.length - 1] ^= 1;
  const samples = Array.from({ length: 16 }, (_, i) => i);
  const file = rawPng({ width: 4, height: 4, depth: 8, colourType: 0, samples, extra });
  equal(list(decodePng(file, 'text.png').data), samples);
  file[33 + extra.length + 8] ^= 1;
  const message = await messageOf(() => decodePng(file, 'crc.png'));
  ok(
    /^crc\.png: corrupt PNG: the CRC of chunk IDAT at byte 48 is \d+, the file says \d+$/.test(message),
    message,
  );
});

test('samples of more than 256 MB are refused from the header, at sizes that fewer channels may have', async () => {
  for (const [depth, colourType, bytes] of [
    [16, 6, 8],
    [16, 2, 6],
  ]) {
    const file = concat(SIGNATURE, header(8192, 8192, depth, colourType), chunk('IEND', new Uint8Array(0)));
    const message = await messageOf(() => decodePng(file, 'deep.png'));
    ok(message.includes(`: ${8192 * 8192 * bytes} bytes; the limit is 268435456`), message);
  }
});

test('palettes of more than 256 colours, and two palettes, are refused', async () => {
  const parts = { width: 1, height: 1, depth: 8, colourType: 3, samples: [1] };
  const long = rawPng({ ...parts, palette: palette(257) });
  ok(/palette of 771 bytes, or a second one, at byte 33/.test(await messageOf(() => decodePng(long, 'p'))));
  const two = rawPng({ ...parts, palette: palette(2), extra: chunk('PLTE', new Uint8Array(3)) });
  ok(/palette of 6 bytes, or a second one, at byte 48/.test(await messageOf(() => decodePng(two, 'p'))));
});

test('millions of empty parts take no more memory than the file', async () => {
  const samples = new Array(16).fill(5);
  const empty = Buffer.concat(new Array(500_000).fill(chunk('IDAT', new Uint8Array(0))));
  const png = rawPng({ width: 4, height: 4, depth: 8, colourType: 0, samples, extra: empty });
  const intervals = Buffer.concat(new Array(1_000_000).fill(Uint8Array.of(0xff, 0xdd, 0, 4, 0, 0)));
  const whole = quadrantJpeg(8, 8);
  const jpeg = concat(whole.subarray(0, 2), intervals, whole.subarray(2));
  const before = process.memoryUsage();
  equal(list(decodePng(png, 'empty.png').data), samples);
  equal(decodeJpeg(jpeg, 'empty.jpg').data, decodeJpeg(whole, 'whole.jpg').data);
  const { external, heapUsed } = process.memoryUsage();
  const grown = external + heapUsed - before.external - before.heapUsed;
  ok(grown < 60e6, `took ${grown} bytes for files of ${png.length + jpeg.length}`);
});

test('image data in chunks of one byte is one image', () => {
  const samples = Array.from({ length: 64 }, (_, i) => (i * 11) % 251);
  const rows = Array.from({ length: 8 }, (_, y) => [0, ...samples.slice(8 * y, 8 * y + 8)]).flat();
  const pieces = [...deflateSync(Uint8Array.from(rows))].map((byte) => chunk('IDAT', Uint8Array.of(byte)));
  const file = concat(SIGNATURE, header(8, 8, 8, 0), ...pieces, chunk('IEND', new Uint8Array(0)));
  equal(list(decodePng(file, 'pieces.png').data), samples);
});

/** Offset of a JPEG's marker. */
const find = (file: Uint8Array, marker: number) =>
  file.findIndex((byte, i) => byte === 0xff && file[i + 1] === marker);

test('a JPEG whose size needs more blocks than its bytes could hold is refused from the header', async () => {
  const file = quadrantJpeg(16, 16);
  const frame = find(file, 0xc0);
  file.set([0x1f, 0x40, 0x1f, 0x40], frame + 5);
  const before = process.memoryUsage().external;
  for (const run of [() => decodeImage(file, 'big.jpg'), () => imageSize(file, 'big.jpg')])
    is(
      await messageOf(run),
      `big.jpg: JPEG truncated: ${file.length} bytes cannot hold the 1000000 blocks of 8000x8000 pixels`,
    );
  const grown = process.memoryUsage().external - before;
  ok(grown < 1e6, `took ${grown} bytes`);
});

test('a JPEG that an Adobe segment calls RGB is not converted from YCbCr, unless JFIF contradicts', () => {
  const jfif = quadrantJpeg(16, 16);
  const bare = concat(jfif.subarray(0, 2), jfif.subarray(20));
  const adobe = (file: Uint8Array, transform: number) =>
    concat(
      file.subarray(0, 2),
      Uint8Array.of(0xff, 0xee, 0, 14, 65, 100, 111, 98, 101, 0, 100, 0, 0, 0, 0, transform),
      file.subarray(2),
    );
  for (const file of [bare, adobe(bare, 1), adobe(jfif, 0)])
    equal(decodeJpeg(file, 'a').data, decodeJpeg(jfif, 'a').data);
  // Grey 120 is Y 120, Cb 128, Cr 128.
  const { data } = decodeJpeg(adobe(bare, 0), 'a');
  equal(list(data.subarray(3 * (15 * 16 + 15))), [120, 128, 128]);
});

test('each damaged segment of a JPEG is named by its byte', async () => {
  const file = quadrantJpeg(16, 16);
  const at = (marker: number, offset: number, value: number) => {
    const copy = Uint8Array.from(file);
    copy[find(file, marker) + offset] = value;
    return copy;
  };
  const insert = (before: number, ...bytes: number[]) => {
    const offset = find(file, before);
    return concat(file.subarray(0, offset), Uint8Array.from(bytes), file.subarray(offset));
  };
  const scan = file.subarray(find(file, 0xda), file.length - 2);
  const many = concat(file.subarray(0, -2), ...new Array(100).fill(scan), file.subarray(-2));
  const progressive = progressiveJpeg();
  progressive[find(progressive, 0xda) + 8] = 64;
  const faults: [Uint8Array, RegExp][] = [
    [at(0xdb, 4, 0x10), /the quantisation tables at byte \d+ do not fill their \d+ bytes/],
    [at(0xc4, 5, 200), /the Huffman tables at byte \d+ do not fill their \d+ bytes/],
    [at(0xc0, 11, 0x0f), /components 1,2,3 with sampling f,11,11; expected/],
    [at(0xc0, 11, 0x51), /components 1,2,3 with sampling 51,11,11; expected/],
    [at(0xc0, 13, 1), /components 1,1,3 with sampling/],
    [at(0xda, 5, 9), /the scan at byte \d+ is for components 9,2,3; the frame has 1,2,3/],
    [at(0xda, 4, 2), /the scan at byte \d+ has 10 bytes for 2 components/],
    [insert(0xc0, ...scan.subarray(0, 14)), /a scan at byte \d+, before its frame/],
    [insert(0xda, 0xff, 0xdd, 0, 5, 0, 1, 0), /restart interval of 5 bytes/],
    [insert(0xda, 0xff, 0xd8), /marker 0xd8 at byte \d+, where a segment is expected/],
    [insert(0xda, ...file.subarray(find(file, 0xc0), find(file, 0xc0) + 19)), /more than one frame/],
    [concat(file.subarray(0, find(file, 0xda)), file.subarray(-2)), /JPEG without an image/],
    [many, /JPEG of more than 100 scans/],
    [progressive, /the scan at byte \d+ covers coefficients 0 to 64 of 1 components/],
  ];
  for (const [bytes, expected] of faults) {
    const message = await messageOf(() => decodeJpeg(bytes, 'x.jpg'));
    ok(message.startsWith('x.jpg: ') && expected.test(message), `${expected}: ${message}`);
  }
});
