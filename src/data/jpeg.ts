// JPEG on byte arrays, the same pixels in Node and in a browser: no canvas, no colour management. jpeg-js takes lengths,
// tables and scan headers on trust, so it gets a file put together again from segments that were checked.
// Not the package's entry: that brings its encoder along.
import decodeJpegJs from 'jpeg-js/lib/decoder.js';
import { be16, Gathered } from './bytes.ts';
import { checkSize, MAX_PIXELS } from './image-limits.ts';
import { DataError, type RgbImage } from './types.ts';

/** What jpeg-js counts while it decodes; in memory that is up to 1.7 times as much. */
const MAX_JPEG_BYTES = 512 * 2 ** 20;
/** Coefficients and samples of a block of 8x8. */
const JPEG_BLOCK_BYTES = 256 + 64;
/** A scan of a few bytes may visit every block of a progressive JPEG; encoders write about ten. */
const MAX_SCANS = 100;

export const isJpeg = (bytes: Uint8Array) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

interface JpegFrame {
  width: number;
  height: number;
  progressive: boolean;
  /** Ids of the components. */
  components: readonly number[];
}

/** What a JPEG is made of, each segment checked. */
interface JpegParts {
  frame: JpegFrame;
  /** The file with the segments that decide the pixels, in order, without comments and what applications add. */
  essential: Uint8Array;
  /** Whether three components are RGB: an Adobe segment says so, and no JFIF segment contradicts it, as in libjpeg. */
  rgb: boolean;
}

const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Walks the marker segments up to the end of the image, or with `headerOnly` to its frame. */
function checkJpeg(bytes: Uint8Array, name: string, headerOnly: boolean): JpegParts {
  const truncated = () => new DataError(`${name}: JPEG truncated: ${bytes.length} bytes and no end marker`);
  const corrupt = (what: string) => new DataError(`${name}: corrupt JPEG: ${what}`);
  const kept = new Gathered(bytes.length);
  kept.add(bytes.subarray(0, 2));
  let frame: JpegFrame | undefined;
  let [rgb, jfif] = [false, false];
  let scans = 0;
  let at = 2;
  for (;;) {
    if (at + 1 >= bytes.length) throw truncated();
    // Fill bytes may precede a marker.
    if (bytes[at] === 0xff && bytes[at + 1] === 0xff) {
      at += 1;
      continue;
    }
    if (bytes[at] !== 0xff) throw corrupt(`no marker at byte ${at}`);
    const marker = bytes[at + 1];
    if (marker === 0xd9) break;
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd8))
      throw corrupt(`marker 0x${marker.toString(16)} at byte ${at}, where a segment is expected`);
    const length = at + 3 < bytes.length ? be16(bytes, at + 2) : 0;
    if (at + 2 + length > bytes.length || length < 2) throw truncated();
    const body = bytes.subarray(at + 4, at + 2 + length);
    if (isFrame(marker)) {
      if (frame) throw new DataError(`${name}: JPEG with more than one frame`);
      frame = jpegFrame(marker, body, bytes.length, name);
      if (headerOnly) return { frame, essential: kept.bytes(), rgb };
    }
    if (marker === 0xdb && !wholeTables(body, (spec) => (spec >> 4 ? 128 : 64)))
      throw corrupt(`the quantisation tables at byte ${at} do not fill their ${length} bytes`);
    if (marker === 0xc4 && !wholeTables(body, huffmanSize))
      throw corrupt(`the Huffman tables at byte ${at} do not fill their ${length} bytes`);
    if (marker === 0xdd && length !== 4) throw corrupt(`restart interval of ${length} bytes at byte ${at}`);
    const tag = String.fromCharCode(...body.subarray(0, 5));
    if (marker === 0xe0 && tag === 'JFIF\0') jfif = true;
    if (marker === 0xee && tag === 'Adobe' && length >= 14) rgb = body[11] === 0;
    const from = at;
    at += 2 + length;
    if (marker === 0xda) {
      if (!frame) throw corrupt(`a scan at byte ${from}, before its frame`);
      scans += 1;
      if (scans > MAX_SCANS) throw new DataError(`${name}: JPEG of more than ${MAX_SCANS} scans`);
      const wrong = wrongScan(body, frame);
      if (wrong) throw corrupt(`the scan at byte ${from} ${wrong}`);
      // Entropy-coded data: ff 00 is a stuffed byte, ff d0..d7 are restart markers.
      for (; ; at++) {
        if (at + 1 >= bytes.length) throw truncated();
        const next = bytes[at + 1];
        if (bytes[at] === 0xff && next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) break;
      }
    }
    if (isFrame(marker) || [0xc4, 0xda, 0xdb, 0xdd].includes(marker)) kept.add(bytes.subarray(from, at));
  }
  if (!frame || scans === 0) throw new DataError(`${name}: JPEG without an image`);
  kept.add(bytes.subarray(at, at + 2));
  return { frame, essential: kept.bytes(), rgb: rgb && !jfif };
}

