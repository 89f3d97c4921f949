import { type FileSource, fileName } from './files.ts';
import { DataError } from './types.ts';

/** Of a line: twelve numbers of at most 25 characters, with some room. */
const MAX_LINE_BYTES = 1000;

/**
 * Camera-to-world matrices, row-major 4x4 in metres, of a file with the 12 numbers of a 3x4 matrix a line, row by row.
 * @param most frames that the file may speak of.
 * @throws DataError naming the first line that holds anything else
 */
export async function readPoses(
  files: FileSource,
  path: string,
  most = Number.POSITIVE_INFINITY,
): Promise<Float64Array[]> {
  const file = fileName(files, path);
  const bytes = await files.read(path);
  if (bytes.length > MAX_LINE_BYTES * (most + 1))
    throw new DataError(
      `${file}: ${bytes.length} bytes for ${most} frames; expected a line of 12 numbers each`,
    );
  const lines = new TextDecoder().decode(bytes).trim().split('\n');
  return lines.map((line, i) => {
    const row = line.trim().split(/\s+/).map(Number);
    if (row.length !== 12 || !row.every(Number.isFinite))
      throw new DataError(
        `${file}:${i + 1}: expected 12 numbers, a 3x4 matrix; found ${JSON.stringify(line.slice(0, 80))}`,
      );
    return Float64Array.of(...row, 0, 0, 0, 1);
  });
}
