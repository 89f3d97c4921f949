import { empty, onDevice } from '../../src/autograd/tensor.ts';
import { TracingDevice } from '../../src/gpu/tracing.ts';
import { type EncoderConfig, ResNetEncoder } from '../../src/models/encoder.ts';
import { SegmentationModel } from '../../src/models/models.ts';
import { summarise } from '../../src/models/summary.ts';
import { Initializer } from '../../src/nn/module.ts';
import { add } from '../../src/ops/elementwise.ts';
import { smallModel } from '../methods/networks.ts';
import { equal, is, ok, suite, unreachable } from '../suite.ts';
import { RESNET18, RESNET50 } from './torch-nets.ts';

const test = suite('summary');

const encoderAt224 = (config: object) =>
  onDevice(new TracingDevice(), () => {
    const encoder = new ResNetEncoder(new Initializer(0), config as EncoderConfig);
    return summarise(encoder, () => void encoder.apply(empty([1, 224, 224, 3]), false));
  });

test('ResNets at 224 x 224 have the published numbers, less the classifier', () => {
  // torchvision: 11,689,512 and 25,557,032 parameters. Multiply-adds: of the convolutions, added up by hand for ResNet-18.
  const small = encoderAt224(RESNET18);
  is(small.parameters, 11_689_512 - 513_000);
  const stage = 9 * 64 * 128 * 28 ** 2 + 3 * 9 * 128 ** 2 * 28 ** 2 + 64 * 128 * 28 ** 2;
  is(small.multiplyAdds, 49 * 3 * 64 * 112 ** 2 + 4 * 9 * 64 ** 2 * 56 ** 2 + 3 * stage);
  const large = encoderAt224(RESNET50);
  is(large.parameters, 25_557_032 - 2_049_000);
  is(large.stateBytes, 4 * (large.parameters + 2 * 26_560));
});

test('layers are named as in a checkpoint, with shape and bytes of what they write; columns add up', () => {
  const [h, w, classes] = [64, 96, 3];
  onDevice(new TracingDevice(), () => {
    const model = new SegmentationModel(new Initializer(0), smallModel, classes);
    const found = summarise(model, () => void model.logits(empty([2, h, w, 3]), false));
    const [conv, bn] = found.layers;
    equal(conv, {
      name: 'encoder.conv1',
      kernel: 'conv2d',
      output: [2, h / 2, w / 2, 4],
      parameters: 27 * 4,
      multiplyAdds: 2 * 27 * 4 * (h / 2) * (w / 2),
      bytes: 4 * 2 * 4 * (h / 2) * (w / 2),
    });
    is(bn.name, 'encoder.bn1');
    is(bn.kernel, 'normApply.relu');
    is(bn.parameters, 8);
    is(found.layers.at(-1)!.name, 'decoder.classifiers.0');
    equal(found.layers.at(-1)!.output, [2, h, w, classes]);
    is(new Set(found.layers.map(({ name }) => name)).size, found.layers.length);
    const sum = (key: 'parameters' | 'multiplyAdds' | 'bytes') =>
      found.layers.reduce((n, one) => n + one[key], 0);
    is(sum('parameters'), found.parameters);
    is(sum('multiplyAdds'), found.multiplyAdds);
    is(sum('bytes') + found.others.bytes, found.bytes);
    ok(found.others.launches > 0);
  });
});

test('a traced tensor is known as far as it follows from what the host wrote', async () => {
  const { known, unknown } = onDevice(new TracingDevice(), () => {
    const { bn1 } = new ResNetEncoder(new Initializer(0), smallModel.encoder);
    return { known: add(bn1.weight, bn1.running_var), unknown: add(bn1.weight, empty([4])) };
  });
  equal(Array.from(await known.data()), [2, 2, 2, 2]);
  try {
    await unknown.data();
  } catch (error) {
    is((error as Error).message, 'a traced tensor of 4 f32 has no values');
    return;
  }
  unreachable('a tensor without values was read');
});
