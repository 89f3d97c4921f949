import { existsSync, readFileSync } from 'node:fs';
import { openDataset } from '../../src/data/open.ts';
import { vocClasses } from '../../src/data/voc.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { quadrantJpeg, rawPng } from './fixtures.ts';
import { check, opened, type Tree } from './reading.ts';

const test = suite('voc');

/** A palette PNG as VOC has them: 256 colours, 8 bits, the index is the class. */
const palette = Array.from({ length: 256 }, (_, id) =>
  [0, 1, 2].map((c) =>
    Array.from({ length: 8 }, (_bit, bit) => ((id >> (3 * bit + c)) & 1) << (7 - bit)).reduce(
      (a, b) => a | b,
    ),
  ),
).flat();
const label = (width: number, height: number, ...first: number[]) =>
  rawPng({
    width,
    height,
    depth: 8,
    colourType: 3,
    palette,
    samples: Array.from({ length: width * height }, (_, i) => first[i] ?? 0),
  });

const tree = (): Tree => ({
  'JPEGImages/2007_000032.jpg': quadrantJpeg(16, 8),
  'JPEGImages/2007_000039.jpg': quadrantJpeg(8, 12),
  'JPEGImages/2007_000033.jpg': quadrantJpeg(16, 16),
  'JPEGImages/2007_000027.jpg': quadrantJpeg(24, 16),
  'SegmentationClass/2007_000032.png': label(16, 8, 0, 1, 15, 20, 255),
  'SegmentationClass/2007_000039.png': label(8, 12, 20),
  'SegmentationClass/2007_000033.png': label(16, 16, 1),
  'SegmentationObject/2007_000032.png': label(16, 8, 1),
  'ImageSets/Segmentation/train.txt': '2007_000032\n2007_000039\n',
  'ImageSets/Segmentation/val.txt': '2007_000033\r\n\r\n',
  'ImageSets/Main/train.txt': '2007_000027\n',
});

test('the lists are the splits; palette indices are class ids; images of any size come at one', () =>
  opened('voc', tree(), async ({ train, val, unlabelled, width, height }) => {
    equal([width, height, train.length, val.length], [16, 8, 2, 1]);
    ok(unlabelled === train && train.hasLabels && train.intrinsics === null && train.neighbours(0) === null);
    equal([train.id(0), train.id(1), val.id(0)], ['2007_000032', '2007_000039', '2007_000033']);
    equal(Array.from((await train.load(0)).label!.data.subarray(0, 6)), [0, 1, 15, 20, 255, 0]);
    const { image, label: other } = await train.load(1);
    equal([image.width, image.height, other!.width, other!.height], [16, 8, 16, 8]);
  }));

test('the 21 classes with their ids and colours', () => {
  is(vocClasses.length, 21);
  const colourOf = (name: string) => vocClasses.find((one) => one.name === name)!;
  equal(colourOf('background'), { id: 0, name: 'background', color: [0, 0, 0] });
  equal(colourOf('aeroplane'), { id: 1, name: 'aeroplane', color: [128, 0, 0] });
  equal(colourOf('person'), { id: 15, name: 'person', color: [192, 128, 128] });
  equal(colourOf('tvmonitor'), { id: 20, name: 'tvmonitor', color: [0, 64, 128] });
});

