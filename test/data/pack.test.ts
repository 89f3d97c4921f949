import { existsSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng } from '../../src/data/codecs.ts';
import { nodeFiles } from '../../src/data/files-node.ts';
import { openFiles } from '../../src/data/open.ts';
import type { Dataset } from '../../src/data/types.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { folderOf, messageOf, npy, quadrantJpeg, rawPng } from './fixtures.ts';

const grey = (width: number, height: number, value: number) =>
  encodePng({ width, height, data: new Uint8Array(width * height).fill(value) });
const grey16 = (width: number, height: number, value: number) =>
  encodePng({ width, height, data: new Uint16Array(width * height).fill(value) });
const CLASSES = [
  { id: 0, name: 'road', color: [1, 2, 3] },
  { id: 1, name: 'sky' },
];
const CAMERA = { width: 16, height: 8, fx: 20, fy: 10, cx: 7.5, cy: 3.5 };

const manifest = (over: object = {}) => ({
  name: 'tiny',
  kind: 'semantic-segmentation',
  image: 'image/<id>.jpg (RGB, quality 95)',
  label: 'label/<id>.png',
  void: 255,
  classes: CLASSES,
  frames: ['a', { id: 'b' }],
  ...over,
});
const part = (folder: string, over: object = {}) => ({
  [`${folder}manifest.json`]: manifest(over),
  [`${folder}image/a.jpg`]: quadrantJpeg(16, 8),
  [`${folder}image/b.jpg`]: quadrantJpeg(16, 8),
  [`${folder}label/a.png`]: grey(16, 8, 1),
  [`${folder}label/b.png`]: grey(16, 8, 255),
});
const video = (over: object = {}) => ({
  name: 'clip',
  kind: 'monocular-video',
  image: 'image/%03d.jpg, RGB',
  frames: 3,
  adjacent: true,
  intrinsics: CAMERA,
  ...over,
});
const clip = (over: object = {}, folder = 'image') => ({
  'intrinsics.json': video(over),
  [`${folder}/000.jpg`]: quadrantJpeg(16, 8),
  [`${folder}/001.jpg`]: quadrantJpeg(16, 8),
  [`${folder}/002.jpg`]: quadrantJpeg(16, 8),
});

async function opened<T>(
  files: Record<string, Uint8Array | string | object>,
  run: (dataset: Dataset, root: string) => Promise<T>,
  size: { width?: number; height?: number } = {},
): Promise<T> {
  const folder = folderOf(files);
  try {
    return await run(await openFiles(await nodeFiles(folder.root), 'pack:tiny', size), folder.root);
  } finally {
    folder.remove();
  }
}

/** The message with which opening, and then loading frame 0 of each split, fails; the root left out. */
async function complaint(files: Record<string, Uint8Array | string | object>): Promise<string> {
  let root = '';
  const message = await messageOf(async () => {
    const folder = folderOf(files);
    root = folder.root;
    try {
      const dataset = await openFiles(await nodeFiles(folder.root), 'pack:tiny');
      for (const split of [dataset.train, dataset.val]) await split.load(0);
    } finally {
      folder.remove();
    }
  });
  return message.replaceAll(`${root}/`, '').replaceAll(root, 'ROOT');
}

const test = suite('pack');

test('one folder: its frames train, evaluate and stand in as unlabelled, and the title says so', () =>
  opened(part(''), async (dataset) => {
    is(dataset.spec, 'pack:tiny');
    is(dataset.title, 'tiny (no evaluation split: evaluated on its training frames)');
    equal([dataset.width, dataset.height, dataset.train.length], [16, 8, 2]);
    ok(dataset.val === dataset.train && dataset.unlabelled === dataset.train);
    equal(dataset.classes[0], { id: 0, name: 'road', color: [1, 2, 3] });
    // Without a colour a class has PASCAL VOC's.
    equal(dataset.classes[1], { id: 1, name: 'sky', color: [128, 0, 0] });
    ok(dataset.train.hasLabels && !dataset.train.hasDepth && !dataset.train.hasPoses);
    is(dataset.train.intrinsics, null);
    is(dataset.train.neighbours(0), null);
    const frame = await dataset.train.load(1);
    is(frame.id, 'b');
    ok(frame.label!.data.every((v) => v === 255));
    is(await messageOf(() => dataset.train.load(2), 'RangeError'), 'frame 2 of a split of 2');
  }));

