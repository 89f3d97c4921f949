import { conv2dBias, conv2dInputGrad, conv2dWeightGrad, conv2d as kernel } from '../../kernels/conv2d.ts';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { type Conv2dOptions, conv2d, convTranspose2d } from '../../src/ops/conv2d.ts';
import { square } from '../../src/ops/elementwise.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('conv2d');

interface Case {
  x: [number, number, number, number];
  kernel: [number, number];
  k: number;
  options: Conv2dOptions;
}

const cases: Case[] = [
  { x: [2, 5, 9, 4], kernel: [3, 3], k: 8, options: { padding: 1 } },
  { x: [1, 7, 11, 8], kernel: [3, 3], k: 12, options: { stride: 2, padding: 1 } },
  { x: [2, 6, 13, 3], kernel: [3, 3], k: 16, options: { padding: 1 } },
  { x: [1, 9, 10, 6], kernel: [7, 7], k: 5, options: { stride: 2, padding: 3 } },
  { x: [1, 8, 8, 8], kernel: [1, 1], k: 19, options: {} },
  { x: [2, 9, 7, 8], kernel: [3, 3], k: 8, options: { padding: 2, dilation: 2 } },
  { x: [1, 6, 5, 16], kernel: [3, 3], k: 20, options: { padding: 6, dilation: 6 } },
  { x: [2, 6, 9, 8], kernel: [3, 3], k: 8, options: { padding: 1, groups: 8 } },
  { x: [1, 7, 9, 16], kernel: [3, 3], k: 24, options: { padding: 1, groups: 2 } },
  {
    x: [1, 7, 10, 6],
    kernel: [3, 2],
    k: 9,
    options: { stride: [2, 3], padding: [1, 0], dilation: [1, 2], groups: 3 },
  },
  { x: [1, 5, 5, 4], kernel: [3, 3], k: 1, options: { padding: 1 } },
];

const count = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

const inputsOf = ({ x, kernel: [kh, kw], k, options }: Case) => {
  const weight = [kh, kw, x[3] / (options.groups ?? 1), k];
  return [
    { shape: x, data: randoms(count(x), 1) },
    { shape: weight, data: randoms(count(weight), 2) },
    { shape: [k], data: randoms(k, 3) },
  ];
};

const label = (c: Case) => `x [${c.x}], ${c.kernel} -> ${c.k}, ${JSON.stringify(c.options)}`;

for (const one of cases) {
  test(`value and gradients: ${label(one)}`, async () => {
    const device = await testGpu();
    const [x, w, b] = inputsOf(one);
    const biased = await gradcheck((x, w, b) => conv2d(x, w, b, one.options), [x, w, b], {
      device,
      samples: 10,
    });
    ok(biased.ok, biased.message);
    const plain = await gradcheck((x, w) => conv2d(x, w, null, one.options), [x, w], { device, samples: 6 });
    ok(plain.ok, plain.message);
  });

  test(`every variant: ${label(one)}`, async () => {
    const device = await testGpu();
    const inputs = inputsOf(one);
    for (const family of [kernel, conv2dBias, conv2dInputGrad, conv2dWeightGrad]) {
      for (const variant of family.variants) {
        device.pins.set(family.name, variant.name);
        const fn = (x: Tensor, w: Tensor, b: Tensor) =>
          conv2d(x, w, family === conv2dBias ? b : null, one.options);
        const check = await gradcheck(fn, family === conv2dBias ? inputs : inputs.slice(0, 2), {
          device,
          samples: 1,
        });
        device.pins.delete(family.name);
        ok(check.ok, `${family.name}/${variant.name}: ${check.message}`);
      }
    }
  });
}

test('second derivatives close over the three kernels', async () => {
  const device = await testGpu();
  const one: Case = { x: [1, 5, 6, 4], kernel: [3, 3], k: 4, options: { stride: 2, padding: 1 } };
  const [x, w] = inputsOf(one);
  const penalty = (x: Tensor, w: Tensor) =>
    sum(square(grad(() => sum(square(conv2d(x, w, null, one.options))), [x])[0]));
  const check = await gradcheck(penalty, [x, w], { device });
  ok(check.ok, check.message);
});

for (const options of [
  { stride: 2, padding: 1, outputPadding: 1 },
  { stride: 1, padding: 0 },
  { stride: 3, padding: 2, dilation: 2 },
]) {
  test(`convTranspose2d ${JSON.stringify(options)}`, async () => {
    const device = await testGpu();
    const inputs = [
      { shape: [2, 4, 5, 6], data: randoms(240, 1) },
      { shape: [3, 3, 5, 6], data: randoms(270, 2) },
      { shape: [5], data: randoms(5, 3) },
    ];
    const check = await gradcheck((x, w, b) => convTranspose2d(x, w, b, options), inputs, {
      device,
      samples: 10,
    });
    ok(check.ok, check.message);
  });
}

test('a hand-computed window', async () => {
  await testGpu();
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
  const w = tensor([0, 1, 0, 0, 2, 0, 0, 0, -1], [3, 3, 1, 1]);
  equal([...(await conv2d(x, w, tensor([10])).data())], [2 + 2 * 5 - 9 + 10]);
});

test('wrong shapes are refused by name', async () => {
  await testGpu();
  const x = tensor(randoms(36, 1), [1, 3, 3, 4]);
  throws(() => conv2d(x, tensor(randoms(27, 1), [3, 3, 3, 1])), /4 input channels/);
  throws(() => conv2d(x, tensor(randoms(100, 1), [5, 5, 4, 1])), /3x3 image is smaller than the 5x5 kernel/);
});
