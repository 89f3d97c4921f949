// KITTI raw (Geiger et al., IJRR 2013), synchronised and rectified, in the layout of its archives:
//   DATE/calib_cam_to_cam.txt, DATE/calib_velo_to_cam.txt
//   DATE/DATE_drive_NNNN_sync/image_02/data/NNNNNNNNNN.png                  (left colour camera; .jpg too)
//   DATE/DATE_drive_NNNN_sync/velodyne_points/data/NNNNNNNNNN.bin           (optional: depth)
import type { DepthFile, Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { cameraOf, type Moment, projectLidar, readCalibration, rigid, times, videoOf } from './kitti.ts';
import { noting } from './problems.ts';
import { imageFrames, openSplits, type SplitFiles } from './splits.ts';
import { DataError, type Intrinsics } from './types.ts';

const DATE = /^\d{4}_\d\d_\d\d$/;
const DRIVE = /^\d{4}_\d\d_\d\d_drive_\d{4}_sync$/;

/** The 28 drives that Eigen et al. (NIPS 2014) test on, by date; nobody trains on them. */
const TEST_DRIVES: Record<string, readonly string[]> = {
  '2011_09_26': [
    ...[
      '0002',
      '0009',
      '0013',
      '0020',
      '0023',
      '0027',
      '0029',
      '0036',
      '0046',
      '0048',
      '0052',
      '0056',
      '0059',
    ],
    ...['0064', '0084', '0086', '0093', '0096', '0101', '0106', '0117'],
  ],
  '2011_09_28': ['0002'],
  '2011_09_29': ['0071'],
  '2011_09_30': ['0016', '0018', '0027'],
  '2011_10_03': ['0027', '0047'],
};

const isTest = (drive: string): boolean =>
  TEST_DRIVES[drive.slice(0, 10)]?.includes(drive.slice(17, 21)) ?? false;

/**
 * Reads KITTI raw: `val` has all frames of the test drives of Eigen et al., `train` those of all other drives. Lidar
 * becomes sparse depth, neighbours are the frames before and after in the drive. The intrinsics are those of the first
 * drive's day; days differ by up to about 3 % of the image's size.
 */
export async function readKittiRaw(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const drives: string[] = [];
  for (const date of (await files.list('.')).filter((name) => DATE.test(name)))
    drives.push(...(await files.list(date)).filter((name) => DRIVE.test(name)));
  const test = drives.filter(isTest);
  const train = drives.filter((drive) => !isTest(drive));
  return openSplits(
    files,
    options,
    'KITTI raw',
    { classes: [] },
    {
      train: () => listDrives(files, train),
      ...(test.length > 0 && { val: () => listDrives(files, test) }),
    },
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
    await noting(problems, async () => {
      const { camera, decode } = await readDay(files, drive.slice(0, 10));
      intrinsics ??= camera;
      const folder = `${drive.slice(0, 10)}/${drive}`;
      const scans = `${folder}/velodyne_points/data`;
      const present = new Set((await files.exists(scans)) ? await files.list(scans) : []);
      if (present.size > 0) scanned.add(drive);
      for (const { id, image } of await imageFrames(files, `${folder}/image_02/data`)) {
        if (!/^\d+$/.test(id))
          throw new DataError(
            `${fileName(files, image)}: expected a number for a name, such as 0000000000.png`,
          );
        const depth = present.has(`${id}.bin`) ? { path: `${scans}/${id}.bin`, decode } : undefined;
        const frame = { id: `${drive}_${id}`, image, depth, stored: camera };
        moments.push({ frame, drive, number: Number(id) });
      }
    });
  }
  return { ...videoOf(files, moments, scanned), intrinsics, problems };
}

/** Camera and lidar of a day: velodyne to the reference camera, its rectification, projection of the left colour camera. */
async function readDay(
  files: FileSource,
  date: string,
): Promise<{ camera: Intrinsics; decode: DepthFile['decode'] }> {
  const cameras = await readCalibration(files, `${date}/calib_cam_to_cam.txt`);
  const scanner = await readCalibration(files, `${date}/calib_velo_to_cam.txt`);
  const [width, height] = cameras('S_rect_02', 2);
  const projection = cameras('P_rect_02', 12);
  const toCamera = times(rigid(cameras('R_rect_00', 9)), rigid(scanner('R', 9), scanner('T', 3)));
  const toPixels = times(projection, toCamera);
  return {
    camera: cameraOf(projection, width, height, fileName(files, `${date}/calib_cam_to_cam.txt`)),
    decode: (bytes, name) => projectLidar(bytes, name, toPixels, width, height),
  };
}