test('train, val and unlabelled folders become the three splits', () =>
  opened(
    {
      ...part('train/'),
      ...part('val/', { frames: ['b'] }),
      'unlabelled/manifest.json': { name: 'more', kind: 'unlabelled-images', label: null, frames: ['x'] },
      'unlabelled/image/x.jpg': quadrantJpeg(24, 24),
    },
    async (dataset) => {
      is(dataset.title, 'tiny');
      equal([dataset.train.length, dataset.val.length, dataset.unlabelled.length], [2, 1, 1]);
      is(dataset.unlabelled.hasLabels, false);
      const { image, label } = await dataset.unlabelled.load(0);
      // Another size than the training frames': resized to theirs.
      equal([image.width, image.height, label], [16, 8, undefined]);
    },
  ));

test('a working size resizes images, labels, depth and camera alike', () =>
  opened(
    {
      ...part('', { intrinsics: CAMERA, depth: { file: 'depth/<id>.png' } }),
      'depth/a.png': grey16(16, 8, 512),
      'depth/b.png': grey16(16, 8, 0),
    },
    async (dataset) => {
      const { image, label, depth } = await dataset.train.load(0);
      for (const map of [image, label!, depth!, dataset]) equal([map.width, map.height], [8, 8]);
      equal([image.data.length, label!.data.length, depth!.data.length], [192, 64, 64]);
      ok(depth!.data.every((metres) => metres === 2));
      equal(dataset.train.intrinsics, { width: 8, height: 8, fx: 10, fy: 10, cx: 3.5, cy: 3.5 });
    },
    { width: 8, height: 8 },
  ));

test('half a working size, or one that is no size, is refused', async () => {
  for (const size of [
    { width: 8 },
    { width: 8, height: 0 },
    { width: 1.5, height: 2 },
    { width: 1e9, height: 1 },
  ])
    ok((await messageOf(() => opened(part(''), async () => {}, size))).startsWith('working size'));
});

test('video: neighbours inside, null at the ends, poses as 4x4', () =>
  opened(
    {
      ...clip({ poses: 'poses.txt: one 3x4 matrix a line' }),
      'poses.txt': '1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 2.5\n1 0 0 1 0 1 0 2 0 0 1 3\n',
    },
    async ({ train, val, classes }) => {
      ok(val === train);
      equal(classes, []);
      equal([train.neighbours(0), train.neighbours(1), train.neighbours(2)], [null, [0, 2], null]);
      is(train.id(1), '001');
      ok(train.hasPoses && !train.hasLabels);
      equal(Array.from((await train.load(1)).pose!), [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2.5, 0, 0, 0, 1]);
    },
  ));

test('numbered frames may start at any number; one missing in between is named', async () => {
  const { 'image/000.jpg': image, ...rest } = clip();
  await opened({ ...rest, 'image/003.jpg': image, 'image/notes.txt': 'x' }, async ({ train }) => {
    equal([train.length, train.id(0), train.id(2)], [3, '001', '003']);
    await train.load(2);
  });
  await opened({ ...rest, 'image/004.jpg': image }, async ({ train }) => {
    ok((await messageOf(() => train.load(2))).endsWith('image/003.jpg: no such file'));
  });
});

test('numbers that outgrow their padding count by value, not as text', async () => {
  const frames = Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [`image/${i + 4}.jpg`, quadrantJpeg(16, 8)]),
  );
  const description = video({ frames: 9, image: 'image/%01d.jpg, RGB' });
  await opened({ 'intrinsics.json': description, ...frames }, async ({ train }) => {
    equal([train.id(0), train.id(8)], ['4', '12']);
    await train.load(8);
  });
});

test('stereo video: left images, disparity at the stored width becomes depth, also after resizing', () =>
  opened(
    {
      ...clip(
        {
          kind: 'stereo-video',
          image: 'left|right/%03d.jpg, 8-bit grey',
          baseline_m: 0.5,
          disparity: { file: 'disp/%03d.png' },
        },
        'left',
      ),
      ...Object.fromEntries([0, 1, 2].map((i) => [`disp/00${i}.png`, grey16(16, 8, 512 * i)])),
    },
    async ({ train }) => {
      ok(train.hasDepth);
      // fx 20 px * 0.5 m / (512 / 256 px) = 5 m
      ok((await train.load(1)).depth!.data.every((metres) => metres === 5));
      ok((await train.load(0)).depth!.data.every((metres) => metres === 0));
    },
    { width: 8, height: 4 },
  ));

