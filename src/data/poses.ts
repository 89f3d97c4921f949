import { type FileSource, fileName } from './files.ts';
import { DataError } from './types.ts';

/**
 * Camera-to-world matrices, row-major 4x4 in metres, of a file with the 12 numbers of a 3x4 matrix a line, row by row.
 * @throws DataError naming the first line that holds anything else
 */
export async function readPoses(files: FileSource, path: string): Promise<Float64Array[]> {
  const lines = new TextDecoder()
    .decode(await files.read(path))
    .trim()
    .split('\n');
  return lines.map((line, i) => {
    const row = line.trim().split(/\s+/).map(Number);
    if (row.length !== 12 || !row.every(Number.isFinite))
      throw new DataError(
        `${fileName(files, path)}:${i + 1}: expected 12 numbers, a 3x4 matrix; found ${JSON.stringify(line.slice(0, 80))}`,
      );
    return Float64Array.of(...row, 0, 0, 0, 1);
  });
}
