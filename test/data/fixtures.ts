// Files for the tests of readers: PNG chunk by chunk, so that broken ones can be made, and folders that vanish again.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, deflateRawSync, deflateSync } from 'node:zlib';
import jpeg from 'jpeg-js';
import { openStreet } from '../../src/data/street/index.ts';
import { writePack } from '../../src/data/write-pack.ts';

export function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10);

export function header(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  interlace = 0,
): Uint8Array {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colourType, 0, 0, interlace], 8);
  return chunk('IHDR', data);
}

export const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

interface Raw {
  width: number;
  height: number;
  depth: number;
  colourType: number;
  /** Samples, one number each, row by row. */
  samples: readonly number[];
  palette?: readonly number[];
  interlace?: number;
  /** Image data in place of the deflated samples. */
  idat?: Uint8Array;
  extra?: Uint8Array;
}

/** A PNG with unfiltered rows; samples of any depth are packed here, apart from the code under test. */
export function rawPng(raw: Raw): Uint8Array {
  const { width, height, depth, samples } = raw;
  const perRow = samples.length / height;
  const rows: number[] = [];
  for (let y = 0; y < height; y++) {
    rows.push(0);
    let bits = '';
    for (let i = 0; i < perRow; i++) bits += samples[y * perRow + i].toString(2).padStart(depth, '0');
    bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
    for (let at = 0; at < bits.length; at += 8) rows.push(Number.parseInt(bits.slice(at, at + 8), 2));
  }
  return concat(
    SIGNATURE,
    header(width, height, depth, raw.colourType, raw.interlace),
    raw.extra ?? new Uint8Array(0),
    raw.palette ? chunk('PLTE', Uint8Array.from(raw.palette)) : new Uint8Array(0),
    chunk('IDAT', raw.idat ?? deflateSync(Uint8Array.from(rows))),
    chunk('IEND', new Uint8Array(0)),
  );
}

/** JPEG of one colour a quadrant, quality 95. */
export function quadrantJpeg(width: number, height: number): Uint8Array {
  const data = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.set(QUADRANTS[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)], 4 * (y * width + x));
  return new Uint8Array(jpeg.encode({ width, height, data }, 95).data);
}

export const QUADRANTS = [
  [200, 30, 30, 255],
  [30, 200, 30, 255],
  [30, 30, 200, 255],
  [120, 120, 120, 255],
];

/** A folder of files under the system's temporary one. `text` and objects are written as UTF-8 and JSON. */
export function folderOf(files: Record<string, Uint8Array | string | object>): {
  root: string;
  remove: () => void;
} {
  const root = mkdtempSync(join(tmpdir(), 'warpmix-data-'));
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    const plain = typeof content === 'string' || content instanceof Uint8Array;
    writeFileSync(target, plain ? content : JSON.stringify(content));
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** The message of what `run` throws or rejects with; fails when it does neither, or throws another kind of error. */
export async function messageOf(run: () => unknown, kind = 'DataError'): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error && error.name === kind) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A street of two short snippets in each split, as a pack: a data set with labels and video that opens in no time. */
export async function streetPack(): Promise<{ root: string; remove: () => void }> {
  const files: Record<string, Uint8Array | string> = {};
  const snippets = { train: 2, val: 1, unlabelled: 1 };
  const street = openStreet({ width: 96, height: 64, snippets, framesPerSnippet: 6 });
  await writePack(street, (path, bytes) => {
    files[path] = bytes;
  });
  return folderOf(files);
}

/** An entry of a zip archive; what is given beside name and content is written in place of the truth. */
export interface ZipEntry {
  name: string;
  content: Uint8Array;
  /** 0 stored, the default; 8 deflated; others are written as stored and called that. */
  method?: number;
  flags?: number;
  crc?: number;
  size?: number;
  packed?: Uint8Array;
  offset?: number;
  /** Name in the header beside the content. */
  localName?: string;
}

/** A zip archive, field by field, so that wrong ones can be made. */
export function zip(entries: readonly ZipEntry[]): Uint8Array {
  const locals: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const entry of entries) {
    const { name, content, method = 0, flags = 0, localName = name } = entry;
    const packed = entry.packed ?? (method === 8 ? deflateRawSync(content) : content);
    const about = Buffer.alloc(26);
    about.writeUInt16LE(20, 0);
    about.writeUInt16LE(flags, 2);
    about.writeUInt16LE(method, 4);
    about.writeUInt32LE(entry.crc ?? crc32(content), 10);
    about.writeUInt32LE(packed.length, 14);
    about.writeUInt32LE(entry.size ?? content.length, 18);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), about, Buffer.from(localName), packed]);
    local.writeUInt16LE(Buffer.byteLength(localName), 26);
    const central = Buffer.alloc(46);
    central.write('PK\x01\x02', 0, 'latin1');
    central.set(about, 6);
    central.writeUInt16LE(Buffer.byteLength(name), 28);
    central.writeUInt32LE(entry.offset ?? at, 42);
    locals.push(local);
    directory.push(central, Buffer.from(name));
    at += local.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(concat(...directory).length, 12);
  end.writeUInt32LE(at, 16);
  return concat(...locals, ...directory, end);
}

/** An npy file of version 1.0 around a header of any text. */
export function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = Buffer.from(header, 'latin1');
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(text.length, 0, length.length);
  return concat(Buffer.from('\x93NUMPY', 'latin1'), Uint8Array.of(version, 0), length, text, data);
}

/** A progressive grey JPEG of one 8x8 block with a DC scan only: coefficient 40 * quantiser 8 / 8 + 128 = 168. */
export const progressiveJpeg = (): Uint8Array =>
  Uint8Array.of(
    ...[0xff, 0xd8, 0xff, 0xdb, 0, 67, 0, ...new Array(64).fill(8)],
    ...[0xff, 0xc2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0],
    ...[0xff, 0xc4, 0, 20, 0, 1, ...new Array(15).fill(0), 6],
    ...[0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0, 0x51, 0xff, 0xd9],
  );

/** A JPEG with orientation 6 (turned by a quarter) in an EXIF block of one entry. */
export function turnedJpeg(file: Uint8Array): Uint8Array {
  const exif = [
    ...[69, 120, 105, 102, 0, 0, 77, 77, 0, 42, 0, 0, 0, 8],
    ...[0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0],
  ];
  const segment = Uint8Array.of(0xff, 0xe1, 0, exif.length + 2, ...exif);
  return concat(file.subarray(0, 2), segment, file.subarray(2));
}
