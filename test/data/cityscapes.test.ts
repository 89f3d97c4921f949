import { encodePng } from '../../src/data/codecs.ts';
import { openDataset } from '../../src/data/open.ts';
import type { Dataset } from '../../src/data/types.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { folderOf, messageOf } from './fixtures.ts';
import { check } from './reading.ts';

const test = suite('cityscapes');
const [WIDTH, HEIGHT] = [32, 16];

const rgb = (value: number) =>
  encodePng({ width: WIDTH, height: HEIGHT, data: new Uint8Array(3 * WIDTH * HEIGHT).fill(value) });
const ids = (...first: number[]) => {
  const data = new Uint8Array(WIDTH * HEIGHT).fill(7);
  data.set(first);
  return encodePng({ width: WIDTH, height: HEIGHT, data });
};
const camera = (fx: number) => ({
  extrinsic: { baseline: 0.209313, pitch: 0.038, roll: 0, x: 1.7, y: 0.1, yaw: -0.0195, z: 1.22 },
  intrinsic: { fx, fy: 2265.3017905988554, u0: 1096.98, v0: 513.137 },
});

/** Two training frames in two cities, one with its video around it, and one validation frame. */
const tree = () => ({
  'leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png': rgb(10),
  'leftImg8bit/train/bochum/bochum_000003_006634_leftImg8bit.png': rgb(20),
  'leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png': rgb(30),
  'gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png': ids(0, 7, 8, 11, 21, 23, 26, 33, 4, 255),
  'gtFine/train/aachen/aachen_000000_000019_gtFine_color.png': rgb(1),
  'gtFine/train/bochum/bochum_000003_006634_gtFine_labelIds.png': ids(24),
  'gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png': ids(28),
  'camera/train/aachen/aachen_000000_000019_camera.json': camera(2262.52),
  'camera/val/frankfurt/frankfurt_000000_000294_camera.json': camera(2268.36),
  'leftImg8bit_sequence/train/bochum/bochum_000003_006633_leftImg8bit.png': rgb(19),
  'leftImg8bit_sequence/train/bochum/bochum_000003_006634_leftImg8bit.png': rgb(20),
  'leftImg8bit_sequence/train/bochum/bochum_000003_006635_leftImg8bit.png': rgb(21),
  'leftImg8bit_sequence/train/aachen/aachen_000000_000018_leftImg8bit.png': rgb(9),
  'leftImg8bit/train/.DS_Store': 'x',
  'leftImg8bit/train/bochum/Thumbs.db': 'x',
});

async function opened(
  files: Record<string, Uint8Array | string | object>,
  run: (dataset: Dataset) => unknown,
) {
  const folder = folderOf(files);
  try {
    await run(await openDataset(`cityscapes:${folder.root}`));
  } finally {
    folder.remove();
  }
}

test('splits, ids and the 19 classes; label ids become train ids', () =>
  opened(tree(), async ({ train, val, unlabelled, classes, width, height }) => {
    equal([width, height, classes.length, train.length, val.length], [WIDTH, HEIGHT, 19, 2, 1]);
    ok(unlabelled === train && train.hasLabels && !train.hasDepth);
    equal([train.id(0), train.id(1)], ['aachen_000000_000019', 'bochum_000003_006634']);
    const { label, image } = await train.load(0);
    is(image.data[0], 10);
    // Unlabelled, road, sidewalk, building, vegetation, sky, car, bicycle, static, licence plate.
    equal(Array.from(label!.data.subarray(0, 10)), [255, 0, 1, 2, 8, 10, 13, 18, 255, 255]);
    is((await val.load(0)).label!.data[0], 15);
  }));

test('neighbours are frames of the sequence archive, loadable and no samples', () =>
  opened(tree(), async ({ train, val }) => {
    // Of aachen only the frame before is there.
    is(train.neighbours(0), null);
    is(val.neighbours(0), null);
    const [before, after] = train.neighbours(1)!;
    ok(before >= train.length && after >= train.length);
    equal([train.id(before), train.id(after)], ['bochum_000003_006633', 'bochum_000003_006635']);
    equal([(await train.load(before)).image.data[0], (await train.load(after)).image.data[0]], [19, 21]);
    is((await train.load(before)).label, undefined);
    is(train.neighbours(before), null);
  }));

