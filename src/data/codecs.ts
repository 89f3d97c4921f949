// PNG and JPEG on byte arrays, the same pixels in Node and in a browser: no canvas, no colour management.
// fast-png and jpeg-js do the pixels; this file puts in front what they lack against hostile files.
// The header is checked before anything is allocated, and compressed data is inflated in small pieces up to the
// size which the header implies (fast-png alone inflates 200 MB for a 4x4 image).
import { decode as decodeFastPng, encode as encodeFastPng } from 'fast-png';
import { Unzlib } from 'fflate';
import { decode as decodeJpegJs } from 'jpeg-js';
import { DataError, type DepthMap, type LabelMap, type RgbImage } from './types.ts';

/** Larger images are refused before decoding. */
export const MAX_SIDE = 16_384;
export const MAX_PIXELS = 64 * 2 ** 20;

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
// Deflate expands at most 1032 times, so one piece of input makes at most 8 MB.
const INFLATE_PIECE = 8192;

const isPng = (bytes: Uint8Array) => PNG_SIGNATURE.every((byte, i) => bytes[i] === byte);
const isJpeg = (bytes: Uint8Array) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
const be16 = (bytes: Uint8Array, at: number) => (bytes[at] << 8) | bytes[at + 1];
const be32 = (bytes: Uint8Array, at: number) => be16(bytes, at) * 65_536 + be16(bytes, at + 2);
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

function checkSize(width: number, height: number, name: string): void {
  if (width < 1 || height < 1) throw new DataError(`${name}: image of ${width}x${height} pixels`);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS)
    throw new DataError(
      `${name}: image of ${width}x${height} pixels; the limit is ${MAX_SIDE} a side and ${MAX_PIXELS} in all`,
    );
}

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

/** Throws unless the image data inflates to exactly `expected` bytes; never holds more than one piece of it. */
function checkInflated(parts: readonly Uint8Array[], expected: number, name: string): void {
  let total = 0;
  const inflator = new Unzlib((chunk) => {
    total += chunk.length;
  });
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length; at += INFLATE_PIECE) {
        inflator.push(part.subarray(at, at + INFLATE_PIECE));
        if (total > expected)
          throw new DataError(`${name}: PNG data inflates to more than the ${expected} bytes its size needs`);
      }
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${name}: PNG data does not inflate: ${reason(error)}`);
  }
  if (total < expected)
    throw new DataError(`${name}: PNG data inflates to ${total} bytes, its size needs ${expected}`);
}

/**
 * The file with header, palette, image data and end only. Other chunks do not change the samples, and one of them
 * (iCCP) is compressed too, so it would need a guard of its own.
 */
function essentialPng(bytes: Uint8Array, header: PngHeader, name: string): Uint8Array {
  const chunks: Uint8Array[] = [];
  const data: Uint8Array[] = [];
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
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length));
    if (type === 'IHDR' || type === 'PLTE' || type === 'IDAT' || type === 'IEND')
      chunks.push(bytes.subarray(at, end));
    at = end;
  }
  checkInflated(data, rawSize(header), name);
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 8));
  out.set(PNG_SIGNATURE);
  let to = 8;
  for (const chunk of chunks) {
    out.set(chunk, to);
    to += chunk.length;
  }
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
 * @throws DataError on a truncated or corrupt file, on a size over `MAX_SIDE` or `MAX_PIXELS`, on data that
 *   inflates to another size than the header says, on interlaced files of less than 8 bits a sample
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
    decoded = decodeFastPng(essential, { checkCrc: true });
  } catch (error) {
    throw new DataError(`${name}: corrupt PNG: ${reason(error)}`);
  }
  if (colourType === 3 && !decoded.palette) throw new DataError(`${name}: palette PNG without a palette`);
  // A suggested palette may sit in a true-colour file; its samples are not indices.
  const palette = colourType === 3 ? decoded.palette : undefined;
  const stored = decoded.data instanceof Uint16Array ? decoded.data : new Uint8Array(decoded.data);
  const data = depth < 8 ? unpack(stored as Uint8Array, width, height, depth) : stored;
  return { width, height, channels: CHANNELS[colourType], depth, data, palette };
}

/** Walks the marker segments up to the end of the image, and returns the frame's size and component count. */
function checkJpeg(bytes: Uint8Array, name: string, headerOnly: boolean): { width: number; height: number } {
  const truncated = () => new DataError(`${name}: JPEG truncated: ${bytes.length} bytes and no end marker`);
  let frame: { width: number; height: number } | undefined;
  let at = 2;
  for (;;) {
    if (at + 1 >= bytes.length) throw truncated();
    // Fill bytes may precede a marker.
    if (bytes[at] === 0xff && bytes[at + 1] === 0xff) {
      at += 1;
      continue;
    }
    if (bytes[at] !== 0xff) throw new DataError(`${name}: corrupt JPEG: no marker at byte ${at}`);
    const marker = bytes[at + 1];
    if (marker === 0xd9) break;
    const length = at + 3 < bytes.length ? be16(bytes, at + 2) : 0;
    if (at + 2 + length > bytes.length || length < 2) throw truncated();
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      if (frame) throw new DataError(`${name}: JPEG with more than one frame`);
      if (marker > 0xc2) throw new DataError(`${name}: JPEG of an unsupported kind (SOF${marker - 0xc0})`);
      frame = { height: be16(bytes, at + 5), width: be16(bytes, at + 7) };
      checkSize(frame.width, frame.height, name);
      if (bytes[at + 4] !== 8)
        throw new DataError(`${name}: JPEG with ${bytes[at + 4]} bits a sample; expected 8`);
      const components = bytes[at + 9];
      if (components !== 1 && components !== 3)
        throw new DataError(`${name}: JPEG with ${components} components; expected 1 (grey) or 3 (YCbCr)`);
      if (headerOnly) return frame;
    }
    at += 2 + length;
    if (marker !== 0xda) continue;
    // Entropy-coded data: ff 00 is a stuffed byte, ff d0..d7 are restart markers.
    for (; ; at++) {
      if (at + 1 >= bytes.length) throw truncated();
      const next = bytes[at + 1];
      if (bytes[at] === 0xff && next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) break;
    }
  }
  if (!frame) throw new DataError(`${name}: JPEG without an image`);
  return frame;
}

/**
 * Baseline or progressive JPEG, grey or YCbCr. Chroma of 4:2:0 files is repeated, not interpolated. EXIF orientation
 * is ignored on purpose: labels, depth and intrinsics belong to the stored pixels.
 * @throws DataError on truncated or corrupt files, on CMYK, on a size over the limits or one that needs more than 512 MB
 */
export function decodeJpeg(bytes: Uint8Array, name: string): RgbImage {
  if (!isJpeg(bytes)) throw new DataError(`${name}: not a JPEG file`);
  const { width, height } = checkJpeg(bytes, name, false);
  let decoded: { width: number; height: number; data: Uint8Array };
  try {
    decoded = decodeJpegJs(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: MAX_PIXELS / 1e6,
      maxMemoryUsageInMB: 512,
    });
  } catch (error) {
    throw new DataError(`${name}: corrupt JPEG of ${width}x${height} pixels: ${reason(error)}`);
  }
  if (decoded.width !== width || decoded.height !== height || decoded.data.length !== width * height * 3)
    throw new DataError(
      `${name}: JPEG decodes to ${decoded.width}x${decoded.height}, its header says ${width}x${height}`,
    );
  return { width, height, data: decoded.data };
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
  if (isJpeg(bytes)) return checkJpeg(bytes, name, true);
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
