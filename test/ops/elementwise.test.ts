import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import * as ops from '../../src/ops/elementwise.ts';
import * as reduce from '../../src/ops/reduce.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, ok, suite } from '../suite.ts';

const test = suite('elementwise');

// Values at least 0.01 away from the kinks at 0 and at the clamp bounds.
const away = (count: number, stream: number) =>
  randoms(count, stream).map((v) => (v < 0 ? v - 0.01 : v + 0.01));
const positive = (count: number, stream: number) => randoms(count, stream, 0.2, 2);

const unary: [string, (x: Tensor) => Tensor, (n: number, s: number) => Float64Array][] = [
  ['affine', (x) => ops.affine(x, -1.5, 0.25), away],
  ['abs', ops.abs, away],
  ['exp', ops.exp, away],
  ['log', ops.log, positive],
  ['sqrt', ops.sqrt, positive],
  ['rsqrt', ops.rsqrt, positive],
  ['reciprocal', ops.reciprocal, positive],
  ['square', ops.square, away],
  ['relu', ops.relu, away],
  ['leakyRelu', (x) => ops.leakyRelu(x, 0.2), away],
  ['elu', ops.elu, away],
  ['sigmoid', ops.sigmoid, away],
  ['softplus', ops.softplus, away],
  ['tanh', ops.tanh, away],
  ['clamp', (x) => ops.clamp(x, -0.505, 0.705), (n, s) => randoms(n, s).map((v) => Math.round(v * 50) / 50)],
];

for (const [name, fn, values] of unary) {
  for (const n of [8, 15]) {
    test(`${name} of ${n} values: value, gradient, second gradient`, async () => {
      const device = await testGpu();
      const first = await gradcheck(fn, [{ shape: [n], data: values(n, 1) }], { device });
      ok(first.ok, first.message);
      const twice = (x: Tensor) => grad(() => sum(ops.square(fn(x))), [x])[0];
      const second = await gradcheck(twice, [{ shape: [n], data: values(n, 1) }], { device });
      ok(second.ok, `second order: ${second.message}`);
    });
  }
}

const binary: [string, (a: Tensor, b: Tensor) => Tensor][] = [
  ['add', ops.add],
  ['sub', ops.sub],
  ['mul', ops.mul],
  ['div', ops.div],
  ['maximum', ops.maximum],
  ['minimum', ops.minimum],
];
const shapes: [number[], number[]][] = [
  [
    [3, 4],
    [3, 4],
  ],
  [[2, 3, 5], [5]],
  [
    [2, 3, 5],
    [2, 1, 5],
  ],
  [
    [2, 1, 5],
    [3, 1],
  ],
  [[], [4]],
  [
    [2, 3, 4, 5],
    [2, 1, 1, 5],
  ],
];
for (const [name, fn] of binary) {
  for (const [a, b] of shapes) {
    test(`${name} of [${a}] and [${b}]`, async () => {
      const device = await testGpu();
      const size = (s: number[]) => s.reduce((n, d) => n * d, 1);
      const inputs = [
        { shape: a, data: positive(size(a), 1) },
        { shape: b, data: positive(size(b), 2) },
      ];
      const first = await gradcheck(fn, inputs, { device });
      ok(first.ok, first.message);
      const twice = (x: Tensor, y: Tensor) => grad(() => sum(ops.square(fn(x, y))), [x])[0];
      const second = await gradcheck(twice, inputs, { device });
      ok(second.ok, `second order: ${second.message}`);
    });
  }
}

const reductions: [string, (x: Tensor) => Tensor][] = [
  ['sum of axes 0 and 2', (x) => sum(x, [0, 2])],
  ['mean of the last axis', (x) => reduce.mean(x, [-1], true)],
  ['variance of axes 0, 1', (x) => reduce.variance(x, [0, 1])],
  ['max', (x) => reduce.max(x, 1)],
  ['min', (x) => reduce.min(x, 2, true)],
  ['logSumExp', (x) => reduce.logSumExp(x, [1])],
  ['softmax', (x) => reduce.softmax(x, 1)],
  ['logSoftmax', (x) => reduce.logSoftmax(x, -1)],
  ['l2Norm', reduce.l2Norm],
];
for (const [name, fn] of reductions) {
  test(`${name}: value, gradient, second gradient`, async () => {
    const device = await testGpu();
    const inputs = [{ shape: [3, 7, 5], data: randoms(105, 4) }];
    const first = await gradcheck(fn, inputs, { device });
    ok(first.ok, first.message);
    const twice = (x: Tensor) => grad(() => sum(ops.square(ops.affine(fn(x), 1, 0.3))), [x])[0];
    const second = await gradcheck(twice, inputs, { device });
    ok(second.ok, `second order: ${second.message}`);
  });
}

