import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gradientOf, valueAndGrad } from '../../src/autograd/tape.ts';
import { keep, onDevice, step, type Tensor, tensor, useDevice } from '../../src/autograd/tensor.ts';
import { OutOfMemoryError } from '../../src/gpu/errors.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { add, mul, sqrt, square } from '../../src/ops/elementwise.ts';
import { concat } from '../../src/ops/movement.ts';
import { Sgd } from '../../src/optim/optimizer.ts';
import { AnomalyWatch } from '../../src/train/anomaly.ts';
import { latestCheckpoint, readCheckpoint } from '../../src/train/checkpoint.ts';
import { NumericalError, trainPlan } from '../../src/train/loop.ts';
import type { Plan } from '../../src/train/plan.ts';
import { RunFolder } from '../../src/train/run-folder.ts';
import { warpmix } from '../cli/spawn.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { toyPlan } from './toy.ts';

const test = suite('anomaly watch');

const good = [0.5, 0.25, -1, 2, 3, -0.125];

async function failure(plan: Plan, anomaly: boolean): Promise<string> {
  try {
    const options = { checkpointEvery: 100, onStep: () => {}, interrupted: () => null, anomaly };
    await trainPlan(plan, null, null, 0, options);
  } catch (error) {
    ok(error instanceof NumericalError, String(error));
    is(error.exitCode, 5);
    return error.message;
  }
  return 'nothing';
}

const cases: [string, (x: Tensor, w: Tensor) => Tensor, number[], RegExp][] = [
  [
    'forward, at the sample',
    (x, w) => mul(add(square(x), x), w),
    [0, 0, 0, 1e30, 0, 0],
    /^toy, step 2 of 2: square \(forward pass\) made .*: infinity at \[1,1\] of 'y' \[3,2\], sample 1 of 3/,
  ],
  [
    'backward, by the op whose gradient it is',
    (x, w) => sqrt(square(mul(x, w))),
    [1, 1, 1, 1, 0, 1], // d sqrt / dx at 0, times 0
    /^toy, step 2 of 2: \w+ \(backward pass, gradient of sqrt\) made .*\[2,0\] of .* sample 2 of 3/,
  ],
  [
    'in the batch itself',
    (x, w) => mul(x, w),
    [0, 0, 0, 0, 0, Number.NaN],
    /^toy, step 2 of 2: mul \(forward pass\) was given NaN at \[2,1\] of '\w' \[3,2\], sample 2 of 3 .*batch/,
  ],
];
for (const [name, loss, bad, message] of cases) {
  test(`names op, step and sample: ${name}`, async () => {
    for (const device of [await testGpu(), new ReferenceDevice()]) {
      useDevice(device);
      // In f64 the square of 1e30 is finite.
      const batch = bad.map((v) => (device.kind === 'reference' && v === 1e30 ? 1e200 : v));
      const plan = toyPlan(loss, [good, batch]);
      const found = await failure(plan, true);
      ok(message.test(found), `${device.kind}: ${found}`);
      const plain = await failure(toyPlan(loss, [good, batch]), false);
      // Without the watch the loss tells, or the state that is to be saved.
      ok(
        /^(toy, step 2 of 2: loss is|after step 2 of 2: 'toy\/weights' holds) .*--anomaly/.test(plain),
        `${device.kind}: ${plain}`,
      );
    }
    await testGpu();
  });
}

test('a replayed step that ends in NaN, or an interrupt, leaves no buffer behind', async () => {
  const gpu = await testGpu();
  const options = { checkpointEvery: 100, onStep: () => {} };
  for (const [bad, code, expected] of [
    [Number.NaN, null, /loss is NaN/],
    [1, 130, /interrupted after step 1/],
  ] as const) {
    const plan = toyPlan((x, w) => mul(x, w), [good, good.map(() => bad)]);
    const before = gpu.memory().live;
    let error: unknown;
    await trainPlan(plan, gpu, null, 0, { ...options, interrupted: () => code }).catch((e) => {
      error = e;
    });
    ok(expected.test(String(error)), String(error));
    is(gpu.memory().live, before);
    plan.weights.dispose();
  }
});

