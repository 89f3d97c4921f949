import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { GradientError, grad, valueAndGrad } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { type CrossEntropyOptions, crossEntropy, crossEntropySoft } from '../../src/ops/crossEntropy.ts';
import { mul } from '../../src/ops/elementwise.ts';
import { softmax } from '../../src/ops/reduce.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { is, ok, suite, throws } from '../suite.ts';

const test = suite('crossEntropy');

// 2 x 3 x 5 pixels; two ignored, one outside the classes, one negative.
const labels = (classes: number, length = 30) =>
  Array.from({ length }, (_, k) =>
    k === 4 || k === 17 ? 255 : k === 9 ? classes : k === 11 ? -1 : k % classes,
  );

const inputs = (classes: number) => [
  { shape: [2, 3, 5, classes], data: randoms(30 * classes, 1, -3, 3) },
  { shape: [2, 3, 5], data: labels(classes), dtype: 'i32' as const },
  { shape: [classes], data: randoms(classes, 2, 0.2, 2), differentiate: false },
  { shape: [2, 3, 5], data: randoms(30, 3, 0.1, 1), differentiate: false },
];

for (const classes of [1, 3, 5, 8]) {
  for (const reduction of ['valid', 'weighted', 'all'] as const) {
    for (const weights of ['none', 'class', 'pixel', 'both']) {
      test(`${classes} classes, ${reduction}, weights: ${weights}`, async () => {
        const device = await testGpu();
        const fn = (x: Tensor, label: Tensor, c: Tensor, w: Tensor) => {
          const options: CrossEntropyOptions = { reduction };
          if (weights === 'class' || weights === 'both') options.classWeights = c;
          if (weights === 'pixel' || weights === 'both') options.pixelWeights = w;
          return crossEntropy(x, label, options);
        };
        const check = await gradcheck(fn, inputs(classes), { device, samples: 12 });
        ok(check.ok, check.message);
      });
    }
  }
}

for (const classes of [1, 2, 19, 63]) {
  test(`scores in workgroup memory have the bits of the walk: ${classes} classes`, async () => {
    const device = await testGpu();
    const logits = tensor(randoms(131 * classes, 5, -30, 30), [131, classes]);
    const label = tensor(labels(classes, 131), [131], 'i32');
    const values: number[] = [];
    for (const variant of ['staged', 'walk']) {
      device.pins.set('crossEntropy', variant);
      values.push(await crossEntropy(logits, label).item());
      device.pins.delete('crossEntropy');
    }
    is(values[0], values[1]);
    ok(classes === 1 || values[0] > 0);
  });
}

test('the gradient by one invocation per score', async () => {
  const device = await testGpu();
  device.pins.set('crossEntropyGrad', 'scalar');
  const check = await gradcheck((x, label) => crossEntropy(x, label), inputs(8).slice(0, 2), { device });
  device.pins.delete('crossEntropyGrad');
  ok(check.ok, check.message);
});

test('two classes, by hand: ln(1 + e^-2) and ln(1 + e)', async () => {
  await testGpu();
  const x = tensor([2, 0, 0, 1, 7, 7], [3, 2]);
  const label = tensor([0, 0, 255], [3], 'i32');
  const loss = Math.log1p(Math.exp(-2)) + Math.log1p(Math.E);
  ok(Math.abs((await crossEntropy(x, label).item()) - loss / 2) < 1e-6);
  ok(Math.abs((await crossEntropy(x, label, { reduction: 'all' }).item()) - loss / 3) < 1e-6);
  const weighted = crossEntropy(x, label, { classWeights: tensor([4, 1]), reduction: 'weighted' });
  ok(Math.abs((await weighted.item()) - loss / 2) < 1e-6);
});

test('nothing labelled: loss 0 and gradient 0, even where scores are infinite', async () => {
  await testGpu();
  const x = tensor([1, 2, Number.POSITIVE_INFINITY, 4, -1e38, 1e38], [2, 3]);
  const label = tensor([255, 255], [2], 'i32');
  for (const reduction of ['valid', 'weighted', 'all'] as const) {
    const [loss, [dx]] = valueAndGrad(() => crossEntropy(x, label, { reduction }), [x]);
    ok((await loss.item()) === 0, `${reduction}: loss ${await loss.item()}`);
    const values = await dx.data();
    ok(
      values.every((v) => v === 0),
      `${reduction}: gradient ${values}`,
    );
  }
});

