import { HostTensor, upload } from '../../src/autograd/program.ts';
import { grad, valueAndGrad } from '../../src/autograd/tape.ts';
import { step as scope, type Tensor, tensor, watchLaunches } from '../../src/autograd/tensor.ts';
import type { Phase } from '../../src/methods/phase.ts';
import { BatchNorm2d, Conv2d } from '../../src/nn/layers.ts';
import { Initializer, Module } from '../../src/nn/module.ts';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { affine } from '../../src/ops/elementwise.ts';
import { adaptiveAvgPool2d } from '../../src/ops/pool.ts';
import { clipByGlobalNorm } from '../../src/optim/clip.ts';
import { Adam } from '../../src/optim/optimizer.ts';
import { recordStep } from '../../src/train/step-tape.ts';
import { isCall, opsOf, type TapeCall, type TapeLaunch, type TapeOp } from '../../src/train/tape-tree.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('tape of a training step');

const [N, H, W, CLASSES] = [2, 6, 8, 3];

class Block extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(init: Initializer, inputs: number, outputs: number) {
    super();
    this.conv = new Conv2d(init, inputs, outputs, 3, { padding: 1, bias: false });
    this.bn = new BatchNorm2d(init, outputs);
  }

  apply(x: Tensor): Tensor {
    return this.bn.apply(this.conv.apply(x), true, 'relu');
  }
}

class Net extends Module {
  readonly blocks: Block[];
  readonly head: Conv2d;

  constructor(init: Initializer) {
    super();
    this.blocks = [new Block(init, 3, 4), new Block(init, 4, 4)];
    this.head = new Conv2d(init, 4, CLASSES, 1, { start: 'head' });
  }

  features(x: Tensor): Tensor {
    return this.blocks.reduce((at, block) => block.apply(at), affine(x, 2, -1));
  }

  logits(x: Tensor): Tensor {
    return this.head.apply(this.features(x));
  }
}

const images = () => new HostTensor(randoms(N * H * W * 3, 1, 0, 1), [N, H, W, 3]);
const labels = () =>
  new HostTensor(
    Array.from({ length: N * H * W }, (_, i) => i % CLASSES),
    [N, H, W],
    'i32',
  );

/** The network and one phase that trains it, the same every time. */
function setUp() {
  const net = new Net(new Initializer(4));
  const optimizer = new Adam([{ params: Object.values(net.parameters()), lr: 1e-2 }]);
  const phase: Phase<null, { images: HostTensor; labels: HostTensor }> = {
    name: 'toy',
    steps: 9,
    imagesPerStep: N,
    optimizer,
    load: async () => null,
    inputs: () => {
      optimizer.advance();
      return { images: images(), labels: labels() };
    },
    train: (inputs) => {
      const [loss, gradients] = valueAndGrad(
        () => crossEntropy(net.logits(inputs.images), inputs.labels),
        optimizer.params,
      );
      const { scale, norm } = clipByGlobalNorm(gradients, 1);
      optimizer.apply(gradients, scale);
      return { loss, gradientNorm: norm };
    },
  };
  const plan = {
    networks: [{ name: 'net', module: net, forward: () => {} }],
    state: { net: net.state(), optimizer: optimizer.state() },
  };
  return { net, plan, phase: phase as unknown as Phase };
}

const bits = async (tensors: Record<string, Tensor>) =>
  Promise.all(Object.values(tensors).map(async (t) => [...new Uint32Array((await t.data()).buffer)]));

const norm = async (x: Tensor) => Math.hypot(...(await x.data()));

const outline = (node: TapeCall | TapeOp): unknown =>
  isCall(node) ? { [node.label]: node.nodes.map(outline) } : node.name;

async function record() {
  const gpu = await testGpu();
  const made = setUp();
  const { tape, pictures } = await recordStep(gpu, made.plan, made.phase, null, 0);
  const named = (name: string) => tape.stages.flatMap(opsOf).filter((op) => op.name === name);
  return { gpu, ...made, tape, pictures, named, ops: tape.stages.flatMap(opsOf) };
}

/** The step as training takes it, unwatched. */
async function plainStep() {
  const made = setUp();
  const terms = scope(() => made.phase.train(upload(made.phase.inputs(null, 0))));
  const values: Record<string, number> = {};
  for (const [name, term] of Object.entries(terms)) values[name] = await term.item();
  return { ...made, values };
}

test('a watched step leaves the same bits everywhere', async () => {
  const { plan, tape } = await record();
  const plain = await plainStep();
  equal(tape.terms, plain.values);
  ok(tape.terms.gradientNorm > 0);
  for (const group of ['net', 'optimizer'] as const) {
    equal(await bits(plan.state[group]), await bits(plain.plan.state[group]), group);
  }
});

