import { existsSync, readFileSync } from 'node:fs';
import { camvidLabels, camvidSplit } from '../../src/data/camvid.ts';
import { camvidClasses } from '../../src/data/classes.ts';
import { encodePng } from '../../src/data/codecs.ts';
import { openDataset } from '../../src/data/open.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { quadrantJpeg } from './fixtures.ts';
import { check, opened, rgb, type Tree } from './reading.ts';

const test = suite('camvid');
const [WIDTH, HEIGHT] = [8, 4];
const image = (value: number) => rgb(value, WIDTH, HEIGHT);
type Colour = readonly [number, number, number];
const colours = (first: readonly Colour[], rest: Colour = [128, 64, 128]) =>
  encodePng({
    width: WIDTH,
    height: HEIGHT,
    data: Uint8Array.from(
      Array.from({ length: WIDTH * HEIGHT }, (_, i) => first[i] ?? rest).flatMap((one) => [...one]),
    ),
  });
const ids = (...first: number[]) => {
  const data = new Uint8Array(WIDTH * HEIGHT).fill(3);
  data.set(first);
  return encodePng({ width: WIDTH, height: HEIGHT, data });
};
const becomes = (name: string) => camvidLabels.find((row) => row[0] === name)?.[4];

/** Two training images, one of the 15 Hz run, two of the test sequences; the label of one test image is known to be bad. */
const original = (): Tree => ({
  '701_StillsRaw_full/0001TP_006690.png': image(1),
  '701_StillsRaw_full/0006R0_f00930.png': image(2),
  '701_StillsRaw_full/0016E5_07959.png': image(3),
  '701_StillsRaw_full/0001TP_008550.png': image(4),
  '701_StillsRaw_full/Seq05VD_f02610.png': image(5),
  '701_StillsRaw_full/Thumbs.db': 'x',
  'LabeledApproved_full/0001TP_006690_L.png': colours([
    [128, 128, 128],
    [64, 192, 0],
    [0, 0, 64],
    [128, 0, 192],
    [0, 0, 192],
    [192, 192, 0],
    [0, 64, 64],
    [64, 64, 128],
    [192, 128, 192],
    [192, 128, 64],
    [192, 0, 192],
    [0, 0, 0],
  ]),
  'LabeledApproved_full/0006R0_f00930_L.png': colours([]),
  'LabeledApproved_full/0016E5_07959_L.png': colours([[0, 128, 192]]),
  'LabeledApproved_full/0001TP_008550_L.png': colours([]),
  'LabeledApproved_full/Seq05VD_f02610_L.png': colours([[26, 26, 26]]),
});

const segnet = (): Tree => ({
  'train/0001TP_006690.png': image(1),
  'trainannot/0001TP_006690.png': ids(0, 10, 11),
  'val/0016E5_07959.png': image(3),
  'valannot/0016E5_07959.png': ids(8),
  'test/0001TP_008550.png': image(4),
  'testannot/0001TP_008550.png': ids(1),
  'train.txt': '/SegNet/CamVid/train/0001TP_006690.png /SegNet/CamVid/trainannot/0001TP_006690.png\n',
});

test('the published colours become 11 classes; the splits are those of SegNet', () =>
  opened('camvid', original(), async ({ train, val, unlabelled, test: scored, classes }) => {
    equal([train.length, val.length, scored!.length, classes.length], [2, 1, 2, 11]);
    ok(unlabelled === train && train.hasLabels && train.intrinsics === null);
    equal([train.id(0), train.id(1), val.id(0)], ['0001TP_006690', '0006R0_f00930', '0016E5_07959']);
    const { image: pixels, label } = await train.load(0);
    is(pixels.data[0], 1);
    // Sky, Wall, TrafficCone, LaneMkgsDriv, Sidewalk, VegetationMisc, TrafficLight, Fence, Truck_Bus, Child, MotorcycleScooter, Void.
    equal(Array.from(label!.data.subarray(0, 13)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255, 3]);
    is((await val.load(0)).label!.data[0], 10);
    equal([scored!.id(0), scored!.id(1)], ['0001TP_008550', 'Seq05VD_f02610']);
    // The one label with colours of no class: void there, the rest as it is.
    equal(Array.from((await scored!.load(1)).label!.data.subarray(0, 2)), [255, 3]);
  }));