test('intrinsics come from the camera file, scaled from 2048x1024', () =>
  opened(tree(), ({ train, val }) => {
    const k = train.intrinsics!;
    equal([k.width, k.height], [WIDTH, HEIGHT]);
    ok(Math.abs(k.fx - 2262.52 / 64) < 1e-9 && Math.abs(k.fy - 2265.3017905988554 / 64) < 1e-9);
    ok(Math.abs(k.cx - (1097.48 / 64 - 0.5)) < 1e-9 && Math.abs(k.cy - (513.637 / 64 - 0.5)) < 1e-9);
    ok(Math.abs(val.intrinsics!.fx - 2268.36 / 64) < 1e-9);
  }));

test('without camera and sequence archives there are no intrinsics and no neighbours', () => {
  const some = Object.entries(tree()).filter(([path]) => !/^(camera|leftImg8bit_sequence)/.test(path));
  return opened(Object.fromEntries(some), ({ train }) => {
    is(train.intrinsics, null);
    is(train.neighbours(1), null);
  });
});

test('the disparity archive gives depth, with the camera file of each image', () => {
  const disparity = (...first: number[]) => {
    const data = new Uint16Array(WIDTH * HEIGHT);
    data.set(first);
    return encodePng({ width: WIDTH, height: HEIGHT, data });
  };
  const files = {
    ...tree(),
    'camera/train/bochum/bochum_000003_006634_camera.json': camera(2000),
    // (p - 1) / 256 pixels: 0 = no measurement, 1 = at infinity, then 1 and 10 pixels.
    'disparity/train/aachen/aachen_000000_000019_disparity.png': disparity(0, 1, 257, 2561),
    'disparity/train/bochum/bochum_000003_006634_disparity.png': disparity(257),
  };
  return opened(files, async ({ train, val }) => {
    ok(train.hasDepth && !val.hasDepth);
    const { depth } = await train.load(0);
    equal(
      Array.from(depth!.data.subarray(0, 5)),
      [0, 0, 2262.52 * 0.209313, 226.252 * 0.209313, 0].map(Math.fround),
    );
    is((await train.load(1)).depth!.data[0], Math.fround(2000 * 0.209313));
  });
});

test('train_extra is the unlabelled split: without labels, with its own camera and disparity; its black image is left out', () => {
  const [image, other] = ['nuernberg_000000_000002', 'troisdorf_000000_000073'];
  const disparity = new Uint16Array(WIDTH * HEIGHT).fill(257);
  const files = {
    ...tree(),
    [`leftImg8bit/train_extra/nuernberg/${image}_leftImg8bit.png`]: rgb(40),
    [`leftImg8bit/train_extra/troisdorf/${other}_leftImg8bit.png`]: rgb(0),
    [`gtCoarse/train_extra/nuernberg/${image}_gtCoarse_labelIds.png`]: ids(7),
    [`camera/train_extra/nuernberg/${image}_camera.json`]: camera(2000),
    [`disparity/train_extra/nuernberg/${image}_disparity.png`]: encodePng({
      width: WIDTH,
      height: HEIGHT,
      data: disparity,
    }),
  };
  return opened(files, async ({ train, val, unlabelled, test: none }) => {
    equal([train.length, val.length, unlabelled.length, none], [2, 1, 1, undefined]);
    ok(train.hasLabels && !unlabelled.hasLabels && unlabelled.hasDepth);
    is(unlabelled.id(0), image);
    is(unlabelled.intrinsics!.fx, 2000 / 64);
    const frame = await unlabelled.load(0);
    equal([frame.image.data[0], frame.label], [40, undefined]);
    is(frame.depth!.data[0], Math.fround(2000 * 0.209313));
  });
});

