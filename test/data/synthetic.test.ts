// GTA5 and SYNTHIA: synthetic streets with the classes of Cityscapes.
import {
  camvidClasses,
  cityscapesClasses,
  synthia13Classes,
  synthia16Classes,
} from '../../src/data/classes.ts';
import { encodePng } from '../../src/data/codecs.ts';
import { gta5ToTrainId } from '../../src/data/gta5.ts';
import { classMap } from '../../src/data/relabel.ts';
import { synthiaLabels } from '../../src/data/synthia.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { quadrantJpeg, rawPng } from './fixtures.ts';
import { check, opened, rgb, type Tree } from './reading.ts';

const [WIDTH, HEIGHT] = [8, 4];
const PIXELS = WIDTH * HEIGHT;
const trainId = (name: string) => cityscapesClasses.find((one) => one.name === name)!.id;

const gta = suite('gta5');

/** A palette PNG; the colours are those that GTA5 publishes for its first ids, which the reader must not look at. */
const indexed = (first: readonly number[], rest = 7) =>
  rawPng({
    width: WIDTH,
    height: HEIGHT,
    depth: 8,
    colourType: 3,
    palette: Array.from({ length: 3 * 256 }, (_, i) => i % 251),
    samples: Array.from({ length: PIXELS }, (_, i) => first[i] ?? rest),
  });

const gtaTree = (): Tree => ({
  'images/00001.png': rgb(1, WIDTH, HEIGHT),
  'images/00002.png': rgb(2, WIDTH, HEIGHT),
  'images/00010.png': rgb(3, WIDTH, HEIGHT),
  'labels/00001.png': indexed([0, 7, 8, 11, 17, 19, 21, 23, 24, 26, 33, 34]),
  'labels/00002.png': indexed([4]),
  'labels/00010.png': indexed([]),
});

gta('palette indices are Cityscapes label ids; everything trains, and the title says so', () =>
  opened('gta5', gtaTree(), async ({ title, train, val, unlabelled, classes }) => {
    equal([train.length, classes.length], [3, 19]);
    ok(val === train && unlabelled === train && train.hasLabels && train.intrinsics === null);
    is(title, 'GTA5 (no evaluation split: evaluated on its training frames)');
    equal(
      [0, 1, 2].map((i) => train.id(i)),
      ['00001', '00002', '00010'],
    );
    // Unlabeled, road, sidewalk, building, pole, traffic light, vegetation, sky, person, car, bicycle, licence plate.
    const { label, image } = await train.load(0);
    equal(Array.from(label!.data.subarray(0, 13)), [255, 0, 1, 2, 5, 6, 8, 10, 11, 13, 18, 255, 0]);
    is(image.data[0], 1);
  }),
);

gta('35 label ids; each of the 19 train ids has exactly one', () => {
  is(gta5ToTrainId.length, 35);
  const used = gta5ToTrainId.filter((id) => id !== 255);
  equal(
    used,
    Array.from({ length: 19 }, (_, id) => id),
  );
  equal(
    [7, 12, 13, 22, 25, 31].map((id) => cityscapesClasses[gta5ToTrainId[id]].name),
    ['road', 'wall', 'fence', 'terrain', 'rider', 'train'],
  );
});

gta('data check lists what is wrong file by file', async () => {
  equal(await check('gta5', gtaTree()), []);
  const { 'labels/00010.png': _label, 'images/00002.png': _image, ...rest } = gtaTree();
  equal(await check('gta5', { ...rest, 'labels/00001.png': indexed([7, 35]) }), [
    'labels/00002.png: a label without an image: none of images has its name',
    'labels/00001.png: pixel (x 1, y 0) holds label id 35; expected 0 to 34, or 255 for void',
    'labels/00010.png: no such file',
  ]);
  equal(await check('gta5', { 'images/a.txt': 'x', 'labels/a.txt': 'x' }), [
    'images: no images: looked for *.png, *.jpg and *.jpeg',
  ]);
  equal(
    await check('gta5', {
      'images/1.png': rgb(1, 8, 4),
      'images/1.jpg': rgb(2, 8, 4),
      'labels/1.png': indexed([]),
    }),
    ['images/1.png: a second image with the name 1; keep one of the two'],
  );
  equal(await check('gta5', { 'images/1.png': rgb(1, 8, 4) }), ['labels: no such folder']);
});

