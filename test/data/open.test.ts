import { openDataset, workingSize } from '../../src/data/open.ts';
import { parseSpec } from '../../src/data/spec.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { folderOf, messageOf, quadrantJpeg } from './fixtures.ts';

const test = suite('open');

test('specs split into reader and rest', () => {
  equal(parseSpec('street'), { reader: 'street', rest: '' });
  equal(parseSpec('street:night'), { reader: 'street', rest: 'night' });
  equal(parseSpec('pack:../a:b'), { reader: 'pack', rest: '../a:b' });
  equal(parseSpec('cityscapes:/data/cs'), { reader: 'cityscapes', rest: '/data/cs' });
});

test('unknown readers and missing folders say what works', async () => {
  ok((await messageOf(() => openDataset('cityscape:/x'))).includes('did you mean cityscapes?'));
  ok((await messageOf(() => openDataset('Steet'))).includes('did you mean street?'));
  const unlike = await messageOf(() => openDataset('/data/images'));
  ok(!unlike.includes('did you mean') && unlike.includes('street[:VARIANT] or NAME:DIR'), unlike);
  ok(/one of pack, folder, cityscapes, gta5, synthia, camvid, kitti, mapillary, voc$/.test(unlike), unlike);
  ok((await messageOf(() => openDataset('pack'))).includes('no folder; expected pack:DIR'));
  ok((await messageOf(() => openDataset('street', { width: 64 }))).startsWith('working size 64xundefined'));
  ok((await messageOf(() => openDataset('pack:no/such/folder'))).endsWith('no/such/folder: no such folder'));
});

test('a pack opens by its spec, at a working size', async () => {
  const folder = folderOf({
    'manifest.json': { name: 'one', kind: 'unlabelled-images', frames: ['a'] },
    'image/a.jpg': quadrantJpeg(16, 8),
  });
  try {
    const dataset = await openDataset(`pack:${folder.root}`, { width: 8, height: 8 });
    is(dataset.spec, `pack:${folder.root}`);
    is((await dataset.train.load(0)).image.width, 8);
  } finally {
    folder.remove();
  }
});

test('the street world opens by its spec, deterministic in the seed', async () => {
  const open = async (seed: number) =>
    (await openDataset('street', { width: 64, height: 32, seed })).train.load(0);
  const [first, again, other] = [await open(1), await open(1), await open(2)];
  equal([first.image.width, first.image.height], [64, 32]);
  equal(first.image.data, again.image.data);
  ok(Buffer.compare(first.image.data, other.image.data) !== 0);
});

test('working sizes have about the pixels and the aspect asked for, in multiples', () => {
  equal(workingSize(416, 128, 8192), { width: 160, height: 64 });
  equal(workingSize(240, 180, 240 * 180, 4), { width: 240, height: 180 });
  equal(workingSize(2048, 1024, 512 * 256), { width: 512, height: 256 });
  equal(workingSize(100, 100, 1), { width: 64, height: 64 });
  for (const [width, height] of [
    [416, 128],
    [128, 416],
    [240, 180],
    [1242, 375],
  ]) {
    for (const pixels of [30_000, 100_000, 400_000]) {
      const size = workingSize(width, height, pixels);
      is((size.width % 32) + (size.height % 32), 0);
      ok(Math.abs(Math.log((size.width * size.height) / pixels)) < 0.25, `${width}x${height} ${pixels}`);
      ok(
        Math.abs(Math.log(size.width / size.height / (width / height))) < 0.25,
        `${size.width}x${size.height}`,
      );
    }
  }
});