test('an empty split, a missing label, an unknown label id and a bad camera file are named', async () => {
  const noVal = Object.fromEntries(
    Object.entries(tree()).filter(([path]) => !path.startsWith('leftImg8bit/val')),
  );
  ok(
    /leftImg8bit\/val: no frames: looked for CITY\/\*_leftImg8bit\.png$/.test(
      await messageOf(() => opened(noVal, () => {})),
    ),
  );
  const label = 'gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png';
  const { [label]: _gone, ...without } = tree();
  const load = ({ train }: Dataset) => train.load(0);
  ok((await messageOf(() => opened(without, load))).endsWith(`${label}: no such file`));
  const unknown = await messageOf(() => opened({ ...tree(), [label]: ids(7, 7, 34) }, load));
  ok(
    unknown.endsWith(`${label}: pixel (x 2, y 0) holds label id 34; expected 0 to 33, or 255 for void`),
    unknown,
  );
  const path = 'camera/train/aachen/aachen_000000_000019_camera.json';
  const bad = await messageOf(() =>
    opened({ ...tree(), [path]: { intrinsic: { fx: -1, fy: 1, u0: 1, v0: 1 } } }, load),
  );
  ok(bad.includes(`${path}: intrinsic.fx: `), bad);
});

test('faults of different kinds at once are all told', async () => {
  const { 'gtFine/train/bochum/bochum_000003_006634_gtFine_labelIds.png': _label, ...rest } = tree();
  const [aachen, bochum] = ['aachen/aachen_000000_000019', 'bochum/bochum_000003_006634'];
  const before = 'leftImg8bit_sequence/train/bochum/bochum_000003_006633_leftImg8bit.png';
  const files = Object.entries(rest).filter(([path]) => !path.startsWith('leftImg8bit/val'));
  equal(
    await check('cityscapes', {
      ...Object.fromEntries(files),
      [`camera/train/${aachen}_camera.json`]: { intrinsic: { fx: -1, fy: 1, u0: 1, v0: 1 }, extrinsic: {} },
      [`camera/train/${bochum}_camera.json`]: camera(2000),
      [`disparity/train/${aachen}_disparity.png`]: rgb(1),
      [`gtFine/train/${aachen}_gtFine_labelIds.png`]: ids(7, 34),
      'gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png': ids(),
      [`leftImg8bit/train/${bochum}_leftImg8bit.png`]: rgb(20).subarray(0, 30),
      [before]: 'x',
    }),
    [
      `camera/train/${aachen}_camera.json: intrinsic.fx: Too small: expected number to be >0`,
      `camera/train/${aachen}_camera.json: extrinsic.baseline: Invalid input: expected number, received undefined`,
      'leftImg8bit/val: no frames: looked for CITY/*_leftImg8bit.png',
      'gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png: a label without an image: none of leftImg8bit/train/ulm has its name',
      `disparity/train/${aachen}_disparity.png: depth is a 8-bit RGB PNG; expected 16-bit grey`,
      `gtFine/train/${aachen}_gtFine_labelIds.png: pixel (x 1, y 0) holds label id 34; expected 0 to 33, or 255 for void`,
      `leftImg8bit/train/${bochum}_leftImg8bit.png: PNG truncated: 30 bytes`,
      `gtFine/train/${bochum}_gtFine_labelIds.png: no such file`,
      `disparity/train/${bochum}_disparity.png: no such file`,
      `${before}: neither PNG nor JPEG`,
    ],
  );
});

test('a first split of which only the video frames open is checked in full', async () => {
  const { 'gtFine/train/bochum/bochum_000003_006634_gtFine_labelIds.png': _label, ...rest } = tree();
  const [aachen, bochum] = ['aachen/aachen_000000_000019', 'bochum/bochum_000003_006634'];
  equal(
    await check('cityscapes', {
      ...rest,
      [`leftImg8bit/train/${aachen}_leftImg8bit.png`]: 'x',
      [`leftImg8bit/train/${bochum}_leftImg8bit.png`]: 'x',
    }),
    [
      `leftImg8bit/train/${aachen}_leftImg8bit.png: neither PNG nor JPEG`,
      `leftImg8bit/train/${bochum}_leftImg8bit.png: neither PNG nor JPEG`,
      `gtFine/train/${bochum}_gtFine_labelIds.png: no such file`,
    ],
  );
});