gta('faults of different kinds at once are all told', async () => {
  const { 'labels/00010.png': _label, ...rest } = gtaTree();
  equal(
    await check('gta5', {
      ...rest,
      'images/00001.jpg': quadrantJpeg(WIDTH, HEIGHT),
      'images/00002.jpg': quadrantJpeg(WIDTH, HEIGHT),
      'images/00003.png': rgb(4, WIDTH, HEIGHT).subarray(0, 30),
      'labels/00001.png': indexed([7, 35]),
      'labels/00003.png': quadrantJpeg(WIDTH, HEIGHT),
      'labels/00004.png': indexed([]),
    }),
    [
      'images/00001.png: a second image with the name 00001; keep one of the two',
      'images/00002.png: a second image with the name 00002; keep one of the two',
      'labels/00004.png: a label without an image: none of images has its name',
      'labels/00001.png: pixel (x 1, y 0) holds label id 35; expected 0 to 34, or 255 for void',
      'images/00003.png: PNG truncated: 30 bytes',
      'labels/00003.png: label is a JPEG, which changes class ids; expected 8-bit grey or a palette PNG',
      'labels/00010.png: no such file',
    ],
  );
  equal(await check('gta5', { 'images/1.png': rgb(1, WIDTH, HEIGHT).subarray(0, 30), 'images/2.png': 'x' }), [
    'labels: no such folder',
    'images/1.png: PNG truncated: 30 bytes',
    'images/2.png: neither PNG nor JPEG',
  ]);
});

const synthia = suite('synthia');

/** 16-bit RGB: class, instance, unused. */
const classes16 = (first: readonly number[]) =>
  encodePng({
    width: WIDTH,
    height: HEIGHT,
    data: Uint16Array.from({ length: 3 * PIXELS }, (_, i) =>
      i % 3 === 0 ? (first[i / 3] ?? 3) : i % 3 === 1 ? 700 : 0,
    ),
  });
const centimetres = (...first: number[]) =>
  encodePng({
    width: WIDTH,
    height: HEIGHT,
    data: Uint16Array.from({ length: 3 * PIXELS }, (_, i) => first[Math.floor(i / 3)] ?? 1000),
  });

const synthiaTree = (): Tree => ({
  'RGB/0000000.png': rgb(1, WIDTH, HEIGHT),
  'RGB/0000001.png': rgb(2, WIDTH, HEIGHT),
  'GT/LABELS/0000000.png': classes16(Array.from({ length: 23 }, (_, id) => id)),
  'GT/LABELS/0000001.png': classes16([]),
  'GT/COLOR/0000000.png': rgb(9, WIDTH, HEIGHT),
});

synthia('the first of three 16-bit channels is the class, one of 16', () =>
  opened('synthia', synthiaTree(), async ({ title, train, val, classes }) => {
    equal([train.length, classes.length], [2, 16]);
    ok(val === train && train.hasLabels && !train.hasDepth);
    is(title, 'SYNTHIA-RAND-CITYSCAPES (no evaluation split: evaluated on its training frames)');
    const { label } = await train.load(0);
    equal(
      Array.from(label!.data.subarray(0, 23), (id) => classes[id]?.name ?? null),
      [...synthiaLabels],
    );
    is(label!.data[23], 0);
  }),
);

synthia('depth in centimetres, where its archive is there; 65535 is none', () =>
  opened(
    'synthia',
    {
      ...synthiaTree(),
      'Depth/Depth/0000000.png': centimetres(1234, 65535),
      'Depth/Depth/0000001.png': centimetres(),
    },
    async ({ train }) => {
      ok(train.hasDepth);
      equal(Array.from((await train.load(0)).depth!.data.subarray(0, 3)), [Math.fround(12.34), 0, 10]);
    },
  ),
);

