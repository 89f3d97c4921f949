import { mkdirSync, symlinkSync } from 'node:fs';
import { join, posix, win32 } from 'node:path';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { encode } from 'fast-png';
import {
  decodeDepth16,
  decodeImage,
  decodeLabel,
  decodePng,
  encodePng,
  imageSize,
} from '../../src/data/codecs.ts';
import type { FileSource } from '../../src/data/files.ts';
import { nodeFiles } from '../../src/data/files-node.ts';
import { decodeJpeg } from '../../src/data/jpeg.ts';
import { readDepthArray, readNpy, readNpz } from '../../src/data/npy.ts';
import { readPack } from '../../src/data/pack.ts';
import { readSafetensors, type SafeTensor, writeSafetensors } from '../../src/data/safetensors.ts';
import { DataError } from '../../src/data/types.ts';
import { equal, is, ok, suite } from '../suite.ts';
import {
  chunk,
  concat,
  folderOf,
  npy,
  progressiveJpeg,
  quadrantJpeg,
  rawPng,
  SIGNATURE,
  type ZipEntry,
  zip,
} from './fixtures.ts';
import { attack, edited, INPUTS, noise, type Part, rearranged, SEED } from './hostile.ts';

const test = suite('hostile files');
/** What one input may take; inputs are of a few hundred bytes, now and then of some thousand. */
const MB = 1e6;
const be16 = (bytes: Uint8Array, at: number) => 256 * bytes[at] + bytes[at + 1];
const be32 = (bytes: Uint8Array, at: number) => 65_536 * be16(bytes, at) + be16(bytes, at + 2);
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

/** As many values as the shape says. */
function checkTensor({ shape, data }: SafeTensor): void {
  is(
    data.length,
    shape.reduce((n, d) => n * d, 1),
  );
}

/** A text of `words`, mostly sensible, in any order. */
const jumble = (words: readonly string[], most: number) =>
  fc.array(fc.constantFrom(...words), { maxLength: most }).map((list) => list.join(''));