test('a sum longer than one pass agrees with the reference', async () => {
  const device = await testGpu();
  const check = await gradcheck((x) => sum(x, [0]), [{ shape: [70001, 2], data: randoms(140002, 9) }], {
    device,
    samples: 4,
  });
  ok(check.ok, check.message);
});

test('where: what is not chosen may be infinite', async () => {
  await testGpu();
  const [mask, x] = [tensor([1, 0]), tensor([0, 100])];
  const chosen = ops.where(mask, ops.exp(x), 2); // e^100 is infinite in f32
  equal([...(await chosen.data())], [1, 2]);
  const [slope] = grad(() => sum(ops.where(mask, x, ops.reciprocal(tensor([0, 4])))), [x]);
  equal([...(await slope.data())], [1, 0]);
});

test('where: gradients of operands that are broadcast against the mask', async () => {
  const device = await testGpu();
  const inputs = [
    { shape: [3, 1], data: [1, 0, 1], differentiate: false },
    { shape: [2, 1, 4], data: randoms(8, 1) },
    { shape: [], data: randoms(1, 2) },
  ];
  const check = await gradcheck((mask, a, b) => ops.where(mask, a, b), inputs, { device });
  ok(check.ok, check.message);
});

test('log has no value of its own at and below zero', async () => {
  await testGpu();
  for (const count of [4, 5]) {
    const x = [0, 1, -1, 0, 1].slice(0, count);
    equal([...(await ops.log(tensor(x)).data())], x.map(Math.log));
  }
});

test('logSoftmax of large scores keeps the digits of their differences', async () => {
  await testGpu();
  const near = await reduce.logSoftmax(tensor([0, 0.5, 1.25]), 0).data();
  const far = await reduce.logSoftmax(tensor([1e5, 100000.5, 100001.25]), 0).data();
  equal([...far], [...near]);
});

test('nothing broadcast with something is nothing, and does not disturb what is computed beside it', async () => {
  await testGpu();
  for (const [a, b, shape] of [
    [
      [2, 0],
      [2, 1],
      [2, 0],
    ],
    [[0], [1], [0]],
    [
      [3, 1, 0],
      [1, 5, 1],
      [3, 5, 0],
    ],
  ]) {
    const filled = tensor(new Float32Array(b.reduce((n, d) => n * d, 1)).fill(2), b);
    const none = ops.add(tensor([], a), filled);
    const beside = ops.exp(tensor([0, 1]));
    equal(none.shape, shape);
    equal([...(await none.data())], []);
    ok(Math.abs((await beside.data())[1] - Math.E) < 1e-6);
    const [d] = grad(() => sum(ops.mul(tensor([], a), filled)), [filled]);
    ok((await d.data()).every((v) => v === 0));
  }
});

test('operands that differ in every other axis', async () => {
  await testGpu();
  const shape = [2, 3, 2, 3, 2];
  const [rows, columns] = [
    [1, 3, 1, 3, 1],
    [2, 1, 2, 1, 2],
  ];
  const check = await gradcheck(
    (a, b) => sum(ops.square(ops.sub(ops.mul(a, b), a))),
    [
      { data: randoms(9, 1), shape: rows },
      { data: randoms(8, 2), shape: columns },
    ],
    { device: await testGpu() },
  );
  ok(check.ok, check.message);
  const x = tensor(randoms(72, 3), shape);
  const lse = await reduce.logSumExp(x, [1, 3]).data();
  const values = [...(await x.data())];
  for (const [k, got] of lse.entries()) {
    const [i, j, l] = [k >> 2, (k >> 1) & 1, k & 1];
    let total = 0;
    for (let r = 0; r < 3; r++)
      for (let q = 0; q < 3; q++) total += Math.exp(values[(((i * 3 + r) * 2 + j) * 3 + q) * 2 + l]);
    ok(Math.abs(got - Math.log(total)) < 1e-5, `${k}: ${got}`);
  }
});
