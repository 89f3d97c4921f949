import { tensor } from '../../src/autograd/tensor.ts';
import { SegmentationDecoder } from '../../src/models/decoder.ts';
import { Initializer } from '../../src/nn/module.ts';
import { add } from '../../src/ops/elementwise.ts';
import { resizeBilinear } from '../../src/ops/resize.ts';
import { randoms, testGpu } from '../device.ts';
import { smallModel } from '../methods/networks.ts';
import { equal, suite } from '../suite.ts';

const test = suite('segmentation decoder');

const CLASSES = 3;
const [H, W] = [64, 96];
const decoderOf = (scores: number[]) =>
  new SegmentationDecoder(new Initializer(1), smallModel.encoder, smallModel.decoder, scores, CLASSES);
const maps = () =>
  smallModel.encoder.widths.map((c, i) => {
    const [h, w] = [H / 2 ** (i + 1), W / 2 ** (i + 1)];
    return tensor(randoms(2 * h * w * c, i + 1), [2, h, w, c]);
  });

test('scores of several levels are enlarged, level by level, and added', async () => {
  await testGpu();
  const decoder = decoderOf([0, 2, 4]);
  const levels = decoder.decoder.apply(maps(), false);
  const [finest, middle, deepest] = decoder.classifiers;
  const half = (s: number): [number, number] => [H / s, W / s];
  const atQuarter = add(
    resizeBilinear(resizeBilinear(deepest.apply(levels[4]), half(8)), half(4)),
    middle.apply(levels[2]),
  );
  const expected = add(resizeBilinear(resizeBilinear(atQuarter, half(2)), half(1)), finest.apply(levels[0]));
  const logits = decoder.apply(maps(), false);
  equal(logits.shape, [2, H, W, CLASSES]);
  equal(await logits.data(), await expected.data());
});

test('without the finest level the decoder stops early and scores still have full size', async () => {
  await testGpu();
  const decoder = decoderOf([1]);
  const levels = decoder.decoder.apply(maps(), false, 1);
  const logits = decoder.apply(maps(), false);
  equal(logits.shape, [2, H, W, CLASSES]);
  equal(await logits.data(), await resizeBilinear(decoder.classifiers[0].apply(levels[1]), [H, W]).data());
});