test('data check lists what is wrong file by file', async () => {
  equal(await check('voc', tree()), []);
  const { 'SegmentationClass/2007_000033.png': _gone, ...rest } = tree();
  const found = await check('voc', {
    ...rest,
    'SegmentationClass/2007_000032.png': label(16, 8, 0, 21),
    'SegmentationClass/2007_000039.png': label(12, 8),
    'JPEGImages/2007_000033.jpg': quadrantJpeg(16, 16).subarray(0, 200),
  });
  equal(found, [
    'SegmentationClass/2007_000032.png: pixel (x 1, y 0) holds label id 21; expected 0 to 20, or 255 for void',
    'SegmentationClass/2007_000039.png: label of 12x8 pixels, its image JPEGImages/2007_000039.jpg has 8x12',
    'JPEGImages/2007_000033.jpg: JPEG truncated: 200 bytes and no end marker',
    'SegmentationClass/2007_000033.png: no such file',
  ]);
  const lists = 'ImageSets/Segmentation';
  equal(
    await check('voc', {
      ...tree(),
      [`${lists}/train.txt`]: '\n',
      [`${lists}/val.txt`]: '2007_000033\n../x\n',
    }),
    [
      `${lists}/train.txt: lists no images`,
      `${lists}/val.txt:2: expected the name of an image, such as 2007_000032; found "../x"`,
    ],
  );
  equal(await check('voc', { 'JPEGImages/a.jpg': quadrantJpeg(8, 8) }), [
    `${lists}/train.txt: no such file`,
    `${lists}/val.txt: no such file`,
  ]);
});

test('faults of different kinds at once are all told', async () => {
  const { 'SegmentationClass/2007_000032.png': _label, ...rest } = tree();
  const lists = 'ImageSets/Segmentation';
  equal(
    await check('voc', {
      ...rest,
      // No image of the training list opens.
      'JPEGImages/2007_000032.jpg': 'x',
      'JPEGImages/2007_000039.jpg': quadrantJpeg(8, 12).subarray(0, 20),
      'SegmentationClass/2007_000039.png': label(8, 12, 0, 21),
      'SegmentationClass/2007_000033.png': label(8, 8),
      [`${lists}/val.txt`]: '2007_000033\n../x\n2007_000001\n',
    }),
    [
      'JPEGImages/2007_000032.jpg: neither PNG nor JPEG',
      'JPEGImages/2007_000039.jpg: JPEG truncated: 20 bytes and no end marker',
      `${lists}/val.txt:2: expected the name of an image, such as 2007_000032; found "../x"`,
      'SegmentationClass/2007_000032.png: no such file',
      'SegmentationClass/2007_000039.png: pixel (x 1, y 0) holds label id 21; expected 0 to 20, or 255 for void',
      'SegmentationClass/2007_000033.png: label of 8x8 pixels, its image JPEGImages/2007_000033.jpg has 16x16',
      'JPEGImages/2007_000001.jpg: no such file',
      'SegmentationClass/2007_000001.png: no such file',
    ],
  );
});

const PACK = '../shared/data/voc_samples';
const pack = suite('voc pack');
if (!existsSync(PACK)) {
  pack(`absent: ${PACK} does not lie beside the repository, so no image of PASCAL VOC was read`, () => {});
} else {
  pack('its files, under lists of their own, hold the class ids that the manifest names', async () => {
    const { frames, classes } = JSON.parse(readFileSync(`${PACK}/manifest.json`, 'utf8'));
    equal(vocClasses, classes);
    const names: string[] = frames.map(({ id }: { id: string }) => id);
    const files: Tree = {
      'ImageSets/Segmentation/train.txt': `${names.slice(0, 5).join('\n')}\n`,
      'ImageSets/Segmentation/val.txt': `${names.slice(5).join('\n')}\n`,
    };
    for (const id of names) {
      for (const path of [`JPEGImages/${id}.jpg`, `SegmentationClass/${id}.png`])
        files[path] = new Uint8Array(readFileSync(`${PACK}/${path}`));
    }
    equal(await check('voc', files), []);
    const expected = (await openDataset(`pack:${PACK}`)).train;
    await opened('voc', files, async ({ train, val }) => {
      equal([train.length, val.length], [5, 2]);
      for (const [i, frame] of frames.entries()) {
        const read = await (i < 5 ? train.load(i) : val.load(i - 5));
        is(read.id, frame.id);
        equal(
          [...new Set(read.label!.data)].sort((a, b) => a - b),
          frame.ids,
        );
        const packed = await expected.load(i);
        equal(read.image.data, packed.image.data);
        equal(read.label!.data, packed.label!.data);
      }
    });
  });
}
