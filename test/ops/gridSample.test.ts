import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { GradientError, grad, vjp } from '../../src/autograd/tape.ts';
import { ShapeError, tensor } from '../../src/autograd/tensor.ts';
import { square } from '../../src/ops/elementwise.ts';
import { type GridPadding, gridSample } from '../../src/ops/gridSample.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('gridSample');

const paddings: GridPadding[] = ['border', 'zeros', 'reflection'];

/**
 * Grid values whose places reach 3 pixels beyond the image and stay 0.1 away from whole and half pixels: there the
 * taps change, border clamps and reflection turns.
 */
function awayFromKinks(
  n: number,
  h: number,
  w: number,
  ih: number,
  iw: number,
  align: boolean,
): Float64Array {
  const r = randoms(n * h * w * 2, 7, 0, 1);
  return r.map((v, i) => {
    const size = i % 2 === 0 ? iw : ih;
    const scaled = v * (size + 5) * 2;
    const place = (Math.floor(scaled) + 0.2 + 0.6 * (scaled % 1)) / 2 - 3;
    return align ? (2 * place) / (size - 1) - 1 : (2 * place + 1) / size - 1;
  });
}

for (const padding of paddings) {
  for (const alignCorners of [true, false]) {
    for (const c of [1, 2, 3, 5, 8]) {
      test(`${padding}, alignCorners ${alignCorners}, ${c} channels: value and gradients`, async () => {
        const device = await testGpu();
        const check = await gradcheck(
          (x, grid) => gridSample(x, grid, { padding, alignCorners }),
          [
            { shape: [2, 5, 7, c], data: randoms(70 * c, 1) },
            { shape: [2, 3, 9, 2], data: awayFromKinks(2, 3, 9, 5, 7, alignCorners) },
          ],
          { device },
        );
        ok(check.ok, check.message);
      });
    }
  }
}

for (const [kernel, variant, c] of [
  ['gridSample', 'element', 3],
  ['gridSample', 'element', 8],
  ['gridSampleGradGrid', 'element', 3],
  ['gridSampleGradImage', 'tiles-element', 3],
  ['gridSampleGradImage', 'tiles-element', 4],
  ['gridSampleGradImage', 'all', 3],
] as [string, string, number][]) {
  test(`${kernel}/${variant}, ${c} channels, a grid of several tiles and blocks`, async () => {
    const gpu = await testGpu();
    gpu.pins.set(kernel, variant);
    const check = await gradcheck(
      (x, grid) => gridSample(x, grid, { padding: 'border', alignCorners: true }),
      [
        { shape: [2, 9, 12, c], data: randoms(216 * c, 1) },
        { shape: [2, 37, 41, 2], data: awayFromKinks(2, 37, 41, 9, 12, true) },
      ],
      { device: gpu, samples: 3 },
    );
    gpu.pins.delete(kernel);
    ok(check.ok, check.message);
  });
}

test('a grid of several tiles and blocks with the variants chosen for 3 and 4 channels', async () => {
  const device = await testGpu();
  for (const c of [3, 4]) {
    const check = await gradcheck(
      (x, grid) => gridSample(x, grid, { padding: 'reflection', alignCorners: false }),
      [
        { shape: [2, 33, 40, c], data: randoms(2640 * c, 1) },
        { shape: [2, 37, 70, 2], data: awayFromKinks(2, 37, 70, 33, 40, false) },
      ],
      { device, samples: 2 },
    );
    ok(check.ok, check.message);
  }
});

test('the gradient to the image can be differentiated again', async () => {
  const device = await testGpu();
  const check = await gradcheck(
    (x, grid) =>
      grad(() => sum(square(gridSample(x, grid, { padding: 'zeros', alignCorners: false }))), [x])[0],
    [
      { shape: [1, 4, 5, 3], data: randoms(60, 1) },
      { shape: [1, 3, 4, 2], data: awayFromKinks(1, 3, 4, 4, 5, false) },
    ],
    { device },
  );
  ok(check.ok, check.message);
});

