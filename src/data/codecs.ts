// Images, labels and depth from byte arrays, the same pixels in Node and in a browser: no canvas, no colour management.
// fast-png does the pixels of PNG; this file puts in front what it lacks against hostile files. The header is checked
// before anything is allocated, compressed data is inflated in small pieces up to the size which the header implies
// (fast-png alone inflates 200 MB for a 4x4 image), and it gets a file put together again from the parts that were
// checked, so that it cannot read something else than what was.
import { decode as decodeFastPng, encode as encodeFastPng } from 'fast-png';
import { be32, concat, Gathered } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { checkSize } from './image-limits.ts';
import { inflateExactly } from './inflate.ts';
import { decodeJpeg, isJpeg, jpegSize } from './jpeg.ts';
import { DataError, type DepthMap, type LabelMap, type RgbImage } from './types.ts';

/** Of the decoded samples, as they are stored. A decoder takes a few times as much. */
const MAX_SAMPLE_BYTES = 256 * 2 ** 20;
const MAX_PALETTE = 256;
/** fast-png copies 32 KB for each chunk of image data, however small, and holds twice the output of one, however large. */
const IDAT_BYTES = 65_536;

/** Samples of a PNG, row-major `[height, width, channels]`; sub-byte depths come unpacked, one sample a byte. */
export interface PngImage {
  width: number;
  height: number;
  /** 1 grey or palette index, 2 grey + alpha, 3 RGB, 4 RGBA. */
  channels: number;
  /** Bits a sample in the file: 1, 2, 4, 8 or 16. */
  depth: number;
  data: Uint8Array | Uint16Array;
  /** RGB of each index, where the file has a palette: `data` then holds indices. */
  palette?: readonly (readonly number[])[];
}

interface PngHeader {
  width: number;
  height: number;
  depth: number;
  colourType: number;
  interlaced: boolean;
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const COLOUR_NAMES: Record<number, string> = {
  0: 'grey',
  2: 'RGB',
  3: 'palette',
  4: 'grey+alpha',
  6: 'RGBA',
};
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

const isPng = (bytes: Uint8Array) => PNG_SIGNATURE.every((byte, i) => bytes[i] === byte);

function pngHeader(bytes: Uint8Array, name: string): PngHeader {
  if (bytes.length < 33) throw new DataError(`${name}: PNG truncated: ${bytes.length} bytes`);
  if (be32(bytes, 8) !== 13 || String.fromCharCode(...bytes.subarray(12, 16)) !== 'IHDR')
    throw new DataError(`${name}: PNG does not start with a header chunk`);
  const header = {
    width: be32(bytes, 16),
    height: be32(bytes, 20),
    depth: bytes[24],
    colourType: bytes[25],
    interlaced: bytes[28] === 1,
  };
  checkSize(header.width, header.height, name);
  if (!DEPTHS[header.colourType]?.includes(header.depth))
    throw new DataError(
      `${name}: PNG with ${header.depth} bits and colour type ${header.colourType} is not valid`,
    );
  const channels = CHANNELS[header.colourType];
  const bytesNeeded = header.width * header.height * channels * Math.ceil(header.depth / 8);
  if (bytesNeeded > MAX_SAMPLE_BYTES)
    throw new DataError(
      `${name}: image of ${header.width}x${header.height} pixels in ${channels} channels of ${header.depth} bits: ${bytesNeeded} bytes; the limit is ${MAX_SAMPLE_BYTES}`,
    );
  return header;
}

/** Bytes of the filtered scan lines: one filter byte before each line. */
function rawSize(header: PngHeader): number {
  const bits = header.depth * CHANNELS[header.colourType];
  const lines = (width: number, height: number) =>
    width > 0 && height > 0 ? height * (1 + Math.ceil((width * bits) / 8)) : 0;
  if (!header.interlaced) return lines(header.width, header.height);
  let total = 0;
  for (const [x, y, stepX, stepY] of ADAM7)
    total += lines(Math.ceil((header.width - x) / stepX), Math.ceil((header.height - y) / stepY));
  return total;
}

/**
 * The file with header, palette, image data in chunks of a good size, and end. Other chunks do not change the samples, and one of
 * them (iCCP) is compressed too, so it would need a guard of its own.
 */
function essentialPng(bytes: Uint8Array, header: PngHeader, name: string): Uint8Array {
  const kept: Uint8Array[] = [];
  const data = new Gathered(bytes.length);
  let at = 8;
  for (let type = ''; type !== 'IEND'; ) {
    if (at + 12 > bytes.length)
      throw new DataError(`${name}: PNG truncated: ${bytes.length} bytes and no end chunk`);
    const length = be32(bytes, at);
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 12 + length;
    if (end > bytes.length)
      throw new DataError(
        `${name}: PNG truncated: chunk ${JSON.stringify(type)} needs ${end} bytes, the file has ${bytes.length}`,
      );
    if (type === 'IHDR' && at > 8) throw new DataError(`${name}: PNG with a second header at byte ${at}`);
    if (type === 'IHDR' || type === 'PLTE' || type === 'IDAT' || type === 'IEND') {
      const crc = crc32(bytes.subarray(at + 4, end - 4));
      const stated = be32(bytes, end - 4);
      if (crc !== stated)
        throw new DataError(
          `${name}: corrupt PNG: the CRC of chunk ${type} at byte ${at} is ${crc}, the file says ${stated}`,
        );
      if (type === 'IDAT') data.add(bytes.subarray(at + 8, end - 4));
      else if (type !== 'IEND') kept.push(bytes.subarray(at, end));
    }
    if (type === 'PLTE' && (length > 3 * MAX_PALETTE || kept.length > 2))
      throw new DataError(`${name}: PNG with a palette of ${length} bytes, or a second one, at byte ${at}`);
    at = end;
  }
  const deflated = data.bytes();
  const fail = (what: string): never => {
    throw new DataError(`${name}: PNG data ${what}`);
  };
  inflateExactly('zlib', deflated, rawSize(header), () => {}, fail);
  return concat([
    Uint8Array.from(PNG_SIGNATURE),
    ...kept,
    ...Array.from({ length: Math.ceil(deflated.length / IDAT_BYTES) }, (_, i) =>
      uncheckedChunk('IDAT', deflated.subarray(i * IDAT_BYTES, (i + 1) * IDAT_BYTES)),
    ),
    uncheckedChunk('IEND', new Uint8Array(0)),
  ]);
}

/** A chunk with zeros where its CRC belongs. */
function uncheckedChunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  new DataView(out.buffer).setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  return out;
}

