import { encodePng } from '../../src/data/codecs.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { quadrantJpeg } from './fixtures.ts';
import { check, opened, rgb, type Tree } from './reading.ts';

const test = suite('folder');
const image = (value: number) => rgb(value, 8, 4);
const ids = (...first: number[]) => {
  const data = new Uint8Array(32);
  data.set(first);
  return encodePng({ width: 8, height: 4, data });
};
const splits = (): Tree => ({
  'classes.txt': 'road\ncar\n',
  'train/images/b.png': image(2),
  'train/images/a.jpg': quadrantJpeg(8, 4),
  'train/labels/a.png': ids(1, 255),
  'train/labels/b.png': ids(0),
  'val/images/c.png': image(3),
  'val/labels/c.png': ids(1),
  'unlabelled/d.png': image(4),
});

test('images directly in the folder: unlabelled, and evaluated on themselves', () =>
  opened(
    'folder',
    { 'b.png': image(1), 'a.jpeg': quadrantJpeg(8, 4), 'notes.txt': 'x', '.c.png': 'x' },
    async (dataset) => {
      const { train, val, unlabelled, classes, width, height } = dataset;
      equal([train.length, classes.length, width, height], [2, 0, 8, 4]);
      ok(val === train && unlabelled === train && !train.hasLabels && train.intrinsics === null);
      equal([train.id(0), train.id(1)], ['a', 'b']);
      is((await train.load(1)).image.data[0], 1);
      ok(dataset.title.endsWith(' (no evaluation split: evaluated on its training frames)'), dataset.title);
    },
  ));

test('images, labels and classes.txt', () =>
  opened(
    'folder',
    { 'images/a.png': image(1), 'labels/a.png': ids(1, 255), 'classes.txt': 'road\r\ncar' },
    async ({ train, classes }) => {
      equal(
        classes.map(({ id, name }) => [id, name]),
        [
          [0, 'road'],
          [1, 'car'],
        ],
      );
      equal(Array.from((await train.load(0)).label!.data.subarray(0, 3)), [1, 255, 0]);
    },
  ));

test('a test split of its own, which stands in for nothing', async () => {
  const files = { ...splits(), 'test/images/t.png': image(9), 'test/labels/t.png': ids(0) };
  await opened('folder', files, async ({ val, unlabelled, test: scored }) => {
    equal([val.id(0), unlabelled.id(0), scored!.id(0)], ['c', 'd', 't']);
    is((await scored!.load(0)).label!.data[0], 0);
  });
  equal(await check('folder', { ...files, 'test/images/t.png': image(2) }), [
    'ROOT: train frame b and test frame t hold the same image',
  ]);
});

test('train, val and unlabelled beside one list of classes', () =>
  opened('folder', splits(), async ({ train, val, unlabelled }) => {
    equal([train.length, val.length, unlabelled.length], [2, 1, 1]);
    ok(train.hasLabels && val.hasLabels && !unlabelled.hasLabels);
    is((await val.load(0)).label!.data[0], 1);
  }));

test('faults of different kinds at once are all told', async () => {
  const { 'train/labels/b.png': _label, ...rest } = splits();
  equal(
    await check('folder', {
      ...rest,
      'classes.txt': 'road\n\nroad\ncar\n',
      // The second images of two names, the one not beside the first in the sorted folder.
      'train/images/a.left.png': image(6),
      'train/images/a.png': image(7),
      'train/images/b.jpg': quadrantJpeg(8, 4).subarray(0, 100),
      'train/labels/a.left.png': encodePng({ width: 4, height: 4, data: new Uint8Array(16) }),
      'train/labels/x.png': ids(),
      'val/images/c.png': image(3).subarray(0, 40),
      'val/labels/c.png': encodePng({ width: 8, height: 2, data: new Uint8Array(16) }),
      'unlabelled/d.png': 'x',
      'test/labels/t.png': ids(),
    }),
    [
      'classes.txt:2: expected 1 to 255 different names, one a line; found ""',
      'classes.txt:3: expected 1 to 255 different names, one a line; found "road"',
      'train/images/a.png: a second image with the name a; keep one of the two',
      'train/images/b.png: a second image with the name b; keep one of the two',
      'test: no images: looked for *.png, *.jpg and *.jpeg',
      'train/labels/x.png: a label without an image: none of train/images has its name',
      'train/labels/a.left.png: label of 4x4 pixels, its image train/images/a.left.png has 8x4',
      'train/images/b.jpg: JPEG truncated: 100 bytes and no end marker',
      'train/labels/b.png: no such file',
      'val/images/c.png: PNG truncated: 40 bytes and no end chunk',
      'val/labels/c.png: label of 8x2 pixels, its image val/images/c.png has 8x4',
      'unlabelled/d.png: neither PNG nor JPEG',
    ],
  );
});

