import { existsSync } from 'node:fs';
import { checkDataset } from '../../src/data/check.ts';
import { encodePng } from '../../src/data/codecs.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { folderOf, quadrantJpeg } from './fixtures.ts';

const test = suite('check data');
const label = (value: number, width = 16) =>
  encodePng({ width, height: 8, data: new Uint8Array(8 * width).fill(value) });
const manifest = (...frames: string[]) => ({
  name: 'tiny',
  kind: 'semantic-segmentation',
  label: 'label/<id>.png',
  classes: [
    { id: 0, name: 'a' },
    { id: 1, name: 'b' },
  ],
  frames,
});

async function check(
  files: Record<string, Uint8Array | string | object>,
  reader = 'pack',
): Promise<string[]> {
  const folder = folderOf(files);
  try {
    return (await checkDataset(`${reader}:${folder.root}`)).map((line) =>
      line.replaceAll(`${folder.root}/`, ''),
    );
  } finally {
    folder.remove();
  }
}

const plain = { 'manifest.json': manifest('a'), 'image/a.jpg': quadrantJpeg(16, 8), 'label/a.png': label(1) };

test('a sound data set has no problems', async () => {
  equal(await check(plain), []);
});

test('labels that name no class at all are a problem; one void label among others is none', async () => {
  const frames = (...values: number[]) => ({
    'manifest.json': manifest(...values.map((_, i) => `f${i}`)),
    ...Object.fromEntries(values.map((_, i) => [`image/f${i}.jpg`, quadrantJpeg(16, 8)])),
    ...Object.fromEntries(values.map((value, i) => [`label/f${i}.png`, label(value)])),
  });
  const nothing = await check(frames(255, 255));
  ok(
    nothing.length > 0 && nothing.every((line) => /: all labels of \w+ \(2\) are void: no pixel/.test(line)),
    nothing.join(),
  );
  equal(await check(frames(255, 1)), []);
});

test('everything wrong is listed at once', async () => {
  const found = await check({
    'train/manifest.json': manifest('good', 'lone', 'cut', 'small', 'high', 'both'),
    'train/image/good.jpg': quadrantJpeg(16, 8),
    'train/label/good.png': label(0),
    'train/image/lone.jpg': quadrantJpeg(16, 8),
    'train/image/cut.jpg': quadrantJpeg(16, 8).subarray(0, 300),
    'train/label/cut.png': label(0),
    'train/image/small.jpg': quadrantJpeg(16, 8),
    'train/label/small.png': label(0, 8),
    'train/image/high.jpg': quadrantJpeg(16, 8),
    'train/label/high.png': label(9),
    'train/label/both.png': label(2),
    'val/manifest.json': manifest(),
    'unlabelled/manifest.json': '{',
  });
  equal(found.slice(0, 1), ['val/manifest.json: frames: empty; expected at least one frame']);
  ok(found[1].startsWith('unlabelled/manifest.json: not JSON: '), found[1]);
  equal(found.slice(2), [
    'train/label/lone.png: no such file',
    'train/image/cut.jpg: JPEG truncated: 300 bytes and no end marker',
    'train/label/small.png: label of 8x8 pixels, its image train/image/small.jpg has 16x8',
    'train/label/high.png: pixel (x 0, y 0) holds label id 9; expected 0 to 1, or 255 for void',
    'train/image/both.jpg: no such file',
    'train/label/both.png: pixel (x 0, y 0) holds label id 2; expected 0 to 1, or 255 for void',
  ]);
});

