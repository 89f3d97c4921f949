import { noGrad } from '../../src/autograd/tape.ts';
import { step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { DepthDecoder } from '../../src/models/decoder.ts';
import { type EncoderConfig, ResNetEncoder } from '../../src/models/encoder.ts';
import { DepthModel } from '../../src/models/models.ts';
import { depthKeys, loadPyTorch, pairKeys, poseKeys, resnetKeys } from '../../src/models/pytorch.ts';
import { Initializer } from '../../src/nn/module.ts';
import { presets } from '../../src/train/config.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';
import {
  type Architecture,
  channelsLast,
  depthState,
  disparities,
  firstMotion,
  planesOf,
  poseState,
  RESNET18,
  RESNET50,
  resnetFeatures,
  resnetState,
  type StateDict,
  stacked,
} from './torch-nets.ts';
import torchvisionMaps from './torchvision-maps.json';

const test = suite('weights of PyTorch networks');

const [H, W] = [64, 64];
const frame = (stream: number) => randoms(H * W * 3, stream, 0, 1);

const encoderOf = (net: Architecture, channels = 3) =>
  new ResNetEncoder(
    new Initializer(5),
    { ...net, widths: net.widths, blocks: net.blocks } as never,
    channels,
  );

/** The issue asks for 1e-3 of the largest value; f32 against f64 is far closer. */
const TOLERANCE = 1e-5;

async function isClose(got: Tensor, want: Float64Array, what: string): Promise<void> {
  const error = relativeError(await got.data(), want);
  ok(error < TOLERANCE, `${what}: ${error} of the largest`);
}

for (const [name, net, tensors] of [
  ['ResNet-18', RESNET18, 100],
  ['ResNet-50', RESNET50, 265],
] as const) {
  test(`torchvision's ${name}: all five maps are its own, and those of plain loops over PyTorch's layouts`, async () => {
    await testGpu();
    const state = resnetState(net, 1000);
    const encoder = encoderOf(net);
    const { matched, left } = loadPyTorch('file', state, encoder.state(), resnetKeys);
    is(matched.length, tensors);
    const counts = matched.filter((one) => one.endsWith('running_var')).length;
    is(Object.keys(left).length, counts + 2);
    is(left['fc.weight'], 'the classifier');
    ok(/count of batches/.test(left['bn1.num_batches_tracked']));

    const [h, w] = [32, 32];
    const image = randoms(h * w * 3, 1, 0, 1);
    const maps = step(() => noGrad(() => encoder.apply(tensor(image, [1, h, w, 3]), false)));
    const expected = resnetFeatures(planesOf(image, h, w, 3), state, net);
    is(maps.length, 5);
    for (const [i, one] of maps.entries()) {
      equal(one.shape, [1, expected[i].h, expected[i].w, expected[i].c]);
      await isClose(one, channelsLast(expected[i]), `map ${i}`);
    }
    // And those of torchvision itself, which torchvision-maps.py asked.
    for (const [i, { largest, values }] of torchvisionMaps[name].entries()) {
      const { h, w, c } = expected[i];
      const got = await maps[i].data();
      is(values.length, Math.ceil((c * h * w) / torchvisionMaps.every));
      values.forEach((value, at) => {
        const place = at * torchvisionMaps.every;
        const found = got[(place % (h * w)) * c + Math.floor(place / (h * w))];
        ok(
          Math.abs(found - value) < TOLERANCE * largest,
          `map ${i}, value ${place}: ${found}, torchvision says ${value}`,
        );
      });
    }
  });
}

test("Monodepth2's encoder, depth and pose networks: disparities and motion are those of plain loops", async () => {
  await testGpu();
  // Narrower encoders than the original's keep the plain loops short; names and number of layers are the same.
  const resnet: Architecture = { ...RESNET18, widths: [16, 16, 32, 64, 128] };
  const model = new DepthModel(new Initializer(6), {
    ...presets.resnet18.model,
    encoder: resnet as EncoderConfig,
  });
  const [encoder, pair] = [
    resnetState(resnet, 2000, 3, 'encoder.'),
    resnetState(resnet, 2500, 6, 'encoder.'),
  ];
  const [depth, pose] = [depthState(resnet.widths, 3000), poseState(resnet.widths, 3500)];
  loadPyTorch('encoder', encoder, model.encoder.state(), resnetKeys);
  const loaded = loadPyTorch('depth', depth, model.decoder.state(), depthKeys([0, 1, 2, 3]));
  is(loaded.matched.length, 28);
  equal(loaded.left, {});
  const poseNet = model.pose.state();
  const part = (wanted: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(poseNet).filter(([name]) => wanted(name)));
  ok('resnet' in model.pose.encoder);
  if ('resnet' in model.pose.encoder)
    loadPyTorch('poseEncoder', pair, model.pose.encoder.resnet.state(), pairKeys);
  loadPyTorch(
    'pose',
    pose,
    part((name) => !name.startsWith('encoder.')),
    poseKeys,
  );

  const [earlier, later] = [frame(2), frame(3)];
  const [x, y] = [tensor(earlier, [1, H, W, 3]), tensor(later, [1, H, W, 3])];
  const found = step(() =>
    noGrad(() => ({ maps: model.disparities(x, false), ...model.pose.apply(x, y, false) })),
  );
  const [first, second] = [planesOf(earlier, H, W, 3), planesOf(later, H, W, 3)];
  const expected = disparities(resnetFeatures(first, encoder, resnet, 'encoder.'), depth);
  for (const [scale, map] of found.maps.entries()) {
    equal(map.shape, [1, H >> scale, W >> scale, 1]);
    await isClose(map, channelsLast(expected[scale]), `scale ${scale}`);
  }
  const motion = firstMotion(resnetFeatures(stacked(first, second), pair, resnet, 'encoder.'), pose);
  await isClose(found.axisAngle, Float64Array.from(motion.slice(0, 3)), 'rotation');
  await isClose(found.translation, Float64Array.from(motion.slice(3)), 'translation');
});

const TINY: Architecture = { widths: [4, 4, 8, 8, 8], blocks: [1, 1, 1, 1], block: 'basic', stem: 'conv3' };

test('weights of single images see a pair of equal frames as they see the frame', async () => {
  await testGpu();
  const state = resnetState(TINY, 4000);
  const [single, pair] = [encoderOf(TINY), encoderOf(TINY, 6)];
  loadPyTorch('file', state, single.state(), resnetKeys);
  loadPyTorch('file', state, pair.state(), pairKeys);
  const image = frame(4);
  const twice = Float64Array.from(
    { length: 2 * image.length },
    (_, i) => image[3 * Math.floor(i / 6) + (i % 3)],
  );
  const one = step(() => noGrad(() => single.apply(tensor(image, [1, H, W, 3]), false)[4]));
  const both = step(() => noGrad(() => pair.apply(tensor(twice, [1, H, W, 6]), false)[4]));
  await isClose(both, Float64Array.from(await one.data()), 'deepest map');
});

test('weights that do not fit are refused by name and shape, and nothing is written', async () => {
  await testGpu();
  const encoder = encoderOf(TINY);
  const before = await encoder.conv1.weight.data();
  const refused = async (state: StateDict, message: RegExp) => {
    throws(() => loadPyTorch('weights.encoder=a.safetensors', state, encoder.state(), resnetKeys), message);
    equal(await encoder.conv1.weight.data(), before);
  };
  const changed = (change: (state: StateDict) => void) => {
    const state = resnetState(TINY, 4000);
    change(state);
    return state;
  };
  await refused(
    resnetState({ ...TINY, block: 'bottleneck' }, 4000),
    /^weights\.encoder=a\.safetensors: 'layer1\.0\.conv1\.weight' is \[1,4,1,1\], these networks need \[4,4,3,3\], and \d+ more.*'model'/,
  );
  await refused(
    changed((state) => state.delete('layer4.0.bn2.running_var')),
    /holds nothing for 'layer4\.0\.bn2\.running_var'; the settings/,
  );
  await refused(
    changed((state) =>
      state.set('conv1.weight', { dtype: 'F16', shape: [4, 3, 3, 3], data: new Uint16Array(108) }),
    ),
    /'conv1\.weight' is F16, expected F32/,
  );
});

test('a head of a scale that is not predicted is left, and the others find their place', async () => {
  await testGpu();
  const { encoder, decoder } = presets.resnet18.model;
  const model = new DepthDecoder(new Initializer(6), encoder, decoder, [2, 0]);
  const depth = depthState(RESNET18.widths, 3000);
  const { left } = loadPyTorch('depth', depth, model.state(), depthKeys([2, 0]));
  equal(
    Object.keys(left),
    ['decoder.11', 'decoder.13'].flatMap((one) => [`${one}.conv.weight`, `${one}.conv.bias`]),
  );
  const biasOf = async (head: number) => (await model.heads[head].conv.bias!.data())[0];
  is(await biasOf(0), depth.get('decoder.12.conv.bias')!.data[0]);
  is(await biasOf(1), depth.get('decoder.10.conv.bias')!.data[0]);
});