test('safetensors', () => {
  const file = writeSafetensors(
    new Map<string, SafeTensor>([
      ['conv.weight', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
      ['steps', { dtype: 'I64', shape: [], data: BigInt64Array.of(7n) }],
      ['mask', { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ]),
    { format: 'pt' },
  );
  const text = new TextDecoder().decode(file.subarray(8, 8 + file[0] + 256 * file[1]));
  const withHeader = (header: string, data: number) => {
    const bytes = new TextEncoder().encode(header);
    const length = new Uint8Array(new BigUint64Array([BigInt(bytes.length)]).buffer);
    return concat(length, bytes, new Uint8Array(data));
  };
  // The header alone is edited, so that its length field stays right.
  const words = text.split(/(?<=[{}[\]:,])|(?=[{}[\]:,])/);
  const swapped = fc
    .tuple(
      fc.nat(words.length - 1),
      fc.constantFrom(...words, '-1', '1e3', '9007199254740993', '"__proto__"', '07', '\\u0000'),
    )
    .map(([at, word]) => withHeader(words.with(at, word).join(''), 35));
  const found = attack(
    fc.oneof(
      edited(file),
      swapped,
      jumble(words, 60).map((header) => withHeader(`{${header}`, 35)),
      noise([16, 0, 0, 0, 0, 0, 0, 0, 0x7b]),
    ),
    (bytes, name) => {
      const { tensors, metadata } = readSafetensors(bytes, name);
      for (const tensor of tensors.values()) checkTensor(tensor);
      const again = readSafetensors(writeSafetensors(tensors, metadata), name);
      equal([...again.tensors.keys()].sort(), [...tensors.keys()].sort());
      equal(again.metadata, metadata);
    },
    MB,
  );
  ok(found.read > 200 && found.complaints >= 20, JSON.stringify(found));
});

const npyHeader = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }\n`;
const NPY = [
  npy(npyHeader('<f4', '2, 3'), new Uint8Array(24)),
  npy(npyHeader('<f8', '2, 2', 'True'), new Uint8Array(32), 2),
  npy(npyHeader('|u1', ''), new Uint8Array(1)),
];
/** Headers of sensible and of hostile words around eight bytes of data. */
const npyHeaders = fc
  .tuple(
    fc.oneof(
      fc.constantFrom('<f4', '<f8', '<i2', '|b1', '|u1'),
      fc.constantFrom('>f4', '|O', 'O8', '<U2', '', '__proto__', 'toString'),
    ),
    fc.oneof(
      fc.constantFrom('2', '8', '1, 2', '2, 2', '2, 4', '4,', '1, 1'),
      fc.constantFrom('0, 9', '4294967296, 4294967296, 0', '8,', ' ', ', ,', '1' + ', 1'.repeat(40)),
      jumble(['1', '2', '0', '9', ',', ' ', '-', 'L', '.', '99999999999999999999'], 12),
    ),
    fc.constantFrom('False', 'False', 'True', '1'),
    fc.constantFrom(1, 1, 2, 3, 4),
  )
  .map(([descr, shape, order, version]) => npy(npyHeader(descr, shape, order), new Uint8Array(8), version));

test('npy', () => {
  const found = attack(
    fc.oneof(edited(...NPY), npyHeaders, noise(NPY[0].subarray(0, 10))),
    (bytes, name) => {
      const depth = outcome(() => readDepthArray(bytes, name));
      checkTensor(readNpy(bytes, name));
      if (depth) is(depth.data.length, depth.width * depth.height);
    },
    MB,
  );
  ok(found.read > 200 && found.complaints >= 15, JSON.stringify(found));
});

/** What `read` gives, or undefined where it complains; another error is thrown on. */
function outcome<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

test('npz', () => {
  const sound: ZipEntry[] = [
    { name: 'depth.npy', content: NPY[0], method: 8 },
    { name: 'ids.npy', content: NPY[2] },
  ];
  const entry: fc.Arbitrary<ZipEntry> = fc.record(
    {
      name: fc.constantFrom(
        'a.npy',
        'b/c.npy',
        '../a.npy',
        '/a.npy',
        'C:\\a.npy',
        'file:///a.npy',
        'a',
        '',
        '__proto__.npy',
      ),
      content: fc.oneof(npyHeaders, edited(...NPY)),
      method: fc.constantFrom(0, 8, 8, 9, 12),
      flags: fc.constantFrom(0, 0, 0, 1, 8, 0x800, 0xffff),
      crc: fc.nat(2 ** 31),
      size: fc.constantFrom(0, 1, 8, 100, 2 ** 20, 2 ** 28, 2 ** 32 - 1),
      packed: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.constant(deflateSync(new Uint8Array(50_000)).subarray(2)),
      ),
      offset: fc.constantFrom(0, 1, 30, 100, 2 ** 31, 2 ** 32 - 1),
      localName: fc.constantFrom('a.npy', '../a.npy'),
    },
    { requiredKeys: ['name', 'content'] },
  );
  const found = attack(
    fc.oneof(
      edited(zip(sound), zip(sound.map((one) => ({ ...one, method: 0 })))),
      fc.array(entry, { maxLength: 3 }).map(zip),
      // One thing wrong with one entry, and all else right.
      fc
        .tuple(npyHeaders, fc.constantFrom(0, 8))
        .map(([content, method]) => zip([{ name: 'a.npy', content, method }])),
      noise(latin1('PK\x05\x06')),
    ),
    (bytes, name) => {
      for (const array of readNpz(bytes, name).values()) checkTensor(array);
    },
    4 * MB,
  );
  ok(found.read > 300 && found.complaints >= 25, JSON.stringify(found));
});

function pngParts(file: Uint8Array): Part<string>[] {
  const parts: Part<string>[] = [];
  for (let at = 8; at < file.length; at += 12 + be32(file, at)) {
    const tag = String.fromCharCode(...file.subarray(at + 4, at + 8));
    parts.push({ tag, data: file.subarray(at + 8, at + 8 + be32(file, at)) });
  }
  return parts;
}

test('PNG', () => {
  const counting = (count: number, most: number) => Array.from({ length: count }, (_, i) => (i * 7) % most);
  const files = [
    encodePng({ width: 9, height: 7, data: Uint8Array.from(counting(189, 256)) }),
    encodePng({ width: 5, height: 4, data: Uint16Array.from(counting(20, 65536)) }),
    encodePng({ width: 16, height: 8, data: Uint8Array.from(counting(128, 19)) }),
    rawPng({
      width: 5,
      height: 3,
      depth: 4,
      colourType: 3,
      samples: counting(15, 16),
      palette: counting(48, 256),
    }),
    rawPng({ width: 4, height: 2, depth: 8, colourType: 6, samples: counting(32, 256) }),
    encode(
      { width: 5, height: 5, data: Uint8Array.from(counting(75, 256)), channels: 3, depth: 8 },
      { interlace: 'Adam7' },
    ),
  ];
  const scanLines = fc
    .tuple(fc.uint8Array({ maxLength: 6 }), fc.constantFrom(0, 36, 72, 196, 5000, 300_000))
    .map(([start, length]) => deflateSync(concat(start, new Uint8Array(length))));
  const foreign = fc.oneof(
    fc.record({
      tag: fc.constantFrom('IDAT', 'PLTE', 'IHDR', 'IEND', 'tRNS', 'acTL', 'fcTL', 'fdAT', 'zTXt'),
      data: fc.uint8Array({ maxLength: 30 }),
    }),
    fc.record({ tag: fc.constantFrom('IDAT', 'iCCP'), data: scanLines }),
    fc.record({
      tag: fc.constant('PLTE'),
      data: fc.constantFrom(0, 3, 768, 771, 3e5).map((n) => new Uint8Array(n)),
    }),
  );
  const found = attack(
    fc.oneof(
      edited(...files),
      {
        weight: 3,
        arbitrary: rearranged(files.map(pngParts), foreign, (parts) =>
          concat(SIGNATURE, ...parts.map(({ tag, data }) => chunk(tag, data))),
        ),
      },
      noise(concat(files[0].subarray(0, 33))),
    ),
    (bytes, name) => {
      const size = outcome(() => imageSize(bytes, name));
      const { width, height, channels, depth, data } = decodePng(bytes, name);
      equal(size, { width, height });
      is(data.length, width * height * channels);
      ok(depth === 16 || data.every((sample) => sample < 2 ** depth));
      is(outcome(() => decodeImage(bytes, name))?.data.length ?? 3 * width * height, 3 * width * height);
      is(outcome(() => decodeLabel(bytes, name))?.data.length ?? width * height, width * height);
      is(outcome(() => decodeDepth16(bytes, name))?.data.length ?? width * height, width * height);
    },
    8 * MB,
  );
  ok(found.read > 500 && found.complaints >= 20, JSON.stringify(found));
});

/** Segments by marker; a scan's holds its entropy-coded data too. */
function jpegParts(file: Uint8Array): Part<number>[] {
  const parts: Part<number>[] = [];
  for (let at = 2; file[at + 1] !== 0xd9; ) {
    const tag = file[at + 1];
    let end = at + 2 + be16(file, at + 2);
    if (tag === 0xda) while (file[end] !== 0xff || file[end + 1] === 0) end += 1;
    parts.push({ tag, data: file.subarray(at + 4, end) });
    at = end;
  }
  return parts;
}

/** Length fields as they should be; of a scan only the header counts. */
const jpegOf = (parts: readonly Part<number>[]): Uint8Array =>
  concat(
    Uint8Array.of(0xff, 0xd8),
    ...parts.flatMap(({ tag, data }) => {
      const length = 2 + (tag === 0xda ? 4 + 2 * (data[0] ?? 0) : data.length);
      return [Uint8Array.of(0xff, tag, length >> 8, length & 255), data];
    }),
    Uint8Array.of(0xff, 0xd9),
  );

test('JPEG', () => {
  const files = [quadrantJpeg(16, 16), quadrantJpeg(40, 8), progressiveJpeg()];
  const marker = fc.constantFrom(
    0xc0,
    0xc1,
    0xc2,
    0xc3,
    0xc4,
    0xc9,
    0xcc,
    0xd8,
    0xda,
    0xdb,
    0xdc,
    0xdd,
    0xe0,
    0xe1,
    0xee,
    0xfe,
  );
  const foreign = fc.oneof(
    fc.record({ tag: marker, data: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({
      tag: fc.constant(0xdd),
      data: fc.constantFrom(Uint8Array.of(0, 1), Uint8Array.of(0, 0), Uint8Array.of(255, 255)),
    }),
    fc.record({ tag: fc.constant(0xee), data: fc.constant(concat(latin1('Adobe'), new Uint8Array(7))) }),
    fc.record({ tag: fc.constant(0xda), data: fc.constant(Uint8Array.of(1, 1, 0, 0, 0, 0)) }),
  );
  const found = attack(
    fc.oneof(
      edited(...files),
      { weight: 2, arbitrary: rearranged(files.map(jpegParts), foreign, jpegOf) },
      noise(files[0].subarray(0, 30)),
    ),
    (bytes, name) => {
      const size = outcome(() => imageSize(bytes, name));
      const { width, height, data } = decodeJpeg(bytes, name);
      equal(size, { width, height });
      is(data.length, 3 * width * height);
    },
    16 * MB,
  );
  ok(found.read > 500 && found.complaints >= 20, JSON.stringify(found));
});

/** Paths of sensible and of hostile pieces. */
const paths = fc.oneof(
  jumble(
    [...'image <id> <id> %03d .jpg / / .. . \\ \0 ~ C: file: http: %2e%2e left|right/ etc'.split(' '), ' '],
    8,
  ),
  fc.constantFrom(
    '../../etc/passwd',
    '/etc/passwd',
    'file:///etc/passwd',
    'image/../../<id>',
    '..\\..\\<id>',
    'label/<id>.png',
    'poses.txt',
  ),
);
const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
const values = fc.oneof(
  { weight: 4, arbitrary: paths },
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    0,
    1e308,
    0.5,
    255,
    256,
    16_385,
    1e6,
    1e12,
    '',
    [],
    {},
    [[]],
    'x'.repeat(2000),
  ),
  fc.constantFrom<unknown>(deep(20_000), new Array(3000).fill(7), new Array(300).fill({ id: 0, name: 'x' })),
  fc.array(
    fc.oneof(paths, fc.record({ id: paths, depth: paths, sequence: fc.constant('s'), time_s: fc.nat(9) })),
    { maxLength: 4 },
  ),
  fc.record({ file: paths }),
  fc.record({
    width: fc.nat(20),
    height: fc.nat(20),
    fx: fc.double(),
    fy: fc.double(),
    cx: fc.double(),
    cy: fc.double(),
  }),
);
const MANIFESTS: Record<string, unknown>[] = [
  {
    name: 'tiny',
    kind: 'semantic-segmentation',
    image: 'image/<id>.jpg',
    label: 'label/<id>.png',
    classes: [{ id: 0, name: 'road' }],
    frames: ['a', { id: 'b', depth: 'depth/b.npy' }],
    depth: { file: 'depth/<id>.npz' },
  },
  {
    name: 'clip',
    kind: 'stereo-video',
    image: 'left/%03d.jpg',
    frames: 2,
    adjacent: true,
    baseline_m: 0.5,
    intrinsics: { width: 16, height: 8, fx: 20, fy: 10, cx: 7.5, cy: 3.5 },
    disparity: { file: 'disparity/%03d.png' },
    poses: 'poses.txt',
  },
];
const KEYS = [...new Set(MANIFESTS.flatMap((one) => Object.keys(one))), '__proto__', 'constructor'];

test('manifests: no path that is asked for leaves the folder', async () => {
  const image = quadrantJpeg(16, 8);
  const asked = new Set<string>();
  const note = (path: string) => {
    asked.add(path);
    return path;
  };
  let opened = 0;
  const refused = new Set<string>();
  const change = fc.oneof(
    fc.tuple(fc.constantFrom(...KEYS), values),
    fc.tuple(fc.constantFrom('image', 'label'), paths),
    fc.tuple(fc.constantFrom('depth', 'disparity'), fc.record({ file: paths })),
  );
  const changed = fc
    .tuple(fc.constantFrom(...MANIFESTS), fc.array(change, { maxLength: 2 }))
    .map(([manifest, changes]) => {
      // Pairs, so that `__proto__` is a key like any other.
      const entries = [...Object.entries(manifest), ...changes];
      return latin1(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${nested(value)}`)}}`);
    });
  const damaged = edited(...MANIFESTS.map((manifest) => latin1(JSON.stringify(manifest))));
  const files = (manifest: Uint8Array): FileSource => ({
    root: 'some/file',
    read: async (path) => (/^[^/]*\.json$/.test(note(path)) ? manifest : image),
    list: async (path) => (path === 'train' ? ['manifest.json'] : [note(path), '001.jpg']),
    exists: async (path) => note(path) !== 'train',
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: changed }, damaged), async (manifest) => {
      const before = process.memoryUsage().heapUsed;
      const { problems, splits } = await readPack(files(manifest));
      const complaints = [...problems];
      for (const split of Object.values(splits))
        for (let i = 0; i < Math.min(2, split.length); i++)
          complaints.push(...(await split.inspect(i)).problems);
      if (problems.length === 0) opened += 1;
      for (const message of complaints) {
        ok(message.startsWith('some/file'), message);
        ok(message.length < 10_000, `a message of ${message.length} characters`);
        refused.add(message.replace(/".*"|\d+/g, '#'));
      }
      const grown = process.memoryUsage().heapUsed - before;
      ok(grown < 64 * MB, `took ${grown} bytes`);
    }),
    { numRuns: INPUTS, seed: SEED },
  );
  ok(opened > 500 && refused.size > 100 && asked.size > 100, `${[opened, refused.size, asked.size]}`);
  for (const path of asked) {
    ok(posix.join('/root', path).startsWith('/root') && !posix.isAbsolute(path), path);
    ok(win32.join('C:\\root', path).startsWith('C:\\root') && !win32.isAbsolute(path), path);
    ok(!/^[a-z]+:/i.test(path) && !path.includes('\0'), path);
  }
});

/** JSON of a value that may be nested deeper than JSON.stringify can go. */
function nested(value: unknown): string {
  let levels = 0;
  for (let at = value; Array.isArray(at) && at.length === 1; at = at[0]) levels += 1;
  return levels > 100 ? '['.repeat(levels) + ']'.repeat(levels) : JSON.stringify(value);
}

test('folders: nothing outside is read, listed or seen, whatever the path and the links', async () => {
  const folder = folderOf({
    'in/a.txt': 'inside',
    'in/sub/a.txt': 'inside',
    'secret.txt': 'outside',
    'in-too/a.txt': 'outside',
  });
  try {
    const root = join(folder.root, 'in');
    mkdirSync(join(root, 'deep/er'), { recursive: true });
    symlinkSync('..', join(root, 'up'));
    symlinkSync('../..', join(root, 'sub/up'));
    symlinkSync('/', join(root, 'top'));
    symlinkSync(join(folder.root, 'secret.txt'), join(root, 'leak.txt'));
    symlinkSync('../in-too', join(root, 'beside'));
    symlinkSync('sub', join(root, 'same'));
    symlinkSync('loop', join(root, 'loop'));
    const files = await nodeFiles(root);
    const away = folder.root.split('/').slice(1);
    const inside = 'a.txt a.txt a.txt sub same up'.split(' ');
    const outside = [
      ...away,
      ...'in in-too secret.txt top leak.txt beside loop deep er ~ file: \\0'.split(' '),
    ];
    const piece = fc.oneof(fc.constantFrom(...inside), fc.constantFrom(...outside, '..', '..', '.', ''));
    const path = fc
      .array(piece, { minLength: 1, maxLength: 5 })
      .chain((list) => fc.constantFrom('/', '/', '/', '\\', '//').map((mark) => list.join(mark)));
    let read = 0;
    let refused = 0;
    const attempt = async <T>(run: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        refused += 1;
        return undefined;
      }
    };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          path,
          path.map((one) => `/${one}`),
          paths,
        ),
        async (one) => {
          const content = await attempt(() => files.read(one));
          if (content) {
            is(new TextDecoder().decode(content), 'inside', one);
            read += 1;
          }
          const names = await attempt(() => files.list(one));
          ok(!names?.some((name) => name === 'secret.txt' || name === 'in-too' || name === 'etc'), one);
          await attempt(() => files.exists(one));
        },
      ),
      { numRuns: INPUTS, seed: SEED },
    );
    ok(read > 100 && refused > INPUTS, `${read} read, ${refused} refused`);
  } finally {
    folder.remove();
  }
});