test('without the test images there is no test split', () => {
  const some = (tree: Tree, left: RegExp) =>
    Object.fromEntries(Object.entries(tree).filter(([path]) => !left.test(path)));
  return Promise.all([
    opened('camvid', some(original(), /0001TP_008550|Seq05VD/), ({ test: none }) => is(none, undefined)),
    opened('camvid', some(segnet(), /^test/), ({ test: none }) => is(none, undefined)),
  ]);
});

test("SegNet's own folders: ids of 11 classes, 11 is void", () =>
  opened('camvid', segnet(), async ({ train, val, test: scored, classes }) => {
    equal([train.length, val.length, scored!.length, classes.length], [1, 1, 1, 11]);
    equal(Array.from((await train.load(0)).label!.data.subarray(0, 4)), [0, 10, 255, 3]);
    is((await val.load(0)).label!.data[0], 8);
    is((await scored!.load(0)).label!.data[0], 1);
  }));

test('32 classes of different names and colours; each of the 11 has some, none but Void is void', () => {
  is(camvidLabels.length, 32);
  is(new Set(camvidLabels.map((row) => row[0])).size, 32);
  is(new Set(camvidLabels.map((row) => row.slice(1, 4).join())).size, 32);
  const names = camvidClasses.map(({ name }) => name);
  equal([...new Set(camvidLabels.map((row) => row[4]))].sort(), [...names, 'void'].sort());
  equal(
    camvidLabels.filter((row) => row[4] === 'void').map((row) => row[0]),
    ['Void'],
  );
  is(becomes('Bridge'), 'Building');
  is(becomes('RoadShoulder'), 'Pavement');
  is(becomes('Misc_Text'), 'SignSymbol');
  is(becomes('Animal'), 'Pedestrian');
  is(becomes('SUVPickupTruck'), 'Car');
});

test('the splits at their edges', () => {
  equal(
    ['0001TP_008520', '0001TP_008550', '0016E5_07920', '0016E5_07959', '0016E5_08159', '0016E5_08190'].map(
      camvidSplit,
    ),
    ['train', 'test', 'train', 'val', 'val', 'train'],
  );
  equal(['Seq05VD_f00000', '0006R0_f03930', '0016E5_00390'].map(camvidSplit), ['test', 'train', 'train']);
});

test('data check lists what is wrong file by file', async () => {
  equal(await check('camvid', original()), []);
  const { 'LabeledApproved_full/0006R0_f00930_L.png': _gone, ...rest } = original();
  equal(
    await check('camvid', {
      ...rest,
      'LabeledApproved_full/0001TP_006690_L.png': colours([
        [128, 64, 128],
        [26, 26, 26],
      ]),
      'LabeledApproved_full/0016E5_07959_L.png': ids(3),
      'LabeledApproved_full/0016E5_07961_L.png': colours([]),
    }),
    [
      'LabeledApproved_full/0016E5_07961_L.png: a label without an image: none of 701_StillsRaw_full has its name',
      "LabeledApproved_full/0001TP_006690_L.png: pixel (x 1, y 0) has the colour 26, 26, 26; expected one of CamVid's 32 label colours",
      'LabeledApproved_full/0006R0_f00930_L.png: no such file',
      'LabeledApproved_full/0016E5_07959_L.png: label PNG of 1 channel(s) and 8 bits; expected 8-bit RGB colours',
    ],
  );
  const noVal = Object.fromEntries(Object.entries(original()).filter(([path]) => !path.includes('0016E5')));
  equal(await check('camvid', noVal), ["701_StillsRaw_full: no images of SegNet's val split"]);
  equal(
    await check('camvid', {
      ...segnet(),
      'trainannot/0001TP_006690.png': ids(12),
      'val/0016E5_07959.png': image(1),
    }),
    [
      'trainannot/0001TP_006690.png: pixel (x 0, y 0) holds label id 12; expected 0 to 11, or 255 for void',
      'ROOT: train frame 0001TP_006690 and val frame 0016E5_07959 hold the same image',
    ],
  );
  equal(
    await check('camvid', { 'readme.txt': 'x' }),
    ['train', 'trainannot', 'val', 'valannot'].map((folder) => `${folder}: no such folder`),
  );
});