test('a finite loss with a gradient that is none: exit code 5, and the newest checkpoint is the one before, bit for bit', async () => {
  const gpu = await testGpu();
  const dir = mkdtempSync(join(tmpdir(), 'warpmix-infinite-'));
  try {
    // At 0 the slope of the root is infinite, and that of the square 0: their product is no number.
    const loss = (x: Tensor, w: Tensor) => sqrt(square(mul(x, w)));
    const options = { checkpointEvery: 1, onStep: () => {}, interrupted: () => null };
    const train = async (batches: number[][], folder: string) => {
      const run = RunFolder.create(join(dir, folder), {});
      let message = '';
      await trainPlan(toyPlan(loss, batches), gpu, run, 0, options).catch((error) => {
        ok(error instanceof NumericalError && error.exitCode === 5, String(error));
        message = error.message;
      });
      run.close();
      const { found, skipped } = latestCheckpoint(join(dir, folder));
      equal(skipped, []);
      return { message, checkpoint: readCheckpoint(found!.path) };
    };
    const fine = await train([good], 'fine');
    const broken = await train([good, [1, 1, 1, 1, 0, 1]], 'broken');
    is(fine.message, '');
    ok(/^after step 2 of 2: 'toy\/weights' holds .*Nothing is saved/.test(broken.message), broken.message);
    is(broken.checkpoint.step, 1);
    equal(broken.checkpoint.groups, fine.checkpoint.groups);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('no memory left for a step: it ends training, and the checkpoint before stays', async () => {
  const gpu = await testGpu();
  const dir = mkdtempSync(join(tmpdir(), 'warpmix-memory-'));
  const plan = toyPlan((x, w) => square(mul(x, w)), [good, good, good]);
  const load = plan.phases[0].load;
  plan.phases[0].load = (k) => {
    // A device that has just enough for the first two steps.
    if (k === 2) {
      const full = async () => ({ message: 'no memory' }) as GPUError;
      Object.defineProperty(gpu.device, 'popErrorScope', { value: full, configurable: true });
      // Of what the pool has free nothing is asked of the device.
      const { reserved } = gpu.memory();
      while (gpu.memory().reserved === reserved) keep(tensor(new Float32Array(12345)));
    }
    return load(k);
  };
  try {
    const run = RunFolder.create(join(dir, 'run'), {});
    let error: unknown;
    const options = { checkpointEvery: 1, onStep: () => {}, interrupted: () => null };
    await trainPlan(plan, gpu, run, 0, options).catch((e) => {
      error = e;
    });
    run.close();
    ok(error instanceof OutOfMemoryError, String(error));
    ok(/^a tensor of 12345 f32: the adapter has no \d+ bytes left; \d+ bytes are held\./.test(error.message));
    is(error.exitCode, 1);
    is(latestCheckpoint(join(dir, 'run')).found?.step, 1);
  } finally {
    Reflect.deleteProperty(gpu.device, 'popErrorScope');
    rmSync(dir, { recursive: true, force: true });
  }
});

test('an update that overflows is named as such, without a sample', async () => {
  await testGpu();
  const far = 3e38; // value 0, gradient 3e38, and -3e38 - 0.5 * 3e38 is no f32
  const plan = toyPlan((x, w) => mul(x, add(w, tensor([far, 0], [1, 2]))), [[far, 0, 0, 0, 0, 0]], [-far, 0]);
  const found = await failure(plan, true);
  ok(
    /^toy, step 1 of 1: sgd \(outside the gradient\) made .*-infinity at \[0,0\] of 'w' \[1,2\]$/.test(found),
    found,
  );
});

test('of parameters that are updated together, the one that overflows is named, and padding is not looked at', async () => {
  for (const device of [await testGpu(), new ReferenceDevice()]) {
    useDevice(device);
    // NaN in the memory that the padding of the next blocks will be in.
    const rubbish = Array.from({ length: 8 }, () => device.alloc(3 * 64, 'f32'));
    for (const storage of rubbish) device.write(storage, new Float32Array(3 * 64).fill(Number.NaN));
    for (const storage of rubbish) device.free(storage);
    const far = device.kind === 'reference' ? 1.7e308 : 3e38;
    const params = [tensor([1, 2, 3]), tensor([1, -far, 3, 4], [2, 2]), tensor([5])];
    const sgd = new Sgd([{ params, lr: 0.5 }]);
    const watch = new AnomalyWatch([...params, ...Object.values(sgd.state())]);
    const update = (slope: number) =>
      watch.during(() =>
        step(() => sgd.step([tensor([1, 1, 1]), tensor([1, slope, 1, 1], [2, 2]), tensor([1])])),
      );
    update(1);
    is(await watch.first(), null);
    update(far);
    is(
      await watch.first(),
      "sgd (outside the gradient) made the first non-finite number: -infinity at [0,1] of 'w' [2,2]",
    );
    watch.dispose();
    sgd.dispose();
  }
  await testGpu();
});

test('a step without anomalies: the same weights as unwatched, nothing left on the device', async () => {
  const gpu = await testGpu();
  const weights: number[][] = [];
  for (const anomaly of [false, true]) {
    const plan = toyPlan((x, w) => square(mul(x, w)), [good, good.map((v) => v / 3), good]);
    const before = gpu.memory().live;
    is(await failure(plan, anomaly), 'nothing');
    is(gpu.memory().live, before);
    weights.push([...(await plan.weights.data())]);
  }
  equal(weights[1], weights[0]);
});

test('what a tensor held before it was filled piece by piece is no anomaly; what was filled in is', async () => {
  const gpu = await testGpu();
  const joined = (x: Tensor, w: Tensor) => square(concat([mul(x, w), x], 1));
  const rubbish = () => {
    const held = Array.from({ length: 60 }, () => gpu.alloc(64, 'f32'));
    for (const storage of held) gpu.write(storage, new Float32Array(64).fill(Number.NaN));
    for (const storage of held) gpu.free(storage);
  };
  rubbish();
  is(await failure(toyPlan(joined, [good, good]), true), 'nothing');
  rubbish();
  const found = await failure(toyPlan(joined, [good, [0, 0, 0, 0, 1e30, 0]]), true);
  ok(/: square \(forward pass\) made .*infinity at \[2,0\] of 'y' \[3,4\], sample 2 of 3/.test(found), found);
});

test('a gradient that cannot be had leaves no mark on the next', () => {
  onDevice(new ReferenceDevice(), () => {
    const x = tensor([1]);
    try {
      valueAndGrad(() => {
        const y = square(x);
        y.node = { ...y.node!, vjp: () => [null] };
        return y;
      }, [x]);
    } catch {}
    is(gradientOf(), null);
    new AnomalyWatch([]).dispose();
  });
});

test('train --anomaly: exit code 5 and one line that says where', async () => {
  const out = mkdtempSync(join(tmpdir(), 'warpmix-anomaly-'));
  try {
    const { code, stderr } = await warpmix([
      'train',
      'supervised',
      '--anomaly',
      '--labels=4',
      '--steps=3',
      `--out=${join(out, 'run')}`,
      '--set=pixels=4096',
      '--set=model.encoder.widths=[4,4,8,8,8]',
      '--set=model.decoder.widths=[4,4,4,8,8]',
      '--set=segmentation.lr=1e38',
      '--set=segmentation.encoderLr=1e38',
    ]);
    is(code, 5, stderr);
    ok(/error: supervised, step 2 of 3: conv2d.* made the first non-finite number/.test(stderr), stderr);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
