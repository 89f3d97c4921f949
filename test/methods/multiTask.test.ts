import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { videoBatch } from '../../src/data/batch.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { depthLoss, videoInputs } from '../../src/methods/depth.ts';
import { MultiTaskPhase, multiTaskCrossEntropy } from '../../src/methods/multiTask.ts';
import { transferToBoth } from '../../src/methods/transfer.ts';
import { DepthModel, SegmentationModel } from '../../src/models/models.ts';
import { MultiTaskModel, SelfAttention } from '../../src/models/multiTask.ts';
import { copyState, Initializer } from '../../src/nn/module.ts';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { mean } from '../../src/ops/reduce.ts';
import { presets } from '../../src/train/config.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, not, ok, suite } from '../suite.ts';
import { smallModel } from './networks.ts';

const test = suite('multi-task');

const config = { ...smallModel, scales: [0, 1, 2, 3] };
const CLASSES = 5;
const numbers = async (x: Tensor) => Array.from(await x.data());
const image = () => tensor(randoms(2 * 64 * 96 * 3, 1, 0, 1), [2, 64, 96, 3]);
const rename = (state: Record<string, Tensor>, from: string, to: string) =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, x]) =>
      name.startsWith(from) ? [[to + name.slice(from.length), x]] : [],
    ),
  );

test('what one task hands the other starts as half a convolution', async () => {
  await testGpu();
  const attention = new SelfAttention(new Initializer(1), 4);
  const x = tensor(randoms(2 * 5 * 7 * 4, 2), [2, 5, 7, 4]);
  const convolved = await numbers(attention.conv.apply(x));
  ok(convolved.some((v) => Math.abs(v) > 0.1));
  equal(
    await numbers(attention.apply(x)),
    convolved.map((v) => v / 2),
  );
  is(attention.conv.bias, null);
  ok((await numbers(attention.attention.weight)).every((v) => v === 0));
});

test('with nothing to hand over it is the two networks of one task, to the bit; at one seed their start values too', async () => {
  await testGpu();
  const model = new MultiTaskModel(new Initializer(1), config, CLASSES);
  const segmentation = new SegmentationModel(new Initializer(1), config, CLASSES);
  equal(
    await numbers(model.segmentation.classifiers[0].weight),
    await numbers(segmentation.decoder.classifiers[0].weight),
    'drawn as in a segmentation model',
  );
  const depth = new DepthModel(new Initializer(2), config);
  const state = model.state();
  await copyState(rename(state, 'encoder.', 'encoder.'), depth.state());
  await copyState(rename(state, 'depth.', 'decoder.'), depth.state());
  const before = await numbers(model.logits(image(), false));
  for (const one of [model.fromDepth, model.fromSegmentation])
    one.conv.weight.assign(new Float32Array(one.conv.weight.size));
  const outputs = step(() => model.outputs(image(), false));
  not.equal(await numbers(outputs.logits), before, 'the exchange matters');
  equal(await numbers(outputs.logits), await numbers(segmentation.logits(image(), false)));
  const alone = depth.disparities(image(), false);
  for (const [s, disparity] of outputs.disparities.entries())
    equal(await numbers(disparity), await numbers(alone[s]), `scale ${s}`);
  equal(outputs.intermediate.shape, [2, 16, 24, CLASSES]);
});

test('scores of any levels: with nothing to hand over, those of the segmentation model', async () => {
  await testGpu();
  for (const scores of [[1], [2], [2, 4], [3, 4]]) {
    const levels = { ...config, scores };
    const model = new MultiTaskModel(new Initializer(1), levels, CLASSES);
    const segmentation = new SegmentationModel(new Initializer(1), levels, CLASSES);
    model.fromDepth.conv.weight.assign(new Float32Array(model.fromDepth.conv.weight.size));
    const [joint, alone] = [model, segmentation].map((one) => one.logits(image(), false));
    equal(joint.shape, [2, 64, 96, CLASSES]);
    equal(await numbers(joint), await numbers(alone), `levels ${scores}`);
  }
});