test('faults of different kinds at once are all told', async () => {
  const { 'LabeledApproved_full/0006R0_f00930_L.png': _label, ...rest } = Object.fromEntries(
    Object.entries(original()).filter(([path]) => !path.includes('0016E5')),
  );
  const stills = '701_StillsRaw_full';
  equal(
    await check('camvid', {
      ...rest,
      [`${stills}/0001TP_006690.jpg`]: quadrantJpeg(WIDTH, HEIGHT),
      [`${stills}/0001TP_008550.png`]: image(4).subarray(0, 30),
      'LabeledApproved_full/0001TP_006690_L.png': colours([[26, 26, 26]]),
      'LabeledApproved_full/0001TP_006720_L.png': colours([]),
      'LabeledApproved_full/0001TP_008550_L.png': ids(3),
    }),
    [
      `${stills}/0001TP_006690.png: a second image with the name 0001TP_006690; keep one of the two`,
      `${stills}: no images of SegNet's val split`,
      `LabeledApproved_full/0001TP_006720_L.png: a label without an image: none of ${stills} has its name`,
      "LabeledApproved_full/0001TP_006690_L.png: pixel (x 0, y 0) has the colour 26, 26, 26; expected one of CamVid's 32 label colours",
      'LabeledApproved_full/0006R0_f00930_L.png: no such file',
      `${stills}/0001TP_008550.png: PNG truncated: 30 bytes`,
      'LabeledApproved_full/0001TP_008550_L.png: label PNG of 1 channel(s) and 8 bits; expected 8-bit RGB colours',
    ],
  );
  const { 'valannot/0016E5_07959.png': _val, 'testannot/0001TP_008550.png': _test, ...folders } = segnet();
  equal(
    await check('camvid', {
      ...folders,
      'train/0001TP_006690.jpg': quadrantJpeg(WIDTH, HEIGHT),
      'trainannot/0001TP_006690.png': ids(12),
      'trainannot/0001TP_006720.png': ids(),
      'val/0016E5_07959.png': image(3).subarray(0, 30),
      'testannot/0001TP_008580.png': ids(),
    }),
    [
      'train/0001TP_006690.png: a second image with the name 0001TP_006690; keep one of the two',
      'valannot: no such folder',
      'trainannot/0001TP_006720.png: a label without an image: none of train has its name',
      'testannot/0001TP_008580.png: a label without an image: none of test has its name',
      'trainannot/0001TP_006690.png: pixel (x 0, y 0) holds label id 12; expected 0 to 11, or 255 for void',
      'val/0016E5_07959.png: PNG truncated: 30 bytes',
      'testannot/0001TP_008550.png: no such file',
    ],
  );
});

const PACK = '../shared/data/camvid';
const pack = suite('camvid pack');
if (!existsSync(PACK)) {
  pack(`absent: ${PACK} does not lie beside the repository, so CamVid's own images were not read`, () => {});
} else {
  pack('every image of the pack is in the split that the pack has it in', () => {
    for (const split of ['train', 'val']) {
      const { frames } = JSON.parse(readFileSync(`${PACK}/${split}/manifest.json`, 'utf8'));
      equal([...new Set(frames.map(({ id }: { id: string }) => camvidSplit(id)))], [split]);
    }
  });

  pack('its images and labels come back alike from the original layout and from that of SegNet', async () => {
    const { train, val } = await openDataset(`pack:${PACK}`);
    const frames = [await train.load(0), await train.load(150), await val.load(3)];
    const [stills, folders]: Tree[] = [{}, {}];
    for (const { id, image: pixels, label } of frames) {
      const { width, height, data } = pixels;
      const split = camvidSplit(id);
      const painted = [...label!.data].flatMap(colourOf);
      stills[`701_StillsRaw_full/${id}.png`] = folders[`${split}/${id}.png`] = encodePng({
        width,
        height,
        data,
      });
      stills[`LabeledApproved_full/${id}_L.png`] = encodePng({
        width,
        height,
        data: Uint8Array.from(painted),
      });
      const ids11 = label!.data.map((value) => (value === 255 ? 11 : value));
      folders[`${split}annot/${id}.png`] = encodePng({ width, height, data: ids11 });
    }
    for (const tree of [stills, folders]) {
      await opened('camvid', tree, async (dataset) => {
        const read = [await dataset.train.load(0), await dataset.train.load(1), await dataset.val.load(0)];
        for (const [i, frame] of read.entries()) {
          is(frame.id, frames[i].id);
          equal(frame.image.data, frames[i].image.data);
          equal(frame.label!.data, frames[i].label!.data);
        }
      });
    }
  });
}

/** A colour of the 32 that becomes the class; Void for void. */
function colourOf(value: number): number[] {
  const name = camvidClasses[value]?.name ?? 'void';
  const [, r, g, b] = camvidLabels.findLast((row) => row[4] === name)!;
  return [r, g, b];
}
