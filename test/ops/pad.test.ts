import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { square } from '../../src/ops/elementwise.ts';
import { reflectionPad2d } from '../../src/ops/pad.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { is, ok, suite, throws } from '../suite.ts';

const test = suite('pad');

const checks = async (pad: number, shape: number[]) => {
  const device = await testGpu();
  const count = shape.reduce((n, d) => n * d, 1);
  const inputs = [{ shape, data: randoms(count, 3) }];
  const fn = (x: Tensor) => reflectionPad2d(x, pad);
  const first = await gradcheck(fn, inputs, { device });
  ok(first.ok, `pad ${pad} of [${shape}]: ${first.message}`);
  const twice = (x: Tensor) => grad(() => sum(square(fn(square(x)))), [x])[0];
  const second = await gradcheck(twice, inputs, { device, samples: 8 });
  ok(second.ok, `pad ${pad} of [${shape}], second order: ${second.message}`);
};

// 4 of 5 pixels: the middle ones have images beyond both borders.
for (const pad of [0, 1, 2, 4]) {
  test(`reflectionPad2d by ${pad}: value, gradient, second gradient`, async () => {
    for (const c of [1, 3, 5, 8]) await checks(pad, [2, 7, 5, c]);
  });
}

test('the scalar variants agree with the reference where vec4 applies', async () => {
  const gpu = await testGpu();
  const names = ['reflectionPad', 'reflectionPadAdjoint'];
  for (const name of names) gpu.pins.set(name, 'scalar');
  await checks(2, [1, 3, 5, 4]);
  for (const name of names) gpu.pins.delete(name);
});

test('by hand', async () => {
  await testGpu();
  const x = tensor([1, 2, 3, 4, 5, 6], [1, 2, 3, 1]);
  const y = await reflectionPad2d(x, 1).data();
  is([...y].join(), '5,4,5,6,5,2,1,2,3,2,5,4,5,6,5,2,1,2,3,2');
  const [dx] = grad(() => sum(reflectionPad2d(x, 1)), [x]);
  is([...(await dx.data())].join(), '2,6,2,2,6,2');
});

test('a pad that does not fit is named', async () => {
  await testGpu();
  const x = tensor(new Float32Array(6), [1, 2, 3, 1]);
  throws(
    () => reflectionPad2d(x, 2),
    (e: Error) => e instanceof ShapeError && e.message.includes('pad 2 of [1,2,3,1]'),
  );
});
