import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { checkDataset } from '../../src/data/check.ts';
import { encodePng } from '../../src/data/codecs.ts';
import { EIGEN_TEST } from '../../src/data/kitti-eigen.ts';
import { openDataset } from '../../src/data/open.ts';
import type { DepthMap } from '../../src/data/types.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { folderOf, messageOf, quadrantJpeg } from './fixtures.ts';
import { check as checkTree, rgb as colour, opened as openTree } from './reading.ts';

type Files = Record<string, Uint8Array | string>;
type Rest = Parameters<typeof openTree> extends [string, object, ...infer R] ? R : never;

const opened = (files: Files, ...rest: Rest) => openTree('kitti', files, ...rest);
const check = (files: Files) => checkTree('kitti', files);

const [WIDTH, HEIGHT] = [12, 6];
const rgb = (value: number, width = WIDTH, height = HEIGHT) => colour(value, width, height);
/** A Velodyne scan: x forward, y left, z up, reflectance. */
const scan = (...points: [number, number, number][]) =>
  new Uint8Array(Float32Array.from(points.flatMap((point) => [...point, 0.5])).buffer);
const line = (key: string, values: readonly number[]) =>
  `${key}: ${values.map((v) => v.toExponential(12)).join(' ')}\n`;

/** Pixels that have depth, as [x, y, metres to a millimetre]. */
const measured = ({ width, data }: DepthMap) =>
  [...data].flatMap((z, i) =>
    z > 0 ? [[i % width, Math.floor(i / width), Math.round(1000 * z) / 1000]] : [],
  );

const near = (a: number, b: number, tolerance: number) =>
  ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);

// As published for 2011_09_26.
const R = [
  ...[7.533745e-3, -9.999714e-1, -6.16602e-4, 1.480249e-2, 7.280733e-4, -9.998902e-1],
  ...[9.998621e-1, 7.52379e-3, 1.480755e-2],
];
const T = [-4.069766e-3, -7.631618e-2, -2.717806e-1];
const R_RECT = [
  ...[9.999239e-1, 9.83776e-3, -7.445048e-3, -9.869795e-3, 9.999421e-1, -4.278459e-3],
  ...[7.402527e-3, 4.351614e-3, 9.999631e-1],
];
const P_RECT = [721.5377, 0, 609.5593, 44.85728, 0, 721.5377, 172.854, 0.2163791, 0, 0, 1, 2.745884e-3];

const cameras = (size: [number, number], rectify: readonly number[], projection: readonly number[]) =>
  `calib_time: 09-Jan-2012 13:57:47\n${line('S_rect_02', size)}${line('R_rect_00', rectify)}${line('P_rect_02', projection)}`;
const scanner = (r: readonly number[], t: readonly number[]) =>
  `calib_time: 15-Mar-2012 11:37:16\n${line('R', r)}${line('T', t)}delta_f: 0.000000e+00 0.000000e+00\n`;

// Camera axes from scanner axes, a half turn about the optical axis for a rectification, and a camera beside the first.
const SIMPLE = {
  r: [0, -1, 0, 0, 0, -1, 1, 0, 0],
  t: [0.1, -0.2, 0.3],
  rectify: [-1, 0, 0, 0, -1, 0, 0, 0, 1],
  p: [10, 0, 5, 2, 0, 10, 3, -1, 0, 0, 1, 0.5],
};

/** Two drives of one day, the second a test drive of Eigen et al. */
const raw = (): Files => {
  const day = '2011_09_26';
  const drive = (number: string) => `${day}/${day}_drive_${number}_sync`;
  const files: Files = {
    [`${day}/calib_cam_to_cam.txt`]: cameras([WIDTH, HEIGHT], SIMPLE.rectify, SIMPLE.p),
    [`${day}/calib_velo_to_cam.txt`]: scanner(SIMPLE.r, SIMPLE.t),
    [`${day}/.DS_Store`]: 'x',
    [`${drive('0001')}/image_03/data/0000000000.png`]: rgb(99),
    [`${drive('0001')}/oxts/dataformat.txt`]: 'lat: latitude',
  };
  for (let i = 0; i < 4; i++) {
    files[`${drive('0001')}/image_02/data/000000000${i}.png`] = rgb(i);
    files[`${drive('0001')}/velodyne_points/data/000000000${i}.bin`] = scan(
      [5, 0, 0],
      [-5, 0, 0],
      [5, 10, 0],
    );
    files[`${drive('0002')}/image_02/data/000000000${i}.png`] = rgb(50 + i);
  }
  return files;
};