synthia('23 ids of which 16 are classes of Cityscapes; 13 without wall, fence and pole', () => {
  is(synthiaLabels.length, 23);
  equal(
    [1, 2, 3, 4, 8, 10, 15, 17, 19, 21].map((id) => synthiaLabels[id]),
    ['sky', 'building', 'road', 'sidewalk', 'car', 'person', 'traffic light', 'rider', 'bus', 'wall'],
  );
  const names = synthia16Classes.map(({ name }) => name);
  equal([...synthiaLabels].filter((name) => name !== null).sort(), [...names].sort());
  const absent = ['terrain', 'truck', 'train'];
  equal(
    names,
    cityscapesClasses.map(({ name }) => name).filter((name) => !absent.includes(name)),
  );
  equal(
    synthia13Classes.map(({ name }) => name),
    names.filter((name) => !['wall', 'fence', 'pole'].includes(name)),
  );
  equal(
    [synthia16Classes[9], synthia13Classes[12]],
    [
      { id: 9, name: 'sky', color: [70, 130, 180] },
      { id: 12, name: 'bicycle', color: [119, 11, 32] },
    ],
  );
});

synthia('its classes, those of Cityscapes and those of CamVid become each other by name', () => {
  const to19 = classMap(synthia16Classes, cityscapesClasses)!;
  equal(to19, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18]);
  const to16 = classMap(cityscapesClasses, synthia16Classes)!;
  equal(
    ['terrain', 'truck', 'train'].map((name) => to16[trainId(name)]),
    [255, 255, 255],
  );
  equal(
    to19.map((id) => to16[id]),
    synthia16Classes.map(({ id }) => id),
  );
  equal(
    classMap(synthia16Classes, synthia13Classes),
    [0, 1, 2, 255, 255, 255, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
  equal(
    classMap(synthia16Classes, camvidClasses)!.map((id) => camvidClasses[id].name),
    [
      ...[
        'Road',
        'Pavement',
        'Building',
        'Building',
        'Fence',
        'Pole',
        'SignSymbol',
        'SignSymbol',
        'Tree',
        'Sky',
      ],
      ...['Pedestrian', 'Bicyclist', 'Car', 'Car', 'Bicyclist', 'Bicyclist'],
    ],
  );
  is(classMap(camvidClasses, synthia16Classes), null);
});

synthia('data check lists what is wrong file by file', async () => {
  equal(await check('synthia', synthiaTree()), []);
  equal(
    await check('synthia', {
      ...synthiaTree(),
      'GT/LABELS/0000000.png': classes16([3, 300]),
      'GT/LABELS/0000001.png': indexed([]),
      'Depth/Depth/0000000.png': rgb(1, WIDTH, HEIGHT),
    }),
    [
      'GT/LABELS/0000000.png: pixel (x 1, y 0) holds label id 300; expected 0 to 22',
      "Depth/Depth/0000000.png: depth PNG of 8 bits; expected 16 bits a channel, as SYNTHIA's archive has them",
      "GT/LABELS/0000001.png: label PNG of 8 bits; expected 16 bits a channel, as SYNTHIA's archive has them",
      'Depth/Depth/0000001.png: no such file',
    ],
  );
});

synthia('faults of different kinds at once are all told', async () => {
  const { 'GT/LABELS/0000001.png': _label, ...rest } = synthiaTree();
  equal(
    await check('synthia', {
      ...rest,
      'RGB/0000000.jpg': quadrantJpeg(WIDTH, HEIGHT),
      'RGB/0000001.png': rgb(2, WIDTH, HEIGHT).subarray(0, 30),
      'GT/LABELS/0000000.png': classes16([3, 300]),
      'GT/LABELS/0000002.png': classes16([]),
      'Depth/Depth/0000000.png': rgb(1, WIDTH, HEIGHT),
    }),
    [
      'RGB/0000000.png: a second image with the name 0000000; keep one of the two',
      'GT/LABELS/0000002.png: a label without an image: none of RGB has its name',
      'GT/LABELS/0000000.png: pixel (x 1, y 0) holds label id 300; expected 0 to 22',
      "Depth/Depth/0000000.png: depth PNG of 8 bits; expected 16 bits a channel, as SYNTHIA's archive has them",
      'RGB/0000001.png: PNG truncated: 30 bytes',
      'GT/LABELS/0000001.png: no such file',
      'Depth/Depth/0000001.png: no such file',
    ],
  );
});
