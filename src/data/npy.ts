// numpy's array files: npy (numpy/lib/format.py) and npz, a zip archive of them. Only plain numbers are read: an array of
// Python objects is a pickle, and reading a pickle runs what its writer wants.
import { checkSize } from './image-limits.ts';
import { ARRAYS, type SafeDtype, type SafeTensor } from './safetensors.ts';
import { DataError, type DepthMap } from './types.ts';
import { readZip } from './zip.ts';

const MAGIC = [0x93, ...[...'NUMPY'].map((letter) => letter.charCodeAt(0))];
/** numpy's own limit. */
const MAX_HEADER_BYTES = 10_000;
const MAX_RANK = 32;

const DTYPES: Record<string, SafeDtype> = {
  '<f8': 'F64',
  '<f4': 'F32',
  '<f2': 'F16',
  '<i8': 'I64',
  '<i4': 'I32',
  '<i2': 'I16',
  '|i1': 'I8',
  '<u8': 'U64',
  '<u4': 'U32',
  '<u2': 'U16',
  '|u1': 'U8',
  '|b1': 'BOOL',
};
// As numpy writes it: keys in this order, with or without the last comma.
const HEADER =
  /^\{ *'descr': *'([^']*)' *, *'fortran_order': *(True|False) *, *'shape': *\(([\d, ]*)\) *(?:, *)?\} *\n?$/;

/**
 * Reads an npy file. The values are copies in row-major order, also from a file in Fortran's.
 * @param name how errors call the file
 * @throws DataError on object, structured, text and big-endian arrays, on a damaged header, and when the bytes are not
 *   exactly those that the shape needs
 */
export function readNpy(bytes: Uint8Array, name: string): SafeTensor {
  const fail = (what: string): never => {
    throw new DataError(`${name}: ${what}`);
  };
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte))
    fail(`not an npy file: ${bytes.length} bytes without numpy's first six`);
  const major = bytes[6];
  if (major < 1 || major > 3) fail(`npy version ${major}.${bytes[7]}; known are 1.0, 2.0 and 3.0`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const from = major === 1 ? 10 : 12;
  if (length > MAX_HEADER_BYTES) fail(`npy header of ${length} bytes; the limit is ${MAX_HEADER_BYTES}`);
  if (from + length > bytes.length)
    fail(`npy header of ${length} bytes in a file of ${bytes.length}: truncated`);
  const header = new TextDecoder('latin1').decode(bytes.subarray(from, from + length));

  if (/^\{ *'descr': *\[/.test(header)) fail('array of records; expected one of plain numbers');
  const match = HEADER.exec(header);
  if (!match)
    return fail(
      `npy header ${JSON.stringify(header.slice(0, 80))}; expected {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`,
    );
  const [, descr, order, sizes] = match;
  const dtype = dtypeOf(descr, fail);
  const shape = shapeOf(sizes, fail);
  const width = ARRAYS[dtype].BYTES_PER_ELEMENT;
  const needed = shape.reduce((n, d) => {
    const product = n * d;
    if (!Number.isSafeInteger(product)) fail(`shape (${shape}) has too many values to count`);
    return product;
  }, width);
  const data = bytes.subarray(from + length);
  if (data.length !== needed)
    fail(`${data.length} bytes of data; ${descr} of shape (${shape}) needs ${needed}`);
  const stored = new ARRAYS[dtype](new Uint8Array(data).buffer) as SafeTensor['data'];
  return { dtype, shape, data: order === 'True' ? rowMajor(stored, shape) : stored };
}

/**
 * Reads an npz file: its arrays by name.
 * @throws DataError as `readZip` and `readNpy` do, and on an entry that is no npy file
 */
export function readNpz(bytes: Uint8Array, name: string): Map<string, SafeTensor> {
  const arrays = new Map<string, SafeTensor>();
  for (const [file, content] of readZip(bytes, name)) {
    if (!file.endsWith('.npy'))
      throw new DataError(`${name}: entry ${JSON.stringify(file.slice(0, 80))} is no npy file`);
    arrays.set(file.slice(0, -'.npy'.length), readNpy(content, `${name}: ${file}`));
  }
  return arrays;
}

/**
 * Depth in metres from an npy file, or an npz file of one array: float32 or float64 `[height, width]`, 0 = no measurement.
 * @throws DataError on any other array, and naming the first pixel that is not a number, infinite or negative
 */
export function readDepthArray(bytes: Uint8Array, name: string): DepthMap {
  const zipped = bytes[0] === 0x50;
  const arrays = zipped ? [...readNpz(bytes, name).values()] : [readNpy(bytes, name)];
  const [{ dtype, shape, data }] = arrays.length === 1 ? arrays : refuseMany(arrays.length, name);
  if ((dtype !== 'F32' && dtype !== 'F64') || shape.length !== 2)
    throw new DataError(
      `${name}: depth of ${dtype} and shape (${shape}); expected F32 or F64 of shape (height, width)`,
    );
  const [height, width] = shape;
  checkSize(width, height, name);
  const metres = Float32Array.from(data as Float32Array | Float64Array);
  const bad = metres.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0)
    throw new DataError(
      `${name}: pixel (x ${bad % width}, y ${Math.floor(bad / width)}) holds ${metres[bad]}; expected metres from 0 on, 0 where nothing was measured`,
    );
  return { width, height, data: metres };
}

function refuseMany(count: number, name: string): never {
  throw new DataError(`${name}: ${count} arrays; expected one, the depth`);
}

function dtypeOf(descr: string, fail: (what: string) => never): SafeDtype {
  if (Object.hasOwn(DTYPES, descr)) return DTYPES[descr];
  if (/^[|<>=]?O/.test(descr))
    return fail('array of Python objects, whose pickle could run code; expected one of plain numbers');
  if (descr.startsWith('>'))
    return fail(`big-endian array (${descr.slice(0, 20)}); save it as '<${descr.slice(1, 20)}'`);
  return fail(`dtype ${JSON.stringify(descr.slice(0, 20))}; known are ${Object.keys(DTYPES).join(', ')}`);
}

/** The numbers of a Python tuple: `3, 4`, `3,` or nothing. */
function shapeOf(tuple: string, fail: (what: string) => never): number[] {
  const parts = tuple.split(',').map((part) => part.trim());
  if (parts.length > MAX_RANK) fail(`array of ${parts.length} axes; the limit is ${MAX_RANK}`);
  if (parts.at(-1) === '') parts.pop();
  return parts.map((part) => {
    const size = Number(part);
    if (!/^\d+$/.test(part) || !Number.isSafeInteger(size))
      fail(`shape (${tuple.slice(0, 80)}); expected whole numbers below 2^53`);
    return size;
  });
}

/** Values of an array whose first axis runs fastest, so that its last one does. */
function rowMajor<T extends SafeTensor['data']>(stored: T, shape: readonly number[]): T {
  const out = stored.slice() as T;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((n, d) => n * d, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = stored[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] += 1;
      from += strides[axis];
      if (index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}
