// The KITTI odometry benchmark (Geiger, Lenz, Urtasun, CVPR 2012) in the layout of its archives:
//   sequences/NN/calib.txt
//   sequences/NN/image_2/NNNNNN.png         (left colour camera; without it image_0, the left grey one)
//   sequences/NN/velodyne/NNNNNN.bin        (optional: depth)
//   poses/NN.txt                            (optional; given for 00 to 10)
import type { Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { cameraOf, frameNumber, type Moment, readCalibration, scanDecoder, times, videoOf } from './kitti.ts';
import { readPoses } from './poses.ts';
import { noting } from './problems.ts';
import { firstSize, imageFrames, namesIn, openSplits, type SplitFiles } from './splits.ts';
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
    const sequence = await readSequence(files, name, problems);
    moments.push(...sequence.moments);
    if (sequence.moments.some(({ frame }) => frame.depth)) scanned.add(name);
    intrinsics ??= sequence.camera ?? null;
  }
  return { ...videoOf(files, moments, scanned), intrinsics, problems };
}

async function readSequence(
  files: FileSource,
  name: string,
  problems: string[],
): Promise<{ moments: Moment[]; camera?: Intrinsics }> {
  const folder = `sequences/${name}`;
  const colour = (await noting(problems, () => files.exists(`${folder}/image_2`))) ?? true;
  const images = await imageFrames(files, `${folder}/${colour ? 'image_2' : 'image_0'}`, problems);
  // The calibration does not say for which size it is.
  const size = await firstSize(files, images, problems);
  const calib = `${folder}/calib.txt`;
  const calibration = await readCalibration(files, calib, problems);
  const projection = await calibration(colour ? 'P2' : 'P0', 12);
  const camera =
    size && projection
      ? await noting(problems, () => cameraOf(projection, size.width, size.height, fileName(files, calib)))
      : undefined;

  const velodyne = `${folder}/velodyne`;
  const scans = await namesIn(files, velodyne, problems);
  const toCamera = scans.size > 0 ? await calibration('Tr', 12) : undefined;
  const decode = scanDecoder(projection && toCamera && times(projection, toCamera), camera);

  const path = `poses/${name}.txt`;
  const posed = await noting(problems, () => files.exists(path));
  const poses = posed ? await readPoses(files, path, problems) : undefined;
  const moments = images.map((found): Moment => {
    const number = frameNumber(files, found, '000000.png', problems);
    const scan = `${found.id}.bin`;
    const depth = scans.has(scan) ? { path: `${velodyne}/${scan}`, decode } : undefined;
    const stated = poses?.[number];
    const pose = stated && projection && moved(stated, projection);
    return {
      frame: { ...found, id: `${name}_${found.id}`, depth, pose, stored: camera },
      drive: name,
      number,
    };
  });
  const beyond = moments.findIndex(({ number }) => poses && number >= poses.length);
  if (beyond >= 0)
    problems.push(`${fileName(files, path)}: ${poses!.length} poses, and an image ${images[beyond].id}`);
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