test('the modules have their own methods again, and nothing else is left behind', async () => {
  const { net, gpu, pictures } = await record();
  const names = Object.keys(Object.getOwnPropertyDescriptors(net));
  equal(
    names.filter((name) => ['features', 'logits'].includes(name)),
    [],
  );
  for (const picture of pictures.values()) picture.dispose();
  const before = gpu.memory().live;
  const { phase, plan } = setUp();
  const held = gpu.memory().live;
  const again = await recordStep(gpu, plan, phase, null, 0);
  for (const picture of again.pictures.values()) picture.dispose();
  is(gpu.memory().live, held);
  ok(held > before);
});

test('ops are listed in order, below the modules that were called', async () => {
  const { tape } = await record();
  const block = [{ conv: ['conv2d'] }, { bn: ['batchNorm'] }];
  equal(tape.stages.map(outline), [
    { before: [] },
    {
      tape: [
        { net: ['affine', { 'blocks.0': block }, { 'blocks.1': block }, { head: ['conv2d'] }] },
        'crossEntropy',
      ],
    },
    { after: ['squareSums', 'sum', 'clipFactor', 'adam'] },
  ]);
  equal(
    tape.stages.flatMap(opsOf).map(({ id }) => id),
    Array.from({ length: 11 }, (_, i) => i + 1),
  );
});

test('inputs say where they come from, outputs have their shapes', async () => {
  const { named, pictures } = await record();
  const [first, , head] = named('conv2d');
  equal(
    head.inputs.map(({ shape, from }) => [shape, from]),
    [
      [[N, H, W, 4], 5],
      [[1, 1, 4, CLASSES], 'net/head.weight'],
      [[CLASSES], 'net/head.bias'],
    ],
  );
  equal(head.parameters, ['net/head.weight', 'net/head.bias']);
  equal(head.outputs, [{ shape: [N, H, W, CLASSES], dtype: 'f32', bytes: 4 * N * H * W * CLASSES }]);
  is(first.inputs[0].from, 1);
  is(named('affine')[0].inputs[0].from, 'batch.images');
  is(named('affine')[0].kind, 'constant');
  // Statistics that move are read too.
  equal(
    named('batchNorm')[0].inputs.map(({ from }) => from),
    [
      first.id,
      ...['weight', 'bias', 'running_mean', 'running_var'].map((field) => `net/blocks.0.bn.${field}`),
    ],
  );
  const adam = named('adam')[0].inputs.map(({ from }) => String(from));
  ok(adam.includes('net/head.weight') && adam.includes('gradient of net/head.weight'), adam.join());
  // The labels are no input of the gradient, but the kernel reads them.
  equal(
    named('crossEntropy')[0].inputs.map(({ from }) => from),
    [head.id, 'batch.labels'],
  );
  equal(pictures.get(head.id)!.shape, [1, H, W, CLASSES]);
});

test('every launch of the step belongs to one op, and has a time where the adapter has a clock', async () => {
  const { ops, tape, gpu, named } = await record();
  const launched: Record<string, number> = {};
  const { phase } = setUp();
  const count: Parameters<typeof watchLaunches>[0] = ({ name }, _, __, done) => {
    if (done) launched[name] = (launched[name] ?? 0) + 1;
  };
  watchLaunches(count, () => scope(() => phase.train(upload(phase.inputs(null, 0)))));
  const listed: Record<string, number> = {};
  const launches = ops.flatMap(({ forward, backward }) => [...forward, ...backward]);
  for (const { kernel } of launches) listed[kernel] = (listed[kernel] ?? 0) + 1;
  equal(listed, launched);
  const [loss] = named('crossEntropy');
  equal(
    [...new Set(loss.forward.map(({ kernel }) => kernel))],
    ['crossEntropy', 'reduceSum', 'weightedMean'],
  );
  equal(
    loss.backward.map(({ kernel }) => kernel),
    ['crossEntropyGrad'],
  );
  ok(named('conv2d')[1].backward.some(({ kernel }) => kernel === 'conv2dInputGrad'));
  is(tape.timed, gpu.device.features.has('timestamp-query'));
  for (const { ms } of launches) ok(tape.timed ? ms! >= 0 : ms === null);
  if (tape.timed) ok(launches.reduce((sum, { ms }) => sum + ms!, 0) > 0);
});

test('an update of many parameters in one launch names each, with its gradient and its moments', async () => {
  const { named, net } = await record();
  const [{ inputs, outputs, forward }] = named('adam');
  is(forward.length, 1);
  const names = Object.keys(net.parameters()).map((name) => `net/${name}`);
  const from = inputs.map((one) => one.from);
  const moments = (slot: string) => names.map((_, i) => `optimizer/${slot}.${i}`);
  for (const name of [
    ...names,
    ...names.map((one) => `gradient of ${one}`),
    ...moments('m'),
    ...moments('v'),
  ])
    is(from.filter((one) => one === name).length, 1, name);
  equal(
    outputs.slice(0, names.length).map(({ shape }) => shape),
    Object.values(net.parameters()).map(({ shape }) => shape),
  );
});

