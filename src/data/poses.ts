import { type FileSource, fileName } from './files.ts';
import { MAX_PROBLEMS, noting } from './problems.ts';
import { DataError } from './types.ts';

/** Of a line: twelve numbers of at most 25 characters, with some room. */
const MAX_LINE_BYTES = 1000;

/**
 * Camera-to-world matrices, row-major 4x4 in metres, of a file with the 12 numbers of a 3x4 matrix a line, row by row.
 * A file that cannot be read is a problem, and so is each line that holds anything else; its pose is undefined.
 * @param most frames that the file may speak of.
 */
export async function readPoses(
  files: FileSource,
  path: string,
  problems: string[],
  most = Number.POSITIVE_INFINITY,
): Promise<(Float64Array | undefined)[] | undefined> {
  const file = fileName(files, path);
  const text = await noting(problems, async () => {
    const bytes = await files.read(path);
    if (bytes.length > MAX_LINE_BYTES * (most + 1))
      throw new DataError(
        `${file}: ${bytes.length} bytes for ${most} frames; expected a line of 12 numbers each`,
      );
    return new TextDecoder().decode(bytes);
  });
  let bad = 0;
  return text
    ?.trimEnd()
    .split('\n')
    .map((line, i) => {
      const row = line.trim().split(/\s+/).map(Number);
      if (row.length === 12 && row.every(Number.isFinite)) return Float64Array.of(...row, 0, 0, 0, 1);
      bad += 1;
      if (bad <= MAX_PROBLEMS)
        problems.push(
          `${file}:${i + 1}: expected 12 numbers, a 3x4 matrix; found ${JSON.stringify(line.slice(0, 80))}`,
        );
      return undefined;
    });
}
