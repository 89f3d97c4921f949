// What KITTI's raw recordings and its odometry benchmark share (Geiger et al., IJRR 2013): calibration files, lidar
// scans, and drives whose frames are numbered.

import type { DepthFile, FrameFiles } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { MAX_SIDE } from './image-limits.ts';
import { noting } from './problems.ts';
import { DataError, type DepthMap, type Intrinsics } from './types.ts';

/** Numbers of one line of a calibration file, such as the 12 of `P_rect_02`; undefined when they are not there. */
export type Calibration = (key: string, count: number) => Promise<number[] | undefined>;

/**
 * Reads a file with a `NAME: number number ...` on each line. Only lines that are asked for need to hold numbers. A
 * missing file is a problem; so is a line that is asked for and is missing, or has another number of numbers.
 */
export async function readCalibration(
  files: FileSource,
  path: string,
  problems: string[],
): Promise<Calibration> {
  const file = fileName(files, path);
  const bytes = await noting(problems, () => files.read(path));
  if (!bytes) return async () => undefined;
  const lines = new Map<string, string>();
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) lines.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return (key, count) =>
    noting(problems, () => {
      const text = lines.get(key);
      if (text === undefined) throw new DataError(`${file}: ${key}: missing; expected ${count} numbers`);
      const numbers = text.split(/\s+/).map(Number);
      if (numbers.length !== count || !numbers.every(Number.isFinite))
        throw new DataError(
          `${file}: ${key}: expected ${count} numbers; found ${JSON.stringify(text.slice(0, 80))}`,
        );
      return numbers;
    });
}

/**
 * Camera of a 3x4 projection matrix, row by row, for images of the size given.
 * @param name how errors name the calibration file
 * @throws DataError on a size that no image can have, and on a focal length that is not positive
 */
export function cameraOf(
  projection: readonly number[],
  width: number,
  height: number,
  name: string,
): Intrinsics {
  const [fx, , cx, , , fy, cy] = projection;
  for (const side of [width, height])
    if (!Number.isInteger(side) || side < 1 || side > MAX_SIDE)
      throw new DataError(
        `${name}: images of ${width}x${height} pixels; expected whole numbers from 1 to ${MAX_SIDE}`,
      );
  if (fx <= 0 || fy <= 0)
    throw new DataError(`${name}: focal lengths ${fx} and ${fy}; expected positive numbers of pixels`);
  return { width, height, fx, fy, cx, cy };
}

/** Product of a 3x4 matrix and a rigid motion given as 3x4, both row by row: the 4x4 product without its last row. */
export function times(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: 12 }, (_, i) => {
    const [row, column] = [4 * (i >> 2), i & 3];
    const sum = a[row] * b[column] + a[row + 1] * b[4 + column] + a[row + 2] * b[8 + column];
    return column === 3 ? sum + a[row + 3] : sum;
  });
}

/** A 3x3 rotation, row by row, and a translation as one 3x4 matrix. */
export const rigid = (r: readonly number[], t: readonly number[] = [0, 0, 0]): number[] => [
  ...r.slice(0, 3),
  t[0],
  ...r.slice(3, 6),
  t[1],
  ...r.slice(6, 9),
  t[2],
];

const BYTES_A_POINT = 16;

/**
 * Z-depth in metres of a Velodyne scan in the pixels that its points fall on, 0 elsewhere; of several points on one
 * pixel the nearest. Pixel (0, 0) is the centre of the top-left pixel. Monodepth2's ground truth lies one pixel
 * further left and up, after the Matlab code of KITTI's development kit.
 * @param bytes float32 x, y, z, reflectance of each point
 * @param projection 3x4, row by row, from the scanner's frame to pixels
 * @throws DataError on a file that ends inside a point, and on coordinates that are not finite
 */
export function projectLidar(
  bytes: Uint8Array,
  name: string,
  projection: readonly number[],
  width: number,
  height: number,
): DepthMap {
  if (bytes.length === 0 || bytes.length % BYTES_A_POINT !== 0)
    throw new DataError(
      `${name}: lidar scan of ${bytes.length} bytes; expected ${BYTES_A_POINT} for each point: x, y, z, reflectance`,
    );
  const [a, b, c, d, e, f, g, h, i, j, k, l] = projection;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(width * height);
  for (let at = 0; at < bytes.length; at += BYTES_A_POINT) {
    const x = view.getFloat32(at, true);
    const y = view.getFloat32(at + 4, true);
    const z = view.getFloat32(at + 8, true);
    if (!Number.isFinite(x + y + z))
      throw new DataError(
        `${name}: lidar point ${at / BYTES_A_POINT} is at (${x}, ${y}, ${z}); expected metres`,
      );
    const depth = i * x + j * y + k * z + l;
    if (depth <= 0) continue;
    const column = Math.round((a * x + b * y + c * z + d) / depth);
    const row = Math.round((e * x + f * y + g * z + h) / depth);
    if (column < 0 || column >= width || row < 0 || row >= height) continue;
    const pixel = row * width + column;
    if (data[pixel] === 0 || depth < data[pixel]) data[pixel] = depth;
  }
  return { width, height, data };
}

/** Puts every point at a depth of 0, where no camera sees it. */
const NOWHERE: readonly number[] = new Array(12).fill(0);

/** Decoder of the scans of a drive. Without the projection or the camera they are read all the same, and give no depth. */
export const scanDecoder =
  (projection: readonly number[] | undefined, camera: Intrinsics | undefined): DepthFile['decode'] =>
  (bytes, name) => {
    if (projection && camera) return projectLidar(bytes, name, projection, camera.width, camera.height);
    projectLidar(bytes, name, NOWHERE, 1, 1);
    return undefined;
  };

/** A frame of a drive. */
export interface Moment {
  frame: FrameFiles;
  drive: string;
  /** NaN when the image has no number for a name. */
  number: number;
}

/**
 * The number that the image of a frame has for a name; any other name is a problem.
 * @param like a name as it should be
 */
export function frameNumber(
  files: FileSource,
  { id, image }: FrameFiles,
  like: string,
  problems: string[],
): number {
  if (/^\d+$/.test(id)) return Number(id);
  problems.push(`${fileName(files, image)}: expected a number for a name, such as ${like}`);
  return Number.NaN;
}

/**
 * Frames of drives, with those numbered just before and after as neighbours. Where a drive has lidar, frames without a
 * scan (KITTI lost a few) are no samples: they are context, and one message each in `unpaired`.
 */
export function videoOf(
  files: FileSource,
  moments: readonly Moment[],
  scanned: ReadonlySet<string>,
): { frames: FrameFiles[]; context: FrameFiles[]; unpaired: string[] } {
  const isSample = ({ frame, drive }: Moment) => frame.depth !== undefined || !scanned.has(drive);
  const samples = moments.filter(isSample);
  const others = moments.filter((moment) => !isSample(moment));
  const key = (drive: string, number: number) => `${drive} ${number}`;
  const index = new Map([...samples, ...others].map(({ drive, number }, i) => [key(drive, number), i]));
  const frames = samples.map(({ frame, drive, number }): FrameFiles => {
    const before = index.get(key(drive, number - 1));
    const after = index.get(key(drive, number + 1));
    return before === undefined || after === undefined ? frame : { ...frame, neighbours: [before, after] };
  });
  return {
    frames,
    context: others.map(({ frame }) => frame),
    unpaired: others.map(
      ({ frame }) =>
        `${fileName(files, frame.image)}: an image without a lidar scan, in a drive that has them; used as a neighbour only`,
    ),
  };
}
