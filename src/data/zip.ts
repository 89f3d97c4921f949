// Zip archives, as far as numpy's npz files need them (APPNOTE.TXT 6.3, sections 4.3 and 4.4; zipfile of Python). The
// directory is read and checked whole before anything is inflated, so a bomb is refused from its header.
import { crc32 } from './crc32.ts';
import { isInside } from './files.ts';
import { inflateExactly } from './inflate.ts';
import { DataError } from './types.ts';

/** Of all entries together, inflated. */
export const MAX_UNZIPPED_BYTES = 512 * 2 ** 20;
const MAX_ENTRIES = 10_000;
const MAX_COMMENT_BYTES = 65_535;

const END = { signature: 0x06054b50, bytes: 22 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;

interface Entry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  /** Of the local header. */
  offset: number;
}

/**
 * The files of a zip archive, in the order of its directory.
 * @param name how errors call the archive
 * @throws DataError on a truncated or inconsistent archive; on an entry whose name is absolute, holds `..` or comes twice,
 *   that is encrypted, packed otherwise than by deflate, or whose CRC differs; on zip64; on more than
 *   `MAX_UNZIPPED_BYTES` inflated
 */
export function readZip(bytes: Uint8Array, name: string): Map<string, Uint8Array> {
  const fail = (what: string): never => {
    throw new DataError(`${name}: ${what}`);
  };
  const { entries, start } = directory(bytes, fail);
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    const inEntry = (what: string) => fail(`entry ${quote(entry.name)}: ${what}`);
    const packed = packedData(bytes, entry, start, inEntry);
    let content = packed;
    if (entry.method === DEFLATED) {
      let at = 0;
      let out: Uint8Array | undefined;
      inflateExactly(
        'deflate',
        packed,
        entry.size,
        (piece) => {
          out ??= new Uint8Array(entry.size);
          out.set(piece, at);
          at += piece.length;
        },
        inEntry,
      );
      content = out ?? new Uint8Array(0);
    }
    const crc = crc32(content);
    if (crc !== entry.crc) inEntry(`is damaged: its CRC is ${hex(crc)}, the archive says ${hex(entry.crc)}`);
    files.set(entry.name, content);
  }
  return files;
}

type Fail = (what: string) => never;

/** What the central directory lists, and the byte where that directory starts. */
function directory(bytes: Uint8Array, fail: Fail): { entries: Entry[]; start: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - END.bytes;
  const earliest = Math.max(0, end - MAX_COMMENT_BYTES);
  // Its comment, which may hold a false end record, must reach to the end of the file.
  const isEnd = () =>
    view.getUint32(end, true) === END.signature &&
    end + END.bytes + view.getUint16(end + 20, true) === bytes.length;
  while (end >= earliest && !isEnd()) end -= 1;
  if (end < earliest)
    fail(`${bytes.length} bytes without the end record of a zip archive: truncated, or none`);
  const count = view.getUint16(end + 10, true);
  const length = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (count === 0xffff || length === 0xffffffff || start === 0xffffffff)
    fail('zip64 archive; expected one of less than 4 GB and 65535 entries');
  if (count > MAX_ENTRIES) fail(`${count} entries; the limit is ${MAX_ENTRIES}`);
  if (start + length > end)
    fail(`directory at bytes ${start} to ${start + length}, but its end record is at byte ${end}`);

  const entries: Entry[] = [];
  const names = new Set<string>();
  let total = 0;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL.bytes > end || view.getUint32(at, true) !== CENTRAL.signature)
      fail(`the directory has no entry ${i} of ${count} at byte ${at}`);
    const nameLength = view.getUint16(at + 28, true);
    const next =
      at + CENTRAL.bytes + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end)
      fail(`directory entry ${i} of ${count} at byte ${at} ends at byte ${next}, past the directory`);
    const entry: Entry = {
      name: text(bytes.subarray(at + CENTRAL.bytes, at + CENTRAL.bytes + nameLength), fail),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    const inEntry = (what: string) => fail(`entry ${quote(entry.name)}: ${what}`);
    if (entry.name === '' || !isInside(entry.name)) inEntry('the name leaves the archive');
    if (names.has(entry.name)) inEntry('is listed twice');
    names.add(entry.name);
    if (view.getUint16(at + 8, true) & ENCRYPTED) inEntry('is encrypted');
    if (entry.method !== STORED && entry.method !== DEFLATED)
      inEntry(`packed by method ${entry.method}; expected 0 (stored) or 8 (deflate)`);
    if (entry.method === STORED && entry.packed !== entry.size)
      inEntry(`stored, yet ${entry.packed} bytes in the archive and ${entry.size} outside`);
    total += entry.size;
    if (total > MAX_UNZIPPED_BYTES)
      inEntry(`brings the archive to ${total} bytes inflated; the limit is ${MAX_UNZIPPED_BYTES}`);
    entries.push(entry);
    at = next;
  }
  return { entries, start };
}

/** The bytes of an entry as they lie in the archive, found by its local header, which must name the same entry. */
function packedData(bytes: Uint8Array, entry: Entry, directoryStart: number, fail: Fail): Uint8Array {
  const { offset, packed } = entry;
  if (offset + LOCAL.bytes > directoryStart) return fail(`header at byte ${offset}, inside the directory`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LOCAL.bytes);
  if (view.getUint32(0, true) !== LOCAL.signature) return fail(`no header at byte ${offset}`);
  const nameLength = view.getUint16(26, true);
  const start = offset + LOCAL.bytes + nameLength + view.getUint16(28, true);
  if (start + packed > directoryStart)
    return fail(`${packed} bytes from byte ${start} on; the directory starts at byte ${directoryStart}`);
  const local = text(bytes.subarray(offset + LOCAL.bytes, offset + LOCAL.bytes + nameLength), fail);
  if (local !== entry.name) fail(`is called ${quote(local)} where it lies`);
  return bytes.subarray(start, start + packed);
}

function text(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('a name is not UTF-8');
  }
}

const quote = (name: string) => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
const hex = (crc: number) => `0x${crc.toString(16).padStart(8, '0')}`;
