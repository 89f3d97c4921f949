import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { depthLoss, targetOf, videoInputs } from '../../src/methods/depth.ts';
import { anchoredDepthLoss, depthStages, featureDistance } from '../../src/methods/depthStages.ts';
import type { Phase } from '../../src/methods/phase.ts';
import { ResNetEncoder } from '../../src/models/encoder.ts';
import { DepthModel } from '../../src/models/models.ts';
import { copyState, Initializer } from '../../src/nn/module.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, not, ok, suite } from '../suite.ts';
import { smallModel } from './networks.ts';

const test = suite('depth stages');

const options = {
  steps: 2,
  batch: 1,
  crop: false,
  lr: 1e-3,
  minDepth: 0.1,
  maxDepth: 100,
  smoothness: 1e-3,
  resolution: 'full' as const,
  reprojection: 'minimum' as const,
  decay: 'step' as const,
  frozenSteps: 2,
  frozenLr: 1e-3,
  featureDistance: 1e-2,
};

const street = () => openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
const read = async (state: Record<string, Tensor>) => {
  const values: Record<string, number[]> = {};
  for (const [name, x] of Object.entries(state)) values[name] = Array.from(await x.data());
  return values;
};
const parametersOf = async (model: DepthModel) => read(model.parameters());

async function run(phase: Phase): Promise<Record<string, number>> {
  await phase.begin?.();
  let terms: Record<string, number> = {};
  for (let k = 0; k < phase.steps; k++) {
    const inputs = phase.inputs(await phase.load(k), k);
    const tensors = step(() => phase.train(upload(inputs)));
    terms = Object.fromEntries(
      await Promise.all(Object.entries(tensors).map(async ([n, x]) => [n, await x.item()])),
    );
  }
  return terms;
}

test('feature distance is one Euclidean norm over the batch; its gradient has length one, and is zero where nothing moved', async () => {
  await testGpu();
  const values = randoms(2 * 3 * 4 * 5, 1);
  const a = tensor(values, [2, 3, 4, 5]);
  const b = tensor(randoms(2 * 3 * 4 * 5, 2), [2, 3, 4, 5]);
  const others = Array.from(await b.data());
  const expected = Math.sqrt(values.reduce((sum, v, i) => sum + (v - others[i]) ** 2, 0));
  ok(Math.abs((await featureDistance(a, b).item()) / expected - 1) < 1e-6);
  const [slope] = grad(() => featureDistance(a, b), [a]);
  const length = Math.sqrt(Array.from(await slope.data()).reduce((sum, v) => sum + v * v, 0));
  ok(Math.abs(length - 1) < 1e-6, `${length}`);
  is(await featureDistance(a, a).item(), 0);
  const [none] = grad(() => featureDistance(a, a), [a]);
  ok(Array.from(await none.data()).every((v) => v === 0));
});

test('the anchored loss is the depth loss plus the weighted distance, in evaluation mode for the initial encoder', async () => {
  await testGpu();
  const data = street();
  const model = new DepthModel(new Initializer(1), smallModel);
  const initial = new ResNetEncoder(new Initializer(9), smallModel.encoder);
  await copyState(model.encoder.state(), initial.state());
  const phase = depthStages(model, [{ split: data.train, index: 1 }], options, 1).main;
  const host = videoInputs(await phase.load(0));
  const key = () => tensor([1, 0], [2], 'u32');
  const statistics = await read(initial.state());
  const terms = step(() => {
    const video = upload(host);
    return anchoredDepthLoss(model, initial, video, video.frames, key(), options);
  });
  equal(await read(initial.state()), statistics, 'the initial encoder stays as it is');
  const [plain, loss, distance] = await Promise.all([
    step(() => {
      const video = upload(host);
      return depthLoss(model, video, video.frames, key(), options).loss;
    }).item(),
    terms.loss.item(),
    terms.featureDistance.item(),
  ]);
  ok(distance > 0 && Math.abs(loss - plain - distance) < 1e-6, `${loss} = ${plain} + ${distance}`);
  const apart = step(() => {
    const image = targetOf(upload(host).frames);
    return featureDistance(model.encoder.apply(image, true)[4], initial.apply(image, false)[4]);
  });
  ok(Math.abs(distance / (1e-2 * (await apart.item())) - 1) < 1e-5);
});

test('first the encoder keeps its parameters while its statistics move; then it learns, anchored to the start', async () => {
  await testGpu();
  const data = street();
  const model = new DepthModel(new Initializer(1), smallModel);
  const stages = depthStages(
    model,
    [1, 2].map((index) => ({ split: data.train, index })),
    options,
    1,
  );
  equal(
    stages.phases.map((phase) => [phase.name, phase.steps]),
    [
      ['depth-frozen', 2],
      ['depth', 2],
    ],
  );
  const before = await parametersOf(model);
  const terms = await run(stages.frozen!);
  ok(!('featureDistance' in terms));
  const frozen = await parametersOf(model);
  for (const name of Object.keys(before)) {
    if (name.startsWith('encoder.')) equal(frozen[name], before[name], name);
  }
  not.equal(frozen['decoder.heads.0.conv.weight'], before['decoder.heads.0.conv.weight']);
  not.equal(frozen['pose.pose2.weight'], before['pose.pose2.weight']);
  not.equal(Array.from(await model.encoder.bn1.running_mean.data()), [0, 0, 0, 0], 'statistics move');
  const later = await run(stages.main);
  ok(later.featureDistance > 0);
  not.equal((await parametersOf(model))['encoder.conv1.weight'], before['encoder.conv1.weight']);
  // What the encoder is held to: the parameters of the start.
  equal(
    Array.from(await stages.state['initial-encoder']['conv1.weight'].data()),
    before['encoder.conv1.weight'],
  );
});

test('by default there is one stage, and it holds nothing more than the model and its optimiser', async () => {
  await testGpu();
  const model = new DepthModel(new Initializer(1), smallModel);
  const data = street();
  const stages = depthStages(
    model,
    [{ split: data.train, index: 1 }],
    { ...options, frozenSteps: 0, featureDistance: 0 },
    1,
  );
  equal([stages.phases.length, stages.frozen, Object.keys(stages.state)], [1, null, []]);
});
