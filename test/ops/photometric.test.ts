import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { abs, add, affine, square, sub } from '../../src/ops/elementwise.ts';
import { minReprojection, photometricError } from '../../src/ops/photometric.ts';
import { mean } from '../../src/ops/reduce.ts';
import { ssimError } from '../../src/ops/ssim.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('photometric');

/** Two images in [0, 1] that differ by at least 0.02 everywhere, off the kink of |x - y|. */
function pair(shape: number[]) {
  const size = shape.reduce((n, d) => n * d, 1);
  const x = randoms(size, 1, 0, 1);
  const gap = randoms(size, 2, 0.02, 0.5);
  return [
    { shape, data: x },
    { shape, data: x.map((v, i) => (v > 0.5 ? v - gap[i] : v + gap[i])) },
  ];
}

const composed = (x: Tensor, y: Tensor, alpha = 0.85) =>
  add(
    affine(mean(ssimError(x, y), [3], true), alpha, 0),
    affine(mean(abs(sub(x, y)), [3], true), 1 - alpha, 0),
  );

for (const shape of [
  [1, 2, 2, 1],
  [2, 5, 7, 3],
  [1, 3, 35, 5],
]) {
  test(`photometricError of [${shape}]: value and gradients`, async () => {
    const device = await testGpu();
    const check = await gradcheck((x, y) => photometricError(x, y), pair(shape), {
      device,
      deviceTolerance: 5e-5,
    });
    ok(check.ok, check.message);
  });
}

for (const kernel of ['photometric', 'photometricGrad']) {
  test(`${kernel}/pixel`, async () => {
    const gpu = await testGpu();
    gpu.pins.set(kernel, 'pixel');
    const check = await gradcheck((x, y) => photometricError(x, y, 0.5), pair([2, 5, 19, 3]), {
      device: gpu,
    });
    gpu.pins.delete(kernel);
    ok(check.ok, check.message);
  });
}

test('the fused kernels agree with the composition of single ops', async () => {
  await testGpu();
  const [x, y] = pair([2, 9, 33, 3]).map(({ shape, data }) => tensor(data, shape));
  ok(relativeError(await photometricError(x, y).data(), await composed(x, y).data()) < 1e-6);
  const weighted = (f: typeof composed) => grad(() => sum(square(f(x, y))), [x, y]);
  const fused = weighted(photometricError);
  const single = weighted(composed);
  for (const side of [0, 1]) {
    ok(relativeError(await fused[side].data(), await single[side].data()) < 1e-5);
  }
});

test('two flat images, by hand', async () => {
  await testGpu();
  const flat = (value: number) => tensor(new Array(12).fill(value), [1, 2, 2, 3]);
  const structure = (1 - (2 * 0.2 * 0.6 + 1e-4) / (0.2 ** 2 + 0.6 ** 2 + 1e-4)) / 2;
  const got = await photometricError(flat(0.2), flat(0.6)).data();
  ok(relativeError(got, new Array(4).fill(0.85 * structure + 0.15 * 0.4)) < 1e-6);
});

test('minReprojection: the first of equal errors wins and alone gets the gradient', async () => {
  await testGpu();
  const maps = [
    [1, 5, 2, 4],
    [1, 3, 7, 4],
    [0.5, 3, 6, 9],
  ].map((values) => tensor(values, [1, 2, 2, 1]));
  const { error, winner } = minReprojection(maps);
  equal([...(await error.data())], [0.5, 3, 2, 4]);
  equal(error.shape, [1, 2, 2, 1]);
  equal([...(await winner.data())], [2, 1, 0, 0]);
  equal(winner.shape, [1, 2, 2]);
  const gradients = grad(() => sum(minReprojection(maps).error), maps);
  const read = await Promise.all(gradients.map(async (g) => [...(await g.data())]));
  equal(read, [
    [0, 0, 1, 1],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
  ]);
});

test('minReprojection refuses no maps and maps of other shapes', () => {
  throws(
    () => minReprojection([]),
    (error: Error) => error instanceof ShapeError,
  );
  throws(
    () => minReprojection([tensor([1, 2], [1, 2])]),
    (error: Error) => error instanceof ShapeError && error.message.includes('[1,2]'),
  );
});
