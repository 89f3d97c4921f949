import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { GradientError, grad } from '../../src/autograd/tape.ts';
import { ShapeError, tensor } from '../../src/autograd/tensor.ts';
import { ssimError } from '../../src/ops/ssim.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('ssim');

const pair = (shape: number[]) => {
  const size = shape.reduce((n, d) => n * d, 1);
  return [
    { shape, data: randoms(size, 1, 0, 1) },
    { shape, data: randoms(size, 2, 0, 1) },
  ];
};

for (const shape of [
  [1, 2, 2, 1],
  [2, 3, 2, 5],
  [1, 3, 3, 3],
  [2, 5, 7, 3],
  [1, 4, 35, 8],
]) {
  test(`ssimError of [${shape}]: value and gradients`, async () => {
    const device = await testGpu();
    const check = await gradcheck(ssimError, pair(shape), { device, deviceTolerance: 5e-5 });
    ok(check.ok, check.message);
  });
}

for (const [kernel, variant] of [
  ['ssim', 'pixel'],
  ['ssim', 'definition'],
  ['ssimCoefficients', 'pixel'],
  ['ssimGrad', 'pixel'],
]) {
  test(`${kernel}/${variant}`, async () => {
    const gpu = await testGpu();
    gpu.pins.set(kernel, variant);
    const check = await gradcheck(ssimError, pair([2, 5, 19, 3]), { device: gpu });
    gpu.pins.delete(kernel);
    ok(check.ok, check.message);
  });
}

test('two flat images, by hand', async () => {
  await testGpu();
  const flat = (value: number) => tensor(new Array(12).fill(value), [1, 3, 4, 1]);
  const error = await ssimError(flat(0.2), flat(0.6)).data();
  const want = (1 - (2 * 0.2 * 0.6 + 1e-4) / (0.2 ** 2 + 0.6 ** 2 + 1e-4)) / 2;
  ok(relativeError(error, new Array(12).fill(want)) < 1e-6);
});

test('a window of 2 x 2 pixels, by hand: reflection repeats the other pixel, never the border', async () => {
  await testGpu();
  const x = [0.1, 0.9, 0.5, 0.3];
  const y = [0.4, 0.2, 0.8, 0.6];
  // Seen from pixel 0 both neighbours along an axis are the one other pixel: weights 1, 2, 2, 4 of nine.
  const weights = [1, 2, 2, 4];
  const mean = (f: (i: number) => number) => weights.reduce((total, w, i) => total + w * f(i), 0) / 9;
  const [mx, my] = [mean((i) => x[i]), mean((i) => y[i])];
  const cov = mean((i) => x[i] * y[i]) - mx * my;
  const [vx, vy] = [mean((i) => x[i] ** 2) - mx ** 2, mean((i) => y[i] ** 2) - my ** 2];
  const ssim = ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx ** 2 + my ** 2 + 1e-4) * (vx + vy + 9e-4));
  const got = await ssimError(tensor(x, [1, 2, 2, 1]), tensor(y, [1, 2, 2, 1])).data();
  ok(Math.abs(got[0] - (1 - ssim) / 2) < 1e-6, `${got[0]}`);
});

test('an image against itself: error and gradient are exactly zero', async () => {
  await testGpu();
  const x = tensor(randoms(231, 1, 0, 1), [1, 7, 11, 3]);
  const y = tensor(randoms(231, 1, 0, 1), [1, 7, 11, 3]);
  equal([...new Set(await ssimError(x, y).data())], [0]);
  const [dx, dy] = grad(() => sum(ssimError(x, y)), [x, y]);
  for (const one of [dx, dy]) ok((await one.data()).every((v) => v === 0));
});

test('a faint texture on a bright ground keeps its digits', async () => {
  const device = await testGpu();
  const shape = [1, 8, 40, 1];
  const bright = (stream: number) => ({
    shape,
    data: randoms(320, stream, 0, 1).map((v) => 0.9 + 0.004 * v),
  });
  const check = await gradcheck(ssimError, [bright(1), bright(2)], { device, samples: 4 });
  ok(check.ok, check.message);
});

test('a second derivative and wrong shapes are refused', async () => {
  await testGpu();
  const x = tensor(randoms(12, 1, 0, 1), [1, 3, 4, 1]);
  const y = tensor(randoms(12, 2, 0, 1), [1, 3, 4, 1]);
  throws(
    () => grad(() => sum(grad(() => sum(ssimError(x, y)), [x])[0]), [x]),
    (error: Error) => error instanceof GradientError,
  );
  const fault = (message: string) => (error: Error) =>
    error instanceof ShapeError && error.message.includes(message);
  throws(() => ssimError(x, tensor([1], [1, 1, 1, 1])), fault('second image [1,1,1,1]'));
  throws(() => ssimError(tensor([1], [1, 1, 1, 1]), x), fault('H, W >= 2'));
});
