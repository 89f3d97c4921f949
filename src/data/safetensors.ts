// The safetensors format: eight bytes of header length, a JSON header, raw little-endian data. What a file may not
// contain follows the reference implementation (huggingface/safetensors, safetensors/src/tensor.rs): no holes, no
// overlaps, no surprise after the end. Such a file can neither run code nor make its reader allocate more than its size.
import { DataError } from './types.ts';

/** The array type of each dtype: F16 and BF16 as their bits. */
export const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type SafeDtype = keyof typeof ARRAYS;

export interface SafeTensor<D extends SafeDtype = SafeDtype> {
  dtype: D;
  shape: readonly number[];
  /** Row-major. F16 and BF16 as their bits, BOOL as 0 and 1. */
  data: InstanceType<(typeof ARRAYS)[D]>;
}

const MAX_HEADER_BYTES = 100_000_000;
/** Of tensors, and of pairs of metadata. */
const MAX_KEYS = 100_000;
const MAX_NAME_LENGTH = 1024;
const MAX_RANK = 32;

interface Entry {
  name: string;
  dtype: SafeDtype;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * Reads a safetensors file. The arrays are copies, independent of `bytes`.
 * @param name how errors call the file
 * @throws DataError naming the file and the value at fault
 */
export function readSafetensors(
  bytes: Uint8Array,
  name: string,
): { tensors: Map<string, SafeTensor>; metadata: Record<string, string> } {
  const fail = (what: string): never => {
    throw new DataError(`${name}: ${what}`);
  };
  if (bytes.length < 8) fail(`${bytes.length} bytes; a safetensors file has at least 8`);
  // Compared as BigInt: as a number, a length beyond 2^53 would be rounded before it is checked.
  const stated = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (stated > BigInt(Number.MAX_SAFE_INTEGER))
    fail(`header length ${stated} is beyond 2^53: no safetensors file`);
  if (stated > BigInt(MAX_HEADER_BYTES))
    fail(`header of ${stated} bytes; the limit is ${MAX_HEADER_BYTES} bytes`);
  if (stated > BigInt(bytes.length - 8))
    fail(`header of ${stated} bytes in a file of ${bytes.length} bytes: truncated, or no safetensors file`);
  const start = 8 + Number(stated);
  if (bytes[8] !== 0x7b) fail(`the header starts with byte 0x${bytes[8]?.toString(16)}; expected '{'`);
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
  } catch {
    fail('the header is not UTF-8');
  }

  const { entries, metadata } = new HeaderParser(text, fail).header();
  const inOrder = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let previous = 0;
  let owner = 'the start of the data';
  for (const { name: tensor, dtype, shape, begin, end } of inOrder) {
    const at = `tensor ${quote(tensor)} at bytes ${begin} to ${end}`;
    if (end < begin) fail(`${at}: ends before it begins`);
    if (begin < previous) fail(`${at}: overlaps ${owner}, which ends at byte ${previous}`);
    if (begin > previous) fail(`${at}: leaves a hole after ${owner}, which ends at byte ${previous}`);
    const needed = shape.reduce((n, d) => {
      const product = n * d;
      if (!Number.isSafeInteger(product)) fail(`${at}: shape [${shape}] has too many values to count`);
      return product;
    }, ARRAYS[dtype].BYTES_PER_ELEMENT);
    if (end - begin !== needed)
      fail(`${at}: ${end - begin} bytes; ${dtype} of shape [${shape}] needs ${needed}`);
    previous = end;
    owner = `tensor ${quote(tensor)}`;
  }
  const dataBytes = bytes.length - start;
  if (previous > dataBytes)
    fail(`${owner} ends at byte ${previous} of the data, which has ${dataBytes}: the file is truncated`);
  if (previous < dataBytes) fail(`${dataBytes - previous} bytes after the end of ${owner}`);

  const tensors = new Map<string, SafeTensor>();
  for (const { name: tensor, dtype, shape, begin, end } of entries) {
    // Aligned, whatever the offset in the file. (`slice` would not do: that of Node's Buffer is a view.)
    const copy = new Uint8Array(bytes.subarray(start + begin, start + end));
    tensors.set(tensor, { dtype, shape, data: new ARRAYS[dtype](copy.buffer) });
  }
  return { tensors, metadata };
}