function unpack(packed: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const out = new Uint8Array(width * height);
  const stride = Math.ceil((width * depth) / 8);
  const mask = (1 << depth) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      out[y * width + x] = (packed[y * stride + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return out;
}

/**
 * Samples of a PNG as they are stored: palette indices and 16-bit values survive. Transparency of palette and grey
 * files, gamma and colour profiles are ignored.
 * @param name how errors name the file
 * @throws DataError on a truncated or corrupt file, on a size over `MAX_SIDE`, `MAX_PIXELS` or 256 MiB of samples, on
 *   data that inflates to another size than the header says, on interlaced files of less than 8 bits a sample
 */
export function decodePng(bytes: Uint8Array, name: string): PngImage {
  if (!isPng(bytes)) throw new DataError(`${name}: not a PNG file`);
  const header = pngHeader(bytes, name);
  const { width, height, depth, colourType } = header;
  // fast-png reads interlaced sub-byte samples as whole bytes.
  if (header.interlaced && depth < 8)
    throw new DataError(`${name}: interlaced PNG with ${depth} bits a sample; save it without interlacing`);
  const essential = essentialPng(bytes, header, name);
  let decoded: ReturnType<typeof decodeFastPng>;
  try {
    decoded = decodeFastPng(essential, { checkCrc: false });
  } catch (error) {
    throw new DataError(`${name}: corrupt PNG: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (colourType === 3 && !decoded.palette) throw new DataError(`${name}: palette PNG without a palette`);
  // A suggested palette may sit in a true-colour file; its samples are not indices.
  const palette = colourType === 3 ? decoded.palette : undefined;
  const stored = decoded.data as Uint8Array | Uint16Array;
  const data = depth < 8 ? unpack(stored as Uint8Array, width, height, depth) : stored;
  return { width, height, channels: CHANNELS[colourType], depth, data, palette };
}

/**
 * Width and height in pixels from the header of a PNG or JPEG, without decoding.
 * @throws DataError on another format, a truncated header or a size over the limits
 */
export function imageSize(bytes: Uint8Array, name: string): { width: number; height: number } {
  if (isPng(bytes)) {
    const { width, height } = pngHeader(bytes, name);
    return { width, height };
  }
  if (isJpeg(bytes)) return jpegSize(bytes, name);
  throw new DataError(`${name}: neither PNG nor JPEG`);
}

/**
 * PNG or JPEG, told apart by the first bytes, as eight-bit RGB. Grey becomes R = G = B, palettes are expanded, alpha
 * is dropped, 16-bit files are refused (a depth map given as an image is the usual reason for one).
 * @throws DataError as `decodePng` and `decodeJpeg` do
 */
export function decodeImage(bytes: Uint8Array, name: string): RgbImage {
  if (isJpeg(bytes)) return decodeJpeg(bytes, name);
  if (!isPng(bytes)) throw new DataError(`${name}: neither PNG nor JPEG`);
  const { width, height, channels, depth, data: samples, palette } = decodePng(bytes, name);
  if (depth === 16) throw new DataError(`${name}: 16-bit PNG as an image; expected 8 bits a sample`);
  const data = new Uint8Array(width * height * 3);
  const grey = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      if (palette) {
        const colour = palette[samples[i]];
        if (!colour)
          throw new DataError(`${name}: palette index ${samples[i]}, the palette has ${palette.length}`);
        data[3 * i + c] = colour[c];
      } else data[3 * i + c] = channels < 3 ? samples[channels * i] * grey : samples[channels * i + c];
    }
  }
  return { width, height, data };
}

/**
 * Class ids from an eight-bit grey PNG (value = id) or a palette PNG of any depth (index = id; the colours are not
 * looked at).
 * @throws DataError on JPEG, RGB, alpha, 16 bits, and on grey of less than 8 bits, where writers disagree whether
 *   the samples are ids or shades
 */
export function decodeLabel(bytes: Uint8Array, name: string): LabelMap {
  const expected = 'expected 8-bit grey or a palette';
  if (isJpeg(bytes))
    throw new DataError(`${name}: label is a JPEG, which changes class ids; ${expected} PNG`);
  if (!isPng(bytes)) throw new DataError(`${name}: label is not a PNG; ${expected} PNG`);
  const { depth, colourType } = pngHeader(bytes, name);
  if (colourType !== 3 && (colourType !== 0 || depth !== 8))
    throw new DataError(`${name}: label is a ${depth}-bit ${COLOUR_NAMES[colourType]} PNG; ${expected}`);
  const { width, height, data } = decodePng(bytes, name);
  return { width, height, data: data as Uint8Array };
}

/**
 * Depth from a 16-bit grey PNG: metres = value / `scale`, 0 = no measurement. With a disparity file the result is in
 * pixels in place of metres.
 * @throws DataError on any other kind of file
 */
export function decodeDepth16(bytes: Uint8Array, name: string, scale = 256): DepthMap {
  if (!isPng(bytes)) throw new DataError(`${name}: depth is not a PNG; expected 16-bit grey`);
  const { depth, colourType } = pngHeader(bytes, name);
  if (depth !== 16 || colourType !== 0)
    throw new DataError(
      `${name}: depth is a ${depth}-bit ${COLOUR_NAMES[colourType]} PNG; expected 16-bit grey`,
    );
  const { width, height, data: samples } = decodePng(bytes, name);
  const data = new Float32Array(width * height);
  for (let i = 0; i < data.length; i++) data[i] = samples[i] / scale;
  return { width, height, data };
}

/**
 * PNG of an `RgbImage` (three samples a pixel), of a `LabelMap` (one: eight-bit grey, value = id) or, from a
 * `Uint16Array`, of 16-bit grey or RGB. The same pixels give the same bytes.
 */
export function encodePng(image: {
  width: number;
  height: number;
  data: Uint8Array | Uint16Array;
}): Uint8Array {
  const { width, height, data } = image;
  const channels = data.length / (width * height);
  if (channels !== 1 && channels !== 3)
    throw new RangeError(`encodePng: ${data.length} samples for ${width}x${height}; expected 1 or 3 a pixel`);
  return encodeFastPng({ width, height, data, channels, depth: data instanceof Uint16Array ? 16 : 8 });
}