test('disparities at 1/8 and 1/4 come from before the exchange, the finer ones from after it', async () => {
  await testGpu();
  const model = new MultiTaskModel(new Initializer(1), config, CLASSES);
  const look = async () => {
    const { disparities, intermediate, logits } = step(() => model.outputs(image(), false));
    return Promise.all([...disparities, intermediate, logits].map(numbers));
  };
  const before = await look();
  for (const one of [model.fromDepth, model.fromSegmentation])
    one.conv.weight.assign(Float32Array.from(await numbers(one.conv.weight), (v) => -2 * v));
  const after = await look();
  const changed = before.map((values, i) => values.some((v, k) => v !== after[i][k]));
  // Scales 0 to 3, the intermediate scores, the final ones.
  equal(changed, [true, true, false, false, false, true]);
  equal(await numbers(model.logits(image(), false)), after[5], 'logits alone are those of outputs');
  const [finest] = model.disparities(image(), false);
  equal(await numbers(finest), after[0], 'disparities alone are those of outputs');
});

test('gradients: each head reaches its decoder and the encoder; the final ones reach the other decoder through the exchange', async () => {
  await testGpu();
  const model = new MultiTaskModel(new Initializer(1), config, CLASSES);
  const labels = tensor(
    Int32Array.from({ length: 2 * 64 * 96 }, (_, i) => i % CLASSES),
    [2, 64, 96],
    'i32',
  );
  const watched = {
    encoder: model.encoder.conv1.weight,
    segmentationCoarse: model.segmentation.decoder.before[3].conv.weight,
    segmentationFine: model.segmentation.decoder.after[0].conv.weight,
    depthCoarse: model.depth.decoder.before[3].conv.weight,
    depthFine: model.depth.decoder.after[0].conv.weight,
    intermediate: model.intermediate.weight,
    fromDepth: model.fromDepth.conv.weight,
    fromSegmentation: model.fromSegmentation.conv.weight,
    gate: model.fromDepth.attention.weight,
  };
  const reached = async (loss: () => Tensor) => {
    const gradients = step(() => grad(loss, Object.values(watched)));
    const names = await Promise.all(
      Object.keys(watched).map(async (name, i) =>
        (await numbers(gradients[i])).some((v) => v !== 0) ? name : null,
      ),
    );
    return names.filter((name) => name !== null);
  };
  equal(await reached(() => crossEntropy(model.logits(image(), true), labels)), [
    'encoder',
    'segmentationCoarse',
    'segmentationFine',
    'depthCoarse',
    'fromDepth',
    'gate',
  ]);
  equal(await reached(() => mean(model.disparities(image(), true)[0])), [
    'encoder',
    'segmentationCoarse',
    'depthCoarse',
    'depthFine',
    'fromSegmentation',
  ]);
  equal(await reached(() => mean(model.outputs(image(), true).intermediate)), [
    'encoder',
    'segmentationCoarse',
    'intermediate',
  ]);
});

test('cross-entropy is the mean of final and intermediate scores, those enlarged with aligned corners', async () => {
  await testGpu();
  const labels = tensor([0, 1, 255, 1, 0, 0, 1, 1], [1, 2, 4], 'i32');
  const logits = tensor(randoms(16, 3), [1, 2, 4, 2]);
  // From one row of two pixels to four columns: aligned corners keep both ends and put thirds between them.
  const intermediate = tensor([1, 0, 4, 6], [1, 1, 2, 2]);
  const row = [1, 0, 2, 2, 3, 4, 4, 6];
  const enlarged = tensor([...row, ...row], [1, 2, 4, 2]);
  const [a, b] = [await crossEntropy(logits, labels).item(), await crossEntropy(enlarged, labels).item()];
  const loss = await multiTaskCrossEntropy({ logits, intermediate }, labels).item();
  ok(Math.abs(loss - (a + b) / 2) < 1e-6, `${loss}, ${a}, ${b}`);
});