test('what is wrong with a manifest hides no file of its pack', async () => {
  const found = await check({
    'train/manifest.json': {
      ...manifest('good', 'lone', 'cut', 'good'),
      width: '16',
      classes: [{ id: 1, name: 'a' }],
      poses: 'poses.txt',
    },
    'train/poses.txt': '1 2 3\nx\n',
    'train/image/good.jpg': quadrantJpeg(16, 8),
    'train/label/good.png': label(0, 8),
    'train/image/lone.jpg': quadrantJpeg(16, 8),
    'train/image/cut.jpg': quadrantJpeg(16, 8).subarray(0, 300),
    'train/label/cut.png': quadrantJpeg(16, 8),
    'val/manifest.json': { ...manifest('v'), classes: ['a', 'b'], label: undefined },
    'val/image/v.jpg': 'x',
    // What the frames are is not known; the rest of the manifest is checked.
    'test/manifest.json': { ...manifest('..'), label: null, classes: [] },
  });
  equal(found, [
    'train/manifest.json: width: Invalid input: expected number, received string; found "16"',
    'train/manifest.json: classes.0.id: 1; expected 0, its place in the list',
    'train/manifest.json: frames: an id is listed twice',
    'train/poses.txt:1: expected 12 numbers, a 3x4 matrix; found "1 2 3"',
    'train/poses.txt:2: expected 12 numbers, a 3x4 matrix; found "x"',
    'train/poses.txt: 2 poses for 4 frames',
    'val/manifest.json: classes.0: Invalid input: expected object, received string; found "a"',
    'val/manifest.json: classes.1: Invalid input: expected object, received string; found "b"',
    'val/manifest.json: label: missing; expected a path such as label/<id>.png',
    'test/manifest.json: frames.0: expected letters, digits, _ + - and single dots; found ".."',
    'test/manifest.json: label: missing; expected a path such as label/<id>.png',
    'test/manifest.json: classes: missing or empty, with labels given',
    'train/label/good.png: label of 8x8 pixels, its image train/image/good.jpg has 16x8',
    'train/label/lone.png: no such file',
    'train/image/cut.jpg: JPEG truncated: 300 bytes and no end marker',
    'train/label/cut.png: label is a JPEG, which changes class ids; expected 8-bit grey or a palette PNG',
    'val/image/v.jpg: neither PNG nor JPEG',
  ]);
});

test('of a pack without a readable image the labels are told all the same', async () => {
  const files = { 'manifest.json': manifest('a', 'b'), 'image/a.jpg': 'x', 'label/b.png': label(2) };
  equal(await check(files), [
    'image/a.jpg: neither PNG nor JPEG',
    'image/b.jpg: no such file',
    'label/a.png: no such file',
    'label/b.png: pixel (x 0, y 0) holds label id 2; expected 0 to 1, or 255 for void',
  ]);
});

test('an image in both training and evaluation is told', async () => {
  const found = await check({
    'train/manifest.json': manifest('a'),
    'train/image/a.jpg': quadrantJpeg(16, 8),
    'train/label/a.png': label(1),
    'val/manifest.json': manifest('b'),
    'val/image/b.jpg': quadrantJpeg(16, 8),
    'val/label/b.png': label(1),
  });
  is(found.length, 1);
  ok(found[0].endsWith('train frame a and val frame b hold the same image'), found[0]);
});

test('labels without an image and damaged frames of the video around an image', async () => {
  const named = (number: string) => `x_000000_00000${number}_leftImg8bit.png`;
  const found = await check(
    {
      [`leftImg8bit/train/x/${named('1')}`]: label(1),
      [`leftImg8bit/val/x/${named('5')}`]: label(2),
      'gtFine/train/x/x_000000_000001_gtFine_labelIds.png': label(7),
      'gtFine/train/x/x_000000_000004_gtFine_labelIds.png': label(7),
      'gtFine/val/x/x_000000_000005_gtFine_labelIds.png': label(7),
      [`leftImg8bit_sequence/train/x/${named('0')}`]: label(3).subarray(0, 20),
      [`leftImg8bit_sequence/train/x/${named('2')}`]: label(4),
    },
    'cityscapes',
  );
  equal(found, [
    'gtFine/train/x/x_000000_000004_gtFine_labelIds.png: a label without an image: none of leftImg8bit/train/x has its name',
    `leftImg8bit_sequence/train/x/${named('0')}: PNG truncated: 20 bytes`,
  ]);
});

test('Cityscapes trees, unknown specs and missing folders', async () => {
  const found = await check(
    { 'leftImg8bit/train/x/x_000000_000000_leftImg8bit.png': label(1) },
    'cityscapes',
  );
  equal(found, [
    'leftImg8bit/val: no frames: looked for CITY/*_leftImg8bit.png',
    'gtFine/train/x/x_000000_000000_gtFine_labelIds.png: no such file',
  ]);
  ok((await checkDataset('packs:x'))[0].includes('did you mean pack?'));
  ok((await checkDataset('pack:no/such/folder'))[0].endsWith('no such folder'));
});

test('the street world has no problems', async () => {
  equal(await checkDataset('street'), []);
});

const SHARED = '../shared/data';
if (!existsSync(SHARED)) {
  console.log(`${SHARED} is absent: no shared pack is checked`);
  test(`absent: ${SHARED} does not lie beside the repository, so no shared pack was checked`, () => {});
} else {
  test('shared packs of every kind are sound', async () => {
    for (const pack of [
      'faces',
      'flood',
      'membrane',
      'carla',
      'voc_samples',
      'video/kitti_raw_static',
      'stereo/aloe',
    ])
      equal(await checkDataset(`pack:${SHARED}/${pack}`), [], pack);
  });
}