test('the time of a launch is that of its own dispatch', async () => {
  const gpu = await testGpu();
  const { plan, phase } = setUp();
  const key = ({ kernel, variant, params, ms }: TapeLaunch) => JSON.stringify([kernel, variant, params, ms]);
  const known = new Set<string>();
  const { profile } = gpu;
  gpu.profile = async (work) => {
    const times = await profile.call(gpu, work);
    for (const time of times ?? []) known.add(key(time));
    return times;
  };
  try {
    const { tape } = await recordStep(gpu, plan, phase, null, 0);
    const launches = tape.stages.flatMap(opsOf).flatMap(({ forward, backward }) => [...forward, ...backward]);
    ok(launches.length > 20);
    if (tape.timed) for (const launch of launches) ok(known.has(key(launch)), launch.kernel);
  } finally {
    gpu.profile = profile;
  }
});

test('norms are those of the values and gradients themselves', async () => {
  const { tape, named } = await record();
  const { net } = setUp();
  const x = tensor(images().pieces[0], images().shape);
  const y = tensor(labels().pieces[0], labels().shape, 'i32');
  const logits = net.logits(x);
  const [dLogits] = grad(() => crossEntropy(logits, y), [logits]);
  const [, , head] = named('conv2d');
  ok(relativeError([head.norm!], [await norm(logits)]) < 1e-5);
  ok(relativeError([head.gradientNorm!], [await norm(dLogits)]) < 1e-5);
  const features = net.features(x);
  const [dFeatures] = grad(() => crossEntropy(net.head.apply(features), y), [features]);
  ok(relativeError([named('batchNorm')[1].gradientNorm!], [await norm(dFeatures)]) < 1e-5);
  const parameters = net.parameters();
  const gradients = grad(() => crossEntropy(net.logits(x), y), Object.values(parameters));
  equal(
    Object.keys(tape.parameters),
    Object.keys(parameters).map((name) => `net/${name}`),
  );
  for (const [i, [name, parameter]] of Object.entries(parameters).entries()) {
    const noted = tape.parameters[`net/${name}`];
    ok(relativeError([noted.norm], [await norm(parameter)]) < 1e-5, name);
    ok(relativeError([noted.gradientNorm], [await norm(gradients[i])]) < 1e-4, name);
  }
  const all = Math.hypot(...Object.values(tape.parameters).map(({ gradientNorm }) => gradientNorm));
  ok(relativeError([all], [tape.terms.gradientNorm]) < 1e-5);
  is(named('affine')[0].gradientNorm, null);
});

test('bytes: what an op puts out, and what the backward pass reads of it and until when', async () => {
  const { ops, named } = await record();
  const map = 4 * N * H * W;
  equal(ops.map(({ bytes }) => bytes).slice(0, 7), [
    3 * map,
    4 * map,
    4 * map,
    4 * map,
    4 * map,
    CLASSES * map,
    4,
  ]);
  // An optimiser updates in place.
  is(ops.at(-1)!.bytes, 0);
  const kept = ({ kept }: TapeOp) => kept.map(({ bytes, until }) => [bytes, until]).sort(([a], [b]) => a - b);
  const [conv] = named('conv2d');
  const [norm1, norm2] = named('batchNorm');
  const [affine1] = named('affine');
  equal(kept(affine1), [[3 * map, conv.id]]); // for the gradient of the weights
  equal(kept(conv), [[4 * map, norm1.id]]);
  // Mean and 1 / deviation; the output for the ReLU and, later in the backward pass than the next convolution, for no other.
  equal(kept(norm1), [
    [16, norm1.id],
    [16, norm1.id],
    [4 * map, norm1.id],
  ]);
  equal(kept(norm2).at(-1), [4 * map, norm2.id]);
  // Row sums for the softmax of the gradient, and the number of labelled pixels.
  equal(kept(named('crossEntropy')[0]), [
    [8, 7],
    [2 * map, 7],
  ]);
});

test('pooling that is computed by other ops is one op', async () => {
  const gpu = await testGpu();
  const { plan } = setUp();
  const x = tensor(randoms(2 * 4 * 4 * 3, 7), [2, 4, 4, 3]);
  const phase = {
    name: 'pool',
    inputs: () => ({}),
    train: () => {
      const [value] = valueAndGrad(
        () => crossEntropy(adaptiveAvgPool2d(x, [1, 1]), tensor([0, 1], [2, 1, 1], 'i32')),
        [x],
      );
      return { value };
    },
  } as unknown as Phase;
  const { tape, pictures } = await recordStep(gpu, plan, phase, null, 0);
  equal(tape.stages[1].nodes.map(outline), ['adaptiveAvgPool2d', 'crossEntropy']);
  ok(opsOf(tape.stages[1])[0].gradientNorm! > 0);
  is(pictures.size, 0);
});