const test = suite('kitti raw');

test("Eigen's test drives evaluate, the others train; frames of a drive are neighbours", () =>
  opened(raw(), ({ train, val, unlabelled, classes, width, height }) => {
    equal([width, height, classes.length, train.length, val.length], [WIDTH, HEIGHT, 0, 4, 4]);
    ok(unlabelled === train && train.hasDepth && !train.hasLabels && !train.hasPoses && !val.hasDepth);
    is(train.id(1), '2011_09_26_drive_0001_sync_0000000001');
    is(val.id(0), '2011_09_26_drive_0002_sync_0000000000');
    equal(
      [0, 1, 2, 3].map((i) => train.neighbours(i)),
      [null, [0, 2], [1, 3], null],
    );
  }));

test('28 drives are test drives: 21 of the first day and 7 of the others', async () => {
  const files = raw();
  const add = (day: string, number: number) => {
    const drive = `${day}_drive_${String(number).padStart(4, '0')}_sync`;
    files[`${day}/${drive}/image_02/data/0000000000.png`] = rgb(1);
    for (const name of ['calib_cam_to_cam.txt', 'calib_velo_to_cam.txt'])
      files[`${day}/${name}`] = files[`2011_09_26/${name}`];
  };
  for (let number = 3; number <= 120; number++) add('2011_09_26', number);
  for (const number of [1, 2]) add('2011_09_28', number);
  for (const number of [4, 71]) add('2011_09_29', number);
  for (const number of [16, 18, 20, 27, 28]) add('2011_09_30', number);
  for (const number of [27, 34, 42, 47]) add('2011_10_03', number);
  await opened(files, ({ val }) => {
    const drives = Array.from({ length: val.length }, (_, i) => val.id(i).slice(0, 21));
    const tested = [...new Set(drives)];
    is(tested.length, 28);
    equal(
      tested.slice(0, 4),
      ['0002', '0009', '0013', '0020'].map((number) => `2011_09_26_drive_${number}`),
    );
    equal(tested.slice(21), [
      '2011_09_28_drive_0002',
      '2011_09_29_drive_0071',
      ...['0016', '0018', '0027'].map((number) => `2011_09_30_drive_${number}`),
      ...['0027', '0047'].map((number) => `2011_10_03_drive_${number}`),
    ]);
  });
});

test('the test split: 697 images, 25 of each drive but the shortest, as single images with their lidar', async () => {
  const counts = [...EIGEN_TEST.values()].map(({ size }) => size);
  equal([counts.length, counts.reduce((a, b) => a + b, 0)], [28, 697]);
  equal([...new Set(counts)], [25, 22]);
  is(EIGEN_TEST.get('2011_09_26_drive_0048_sync')!.size, 22);
  const drive = '2011_09_26/2011_09_26_drive_0002_sync';
  const files = raw();
  for (const i of [0, 1, 2, 3]) files[`${drive}/velodyne_points/data/000000000${i}.bin`] = scan([5, 0, 0]);
  await opened(files, async ({ val, test: scored }) => {
    is(val.length, 4);
    equal(
      [0, 1].map((i) => scored!.id(i)),
      ['2011_09_26_drive_0002_sync_0000000000', '2011_09_26_drive_0002_sync_0000000003'],
    );
    equal([scored!.length, scored!.hasDepth, scored!.neighbours(1)], [2, true, null]);
    equal(scored!.intrinsics, val.intrinsics);
    const { image, depth } = await scored!.load(1);
    is(image.data[0], 53);
    equal(measured(depth!), [[5, 3, 5.8]]);
  });
});