test('scores of 1e4 overflow nothing; a sure and right pixel costs 0', async () => {
  await testGpu();
  const x = tensor([1e4, 0, -1e4, 0, 1e4, 0], [2, 3]);
  const [loss, [dx]] = valueAndGrad(() => crossEntropy(x, tensor([0, 0], [2], 'i32')), [x]);
  ok((await loss.item()) === 5000, `loss ${await loss.item()}`);
  ok([...(await dx.data())].join() === '0,0,0,-0.5,0.5,0', `gradient ${await dx.data()}`);
});

test('the same with four classes at a time, the greatest score in each place', async () => {
  await testGpu();
  for (let at = 0; at < 8; at++) {
    const scores = Array.from({ length: 8 }, (_, c) => (c === at ? 1e4 : -1e4));
    const loss = await crossEntropy(tensor(scores, [1, 8]), tensor([(at + 1) % 8], [1], 'i32')).item();
    ok(loss === 2e4, `loss ${loss}`);
  }
});

test('an ignore label inside the classes', async () => {
  await testGpu();
  const x = tensor([1, 0, 0, 1], [2, 2]);
  const [loss, [dx]] = valueAndGrad(() => crossEntropy(x, tensor([0, 1], [2], 'i32'), { ignore: 0 }), [x]);
  ok(Math.abs((await loss.item()) - Math.log1p(Math.exp(-1))) < 1e-6);
  ok([...(await dx.data())].slice(0, 2).every((v) => v === 0));
});

test('more pixels than one pass of the sum takes', async () => {
  const device = await testGpu();
  const pixels = 70_001;
  const check = await gradcheck(
    (x, label) => crossEntropy(x, label),
    [
      { shape: [pixels, 3], data: randoms(pixels * 3, 5, -2, 2) },
      {
        shape: [pixels],
        data: Array.from({ length: pixels }, (_, k) => (k % 7 === 0 ? 255 : k % 3)),
        dtype: 'i32',
      },
    ],
    { device, samples: 2, tolerance: 1e-4 },
  );
  ok(check.ok, check.message);
});

test('a second derivative is refused by name', async () => {
  await testGpu();
  const x = tensor([1, 0, 0, 1], [2, 2]);
  const label = tensor([0, 1], [2], 'i32');
  throws(
    () => grad(() => sum(grad(() => crossEntropy(x, label), [x])[0]), [x]),
    (error: Error) => error instanceof GradientError && /crossEntropyGrad/.test(error.message),
  );
});

test('arguments that do not fit are refused', async () => {
  await testGpu();
  const x = tensor(new Float32Array(12), [2, 2, 3]);
  const shapeError = (error: Error) => error instanceof ShapeError;
  throws(() => crossEntropy(x, tensor([0, 1, 2], [3], 'i32')), shapeError);
  throws(() => crossEntropy(x, tensor([0, 1, 2, 0], [2, 2])), shapeError);
  throws(
    () => crossEntropy(x, tensor([0, 1, 2, 0], [2, 2], 'i32'), { classWeights: tensor([1, 1]) }),
    shapeError,
  );
  throws(
    () => crossEntropy(x, tensor([0, 1, 2, 0], [2, 2], 'i32'), { reduction: 'mean' as never }),
    (error: Error) => shapeError(error) && /reduction 'mean', expected valid/.test(error.message),
  );
  throws(() => crossEntropySoft(x, tensor([1, 0, 0])), shapeError);
});

test('crossEntropySoft: value and both gradients, and one-hot rows equal crossEntropy', async () => {
  const device = await testGpu();
  const check = await gradcheck(
    (x, t) => crossEntropySoft(x, softmax(t, -1)),
    [
      { shape: [2, 3, 5], data: randoms(30, 6, -2, 2) },
      { shape: [2, 3, 5], data: randoms(30, 7, -2, 2) },
    ],
    { device },
  );
  ok(check.ok, check.message);
  const x = tensor(randoms(6, 8), [2, 3]);
  const soft = await crossEntropySoft(x, tensor([0, 1, 0, 0, 0, 1], [2, 3])).item();
  const hard = await crossEntropy(x, tensor([1, 2], [2], 'i32')).item();
  ok(Math.abs(soft - hard) < 1e-6);
});

test('a weight of q scales loss and gradient, as the pseudo-label loss does', async () => {
  const device = await testGpu();
  const check = await gradcheck(
    (x, label, q) => mul(crossEntropy(x, label, { reduction: 'all' }), q),
    [...inputs(3).slice(0, 2), { shape: [], data: [0.37] }],
    { device },
  );
  ok(check.ok, check.message);
});