test('both decoders start from the depth network, which keeps its heads', async () => {
  await testGpu();
  const depth = new DepthModel(new Initializer(1), config);
  const model = new MultiTaskModel(new Initializer(2), config, CLASSES);
  const copied = new Set(await transferToBoth(depth.state(), model.state()));
  const left = Object.keys(model.state()).filter((name) => !copied.has(name));
  equal(left.sort(), [
    'fromDepth.attention.weight',
    'fromDepth.conv.weight',
    'fromSegmentation.attention.weight',
    'fromSegmentation.conv.weight',
    'intermediate.bias',
    'intermediate.weight',
    'segmentation.classifiers.0.bias',
    'segmentation.classifiers.0.weight',
    'segmentation.classifiers.1.bias',
    'segmentation.classifiers.1.weight',
  ]);
  const source = await numbers(depth.decoder.decoder.before[2].conv.weight);
  equal(await numbers(model.segmentation.decoder.before[2].conv.weight), source);
  equal(await numbers(model.depth.decoder.before[2].conv.weight), source);
  equal(await numbers(model.depth.heads[1].conv.weight), await numbers(depth.decoder.heads[1].conv.weight));
});

test('a frame without neighbours is its own: no photometric error, and no gradient but that of smoothness', async () => {
  await testGpu();
  const data = openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const host = await videoBatch([{ split: data.train, index: 0 }], {
    seed: 1,
    step: 0,
    augment: { recolour: false, crop: false },
  });
  const [before, own, after] = host.frames;
  equal([before, after], [own, own]);
  const model = new DepthModel(new Initializer(1), config);
  const options = { ...presets.tiny.depth, smoothness: 0 };
  const key = () => tensor([1, 0], [2], 'u32');
  const loss = await step(() => {
    const video = upload(videoInputs(host));
    return depthLoss(model, video, video.frames, key(), options).loss;
  }).item();
  ok(Math.abs(loss) < 1e-4, `${loss}`);
});

test('a step keeps depth on labelled and mixed frames, on the pixels that the labels belong to', async () => {
  await testGpu();
  const data = openStreet({ width: 96, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const refs = Array.from({ length: 8 }, (_, index) => ({ split: data.train, index }));
  const frames = { labelled: refs.slice(0, 3), unlabelled: refs.slice(3) };
  const classes = data.classes.length;
  const init = new Initializer(1);
  const [student, teacher] = [0, 1].map(() => new MultiTaskModel(init, config, classes));
  const depth = new DepthModel(init, config);
  const weighted = { unlabelledWeight: 0.5, rampUp: 1 };
  const { segmentation, method } = presets.tiny;
  const settings = { ...segmentation, ...method, ...weighted, crop: true, steps: 4, threshold: 0.1 };
  const phase = new MultiTaskPhase(
    student,
    teacher,
    depth,
    async () => frames,
    classes,
    settings,
    presets.tiny.depth,
    1,
  );
  await phase.begin();
  const batch = await phase.load(2);
  equal([batch.labelled.height, batch.labelled.width], [64, 64]);
  for (const part of ['labelled', 'mixed'] as const) {
    const { n, frames, jitter } = batch.video[part];
    equal(frames.slice(n, 2 * n), batch[part].images);
    equal(jitter, Array(n).fill(null), 'not recoloured');
  }
  const pose = await numbers(depth.pose.pose2.weight);
  const inputs = phase.inputs(batch, 2);
  const terms = step(() => phase.train(upload(inputs)));
  const values: Record<string, number> = {};
  for (const [name, x] of Object.entries(terms)) values[name] = await x.item();
  const { loss, labelled, unlabelled, depth: photometric, q } = values;
  ok(q > 0 && unlabelled > 0 && photometric > 0 && labelled > 0, JSON.stringify(values));
  // Step 2 of the four in which the weight of the mixed images rises to a half.
  const weight = 0.5 * Math.exp(-5 * (1 - 2 / 4) ** 2);
  ok(Math.abs(loss - labelled - weight * unlabelled - photometric) < 1e-5, JSON.stringify(values));
  not.equal(await numbers(depth.pose.pose2.weight), pose, 'pose goes on');
  // The teacher at iteration 2: alpha is 2/3.
  const [t, s] = [teacher, student].map((one) => one.segmentation.classifiers[0].weight);
  ok((await numbers(t)).some((v) => v !== 0));
  not.equal(await numbers(t), await numbers(s));
});