test('the gradient to the grid cannot, and says so', async () => {
  await testGpu();
  const x = tensor(randoms(20, 1), [1, 4, 5, 1]);
  const grid = tensor(randoms(24, 2), [1, 3, 4, 2]);
  const options = { padding: 'border', alignCorners: true } as const;
  throws(
    () => grad(() => sum(grad(() => sum(gridSample(x, grid, options)), [grid])[0]), [grid]),
    (error: Error) => error instanceof GradientError,
  );
});

// [[4, 1], [2, 3]] at the centre, at the corner (-1, -1), and a whole image to the left of the corner.
for (const [padding, alignCorners, expected] of [
  ['border', true, [2.5, 4, 4]],
  ['zeros', true, [2.5, 4, 0]],
  ['reflection', true, [2.5, 4, 1]],
  ['border', false, [2.5, 4, 4]],
  ['zeros', false, [2.5, 1, 0]],
  ['reflection', false, [2.5, 4, 1]],
] as [GridPadding, boolean, number[]][]) {
  test(`by hand: ${padding}, alignCorners ${alignCorners}`, async () => {
    await testGpu();
    const x = tensor([4, 1, 2, 3], [1, 2, 2, 1]);
    const grid = tensor([0, 0, -1, -1, -3, -1], [1, 1, 3, 2]);
    equal([...(await gridSample(x, grid, { padding, alignCorners }).data())], expected);
  });
}

test('border: no gradient to a clamped coordinate, the other one keeps its own', async () => {
  await testGpu();
  const x = tensor([4, 1, 2, 3], [1, 2, 2, 1]);
  const grid = tensor([-1.5, 0, 0, 7, 0.5, 0], [1, 1, 3, 2]);
  const [, pullback] = vjp(() => gridSample(x, grid, { padding: 'border', alignCorners: true }), [grid]);
  // Half of: (0, 2 - 4), (3 - 2, 0), and at x = 0.75 the mean slope (-3 + 1) / 2 across, 0.25 (-2) + 0.75 (2) down.
  equal([...(await pullback(tensor([1, 1, 1], [1, 1, 3, 1]))[0].data())], [0, -1, 0.5, 0, -0.5, 0.5]);
});

test('reflection: the gradient to the grid turns its sign beyond the border', async () => {
  await testGpu();
  const x = tensor([0, 1, 2, 3], [1, 1, 4, 1]);
  const grid = tensor([0.5, 0, 1.5, 0, -1.5, 0], [1, 1, 3, 2]);
  const [, pullback] = vjp(() => gridSample(x, grid, { padding: 'reflection', alignCorners: true }), [grid]);
  const got = await pullback(tensor([1, 1, 1], [1, 1, 3, 1]))[0].data();
  equal([got[0], got[2], got[4]], [1.5, -1.5, -1.5]);
});

test('far and infinite places stay inside the image or sample nothing', async () => {
  await testGpu();
  const x = tensor([4, 1, 2, 3], [1, 2, 2, 1]);
  const grid = tensor([1e30, 0, -1e30, -1e30], [1, 1, 2, 2]);
  equal([...(await gridSample(x, grid, { padding: 'border', alignCorners: true }).data())], [2, 4]);
  equal([...(await gridSample(x, grid, { padding: 'zeros', alignCorners: true }).data())], [0, 0]);
});

test('the gradient to the image has the same bits every time', async () => {
  await testGpu();
  const x = tensor(randoms(400, 1), [1, 20, 20, 1]);
  const grid = tensor(randoms(8192, 2, -1.2, 1.2), [1, 64, 64, 2]);
  const once = () =>
    grad(() => sum(square(gridSample(x, grid, { padding: 'border', alignCorners: true }))), [x])[0];
  equal([...(await once().data())], [...(await once().data())]);
});

test('wrong shapes are named', async () => {
  await testGpu();
  const x = tensor(randoms(20, 1), [1, 4, 5, 1]);
  const options = { padding: 'border', alignCorners: true } as const;
  const fault = (message: string) => (error: Error) =>
    error instanceof ShapeError && error.message.includes(message);
  throws(() => gridSample(x, tensor(randoms(24, 2), [2, 3, 2, 2]), options), fault('[2,3,2,2]'));
  throws(
    () => gridSample(tensor([1], [1]), tensor(randoms(24, 2), [1, 3, 4, 2]), options),
    fault('image [1]'),
  );
});
