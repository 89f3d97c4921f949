import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import {
  confidentShare,
  depthMixMask,
  mixByMask,
  mixWithNext,
  normalizeDisparity,
  oneHot,
  pseudoLabel,
} from '../../src/ops/depthmix.ts';
import { reshape } from '../../src/ops/movement.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('depthmix');

const list = async (x: Tensor) => [...(await x.data())];

test('masks at d_i = d_j, d_j - 0.02, d_j - 0.04', async () => {
  await testGpu();
  const mask = depthMixMask(tensor([0.5, 0.5, 0.5, 0.5, 0.52, 0.54], [2, 1, 3, 1]));
  equal(await list(mask), [1, 1, 0, 1, 1, 1]);
});

test('in a batch of three, image i is compared with image i + 1, the last with the first', async () => {
  await testGpu();
  const mask = depthMixMask(tensor([0.1, 0.5, 0.9], [3, 1, 1, 1]));
  equal(await list(mask), [0, 0, 1]);
  const x = tensor([1, 2, 3, 4, 5, 6], [3, 1, 1, 2]);
  equal(await list(mixWithNext(mask, x)), [3, 4, 5, 6, 5, 6]);
});

for (const channels of [1, 3, 4, 5, 8]) {
  test(`mixing of ${channels} channels against plain loops`, async () => {
    const device = await testGpu();
    const [n, h, w] = [3, 5, 7];
    const pixels = h * w;
    const disparity = randoms(n * pixels, 1, 0, 1);
    const values = Float32Array.from(randoms(n * pixels * channels, 2));
    const others = Float32Array.from(randoms(n * pixels * channels, 3));
    const mask = depthMixMask(tensor(disparity, [n, h, w, 1]));
    const bits = await mask.data();
    const want = (other: (i: number, at: number) => number) =>
      Array.from(values, (v, k) => {
        const i = Math.floor(k / (pixels * channels));
        return bits[Math.floor(k / channels)] ? v : other(i, k % (pixels * channels));
      });
    for (const pin of ['vec4', 'scalar']) {
      device.pins.set('mixByMask', pin);
      const shape = [n, h, w, channels];
      const next = mixWithNext(mask, tensor(values, shape));
      equal(
        await list(next),
        want((i, at) => values[((i + 1) % n) * pixels * channels + at]),
      );
      const two = mixByMask(mask, tensor(values, shape), tensor(others, shape));
      equal(
        await list(two),
        want((i, at) => others[i * pixels * channels + at]),
      );
    }
    device.pins.delete('mixByMask');
  });
}

test('labels are mixed too', async () => {
  await testGpu();
  const mask = tensor([1, 0, 0, 1], [2, 1, 2, 1]);
  const mixed = mixWithNext(mask, tensor([3, 255, 7, 8], [2, 1, 2], 'i32'));
  equal(await list(mixed), [3, 8, 3, 8]);
});

test('disparity is stretched per image; an image of one value becomes 0', async () => {
  await testGpu();
  const x = tensor([2, 4, 3, 7, 7, 7, -1, 0, 1], [3, 1, 3, 1]);
  equal(await list(normalizeDisparity(x)), [0, 1, 0.5, 0, 0, 0, 0, 0.5, 1]);
});

test('normalisation and masks on the device as on the reference', async () => {
  const device = await testGpu();
  const input = { shape: [3, 5, 7, 1], data: randoms(105, 4, 0, 5), differentiate: false };
  for (const fn of [normalizeDisparity, (d: Tensor) => depthMixMask(normalizeDisparity(d))]) {
    const check = await gradcheck(fn, [input], { device });
    ok(check.ok, check.message);
  }
});

test('pseudo-labels: the first of equal classes, ignore where nothing is probable', async () => {
  await testGpu();
  const rows = [0.2, 0.5, 0.3, 0, 0, 0, 0.4, 0.2, 0.4];
  const { label, confidence } = pseudoLabel(tensor(rows, [1, 1, 3, 3]));
  equal(await list(label), [1, 255, 0]);
  ok((await list(confidence)).every((c, i) => c === Math.fround([0.5, 0, 0.4][i])));
  equal(await list(pseudoLabel(tensor(rows, [3, 3]), { ignore: 250 }).label), [1, 250, 0]);
});

test('q counts a confidence of exactly the threshold, over all pixels', async () => {
  await testGpu();
  const threshold = Math.fround(0.968);
  const below = Math.fround(threshold - 2 ** -24);
  ok(below < threshold);
  equal(await confidentShare(tensor([threshold, below, 1, 0])).item(), 0.5);
  equal(await confidentShare(tensor([0, 0, 0])).item(), 0);
});

test('oneHot: ignored and impossible labels are all zero', async () => {
  await testGpu();
  const y = oneHot(tensor([2, 255, 0, -1, 3], [5], 'i32'), 3);
  equal(await list(y), [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  equal(await list(oneHot(tensor([0, 1], [2], 'i32'), 2, { ignore: 0 })), [0, 0, 0, 1]);
});

test('one-hot truth mixed with a teacher comes back as labels with confidence 1', async () => {
  await testGpu();
  const truth = oneHot(tensor([1, 255], [1, 1, 2], 'i32'), 2);
  const teacher = tensor([0.9, 0.1, 0.3, 0.7], [1, 1, 2, 2]);
  const { label, confidence } = pseudoLabel(mixByMask(tensor([1, 0], [1, 1, 2, 1]), truth, teacher));
  equal(await list(label), [1, 1]);
  equal(await list(confidence), [1, Math.fround(0.7)]);
});

test('no gradient passes', async () => {
  const device = await testGpu();
  const check = await gradcheck(
    (x, y) => sum(reshape(mixWithNext(depthMixMask(normalizeDisparity(x)), y), [-1])),
    [
      { shape: [2, 3, 3, 1], data: randoms(18, 5, 0, 1), differentiate: false },
      { shape: [2, 3, 3, 3], data: randoms(54, 6), differentiate: false },
    ],
    { device },
  );
  ok(check.ok, check.message);
});

test('arguments that do not fit are refused', async () => {
  await testGpu();
  const shapeError = (error: Error) => error instanceof ShapeError;
  throws(() => depthMixMask(tensor([1, 2], [1, 2, 1, 1])), shapeError);
  throws(() => normalizeDisparity(tensor([1, 2], [1, 2, 1])), shapeError);
  const mask = tensor([1, 0], [2, 1, 1, 1]);
  throws(() => mixWithNext(mask, tensor([1, 2, 3], [3, 1, 1, 1])), shapeError);
  throws(() => mixByMask(mask, tensor([1, 2], [2, 1, 1, 1]), tensor([1, 2, 3, 4], [2, 1, 1, 2])), shapeError);
});
