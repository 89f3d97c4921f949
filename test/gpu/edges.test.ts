// Sizes and devices at the edge of what there is.

import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { grad, vjp } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { Gpu } from '../../src/gpu/gpu.ts';
import { everyFeature } from '../../src/gpu/kernel.ts';
import { findAdapter } from '../../src/gpu/node-adapter.ts';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { mixByMask } from '../../src/ops/depthmix.ts';
import { square } from '../../src/ops/elementwise.ts';
import { gridSample } from '../../src/ops/gridSample.ts';
import { flip, slice } from '../../src/ops/movement.ts';
import { opticalFlow } from '../../src/ops/opticalFlow.ts';
import { photometricError } from '../../src/ops/photometric.ts';
import { minPhotometricError } from '../../src/ops/reprojection.ts';
import { edgeAwareSmoothness } from '../../src/ops/smoothness.ts';
import { ssimError } from '../../src/ops/ssim.ts';
import { sum } from '../../src/ops/sum.ts';
import { testGpu } from '../device.ts';
import { equal, is, suite, throws } from '../suite.ts';

const test = suite('edges');

test('more workgroups than one dimension holds: every element is there', async () => {
  const gpu = await testGpu();
  const n = 65535 * 64 + 65;
  gpu.pins.set('square', 'scalar'); // 64 elements a workgroup
  try {
    const x = tensor(Float32Array.from({ length: n }, (_, i) => i % 1021));
    const y = square(x);
    const got = await y.data();
    let wrong = 0;
    for (let i = 0; i < n; i++) if (got[i] !== (i % 1021) ** 2) wrong += 1;
    is(wrong, 0);
    x.dispose();
    y.dispose();
  } finally {
    gpu.pins.delete('square');
  }
});

test('a tensor without elements: defined results, and nothing for the device to complain of', async () => {
  const gpu = await testGpu();
  const x = tensor([], [0, 3]);
  // What a buffer of the pool held before must not show.
  const used = Array.from({ length: 32 }, (_, i) => tensor(new Float32Array(1 + (i % 4)).fill(7)));
  await Promise.all(used.map((one) => one.data()));
  for (const one of used) one.dispose();
  const before = gpu.dispatches;
  equal([...(await square(x).data())], []);
  equal([...(await flip(x, 1).data())], []);
  equal([...(await slice(tensor([1, 2], [2, 1]), [0, 0], [2, 0]).data())], []);
  is(gpu.dispatches, before);
  equal([...(await sum(x, [0]).data())], [0, 0, 0]);
  is(await sum(x).item(), 0);
  await gpu.sync();
});

test('a warp that is outside everywhere: zeros or the border, and no gradient to where it looks', async () => {
  await testGpu();
  const image = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
  const away = tensor([5, 5, -7, 9], [1, 1, 2, 2]);
  for (const [padding, values] of [
    ['zeros', [0, 0]],
    ['border', [4, 3]],
  ] as const) {
    const [y, pullback] = vjp(() => gridSample(image, away, { padding, alignCorners: true }), [away]);
    equal([...(await y.data())], values);
    equal([...(await pullback(tensor([1, 1], [1, 1, 2, 1]))[0].data())], [0, 0, 0, 0]);
  }
});

test('without timestamp queries there are no times, and the work is done', async () => {
  const { adapter } = await findAdapter();
  const device = await adapter!.requestDevice();
  const { vendor, architecture, description } = adapter!.info;
  const gpu = new Gpu(device, {
    vendor,
    architecture,
    description,
    software: true,
    ...everyFeature(false),
  });
  is(await gpu.profile(() => {}), null);
  gpu.close();
});

test('a template whose #if has no end is refused when it is made', () => {
  throws(() => wgsl`#if ${true}\nfn f() {}`, /Mismatched #if/);
});

test('whole-number parameters hold what they are given, or are refused', async () => {
  await testGpu();
  const scores = tensor([0.5, 1, 2, 1], [2, 2]);
  const label = tensor([0, 0], [2], 'i32');
  for (const ignore of [2 ** 32, 0.5, -(2 ** 31) - 1])
    throws(
      () => crossEntropy(scores, label, { ignore }),
      /crossEntropy.*: parameter 'ignore' is .*, expected a whole number from -2147483648 to 2147483647/,
    );
});

test('images without channels are refused, batches without images are empty', async () => {
  await testGpu();
  const bare = tensor([], [1, 4, 4, 0]);
  for (const op of [ssimError, photometricError, (a: Tensor, b: Tensor) => opticalFlow(a, b, 2)])
    throws(() => op(bare, bare), /\[1,4,4,0\] f32, expected \[N,H,W,C\] f32 .*C >= 1/);
  throws(() => edgeAwareSmoothness(tensor(new Float32Array(16), [1, 4, 4, 1]), bare), /with C >= 1/);
  throws(() => minPhotometricError(bare, bare), /C >= 1/);
  const none = tensor([], [0, 4, 4, 3]);
  for (const op of [ssimError, photometricError])
    equal([...(await grad(() => sum(op(none, none)), [none])[0].data())], []);
  equal(mixByMask(tensor([], [0, 4, 4, 1]), none, none).shape, [0, 4, 4, 3]);
});
