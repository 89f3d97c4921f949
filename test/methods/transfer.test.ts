import { TRANSFERS } from '../../src/methods/choices.ts';
import { transferWeights } from '../../src/methods/transfer.ts';
import { DepthModel, SegmentationModel } from '../../src/models/models.ts';
import { Initializer } from '../../src/nn/module.ts';
import { testGpu } from '../device.ts';
import { equal, ok, suite } from '../suite.ts';
import { smallModel } from './networks.ts';

const test = suite('transfer');

test('scratch copies nothing, encoder the encoder, encoder-decoder the decoder too; heads and pose stay behind', async () => {
  await testGpu();
  for (const transfer of TRANSFERS) {
    const depth = new DepthModel(new Initializer(1), smallModel);
    const segmentation = new SegmentationModel(new Initializer(2), smallModel, 5);
    depth.encoder.bn1.running_mean.assign([1, 2, 3, 4]);
    const before = new Map<string, number[]>();
    for (const [name, x] of Object.entries(segmentation.state()))
      before.set(name, Array.from(await x.data()));
    const copied = new Set(await transferWeights(depth.state(), segmentation.state(), transfer));
    const source = depth.state();
    for (const [name, x] of Object.entries(segmentation.state())) {
      const carried =
        (transfer !== 'scratch' && name.startsWith('encoder.')) ||
        (transfer === 'encoder-decoder' && name.startsWith('decoder.decoder.'));
      ok(copied.has(name) === carried, `${transfer}: ${name}`);
      equal(
        Array.from(await x.data()),
        carried ? Array.from(await source[name].data()) : before.get(name),
        `${transfer}: ${name}`,
      );
    }
    ok(!copied.has('decoder.classifiers.0.weight'));
  }
});