test('frames with times are neighbours when they are close in one sequence', () =>
  opened(
    {
      'manifest.json': manifest({
        frames: [0, 0.0667, 0.1333, 1.1333, 1.2, 1.2667].map((time_s, i) => ({
          id: `f${i}`,
          sequence: i < 5 ? 's' : 't',
          time_s,
        })),
      }),
      'image/f0.jpg': quadrantJpeg(16, 8),
    },
    async ({ train }) => {
      equal(
        [0, 1, 2, 3, 4, 5].map((i) => train.neighbours(i)),
        [null, [0, 2], null, null, null, null],
      );
    },
  ));

test('palette labels keep their indices', () =>
  opened(
    {
      ...part(''),
      'label/a.png': rawPng({
        width: 16,
        height: 8,
        depth: 4,
        colourType: 3,
        samples: Array.from({ length: 128 }, (_, i) => i % 2),
        palette: [9, 9, 9, 200, 0, 0],
      }),
    },
    async ({ train }) => {
      const { data } = (await train.load(0)).label!;
      ok(data.every((v, i) => v === i % 2));
    },
  ));

test('a class id out of range names file, first pixel, value and what is expected', async () => {
  const label = new Uint8Array(128);
  label[16 * 3 + 5] = 2;
  label[16 * 3 + 6] = 200;
  const png = encodePng({ width: 16, height: 8, data: label });
  is(
    await complaint({ ...part(''), 'label/a.png': png }),
    'label/a.png: pixel (x 5, y 3) holds label id 2; expected 0 to 1, or 255 for void',
  );
});

test('a label, depth map or image of the wrong size names both sizes', async () => {
  is(
    await complaint({ ...part(''), 'label/a.png': grey(8, 8, 0) }),
    'label/a.png: label of 8x8 pixels, its image image/a.jpg has 16x8',
  );
  const depth = { ...part('', { depth: { file: 'depth/<id>.png' } }), 'depth/a.png': grey16(16, 9, 1) };
  is(await complaint(depth), 'depth/a.png: depth of 16x9 pixels, its image image/a.jpg has 16x8');
  is(
    await complaint({ ...clip(), 'image/000.jpg': quadrantJpeg(8, 8) }),
    'image/000.jpg: 8x8 pixels, the intrinsics are for 16x8',
  );
});

test('missing and undecodable files are named', async () => {
  const files: Record<string, Uint8Array | object> = part('');
  const { 'label/a.png': _gone, ...without } = files;
  is(await complaint(without), 'label/a.png: no such file');
  is(await complaint({ ...files, 'image/a.jpg': new Uint8Array(0) }), 'image/a.jpg: neither PNG nor JPEG');
});

test('an empty split, no pack at all, and a split folder without a manifest', async () => {
  is(await complaint(part('', { frames: [] })), 'manifest.json: frames: empty; expected at least one frame');
  const noVal = await complaint({ ...part('train/'), 'val/image/a.jpg': quadrantJpeg(8, 8) });
  is(noVal, 'val/: no pack: looked for manifest.json, intrinsics.json; found image');
  const none = await complaint({ 'camvid/x.txt': 'x', 'readme.txt': 'y' });
  is(none, 'ROOT: no pack: looked for manifest.json, intrinsics.json and train/; found camvid, readme.txt');
});

