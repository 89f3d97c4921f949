// TensorBoard event files. A file is a series of TFRecords: length (u64), masked CRC-32C of the length, data, masked
// CRC-32C of the data, all little-endian (tensorflow/core/lib/io/record_writer.h); the data are `Event` messages of
// tensorflow/core/util/event.proto.
import { concat, double, float, message, text, whole } from './protobuf.ts';

const POLYNOMIAL = 0x82f63b78; // Castagnoli, bits reversed
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return ~crc >>> 0;
}

/** A checksum stored beside what it covers is masked, so that a checksum over both stays meaningful. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

function tfRecord(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(16 + data.length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(out.subarray(0, 8))), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return out;
}

const event = (seconds: number, ...fields: Uint8Array[]) => tfRecord(concat([double(1, seconds), ...fields]));

/** The record every event file begins with. `seconds` since 1970, here and below. */
export const fileVersionEvent = (seconds: number): Uint8Array => event(seconds, text(3, 'brain.Event:2'));

/** Says that the run begins at `step`: TensorBoard then drops what earlier files hold from that step on. */
export const startEvent = (seconds: number, step: number): Uint8Array =>
  event(seconds, whole(2, step), message(7, whole(1, 1)));

/** Scalars of one step. */
export function scalarsEvent(
  seconds: number,
  step: number,
  values: Readonly<Record<string, number>>,
): Uint8Array {
  const summary = Object.entries(values).map(([tag, value]) =>
    message(1, concat([text(1, tag), float(2, value)])),
  );
  return event(seconds, whole(2, step), message(5, concat(summary)));
}

/** An RGB picture of one step, as PNG file. */
export function imageEvent(
  seconds: number,
  step: number,
  tag: string,
  image: { width: number; height: number; png: Uint8Array },
): Uint8Array {
  const RGB = 3;
  const encoded = concat([
    whole(1, image.height),
    whole(2, image.width),
    whole(3, RGB),
    message(4, image.png),
  ]);
  return event(seconds, whole(2, step), message(5, message(1, concat([text(1, tag), message(4, encoded)]))));
}
