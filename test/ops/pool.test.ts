import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { square } from '../../src/ops/elementwise.ts';
import { adaptiveAvgPool2d, avgPool2d, globalAvgPool, maxPool2d } from '../../src/ops/pool.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { is, ok, suite, throws } from '../suite.ts';

const test = suite('pool');

const sizeOf = (shape: number[]) => shape.reduce((n, d) => n * d, 1);

/** Values at least 0.01 apart, in a random order: no window has two equal maxima. */
function distinct(count: number): Float64Array {
  const order = [...randoms(count, 3)].map((key, i) => ({ key, i })).sort((a, b) => a.key - b.key);
  const values = new Float64Array(count);
  order.forEach(({ i }, rank) => {
    values[i] = rank * 0.01 - count * 0.005;
  });
  return values;
}

const modes: [string, (x: Tensor) => Tensor][] = [
  ['maxPool2d 3x3 s2 p1', (x) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1 })],
  ['maxPool2d 2x2', (x) => maxPool2d(x, { kernel: 2 })],
  ['maxPool2d 2x3 s1x3', (x) => maxPool2d(x, { kernel: [2, 3], stride: [1, 3], padding: [0, 1] })],
  ['avgPool2d 3x3 s1', (x) => avgPool2d(x, { kernel: 3, stride: 1 })],
  ['avgPool2d 3x3 s2 p1', (x) => avgPool2d(x, { kernel: 3, stride: 2, padding: 1 })],
  [
    'avgPool2d 3x2 s2x1 p1, padding not counted',
    (x) => avgPool2d(x, { kernel: [3, 2], stride: [2, 1], padding: 1, countIncludePad: false }),
  ],
  ['avgPool2d 2x2 s4, inputs in no window', (x) => avgPool2d(x, { kernel: 2, stride: 4 })],
  ['adaptiveAvgPool2d to fewer', (x) => adaptiveAvgPool2d(x, [3, 4])],
  ['adaptiveAvgPool2d to more', (x) => adaptiveAvgPool2d(x, [10, 4])],
  ['globalAvgPool', globalAvgPool],
];

const checks = async (name: string, fn: (x: Tensor) => Tensor, shape: number[]) => {
  const device = await testGpu();
  const inputs = [{ shape, data: distinct(sizeOf(shape)) }];
  const first = await gradcheck(fn, inputs, { device, eps: 1e-4 });
  ok(first.ok, `${name} [${shape}]: ${first.message}`);
  const twice = (x: Tensor) => grad(() => sum(square(fn(square(x)))), [x])[0];
  const positive = [{ shape, data: inputs[0].data.map((v) => Math.sqrt(v + sizeOf(shape) * 0.005 + 1)) }];
  const second = await gradcheck(twice, positive, { device, samples: 8 });
  ok(second.ok, `${name} [${shape}], second order: ${second.message}`);
};

for (const [name, fn] of modes) {
  test(`${name}: value, gradient, second gradient`, async () => {
    for (const c of [1, 3, 8]) await checks(name, fn, [2, 7, 5, c]);
  });
}

test('the scalar variants agree with the reference where vec4 applies', async () => {
  const gpu = await testGpu();
  const names = ['maxPool', 'avgPool', 'adaptiveAvgPool'].flatMap((name) => [name, `${name}Adjoint`]);
  for (const name of names) gpu.pins.set(name, 'scalar');
  for (const [name, fn] of modes) await checks(name, fn, [1, 5, 7, 4]);
  for (const name of names) gpu.pins.delete(name);
});

test('maxPool2d by hand: the first of equal maxima gets the gradient', async () => {
  await testGpu();
  const x = tensor([1, 4, 4, -2, -3, -4], [1, 2, 3, 1]);
  const y = maxPool2d(x, { kernel: 2, stride: 1 });
  is([...(await y.data())].join(), '4,4');
  const [dx] = grad(() => sum(maxPool2d(x, { kernel: [1, 3] })), [x]);
  is([...(await dx.data())].join(), '0,1,0,1,0,0');
});

test('avgPool2d by hand: padding counts or not', async () => {
  await testGpu();
  const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
  const window = { kernel: 2, padding: 1 };
  is([...(await avgPool2d(x, window).data())].join(), '0.25,0.5,0.75,1');
  is([...(await avgPool2d(x, { ...window, countIncludePad: false }).data())].join(), '1,2,3,4');
});

test('adaptiveAvgPool2d by hand: windows 0..2 and 1..3 of three', async () => {
  await testGpu();
  const x = tensor([1, 2, 6], [1, 1, 3, 1]);
  is([...(await adaptiveAvgPool2d(x, [1, 2]).data())].join(), '1.5,4');
});

test('wrong arguments are named', async () => {
  await testGpu();
  const x = tensor(new Float32Array(12), [1, 2, 3, 2]);
  throws(
    () => maxPool2d(x, { kernel: 3, padding: 2 }),
    (e: Error) => e instanceof ShapeError && e.message.includes('more than half the kernel [3,3]'),
  );
  throws(
    () => avgPool2d(x, { kernel: 3 }),
    (e: Error) => e instanceof ShapeError && e.message.includes('does not fit [1,2,3,2]'),
  );
  throws(
    () => adaptiveAvgPool2d(x, [0, 1]),
    (e: Error) => e instanceof ShapeError && e.message.includes('whole numbers from 1 on, got 0,1'),
  );
});
