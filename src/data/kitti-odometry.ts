// The KITTI odometry benchmark (Geiger, Lenz, Urtasun, CVPR 2012) in the layout of its archives:
//   sequences/NN/calib.txt
//   sequences/NN/image_2/NNNNNN.png         (left colour camera; without it image_0, the left grey one)
//   sequences/NN/velodyne/NNNNNN.bin        (optional: depth)
//   poses/NN.txt                            (optional; given for 00 to 10)
import type { Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { cameraOf, type Moment, projectLidar, readCalibration, times, videoOf } from './kitti.ts';
import { readPoses } from './poses.ts';
import { noting } from './problems.ts';
import { firstSize, imageFrames, openSplits, type SplitFiles } from './splits.ts';
import { DataError, type Intrinsics } from './types.ts';

// The split of Zhou et al. (CVPR 2017), among the sequences whose poses are public.
const TRAIN = ['00', '01', '02', '03', '04', '05', '06', '07', '08'];
const VAL = ['09', '10'];
const TEST = Array.from({ length: 11 }, (_, i) => String(11 + i));

/**
 * Reads KITTI odometry: sequences 00 to 08 train, 09 and 10 evaluate, 11 to 21, which have no public poses, are the
 * test split. Poses become those of the camera that took the images, lidar becomes sparse depth. The intrinsics are those
 * of the split's first sequence; sequences differ by up to about 3 % of the image's size.
 */
export async function readKittiOdometry(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const present = new Set(await files.list('sequences'));
  const [val, test] = [VAL, TEST].map((split) => split.filter((name) => present.has(name)));
  return openSplits(
    files,
    options,
    'KITTI odometry',
    { classes: [] },
    {
      train: () =>
        listSequences(
          files,
          TRAIN.filter((name) => present.has(name)),
        ),
      ...(val.length > 0 && { val: () => listSequences(files, val) }),
      ...(test.length > 0 && { test: () => listSequences(files, test) }),
    },
  );
}

async function listSequences(files: FileSource, sequences: readonly string[]): Promise<SplitFiles> {
  if (sequences.length === 0)
    throw new DataError(`${fileName(files, 'sequences')}: nothing to train on: looked for 00 to 08`);
  const moments: Moment[] = [];
  const scanned = new Set<string>();
  const problems: string[] = [];
  let intrinsics: Intrinsics | null = null;
  for (const name of sequences) {
    const sequence = await noting(problems, () => readSequence(files, name));
    if (!sequence) continue;
    moments.push(...sequence.moments);
    if (sequence.moments.some(({ frame }) => frame.depth)) scanned.add(name);
    intrinsics ??= sequence.camera;
  }
  return { ...videoOf(files, moments, scanned), intrinsics, problems };
}

async function readSequence(
  files: FileSource,
  name: string,
): Promise<{ moments: Moment[]; camera: Intrinsics }> {
  const folder = `sequences/${name}`;
  const colour = await files.exists(`${folder}/image_2`);
  const images = await imageFrames(files, `${folder}/${colour ? 'image_2' : 'image_0'}`);
  // The calibration does not say for which size it is.
  const { width, height } = await firstSize(files, images);
  const calibration = await readCalibration(files, `${folder}/calib.txt`);
  const projection = calibration(colour ? 'P2' : 'P0', 12);
  const camera = cameraOf(projection, width, height, fileName(files, `${folder}/calib.txt`));

  const velodyne = `${folder}/velodyne`;
  const scans = new Set((await files.exists(velodyne)) ? await files.list(velodyne) : []);
  const toPixels = scans.size > 0 ? times(projection, calibration('Tr', 12)) : [];
  const decode = (bytes: Uint8Array, file: string) => projectLidar(bytes, file, toPixels, width, height);

  const path = `poses/${name}.txt`;
  const poses = (await files.exists(path)) ? await readPoses(files, path) : undefined;
  const moments = images.map(({ id, image }): Moment => {
    const number = Number(id);
    if (!/^\d+$/.test(id))
      throw new DataError(`${fileName(files, image)}: expected a number for a name, such as 000000.png`);
    if (poses && number >= poses.length)
      throw new DataError(`${fileName(files, path)}: ${poses.length} poses, and an image ${id}`);
    const depth = scans.has(`${id}.bin`) ? { path: `${velodyne}/${id}.bin`, decode } : undefined;
    const pose = poses && moved(poses[number], projection);
    return { frame: { id: `${name}_${id}`, image, depth, pose, stored: camera }, drive: name, number };
  });
  return { moments, camera };
}

/**
 * The pose of the camera with projection K [I | t], from that of the reference camera. A point x there is x + t here,
 * so the camera stands at -t.
 */
function moved(pose: Float64Array, projection: readonly number[]): Float64Array {
  const [fx, , cx, u, , fy, cy, v, , , , tz] = projection;
  const t = [(u - cx * tz) / fx, (v - cy * tz) / fy, tz];
  const out = pose.slice();
  for (let row = 0; row < 3; row++)
    for (let axis = 0; axis < 3; axis++) out[4 * row + 3] -= pose[4 * row + axis] * t[axis];
  return out;
}