test('of a first split without a readable image the labels are told all the same', async () => {
  const { 'train/labels/b.png': _label, ...rest } = splits();
  equal(
    await check('folder', {
      ...rest,
      'train/images/a.jpg': 'x',
      'train/images/b.png': 'x',
      'train/labels/a.png': ids(0, 2),
    }),
    [
      'train/images/a.jpg: neither PNG nor JPEG',
      'train/images/b.png: neither PNG nor JPEG',
      'train/labels/a.png: pixel (x 1, y 0) holds label id 2; expected 0 to 1, or 255 for void',
      'train/labels/b.png: no such file',
    ],
  );
});

test('data check lists what is wrong file by file', async () => {
  equal(await check('folder', splits()), []);
  const { 'train/labels/a.png': _gone, ...rest } = splits();
  equal(
    await check('folder', {
      ...rest,
      'classes.txt': 'road\nroad\n',
      'train/labels/x.png': ids(),
      'train/labels/b.png': quadrantJpeg(8, 4),
      'val/images/c.png': image(4),
    }),
    [
      'classes.txt:2: expected 1 to 255 different names, one a line; found "road"',
      'train/labels/x.png: a label without an image: none of train/images has its name',
      'train/labels/a.png: no such file',
      'train/labels/b.png: label is a JPEG, which changes class ids; expected 8-bit grey or a palette PNG',
      'ROOT: unlabelled frame d and val frame c hold the same image',
    ],
  );
  equal(await check('folder', { 'images/a.png': image(1), 'labels/a.png': ids() }), [
    'classes.txt: no such file',
  ]);
  equal(await check('folder', { 'a.txt': 'x' }), ['ROOT: no images: looked for *.png, *.jpg and *.jpeg']);
  equal(await check('folder', { 'train/a.png': image(1), 'val/readme.txt': 'x' }), [
    'val: no images: looked for *.png, *.jpg and *.jpeg',
  ]);
});

test('classes.txt: lines end as on any system and count from the first; other encodings are refused', async () => {
  const files = { 'images/a.png': image(1), 'labels/a.png': ids(1, 0) };
  for (const text of ['road\rcar', 'road\r\ncar\r\n', '\ufeffroad\ncar\n\n'])
    await opened('folder', { ...files, 'classes.txt': text }, async ({ classes }) =>
      equal(
        classes.map(({ name }) => name),
        ['road', 'car'],
      ),
    );
  equal(await check('folder', { ...files, 'classes.txt': '\n\nroad\n\ncar' }), [
    'classes.txt:1: expected 1 to 255 different names, one a line; found ""',
    'classes.txt:2: expected 1 to 255 different names, one a line; found ""',
    'classes.txt:4: expected 1 to 255 different names, one a line; found ""',
  ]);
  const utf16 = Uint8Array.of(0xff, 0xfe, 0x61, 0, 0x0a, 0, 0x62, 0);
  equal(await check('folder', { ...files, 'classes.txt': utf16 }), [
    'classes.txt: is not UTF-8; save it as plain text in UTF-8',
  ]);
});
