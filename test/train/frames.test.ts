import { labelledBatch, videoBatch } from '../../src/data/batch.ts';
import { encodePng } from '../../src/data/codecs.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { resolveConfig } from '../../src/train/config.ts';
import { openLabelled } from '../../src/train/frames.ts';
import { folderOf, messageOf } from '../data/fixtures.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('frames');

test('unlabelled frames come at the size of the labelled ones, whatever their own', async () => {
  const upright = encodePng({ width: 64, height: 128, data: new Uint8Array(3 * 64 * 128).fill(90) });
  const data = folderOf({ 'a.png': upright, 'b.png': upright });
  try {
    const config = resolveConfig('tiny', null, { unlabeled: `folder:${data.root}`, labels: 4 }, []);
    const { dataset, unlabelled } = await openLabelled(config, 'train');
    const { split, index } = unlabelled.at(-1)!;
    const { id, image } = await split.load(index);
    equal([id, image.width, image.height], ['b', dataset.width, dataset.height]);
  } finally {
    data.remove();
  }
});

test('to overfit means few frames with labels and as few without', async () => {
  const config = resolveConfig('tiny', null, { overfit: 3, labels: 8 }, []);
  const { labelled, unlabelled } = await openLabelled(config, 'train');
  equal([labelled.length, unlabelled.length], [3, 3]);
});

test('frames of two sizes are no batch', async () => {
  const [wide, square] = [128, 64].map((width) =>
    openStreet({ width, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } }),
  );
  const refs = [wide, square].map(({ train }) => ({ split: train, index: 1 }));
  const how = { seed: 0, step: 0, flip: false, crop: false, labelled: () => true };
  const message = await messageOf(() => labelledBatch(refs, how), 'DataError');
  ok(/frame train\/000\/01: 64x64 pixels beside 128x64 of frame train\/000\/01/.test(message), message);
  is((await labelledBatch(refs.slice(1), how)).width, 64);
  await messageOf(() => videoBatch(refs, { seed: 0, step: 0, augment: null }), 'DataError');
});