/**
 * The bytes of a safetensors file. The same tensors in the same order give the same bytes.
 * @throws DataError on whatever `readSafetensors` would refuse, and on values that do not fit their shape
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const fail = (what: string): never => {
    throw new DataError(`writing safetensors: ${what}`);
  };
  const most = Math.max(tensors.size + 1, Object.keys(metadata).length);
  if (most > MAX_KEYS) fail(`${most} keys; the limit is ${MAX_KEYS}`);
  for (const key of Object.keys(metadata)) checkName(key, fail);
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  // Widest elements first, as the reference writer does: then every tensor is aligned for readers that map the file.
  const width = (t: SafeTensor) => ARRAYS[t.dtype].BYTES_PER_ELEMENT;
  const inOrder = [...tensors].sort(([, a], [, b]) => width(b) - width(a));
  let end = 0;
  for (const [name, { dtype, shape, data }] of inOrder) {
    checkName(name, fail);
    if (shape.length > MAX_RANK || shape.some((d) => !Number.isSafeInteger(d) || d < 0))
      fail(`tensor ${quote(name)}: shape [${shape}]; expected at most ${MAX_RANK} whole numbers`);
    const count = shape.reduce((n, d) => n * d, 1);
    if (!(data instanceof ARRAYS[dtype]) || data.length !== count)
      fail(
        `tensor ${quote(name)}: ${data.constructor.name} of ${data.length} values for ${dtype} of shape [${shape}]`,
      );
    header.push([name, { dtype, shape, data_offsets: [end, (end += data.byteLength)] }]);
  }
  const fields = header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const unpadded = new TextEncoder().encode(`{${fields.join(',')}}`);
  const headerBytes = Math.ceil(unpadded.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES)
    fail(`header of ${headerBytes} bytes; the limit is ${MAX_HEADER_BYTES}`);
  const out = new Uint8Array(8 + headerBytes + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.fill(0x20, 8, 8 + headerBytes);
  out.set(unpadded, 8);
  let at = 8 + headerBytes;
  for (const [, { data }] of inOrder) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

const quote = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

function checkName(name: string, fail: (what: string) => void): void {
  if (name === '__proto__' || name === '__metadata__') fail(`name ${quote(name)} is reserved`);
  if (name.length > MAX_NAME_LENGTH)
    fail(`name ${quote(name)} of ${name.length} characters; the limit is ${MAX_NAME_LENGTH}`);
  // Half of a surrogate pair has no UTF-8: two such names would be one in the file.
  if (/\p{Surrogate}/u.test(name)) fail(`name ${quote(name)} holds half a surrogate pair`);
}

/** Reads exactly the JSON that a header may hold. JSON.parse would keep the last of two equal keys without a word. */
class HeaderParser {
  private at = 0;
  constructor(
    private readonly text: string,
    private readonly fail: (what: string) => never,
  ) {}

  header(): { entries: Entry[]; metadata: Record<string, string> } {
    const entries: Entry[] = [];
    let metadata: Record<string, string> = {};
    this.object('the header', (name) => {
      if (name === '__metadata__') {
        metadata = this.metadata();
        return;
      }
      checkName(name, this.fail);
      entries.push(this.entry(name));
    });
    this.space();
    if (this.at < this.text.length) this.unexpected('the end of the header');
    return { entries, metadata };
  }

  private metadata(): Record<string, string> {
    const pairs: Record<string, string> = {};
    this.object('__metadata__', (key) => {
      checkName(key, this.fail);
      this.space();
      if (this.text[this.at] !== '"') this.fail(`__metadata__: the value of ${quote(key)} is not a string`);
      pairs[key] = this.string();
    });
    return pairs;
  }

  private entry(name: string): Entry {
    const what = `tensor ${quote(name)}`;
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.object(what, (key) => {
      if (key === 'dtype') dtype = this.string();
      else if (key === 'shape') shape = this.integers();
      else if (key === 'data_offsets') offsets = this.integers();
      else this.fail(`${what}: unknown key ${quote(key)}`);
    });
    if (dtype === undefined || shape === undefined || offsets?.length !== 2)
      return this.fail(`${what}: needs dtype, shape and two data_offsets`);
    if (!Object.hasOwn(ARRAYS, dtype))
      return this.fail(`${what}: dtype ${quote(dtype)}; known are ${Object.keys(ARRAYS).join(', ')}`);
    return { name, dtype: dtype as SafeDtype, shape, begin: offsets[0], end: offsets[1] };
  }

  /** `{"key": value, ...}`; `value` reads what follows each colon. */
  private object(what: string, value: (key: string) => void): void {
    this.expect('{');
    const keys = new Set<string>();
    if (this.accept('}')) return;
    do {
      const key = this.string();
      if (keys.has(key)) this.fail(`${what} holds the key ${quote(key)} twice`);
      keys.add(key);
      if (keys.size > MAX_KEYS) this.fail(`${what} holds more than ${MAX_KEYS} keys`);
      this.expect(':');
      value(key);
    } while (this.accept(','));
    this.expect('}');
  }

  private integers(): number[] {
    const list: number[] = [];
    this.expect('[');
    if (this.accept(']')) return list;
    do {
      if (list.length === MAX_RANK)
        this.fail(`a list of more than ${MAX_RANK} numbers, the most axes a shape may have`);
      list.push(this.integer());
    } while (this.accept(','));
    this.expect(']');
    return list;
  }

  private integer(): number {
    this.space();
    const digits = /0|[1-9]\d*/y;
    digits.lastIndex = this.at;
    const match = digits.exec(this.text)?.[0];
    if (match === undefined) return this.unexpected('a whole number');
    if (!Number.isSafeInteger(Number(match))) this.fail(`the number ${match.slice(0, 40)} is beyond 2^53`);
    this.at += match.length;
    return Number(match);
  }

  private string(): string {
    this.space();
    if (this.text[this.at] !== '"') this.unexpected('a string');
    let end = this.at + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    const literal = this.text.slice(this.at, end + 1);
    this.at = end + 1;
    try {
      return JSON.parse(literal) as string;
    } catch {
      return this.fail(`the header holds a malformed string: ${quote(literal)}`);
    }
  }

  private space(): void {
    while (' \n\r\t'.includes(this.text[this.at] ?? '.')) this.at += 1;
  }

  private accept(mark: string): boolean {
    this.space();
    if (this.text[this.at] !== mark) return false;
    this.at += 1;
    return true;
  }

  private expect(mark: string): void {
    if (!this.accept(mark)) this.unexpected(`'${mark}'`);
  }

  private unexpected(wanted: string): never {
    const found = this.at < this.text.length ? quote(this.text.slice(this.at, this.at + 20)) : 'its end';
    return this.fail(`the header, character ${this.at}: expected ${wanted}, found ${found}`);
  }
}