test('a scan goes through the rectified reference camera into the left colour camera; the nearest point counts', async () => {
  // (5, 0, 0) is (0.1, -0.2, 5.3) in the camera, (-0.1, 0.2, 5.3) rectified, 5.8 m deep in the colour camera and there
  // at ((-1 + 26.5 + 2) / 5.8, (2 + 15.9 - 1) / 5.8) = (4.74, 2.91).
  await opened(raw(), async ({ train }) => equal(measured((await train.load(0)).depth!), [[5, 3, 5.8]]));
  const path = '2011_09_26/2011_09_26_drive_0001_sync/velodyne_points/data/0000000000.bin';
  for (const points of [scan([5, 0, 0], [4, 0, 0]), scan([4, 0, 0], [5, 0, 0])])
    await opened({ ...raw(), [path]: points }, async ({ train }) =>
      equal(measured((await train.load(0)).depth!), [[5, 3, 4.8]]),
    );
});

test("the camera of 2011_09_26 as published, at Monodepth2's aspect", () => {
  const files = raw();
  files['2011_09_26/calib_cam_to_cam.txt'] = cameras([1242, 375], R_RECT, P_RECT);
  return opened(
    files,
    ({ train }) => {
      const { fx, fy, cx, cy } = train.intrinsics!;
      near(fx, 241.67446312399355, 1e-9);
      near(fy, 246.28486826666665, 1e-9);
      near(cx, 203.83548212560385, 1e-9);
      near(cy, 58.67149866666667, 1e-9);
    },
    { width: 416, height: 128 },
  );
});

test('where a drive has lidar, a frame without a scan is a neighbour and no sample, and data check tells it', async () => {
  const files = raw();
  const path = '2011_09_26/2011_09_26_drive_0001_sync/velodyne_points/data/0000000002.bin';
  delete files[path];
  await opened(files, async ({ train }) => {
    equal([train.length, train.hasDepth], [3, true]);
    const [before, after] = train.neighbours(1)!;
    equal(
      [train.id(before), train.id(after)].map((id) => id.slice(-1)),
      ['0', '2'],
    );
    is((await train.load(after)).image.data[0], 2);
  });
  equal(await check(files), [
    '2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000002.png: an image without a lidar scan, in a drive that has them; used as a neighbour only',
  ]);
});

test('data check lists what is wrong file by file', async () => {
  equal(await check(raw()), []);
  const drive = '2011_09_26/2011_09_26_drive_0001_sync';
  const found = await check({
    ...raw(),
    [`${drive}/image_02/data/0000000000.png`]: rgb(1, 10, 6),
    [`${drive}/image_02/data/0000000001.png`]: rgb(1).subarray(0, 40),
    [`${drive}/velodyne_points/data/0000000002.bin`]: scan([1, 2, 3]).subarray(0, 15),
    [`${drive}/velodyne_points/data/0000000003.bin`]: scan([1, Number.NaN, 3]),
    '2011_09_26/2011_09_26_drive_0002_sync/image_02/data/0000000003.png': rgb(2),
  });
  equal(found.slice(0, 2), [
    `${drive}/image_02/data/0000000000.png: 10x6 pixels, the intrinsics are for 12x6`,
    `${drive}/velodyne_points/data/0000000000.bin: depth of 12x6 pixels, its image ${drive}/image_02/data/0000000000.png has 10x6`,
  ]);
  ok(found[2].startsWith(`${drive}/image_02/data/0000000001.png: PNG truncated: `), found[2]);
  equal(found.slice(3, 5), [
    `${drive}/velodyne_points/data/0000000002.bin: lidar scan of 15 bytes; expected 16 for each point: x, y, z, reflectance`,
    `${drive}/velodyne_points/data/0000000003.bin: lidar point 0 is at (1, NaN, 3); expected metres`,
  ]);
  ok(
    /train frame 2011_09_26_drive_0001_sync_0000000002 and val frame 2011_09_26_drive_0002_sync_0000000003 hold the same image$/.test(
      found[5],
    ),
    found[5],
  );
  ok(found[6].endsWith('and test frame 2011_09_26_drive_0002_sync_0000000003 hold the same image'), found[6]);
  is(found.length, 7);
});