/** Checks a frame header against the limits; `fileBytes` bound how many blocks can be coded. */
function jpegFrame(marker: number, body: Uint8Array, fileBytes: number, name: string): JpegFrame {
  if (marker > 0xc2) throw new DataError(`${name}: JPEG of an unsupported kind (SOF${marker - 0xc0})`);
  if (body.length < 6) throw new DataError(`${name}: corrupt JPEG: frame header of ${body.length} bytes`);
  const [height, width, count] = [be16(body, 1), be16(body, 3), body[5]];
  checkSize(width, height, name);
  if (body[0] !== 8) throw new DataError(`${name}: JPEG with ${body[0]} bits a sample; expected 8`);
  if (count !== 1 && count !== 3)
    throw new DataError(`${name}: JPEG with ${count} components; expected 1 (grey) or 3 (YCbCr)`);
  if (body.length !== 6 + 3 * count)
    throw new DataError(
      `${name}: corrupt JPEG: frame header of ${body.length} bytes for ${count} components`,
    );
  const components = Array.from({ length: count }, (_, i) => body[6 + 3 * i]);
  const sampling = components.map((_, i) => body[7 + 3 * i]);
  if (
    new Set(components).size < count ||
    sampling.some((s) => s >> 4 < 1 || s >> 4 > 4 || (s & 15) < 1 || (s & 15) > 4)
  )
    throw new DataError(
      `${name}: corrupt JPEG: components ${components} with sampling ${sampling.map((s) => s.toString(16))}; expected ids that differ, and 1 to 4 each way`,
    );
  // A block of 8x8 pixels takes a bit at the very least, and 256 bytes and more once decoded.
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  if (blocks > 8 * fileBytes)
    throw new DataError(
      `${name}: JPEG truncated: ${fileBytes} bytes cannot hold the ${blocks} blocks of ${width}x${height} pixels`,
    );
  // jpeg-js counts too, but component by component, when most of it is allocated already.
  const across = (shift: number) => sampling.map((s) => (s >> shift) & 15);
  const units = (side: number, factors: number[]) => Math.ceil(side / 8 / Math.max(...factors));
  const [h, v] = [across(4), across(0)];
  const coded = units(width, h) * units(height, v) * h.reduce((sum, one, i) => sum + one * v[i], 0);
  const needed = coded * JPEG_BLOCK_BYTES + 6 * width * height;
  if (needed > MAX_JPEG_BYTES)
    throw new DataError(
      `${name}: JPEG of ${width}x${height} pixels needs ${needed} bytes to decode; the limit is ${MAX_JPEG_BYTES}`,
    );
  return { width, height, progressive: marker === 0xc2, components };
}

/** Whether tables, each after a byte that says which, fill a segment exactly; `size` is that of the table at `at`. */
function wholeTables(
  body: Uint8Array,
  size: (spec: number, at: number, body: Uint8Array) => number,
): boolean {
  let at = 0;
  while (at < body.length) at += 1 + size(body[at], at + 1, body);
  return at === body.length;
}

const huffmanSize = (_spec: number, at: number, body: Uint8Array) =>
  body.subarray(at, at + 16).reduce((sum, codes) => sum + codes, 16);

/** What is wrong with a scan header, or undefined. */
function wrongScan(body: Uint8Array, frame: JpegFrame): string | undefined {
  const count = body[0];
  if (body.length !== 4 + 2 * count) return `has ${body.length} bytes for ${count} components`;
  const ids = Array.from({ length: count }, (_, i) => body[1 + 2 * i]);
  if (count < 1 || new Set(ids).size < count || ids.some((id) => !frame.components.includes(id)))
    return `is for components ${ids}; the frame has ${frame.components}`;
  const [first, last, bits] = body.subarray(1 + 2 * count);
  if (frame.progressive && (first > last || last > 63 || (bits & 15) > 13 || (first > 0 && count > 1)))
    return `covers coefficients ${first} to ${last} of ${count} components`;
  return undefined;
}

/**
 * Baseline or progressive JPEG, grey, YCbCr or RGB. Chroma of 4:2:0 files is repeated, not interpolated. EXIF
 * orientation is ignored on purpose: labels, depth and intrinsics belong to the stored pixels.
 * @throws DataError on truncated or corrupt files, on CMYK, on a size over the limits or one that needs more than 512 MiB
 */
export function decodeJpeg(bytes: Uint8Array, name: string): RgbImage {
  if (!isJpeg(bytes)) throw new DataError(`${name}: not a JPEG file`);
  const { frame, essential, rgb } = checkJpeg(bytes, name, false);
  const { width, height } = frame;
  let decoded: { width: number; height: number; data: Uint8Array };
  try {
    decoded = decodeJpegJs(essential, {
      useTArray: true,
      formatAsRGBA: false,
      colorTransform: !rgb,
      tolerantDecoding: false,
      maxResolutionInMP: MAX_PIXELS / 1e6,
      // Some room for the tables.
      maxMemoryUsageInMB: MAX_JPEG_BYTES / 2 ** 20 + 64,
    });
  } catch (error) {
    // jpeg-js looks into tables that are not there.
    const missing = error instanceof TypeError;
    const what = missing ? 'tables are missing, or the data are damaged' : (error as Error).message;
    throw new DataError(`${name}: corrupt JPEG of ${width}x${height} pixels: ${what}`);
  }
  if (decoded.width !== width || decoded.height !== height || decoded.data.length !== width * height * 3)
    throw new DataError(
      `${name}: JPEG decodes to ${decoded.width}x${decoded.height}, its header says ${width}x${height}`,
    );
  return { width, height, data: decoded.data };
}

/**
 * Width and height in pixels from the frame header, without decoding.
 * @throws DataError on what comes before it, and on a size that `decodeJpeg` would refuse
 */
export function jpegSize(bytes: Uint8Array, name: string): { width: number; height: number } {
  const { width, height } = checkJpeg(bytes, name, true).frame;
  return { width, height };
}
