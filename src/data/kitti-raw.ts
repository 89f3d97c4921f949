// KITTI raw (Geiger et al., IJRR 2013), synchronised and rectified, in the layout of its archives:
//   DATE/calib_cam_to_cam.txt, DATE/calib_velo_to_cam.txt
//   DATE/DATE_drive_NNNN_sync/image_02/data/NNNNNNNNNN.png                  (left colour camera; .jpg too)
//   DATE/DATE_drive_NNNN_sync/velodyne_points/data/NNNNNNNNNN.bin           (optional: depth)
import type { DepthFile, Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import {
  cameraOf,
  frameNumber,
  type Moment,
  readCalibration,
  rigid,
  scanDecoder,
  times,
  videoOf,
} from './kitti.ts';
import { EIGEN_TEST } from './kitti-eigen.ts';
import { noting } from './problems.ts';
import { imageFrames, namesIn, openSplits, type SplitFiles } from './splits.ts';
import { DataError, type Intrinsics } from './types.ts';

const DATE = /^\d{4}_\d\d_\d\d$/;
const DRIVE = /^\d{4}_\d\d_\d\d_drive_\d{4}_sync$/;

/**
 * Reads KITTI raw: `val` has all frames of the test drives of Eigen et al., `test` their 697 images among them, `train`
 * the frames of all other drives. Lidar becomes sparse depth, neighbours are the frames before and after in the drive.
 * The intrinsics are those of the first drive's day; days differ by up to about 3 % of the image's size.
 */
export async function readKittiRaw(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const drives: string[] = [];
  const problems: string[] = [];
  for (const date of (await files.list('.')).filter((name) => DATE.test(name)))
    drives.push(...[...(await namesIn(files, date, problems))].filter((name) => DRIVE.test(name)));
  const held = drives.filter((drive) => EIGEN_TEST.has(drive));
  const train = drives.filter((drive) => !EIGEN_TEST.has(drive));
  return openSplits(
    files,
    options,
    'KITTI raw',
    { classes: [] },
    {
      train: () => listDrives(files, train),
      ...(held.length > 0 && { val: () => listDrives(files, held), test: () => listTest(files, held) }),
    },
    problems,
  );
}

async function listDrives(files: FileSource, drives: readonly string[]): Promise<SplitFiles> {
  if (drives.length === 0)
    throw new DataError(
      `${files.root}: nothing to train on: looked for DATE/DATE_drive_NNNN_sync other than the 28 test drives of Eigen et al., and for sequences/ of the odometry benchmark`,
    );
  const moments: Moment[] = [];
  const scanned = new Set<string>();
  const problems: string[] = [];
  let intrinsics: Intrinsics | null = null;
  for (const drive of drives) {
    const { camera, decode } = await readDay(files, drive.slice(0, 10), problems);
    intrinsics ??= camera ?? null;
    const folder = `${drive.slice(0, 10)}/${drive}`;
    const scans = `${folder}/velodyne_points/data`;
    const present = await namesIn(files, scans, problems);
    if (present.size > 0) scanned.add(drive);
    for (const found of await imageFrames(files, `${folder}/image_02/data`, problems)) {
      const number = frameNumber(files, found, '0000000000.png', problems);
      const scan = `${found.id}.bin`;
      const depth = present.has(scan) ? { path: `${scans}/${scan}`, decode } : undefined;
      moments.push({ frame: { ...found, id: `${drive}_${found.id}`, depth, stored: camera }, drive, number });
    }
  }
  return { ...videoOf(files, moments, scanned), intrinsics, problems };
}

/** The frames of the test split, as single images. What is wrong with these drives is told of `val`. */
async function listTest(files: FileSource, drives: readonly string[]): Promise<SplitFiles> {
  const { frames, intrinsics } = await listDrives(files, drives);
  const scored = frames.filter(({ id }) => {
    const end = id.lastIndexOf('_');
    return EIGEN_TEST.get(id.slice(0, end))?.has(Number(id.slice(end + 1)));
  });
  return { frames: scored.map(({ neighbours: _, ...frame }) => frame), intrinsics };
}

/** Camera and lidar of a day: velodyne to the reference camera, its rectification, projection of the left colour camera. */
async function readDay(
  files: FileSource,
  date: string,
  problems: string[],
): Promise<{ camera?: Intrinsics; decode: DepthFile['decode'] }> {
  const path = `${date}/calib_cam_to_cam.txt`;
  const cameras = await readCalibration(files, path, problems);
  const scanner = await readCalibration(files, `${date}/calib_velo_to_cam.txt`, problems);
  const size = await cameras('S_rect_02', 2);
  const projection = await cameras('P_rect_02', 12);
  const rectification = await cameras('R_rect_00', 9);
  const [rotation, translation] = [await scanner('R', 9), await scanner('T', 3)];
  const camera =
    size && projection
      ? await noting(problems, () => cameraOf(projection, size[0], size[1], fileName(files, path)))
      : undefined;
  const toPixels =
    projection && rectification && rotation && translation
      ? times(projection, times(rigid(rectification), rigid(rotation, translation)))
      : undefined;
  return { camera, decode: scanDecoder(toPixels, camera) };
}