test('a missing or wrong calibration, an empty drive and a folder without drives are named', async () => {
  const { '2011_09_26/calib_velo_to_cam.txt': _gone, ...without } = raw();
  equal(await check(without), ['2011_09_26/calib_velo_to_cam.txt: no such file']);
  const cam = '2011_09_26/calib_cam_to_cam.txt';
  const bad = cameras([WIDTH, HEIGHT], SIMPLE.rectify, SIMPLE.p);
  equal(await check({ ...raw(), [cam]: bad.replace('R_rect_00', 'R_rect_01') }), [
    `${cam}: R_rect_00: missing; expected 9 numbers`,
  ]);
  equal(await check({ ...raw(), [cam]: bad.replace(/^S_rect_02.*$/m, 'S_rect_02: 12 six') }), [
    `${cam}: S_rect_02: expected 2 numbers; found "12 six"`,
  ]);
  equal(await check({ ...raw(), '2011_09_26/2011_09_26_drive_0005_sync/image_02/data/readme.txt': 'x' }), [
    '2011_09_26/2011_09_26_drive_0005_sync/image_02/data: no images: looked for *.png, *.jpg and *.jpeg',
  ]);
  for (const [line, message] of [
    ['S_rect_02: 1e9 1e9', 'images of 1000000000x1000000000 pixels; expected whole numbers from 1 to 16384'],
    ['P_rect_02: 0 0 5 2 0 10 3 -1 0 0 1 0', 'focal lengths 0 and 10; expected positive numbers of pixels'],
  ]) {
    const key = line.slice(0, 9);
    const text = bad.replace(new RegExp(`^${key}.*$`, 'm'), line);
    equal(await check({ ...raw(), [cam]: text }), [`${cam}: ${message}`]);
  }
  const day = '2011_09_28';
  const two = await check({
    ...raw(),
    [`${day}/${day}_drive_0001_sync/image_02/data/0000000000.png`]: rgb(7),
    '2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png': rgb(7).subarray(0, 40),
  });
  equal(two.slice(0, 2), [
    `${day}/calib_cam_to_cam.txt: no such file`,
    `${day}/calib_velo_to_cam.txt: no such file`,
  ]);
  ok(
    two[2].startsWith('2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png: PNG truncated: '),
    two[2],
  );
  const nothing = await messageOf(() => opened({ 'a.txt': 'x' }, () => {}));
  ok(/: nothing to train on: looked for DATE\/DATE_drive_NNNN_sync .*sequences\//.test(nothing), nothing);
});

test('faults of different kinds at once are all told', async () => {
  const {
    '2011_09_26/calib_velo_to_cam.txt': _velo,
    '2011_09_26/calib_cam_to_cam.txt': _cam,
    ...rest
  } = raw();
  const [drive, held] = ['0001', '0002'].map((number) => `2011_09_26/2011_09_26_drive_${number}_sync`);
  const day = '2011_09_28';
  equal(
    await check({
      ...rest,
      [`${drive}/image_02/data/0000000000.jpg`]: quadrantJpeg(WIDTH, HEIGHT),
      [`${drive}/image_02/data/0000000001.png`]: rgb(1).subarray(0, 30),
      [`${drive}/velodyne_points/data/0000000002.bin`]: scan([1, 2, 3]).subarray(0, 15),
      [`${drive}/velodyne_points/data/0000000003.bin`]: scan([1, Number.NaN, 3]),
      [`${day}/calib_cam_to_cam.txt`]: 'S_rect_02: 12 six\nP_rect_02: 1\n',
      [`${day}/calib_velo_to_cam.txt`]: line('R', SIMPLE.r),
      [`${day}/${day}_drive_0001_sync/image_02/data/0000000000.png`]: 'x',
      [`${day}/${day}_drive_0001_sync/velodyne_points/data/0000000000.bin`]: '',
      [`${held}/image_02/data/a_b.png`]: rgb(9),
      [`${held}/image_02/data/0000000003.png`]: rgb(9).subarray(0, 30),
    }),
    [
      '2011_09_26/calib_cam_to_cam.txt: no such file',
      '2011_09_26/calib_velo_to_cam.txt: no such file',
      `${drive}/image_02/data/0000000000.png: a second image with the name 0000000000; keep one of the two`,
      `${day}/calib_cam_to_cam.txt: S_rect_02: expected 2 numbers; found "12 six"`,
      `${day}/calib_cam_to_cam.txt: P_rect_02: expected 12 numbers; found "1"`,
      `${day}/calib_cam_to_cam.txt: R_rect_00: missing; expected 9 numbers`,
      `${day}/calib_velo_to_cam.txt: T: missing; expected 3 numbers`,
      `${held}/image_02/data/a_b.png: expected a number for a name, such as 0000000000.png`,
      `${drive}/image_02/data/0000000001.png: PNG truncated: 30 bytes`,
      `${drive}/velodyne_points/data/0000000002.bin: lidar scan of 15 bytes; expected 16 for each point: x, y, z, reflectance`,
      `${drive}/velodyne_points/data/0000000003.bin: lidar point 0 is at (1, NaN, 3); expected metres`,
      `${day}/${day}_drive_0001_sync/image_02/data/0000000000.png: neither PNG nor JPEG`,
      `${day}/${day}_drive_0001_sync/velodyne_points/data/0000000000.bin: lidar scan of 0 bytes; expected 16 for each point: x, y, z, reflectance`,
      `${held}/image_02/data/0000000003.png: PNG truncated: 30 bytes`,
    ],
  );
});

const odometry = suite('kitti odometry');

// Sequence 00 as published, its first camera, and the left colour camera beside it.
const K00 = [718.856, 0, 607.1928, 0, 0, 718.856, 185.2157, 0, 0, 0, 1, 0];
const K02 = [718.856, 0, 607.1928, 45.38225, 0, 718.856, 185.2157, -0.1130887, 0, 0, 1, 3.779761e-3];
const pose = (...values: number[]) => `${values.map((v) => v.toExponential(6)).join(' ')}\n`;
const STILL = pose(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0);

const benchmark = (): Files => {
  const files: Files = { 'poses/00.txt': STILL.repeat(3), 'poses/09.txt': STILL };
  const calib = line('P0', [10, 0, 5, 0, 0, 10, 3, 0, 0, 0, 1, 0]) + line('P2', SIMPLE.p);
  for (const name of ['00', '09', '11'])
    files[`sequences/${name}/calib.txt`] =
      `${calib}${line('Tr', [0, -1, 0, 0.1, 0, 0, -1, -0.2, 1, 0, 0, 0.3])}`;
  for (let i = 0; i < 3; i++) {
    files[`sequences/00/image_2/00000${i}.png`] = rgb(i);
    files[`sequences/00/image_0/00000${i}.png`] = rgb(100 + i);
    files[`sequences/00/velodyne/00000${i}.bin`] = scan([5, 0, 0]);
  }
  files['sequences/09/image_2/000000.png'] = rgb(9);
  files['sequences/11/image_2/000000.png'] = rgb(11);
  return files;
};

odometry('00 to 08 train, 09 and 10 evaluate, 11 to 21 are the test split; colour before grey', () =>
  opened(benchmark(), async ({ train, val, test: scored }) => {
    equal([train.length, val.length, scored!.length], [3, 1, 1]);
    ok(train.hasPoses && train.hasDepth && val.hasPoses && !val.hasDepth);
    ok(!scored!.hasPoses && !scored!.hasDepth && scored!.intrinsics !== null);
    equal([train.id(0), val.id(0), scored!.id(0)], ['00_000000', '09_000000', '11_000000']);
    equal(train.neighbours(1), [0, 2]);
    const { image, depth } = await train.load(1);
    is(image.data[0], 1);
    // (0.1, -0.2, 5.3) in the camera: ((1 + 26.5 + 2) / 5.8, (-2 + 15.9 - 1) / 5.8) = (5.09, 2.22).
    equal(measured(depth!), [[5, 2, 5.8]]);
    const { fx, fy, cx, cy } = train.intrinsics!;
    equal([fx, fy, cx, cy], [10, 10, 5, 3]);
  }),
);

odometry('of the test split the lidar is read as well; other sequences belong to nothing', () => {
  const files: Files = { ...benchmark(), 'sequences/11/velodyne/000000.bin': scan([5, 0, 0]) };
  files['sequences/22/image_2/000000.png'] = rgb(22);
  return opened(files, async ({ test: scored }) => {
    is(scored!.length, 1);
    equal(measured((await scored!.load(0)).depth!), [[5, 2, 5.8]]);
  });
});

odometry('the pose is that of the camera that took the image', () => {
  // A quarter turn to the left about y, at (1, 2, 3).
  const turned = pose(0, 0, 1, 1, 0, 1, 0, 2, -1, 0, 0, 3);
  // The colour camera of `SIMPLE.p` sees x + t with t = ((2 - 5 / 2) / 10, (-1 - 3 / 2) / 10, 1 / 2) = (-0.05, -0.25, 0.5):
  // it stands at (0.05, 0.25, -0.5) of the first camera, in the world at (1 - 0.5, 2 + 0.25, 3 - 0.05).
  return opened({ ...benchmark(), 'poses/00.txt': turned.repeat(3) }, async ({ train }) => {
    const { pose: found } = await train.load(0);
    [0, 0, 1, 0.5, 0, 1, 0, 2.25, -1, 0, 0, 2.95, 0, 0, 0, 1].forEach((value, i) => {
      near(found![i], value, 1e-12);
    });
  });
});

odometry(
  'the published baseline of sequence 00: the colour camera stands 6 cm left of the first',
  async () => {
    const files = benchmark();
    files['sequences/00/calib.txt'] =
      line('P0', K00) + line('P2', K02) + line('Tr', [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
    await opened(files, async ({ train }) => near((await train.load(0)).pose![3], -0.05994, 1e-4));
  },
);

odometry('without colour images the grey ones and their camera; without poses and scans neither', () => {
  const files = Object.entries(benchmark()).filter(
    ([path]) => !/^(sequences\/(09|11|\d\d\/(image_2|velodyne))|poses)/.test(path),
  );
  return opened(Object.fromEntries(files), async ({ title, train, val }) => {
    is((await train.load(0)).image.data[0], 100);
    ok(!train.hasPoses && !train.hasDepth && val === train);
    is(title, 'KITTI odometry (no evaluation split: evaluated on its training frames)');
  });
});

odometry('data check lists what is wrong', async () => {
  equal(await check(benchmark()), []);
  equal(await check({ ...benchmark(), 'poses/00.txt': STILL.repeat(2) }), [
    'poses/00.txt: 2 poses, and an image 000002',
  ]);
  equal(await check({ ...benchmark(), 'poses/09.txt': '1 2 3\n' }), [
    'poses/09.txt:1: expected 12 numbers, a 3x4 matrix; found "1 2 3"',
  ]);
  equal(await check({ ...benchmark(), 'sequences/00/calib.txt': line('P2', SIMPLE.p) }), [
    'sequences/00/calib.txt: Tr: missing; expected 12 numbers',
  ]);
  equal(await check({ ...benchmark(), 'sequences/00/image_2/left.png': rgb(1) }), [
    'sequences/00/image_2/left.png: expected a number for a name, such as 000000.png',
    'sequences/00/image_2/left.png: an image without a lidar scan, in a drive that has them; used as a neighbour only',
  ]);
});

odometry('faults of different kinds at once are all told', async () => {
  const {
    'sequences/00/calib.txt': _calib,
    'sequences/09/image_2/000000.png': _image,
    ...rest
  } = benchmark();
  const files: Files = {
    ...rest,
    'sequences/00/image_2/000000.jpg': quadrantJpeg(WIDTH, HEIGHT),
    'sequences/00/image_2/000001.png': rgb(1).subarray(0, 30),
    'sequences/00/image_2/left.png': rgb(1),
    'sequences/00/velodyne/000001.bin': scan([1, 2, 3]).subarray(0, 15),
    'sequences/00/velodyne/000002.bin': scan([1, Number.NaN, 3]),
    'poses/00.txt': `1 2 3\nx\n`,
    'sequences/09/image_2/readme.txt': 'x',
    'sequences/09/calib.txt': 'P2: 1 x\n',
    'poses/09.txt': '1 2\n',
    'sequences/11/image_2/000000.png': 'x',
    'sequences/11/calib.txt': line('Tr', SIMPLE.p),
  };
  const problems = [
    'sequences/00/image_2/000000.png: a second image with the name 000000; keep one of the two',
    'sequences/00/calib.txt: no such file',
    'poses/00.txt:1: expected 12 numbers, a 3x4 matrix; found "1 2 3"',
    'poses/00.txt:2: expected 12 numbers, a 3x4 matrix; found "x"',
    'sequences/00/image_2/left.png: expected a number for a name, such as 000000.png',
    'poses/00.txt: 2 poses, and an image 000002',
    'sequences/09/image_2: no images: looked for *.png, *.jpg and *.jpeg',
    'sequences/09/calib.txt: P2: expected 12 numbers; found "1 x"',
    'poses/09.txt:1: expected 12 numbers, a 3x4 matrix; found "1 2"',
    'sequences/11/image_2/000000.png: neither PNG nor JPEG',
    'sequences/11/calib.txt: P2: missing; expected 12 numbers',
  ];
  equal(await check(files), [
    ...problems,
    'sequences/00/image_2/left.png: an image without a lidar scan, in a drive that has them; used as a neighbour only',
    'sequences/00/image_2/000001.png: PNG truncated: 30 bytes',
    'sequences/00/velodyne/000001.bin: lidar scan of 15 bytes; expected 16 for each point: x, y, z, reflectance',
    'sequences/00/velodyne/000002.bin: lidar point 0 is at (1, NaN, 3); expected metres',
  ]);
  const message = await messageOf(() => opened(files, () => {}));
  equal(
    message.split('\n').map((text) => text.replace(/^.*?(?=sequences|poses)/, '')),
    problems,
  );
});

odometry('a link that leads out of the folder hides nothing else', async () => {
  const folder = folderOf({
    'data/poses/00.txt': '1 2 3\n',
    'data/sequences/00/calib.txt': 'x',
    'images/x': 'x',
  });
  try {
    symlinkSync('../../../images', join(folder.root, 'data/sequences/00/image_2'));
    const found = await checkDataset(`kitti:${folder.root}/data`);
    ok(/image_2: the link leads out of the folder, to .*images$/.test(found[0]), found[0]);
    equal(
      found.slice(1).map((text) => text.slice(folder.root.length)),
      [
        '/data/sequences/00/calib.txt: P2: missing; expected 12 numbers',
        '/data/poses/00.txt:1: expected 12 numbers, a 3x4 matrix; found "1 2 3"',
      ],
    );
  } finally {
    folder.remove();
  }
});

const VIDEO = '../shared/data/video';
const packs = suite('kitti packs');
if (!existsSync(VIDEO)) {
  packs(
    `absent: ${VIDEO} does not lie beside the repository, so no pack of KITTI was read in its own layout`,
    () => {},
  );
} else {
  const scaled = (name: string, t: readonly number[]) => {
    const { fx, fy, cx, cy } = JSON.parse(
      readFileSync(`${VIDEO}/${name}/intrinsics.json`, 'utf8'),
    ).intrinsics;
    return [fx, 0, cx, fx * t[0] + cx * t[2], 0, fy, cy, fy * t[1] + cy * t[2], 0, 0, 1, t[2]];
  };
  const png = ({ width, height, data }: { width: number; height: number; data: Uint8Array }) =>
    encodePng({ width, height, data });

  packs(
    'lidar depth of the raw pack, turned into scans with the published calibration, comes back pixel by pixel',
    async () => {
      const pack = (await openDataset(`pack:${VIDEO}/kitti_raw_traffic`)).train;
      const t = [0.06, -0.0003, P_RECT[11]];
      const p = scaled('kitti_raw_traffic', t);
      const drive = '2011_09_26/2011_09_26_drive_0011_sync';
      const files: Files = {
        '2011_09_26/calib_cam_to_cam.txt': cameras([416, 128], R_RECT, p),
        '2011_09_26/calib_velo_to_cam.txt': scanner(R, T),
      };
      // Back from a pixel: colour camera, rectified reference camera, reference camera, scanner.
      const back = (m: readonly number[], [x, y, z]: readonly number[]): [number, number, number] => [
        m[0] * x + m[3] * y + m[6] * z,
        m[1] * x + m[4] * y + m[7] * z,
        m[2] * x + m[5] * y + m[8] * z,
      ];
      const points = ({ width, data }: DepthMap) =>
        [...data].flatMap((z, i): [number, number, number][] => {
          if (z === 0) return [];
          const ray = [
            (((i % width) - p[2]) / p[0]) * z - t[0],
            ((Math.floor(i / width) - p[6]) / p[5]) * z - t[1],
            z - t[2],
          ];
          const camera = back(R_RECT, ray);
          return [back(R, [camera[0] - T[0], camera[1] - T[1], camera[2] - T[2]])];
        });
      const frames = await Promise.all([0, 1, 2].map((i) => pack.load(i)));
      for (const [i, { image, depth }] of frames.entries()) {
        files[`${drive}/image_02/data/000000000${i}.png`] = png(image);
        files[`${drive}/velodyne_points/data/000000000${i}.bin`] = scan(...points(depth!));
      }
      await opened(files, async ({ train }) => {
        for (const [i, { image, depth }] of frames.entries()) {
          const frame = await train.load(i);
          equal(frame.image.data, image.data);
          // The published rotations have seven digits: a tenth of a millimetre at 80 m.
          let worst = 0;
          let filled = 0;
          frame.depth!.data.forEach((z, at) => {
            worst = Math.max(worst, Math.abs(z - depth!.data[at]));
            filled += z > 0 ? 1 : 0;
          });
          ok(worst < 1e-3, `frame ${i}: off by ${worst} m`);
          ok(filled > 10_000, `${filled} pixels have depth`);
        }
      });
    },
  );

  packs('images, camera and poses of the odometry pack', async () => {
    const pack = (await openDataset(`pack:${VIDEO}/kitti_odo00`)).train;
    const poses = readFileSync(`${VIDEO}/kitti_odo00/poses.txt`, 'utf8').split('\n');
    const files: Files = {
      'sequences/00/calib.txt': line('P0', scaled('kitti_odo00', [0, 0, 0])),
      'poses/00.txt': `${poses.slice(0, 3).join('\n')}\n`,
    };
    const frames = await Promise.all([0, 1, 2].map((i) => pack.load(i)));
    for (const [i, { image }] of frames.entries()) files[`sequences/00/image_0/00000${i}.png`] = png(image);
    await opened(files, async ({ train }) => {
      for (const key of ['width', 'height', 'fx', 'fy', 'cx', 'cy'] as const)
        near(train.intrinsics![key], pack.intrinsics![key], 1e-9);
      for (const [i, { image, pose: expected }] of frames.entries()) {
        const frame = await train.load(i);
        equal(frame.image.data, image.data);
        equal([...frame.pose!], [...expected!]);
      }
      equal(train.neighbours(1), [0, 2]);
    });
  });
}
