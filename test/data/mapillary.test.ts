import { cityscapesClasses } from '../../src/data/classes.ts';
import { vistasToCityscapes } from '../../src/data/mapillary.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { quadrantJpeg, rawPng } from './fixtures.ts';
import { check, opened, rgb, type Tree } from './reading.ts';

const test = suite('mapillary');
const label = (...first: number[]) =>
  rawPng({
    width: 8,
    height: 4,
    depth: 8,
    colourType: 3,
    palette: [165, 42, 42, 0, 192, 0, 196, 196, 196, 190, 153, 153, 0, 0, 142, 0, 0, 0],
    samples: Array.from({ length: 32 }, (_, i) => first[i] ?? 2),
  });
const config = {
  labels: [
    { color: [165, 42, 42], instances: true, readable: 'Bird', name: 'animal--bird', evaluate: true },
    {
      color: [0, 192, 0],
      instances: true,
      readable: 'Ground Animal',
      name: 'animal--ground-animal',
      evaluate: true,
    },
    {
      color: [196, 196, 196],
      instances: false,
      readable: 'Curb',
      name: 'construction--barrier--curb',
      evaluate: true,
    },
    {
      color: [190, 153, 153],
      instances: false,
      readable: 'Fence',
      name: 'construction--barrier--fence',
      evaluate: true,
    },
    { color: [0, 0, 142], instances: true, readable: 'Car', name: 'object--vehicle--car', evaluate: true },
    { color: [0, 0, 0], instances: false, readable: 'Unlabeled', name: 'void--unlabeled', evaluate: false },
  ],
  version: 1.1,
  mapping: 'public',
};
const tree = (labels = 'labels', name = 'config.json'): Tree => ({
  [name]: config,
  'training/images/aB-3_x.jpg': quadrantJpeg(8, 4),
  'training/images/Zz0.jpg': quadrantJpeg(8, 12),
  [`training/${labels}/aB-3_x.png`]: label(0, 1, 2, 3, 4, 5),
  [`training/${labels}/Zz0.png`]: rawPng({
    width: 8,
    height: 12,
    depth: 8,
    colourType: 0,
    samples: new Array(96).fill(4),
  }),
  'training/instances/Zz0.png': 'x',
  'validation/images/q.jpg': quadrantJpeg(16, 8),
  [`validation/${labels}/q.png`]: rawPng({
    width: 16,
    height: 8,
    depth: 8,
    colourType: 0,
    samples: new Array(128).fill(3),
  }),
  'testing/images/t.jpg': quadrantJpeg(8, 4),
});

for (const [release, files] of [
  ['1', tree()],
  ['2.0', { ...tree('v1.2/labels', 'config_v1.2.json'), 'training/v2.0/labels/aB-3_x.png': 'x' }],
] as const)
  test(`release ${release}: the place in the list of classes that comes with the data is the label id`, () =>
    opened('mapillary', files, async ({ train, val, classes, width, height }) => {
      // Capital letters come first in a sorted folder.
      equal([width, height, train.length, val.length, classes.length], [8, 12, 2, 1, 19]);
      equal([train.id(0), train.id(1), val.id(0)], ['Zz0', 'aB-3_x', 'q']);
      is((await train.load(0)).label!.data[0], 13);
      // Bird, ground animal, curb, fence, car, unlabeled.
      const { label: read } = await train.load(1);
      equal(Array.from(read!.data.subarray(0, 6)), [255, 255, 1, 4, 13, 255]);
      is((await val.load(0)).label!.data[0], 4);
    }));

test('38 of the classes of Vistas have one in Cityscapes, and every class of Cityscapes has one', () => {
  const names = new Set(cityscapesClasses.map(({ name }) => name));
  is(Object.keys(vistasToCityscapes).length, 38);
  ok(Object.values(vistasToCityscapes).every((name) => names.has(name)));
  is(new Set(Object.values(vistasToCityscapes)).size, 19);
  is(vistasToCityscapes['object--vehicle--on-rails'], 'train');
  is(vistasToCityscapes['marking--general'], 'road');
  is(vistasToCityscapes['object--traffic-sign--back'], undefined);
});

test('faults of different kinds at once are all told', async () => {
  const { 'validation/labels/q.png': _val, 'training/labels/Zz0.png': _train, ...rest } = tree();
  equal(
    await check('mapillary', {
      ...rest,
      'config.json': { labels: [{ readable: 'Bird' }, { name: 7 }] },
      'training/images/Zz0.png': rgb(1, 8, 12),
      'training/images/aB-3_x.png': rgb(2, 8, 4),
      'training/images/bad.jpg': quadrantJpeg(8, 4).subarray(0, 100),
      'training/labels/bad.png': quadrantJpeg(8, 4),
      'training/labels/lone.png': label(),
    }),
    [
      'config.json: labels.0.name: Invalid input: expected string, received undefined',
      'config.json: labels.1.name: Invalid input: expected string, received number',
      'training/images/Zz0.png: a second image with the name Zz0; keep one of the two',
      'training/images/aB-3_x.png: a second image with the name aB-3_x; keep one of the two',
      'validation/labels: no such folder',
      'training/labels/lone.png: a label without an image: none of training/images has its name',
      'training/labels/Zz0.png: no such file',
      'training/images/bad.jpg: JPEG truncated: 100 bytes and no end marker',
      'training/labels/bad.png: label is a JPEG, which changes class ids; expected 8-bit grey or a palette PNG',
    ],
  );
});

test('data check lists what is wrong file by file', async () => {
  equal(await check('mapillary', tree()), []);
  const { 'validation/labels/q.png': _gone, ...rest } = tree();
  equal(await check('mapillary', { ...rest, 'training/labels/aB-3_x.png': label(0, 6) }), [
    'validation/labels: no such folder',
    'training/labels/aB-3_x.png: pixel (x 1, y 0) holds label id 6; expected 0 to 5, or 255 for void',
  ]);
  const { 'config.json': _config, ...bare } = tree();
  equal(await check('mapillary', bare), ['config.json: no such file']);
  const [bad] = await check('mapillary', { ...bare, 'config.json': { labels: [{ readable: 'Bird' }] } });
  ok(bad.startsWith('config.json: labels.0.name: '), bad);
});
