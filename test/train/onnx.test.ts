// Exported graphs run in onnxruntime, and give what the networks themselves give.
import * as ort from 'onnxruntime-web';
import { noGrad } from '../../src/autograd/tape.ts';
import { onDevice, step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { TracingDevice } from '../../src/gpu/tracing.ts';
import { DepthModel, type ModelConfig, SegmentationModel } from '../../src/models/models.ts';
import { MultiTaskModel } from '../../src/models/multiTask.ts';
import { Initializer, type Module } from '../../src/nn/module.ts';
import { relu } from '../../src/ops/elementwise.ts';
import { gridSample } from '../../src/ops/gridSample.ts';
import { reshape } from '../../src/ops/movement.ts';
import { encodeOnnx } from '../../src/train/onnx.ts';
import { inferenceGraph } from '../../src/train/onnx-graph.ts';
import { randoms } from '../device.ts';
import { smallModel } from '../methods/networks.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('ONNX export');

test.before(() => {
  ort.env.wasm.numThreads = 1;
});

type Outputs = Record<string, Tensor>;

interface Case<M extends Module> {
  make: () => M;
  predict: (model: M, images: Tensor) => Outputs;
}

/** A network whose running statistics are not those of the start, the same on every device. */
function trained<M extends Module>({ make }: Case<M>): M {
  const model = make();
  Object.entries(model.state()).forEach(([name, x], stream) => {
    if (name.endsWith('running_mean')) x.assign(randoms(x.size, 700 + stream, -0.2, 0.2));
    if (name.endsWith('running_var')) x.assign(randoms(x.size, 700 + stream, 0.3, 1.5));
  });
  return model;
}

function exported<M extends Module>(one: Case<M>): Uint8Array {
  const device = new TracingDevice();
  const model = onDevice(device, () => trained(one));
  const names = new Map(Object.entries(model.state()).map(([name, { storage }]) => [storage, name]));
  const graph = inferenceGraph(device, (images) => one.predict(model, images), names, [64, 96]);
  for (const name of Object.keys(model.parameters()).filter((name) => /conv\d?\.weight$/.test(name)))
    if (!name.startsWith('pose.')) ok(graph.constants.has(name), name);
  return encodeOnnx(graph, '0');
}

/**
 * Runs the file in onnxruntime and the network by plain loops in f64, on images of several sizes: what differs then is the rounding
 * of one engine, and nothing depends on the variants of kernels.
 */
async function compare<M extends Module>(one: Case<M>, outputs: string[]): Promise<void> {
  const session = await ort.InferenceSession.create(exported(one));
  equal(session.inputNames, ['image']);
  equal(session.outputNames, outputs);
  const device = new ReferenceDevice();
  const model = onDevice(device, () => trained(one));
  for (const [n, h, w] of [
    [1, 64, 96],
    [2, 96, 64],
  ]) {
    const planes = Float32Array.from(randoms(n * 3 * h * w, h, 0, 1));
    const at = (sample: number, c: number, place: number) => (sample * 3 + c) * h * w + place;
    const pixels = Float32Array.from(planes, (_, i) => {
      const place = Math.floor(i / 3) % (h * w);
      return planes[at(Math.floor(i / (3 * h * w)), i % 3, place)];
    });
    const theirs = await session.run({ image: new ort.Tensor('float32', planes, [n, 3, h, w]) });
    const ours = onDevice(device, () =>
      step(() => noGrad(() => one.predict(model, tensor(pixels, [n, h, w, 3])))),
    );
    for (const name of outputs) {
      const classes = ours[name].shape[3];
      equal(theirs[name].dims, [n, classes, h, w]);
      const want = await ours[name].data();
      const got = theirs[name].data as Float32Array;
      let worst = 0;
      for (let i = 0; i < want.length; i++) {
        const sample = Math.floor(i / (h * w * classes));
        const place = Math.floor(i / classes) % (h * w);
        const difference = Math.abs(got[(sample * classes + (i % classes)) * h * w + place] - want[i]);
        worst = difference <= worst ? worst : difference;
      }
      ok(worst < 1e-4, `${name} of ${n} x ${h} x ${w}: they differ by ${worst}`);
    }
  }
}

const bottlenecks: ModelConfig = {
  ...smallModel,
  encoder: { widths: [4, 8, 8, 16, 16], blocks: [1, 2, 1, 1], block: 'bottleneck', stem: 'conv7' },
  decoder: { ...smallModel.decoder, norm: false },
};

test('depth of a ResNet with bottlenecks and a pooled stem', () =>
  compare(
    {
      make: () => new DepthModel(new Initializer(3), bottlenecks),
      predict: (model, images) => ({ disparity: model.disparities(images, false)[0] }),
    },
    ['disparity'],
  ));

for (const classes of [3, 4]) {
  test(`segmentation from several levels, ${classes} classes`, () =>
    compare(
      {
        make: () => new SegmentationModel(new Initializer(3), smallModel, classes),
        predict: (model, images) => ({ logits: model.logits(images, false) }),
      },
      ['logits'],
    ));
}

test('both tasks of one network, with what they exchange', () =>
  compare(
    {
      make: () => new MultiTaskModel(new Initializer(3), smallModel, 5),
      predict: (model, images) => {
        const { logits, disparities } = model.outputs(images, false);
        return { logits, disparity: disparities[0] };
      },
    },
    ['logits', 'disparity'],
  ));

test('what has no counterpart is named', () => {
  const border = { padding: 'border', alignCorners: true } as const;
  const graphOf = (forward: (images: Tensor) => Outputs) => () =>
    inferenceGraph(new TracingDevice(), forward, new Map(), [32, 32]);
  throws(
    graphOf((x) => ({ warped: gridSample(x, tensor(new Float32Array(2048), [1, 32, 32, 2]), border) })),
    /^export: kernel 'gridSample[^']*' \(.+\) has no counterpart in ONNX here; these have: affine, relu,/,
  );
  throws(
    graphOf((x) => ({ flat: relu(reshape(x, [1, 32, 96, 1])) })),
    /sees \[1,32,32,3\] as \[1,32,96,1\]; a reshape cannot be exported/,
  );
});