test('every bad manifest is refused with file, key and value', async () => {
  const cases: [object | string, RegExp][] = [
    ['{"name": ', /^manifest\.json: not JSON: /],
    ['[]', /^manifest\.json: \(all\): .*expected object.*; found \[\]/],
    [manifest({ name: 7 }), /^manifest\.json: name: .*expected string.*; found 7/],
    [
      manifest({ kind: 'pointcloud' }),
      /^manifest\.json: kind: .*"semantic-segmentation".*; found "pointcloud"/,
    ],
    [manifest({ image: '../../etc/<id>' }), /image: .*stays under the folder; found "\.\.\/\.\.\/etc\/<id>"/],
    [manifest({ image: '/etc/<id>' }), /image: .*stays under the folder/],
    [manifest({ label: 'file:///etc/<id>' }), /label: .*stays under the folder/],
    [manifest({ image: '<id>file:///etc/x' }), /image: .*stays under the folder/],
    [manifest({ depth: { file: '..\\<id>.npy' } }), /depth\.file: .*stays under the folder/],
    [manifest({ disparity: { file: 'C:<id>' } }), /disparity\.file: .*stays under the folder/],
    [manifest({ frames: { a: 1 } }), /frames: .*expected a list.*; found an object of 1 keys/],
    [`{"name":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, /name: .*expected string.*; found a list of 1$/m],
    [' '.repeat(16 * 2 ** 20 + 1), /^manifest\.json: 16777217 bytes; the limit is 16777216/],
    [manifest({ frames: 1e6, image: 'image/%04d.jpg' }), /^image\/: 2 files for 1000000 frames/],
    [manifest({ frames: 1e6 }), /^image\/: 2 files for 1000000 frames/],
    [manifest({ width: 16_000, height: 16_000 }), /image of 16000x16000 pixels; the limit is/],
    [manifest({ label: null }), /label: missing/],
    [manifest({ classes: [] }), /classes: missing or empty/],
    [manifest({ classes: [{ id: 1, name: 'x' }] }), /classes\.0\.id: 1; expected 0/],
    [
      manifest({ classes: [{ id: 0, name: 'x', color: [0, 0, 999] }] }),
      /classes\.0\.color\.2: .*255.*; found 999/,
    ],
    [manifest({ frames: ['a', '../b'] }), /frames\.1: expected letters.*; found "\.\.\/b"/],
    [manifest({ frames: [{ id: 'a/../b' }] }), /frames\.0\.id: expected letters/],
    [manifest({ frames: [{ id: 'a..b' }] }), /frames\.0\.id: expected letters/],
    [manifest({ frames: [{ id: 'a', depth: '../d.png' }] }), /frames\.0\.depth: .*stays under the folder/],
    [manifest({ frames: ['a', 'a'] }), /frames: an id is listed twice/],
    [manifest({ frames: 1e12 }), /frames: .*1000000.*; found 1000000000000/],
    [manifest({ frames: -1 }), /frames: .*found -1/],
    [manifest({ image: 'image/one.jpg' }), /image: "image\/one\.jpg" names one file for 2 frames/],
    [manifest({ void: 0 }), /void: .*255.*; found 0/],
    [manifest({ width: 0 }), /width: .*; found 0/],
    [manifest({ intrinsics: { ...CAMERA, fx: -3 } }), /intrinsics\.fx: .*; found -3/],
    [
      JSON.stringify(manifest({ intrinsics: CAMERA })).replace('"cx":7.5', '"cx":1e999'),
      /intrinsics\.cx: .*; found Infinity/,
    ],
    [manifest({ intrinsics: { ...CAMERA, cx: 'mid' } }), /intrinsics\.cx: .*; found "mid"/],
  ];
  for (const [content, expected] of cases) {
    const message = await complaint({ ...part(''), 'manifest.json': content });
    ok(expected.test(message), `${expected} for: ${message}`);
  }
  const both = await complaint({ ...part(''), 'manifest.json': manifest({ name: 1, width: -2 }) });
  is(both.split('\n').length, 2);
});

test('a manifest with a million bad frames or classes is refused with the first of them', async () => {
  for (const key of ['frames', 'classes']) {
    const text = JSON.stringify(manifest({ [key]: new Array(1_000_000).fill('/') }));
    const before = process.memoryUsage().heapUsed;
    const message = await complaint({ ...part(''), 'manifest.json': text });
    const grown = process.memoryUsage().heapUsed - before;
    ok(message.split('\n').length <= 20 && message.length < 10_000, `${message.length} characters`);
    ok(grown < 100e6, `${key}: took ${grown} bytes`);
  }
});

test('an image that is a link out of the folder is refused by name', async () => {
  const folder = folderOf({ 'secret.jpg': quadrantJpeg(16, 8), ...part('pack/') });
  try {
    unlinkSync(join(folder.root, 'pack/image/b.jpg'));
    symlinkSync('../../secret.jpg', join(folder.root, 'pack/image/b.jpg'));
    const { train } = await openFiles(await nodeFiles(join(folder.root, 'pack')), 'pack:x');
    const message = await messageOf(() => train.load(1));
    ok(/pack\/image\/b\.jpg: the link leads out of the folder, to .*secret\.jpg$/.test(message), message);
  } finally {
    folder.remove();
  }
});

test('depth in npy files; a NaN in one is refused when it is loaded, with the file and the pixel', async () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 16), }";
  const metres = new Float32Array(128).fill(2.5);
  const files = () => ({
    ...part('', { depth: { file: 'depth/<id>.npy' } }),
    'depth/a.npy': npy(header, new Uint8Array(metres.buffer)),
  });
  await opened(files(), async ({ train }) => {
    ok((await train.load(0)).depth!.data.every((value) => value === 2.5));
  });
  metres[16 * 3 + 5] = Number.NaN;
  is(
    await complaint(files()),
    'depth/a.npy: pixel (x 5, y 3) holds NaN; expected metres from 0 on, 0 where nothing was measured',
  );
});

test('bad poses are refused with the line', async () => {
  const posed = (text: string) => complaint({ ...clip({ poses: 'poses.txt: 3x4' }), 'poses.txt': text });
  is(await posed('1 0 0 0 0 1 0 0 0 0 1 0\n'), 'poses.txt: 1 poses for 3 frames');
  is(await posed('1'.repeat(4001)), 'poses.txt: 4001 bytes for 3 frames; expected a line of 12 numbers each');
  const line = '1 0 0 0 0 1 0 0 0 0 1 0\n';
  ok(
    /^poses\.txt:2: expected 12 numbers.*found "1 0 nan/.test(
      await posed(`${line}1 0 nan 0 0 1 0 0 0 0 1 0\n${line}`),
    ),
  );
});

test('training and evaluation with other classes are refused', async () => {
  const message = await complaint({
    ...part('train/'),
    ...part('val/', { classes: [CLASSES[0], { id: 1, name: 'tree' }] }),
  });
  is(message, 'ROOT: train and val list other classes: road, sky and road, tree');
});

// The packs beside the repository, which a clone of it alone does not have.
const SHARED = '../shared/data';
const shared = suite('shared packs');

interface Expected {
  size: [number, number];
  frames: [train: number, val: number, unlabelled: number];
  classes: number;
  /** Share of frame pixels with depth, and metres, that frame 0 must exceed or stay within. */
  depth?: { filled: number; metres: [number, number] };
  poses?: boolean;
  fx?: number;
  /** Whether a frame in the middle of the evaluation split has neighbours. */
  video?: boolean;
}

const PACKS: Record<string, Expected> = {
  camvid: { size: [240, 180], frames: [367, 101, 367], classes: 11, fx: 228, video: true },
  'camvid/val': { size: [240, 180], frames: [101, 101, 101], classes: 11, fx: 228, video: true },
  carla: { size: [240, 180], frames: [19, 19, 19], classes: 23 },
  kitti_city_unlabelled: { size: [416, 128], frames: [133, 133, 133], classes: 0 },
  'video/kitti_odo00': {
    size: [416, 128],
    frames: [151, 151, 151],
    classes: 0,
    poses: true,
    fx: 240.97,
    video: true,
  },
  'video/kitti_odo01_stereo': {
    size: [416, 128],
    frames: [51, 51, 51],
    classes: 0,
    poses: true,
    fx: 240.97,
    video: true,
    depth: { filled: 0.5, metres: [2, 800] },
  },
  'video/kitti_raw_traffic': {
    size: [416, 128],
    frames: [78, 78, 78],
    classes: 0,
    fx: 241.67,
    video: true,
    depth: { filled: 0.15, metres: [2, 130] },
  },
  'video/kitti_raw_static': {
    size: [416, 128],
    frames: [12, 12, 12],
    classes: 0,
    fx: 241.67,
    video: true,
    depth: { filled: 0.5, metres: [1, 800] },
  },
  'video/redkitchen': {
    size: [320, 240],
    frames: [310, 310, 310],
    classes: 0,
    poses: true,
    fx: 262.5,
    video: true,
    depth: { filled: 0.4, metres: [0.2, 10] },
  },
  'stereo/teddy': { size: [450, 375], frames: [1, 1, 1], classes: 0 },
  'stereo/aloe': { size: [427, 370], frames: [1, 1, 1], classes: 0 },
  'stereo/kitti_tracking0001_0': {
    size: [832, 256],
    frames: [1, 1, 1],
    classes: 0,
    fx: 483.35,
    depth: { filled: 0.05, metres: [2, 130] },
  },
  'stereo/kitti_tracking0001_1': {
    size: [832, 256],
    frames: [1, 1, 1],
    classes: 0,
    fx: 483.35,
    depth: { filled: 0.05, metres: [2, 130] },
  },
  faces: { size: [128, 176], frames: [14, 30, 182], classes: 6 },
  membrane: { size: [256, 256], frames: [24, 24, 30], classes: 2 },
  flood: { size: [128, 128], frames: [12, 12, 12], classes: 2 },
  voc_samples: { size: [500, 333], frames: [7, 7, 7], classes: 21 },
  celebamask_samples: { size: [256, 256], frames: [4, 4, 4], classes: 19 },
};

if (!existsSync(SHARED)) {
  console.log(`${SHARED} is absent: no shared pack is opened`);
  shared(`absent: ${SHARED} does not lie beside the repository, so no shared pack was opened`, () => {});
} else {
  for (const [name, expected] of Object.entries(PACKS)) {
    shared(`${name} opens, and frames of every split hold plausible values`, async () => {
      const dataset = await openFiles(await nodeFiles(`${SHARED}/${name}`), `pack:${name}`);
      const { train, val, unlabelled } = dataset;
      equal([dataset.width, dataset.height], expected.size);
      equal([train.length, val.length, unlabelled.length], expected.frames);
      is(dataset.classes.length, expected.classes);
      for (const split of new Set([train, val, unlabelled])) {
        for (const index of new Set([0, split.length >> 1, split.length - 1])) {
          const { image, label, depth, pose } = await split.load(index);
          equal([image.width, image.height], expected.size);
          is(image.data.length, 3 * image.width * image.height);
          ok(spread(image.data) > 10, `${split.id(index)}: image spread ${spread(image.data)}`);
          is(label !== undefined, split.hasLabels);
          if (label) ok(new Set(label.data).size > 1, `${split.id(index)}: one label value`);
          is(pose !== undefined, expected.poses ?? false);
          if (expected.depth) checkDepth(depth!.data, expected.depth);
        }
      }
      is(train.hasDepth, expected.depth !== undefined);
      is(train.hasLabels, expected.classes > 0);
      const middle = val.length >> 1;
      equal(val.neighbours(middle), expected.video ? [middle - 1, middle + 1] : null);
      is(val.neighbours(0), null);
      if (expected.fx === undefined) is(train.intrinsics, null);
      else ok(Math.abs(train.intrinsics!.fx - expected.fx) < 0.01, `fx ${train.intrinsics!.fx}`);
    });
  }

  shared(
    'camvid: training frames at 1 Hz have no neighbours; the title tells that the camera is assumed',
    async () => {
      const { title, train } = await openFiles(await nodeFiles(`${SHARED}/camvid`), 'pack:camvid');
      for (let i = 0; i < train.length; i++) is(train.neighbours(i), null);
      ok(title.endsWith('(camera assumed)'), title);
    },
  );

  shared('carla: the one frame with depth has it', async () => {
    const { train } = await openFiles(await nodeFiles(`${SHARED}/carla`), 'pack:carla');
    is(train.id(18), 'shift_00000100');
    checkDepth((await train.load(18)).depth!.data, { filled: 0.5, metres: [0.5, 250] });
    is((await train.load(0)).depth, undefined);
  });

  shared('voc_samples: palette indices are the ids that the manifest lists', async () => {
    const { train } = await openFiles(await nodeFiles(`${SHARED}/voc_samples`), 'pack:voc', {
      width: 500,
      height: 375,
    });
    equal(
      [...new Set((await train.load(0)).label!.data)].sort((a, b) => a - b),
      [0, 12, 255],
    );
    equal(
      [...new Set((await train.load(3)).label!.data)].sort((a, b) => a - b),
      [0, 5, 15, 255],
    );
  });

  shared('kitti_odo00: the car moves as far per frame as the pack says', async () => {
    const { train } = await openFiles(await nodeFiles(`${SHARED}/video/kitti_odo00`), 'pack:odo', {
      width: 52,
      height: 16,
    });
    const [a, b] = [(await train.load(74)).pose!, (await train.load(75)).pose!];
    const metres = Math.hypot(b[3] - a[3], b[7] - a[7], b[11] - a[11]);
    ok(metres > 0.37 && metres < 1.07, `${metres} m`);
    const k = train.intrinsics!;
    ok(k.width === 52 && Math.abs(k.fx - 240.9702626913779 / 8) < 1e-9);
  });
}

function spread(data: Uint8Array): number {
  let [sum, squares] = [0, 0];
  for (const v of data) {
    sum += v;
    squares += v * v;
  }
  return Math.sqrt(squares / data.length - (sum / data.length) ** 2);
}

function checkDepth(
  data: Float32Array,
  { filled, metres: [low, high] }: NonNullable<Expected['depth']>,
): void {
  const some = data.filter((v) => v > 0).sort();
  ok(some.length / data.length > filled, `${some.length / data.length} filled`);
  ok(some[0] >= low && some[some.length - 1] <= high, `${some[0]} to ${some[some.length - 1]} m`);
}
