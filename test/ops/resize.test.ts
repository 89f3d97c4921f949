import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { square } from '../../src/ops/elementwise.ts';
import { adaptiveAvgPool2d } from '../../src/ops/pool.ts';
import { resizeBilinear, resizeNearest } from '../../src/ops/resize.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { is, ok, suite, throws } from '../suite.ts';

const test = suite('resize');

const modes: [string, (x: Tensor, size: [number, number]) => Tensor][] = [
  ['nearest', resizeNearest],
  ['bilinear', (x, size) => resizeBilinear(x, size)],
  ['bilinear, corners aligned', (x, size) => resizeBilinear(x, size, { alignCorners: true })],
];

const sizes: [number, number][] = [
  [14, 10], // twice
  [7, 5],
  [17, 13],
  [3, 4],
  [1, 16],
  [20, 2],
];

const checks = async (fn: (x: Tensor) => Tensor, shape: number[], what: string) => {
  const device = await testGpu();
  const inputs = [
    {
      shape,
      data: randoms(
        shape.reduce((n, d) => n * d, 1),
        3,
      ),
    },
  ];
  const first = await gradcheck(fn, inputs, { device });
  ok(first.ok, `${what}: ${first.message}`);
  const twice = (x: Tensor) => grad(() => sum(square(fn(square(x)))), [x])[0];
  const second = await gradcheck(twice, inputs, { device, samples: 8 });
  ok(second.ok, `${what}, second order: ${second.message}`);
};

for (const [name, fn] of modes) {
  for (const size of sizes) {
    test(`${name} of 7x5 to ${size}: value, gradient, second gradient`, async () => {
      for (const c of [1, 3, 8]) await checks((x) => fn(x, size), [2, 7, 5, c], `${c} channels`);
    });
  }
  test(`${name} from one pixel and to one pixel`, async () => {
    await checks((x) => fn(x, [3, 2]), [1, 1, 1, 4], 'from one');
    await checks((x) => fn(x, [1, 1]), [1, 4, 3, 4], 'to one');
    await checks((x) => fn(x, [1, 1]), [1, 4, 3, 1], 'to one, one channel');
  });
}

test('the other variants agree with the reference', async () => {
  const gpu = await testGpu();
  const kernels = ['resizeNearest', 'resizeBilinear', 'resizeLinearAxis'].flatMap((k) => [k, `${k}Adjoint`]);
  for (const variant of ['vec4', 'scalar']) {
    for (const kernel of kernels) gpu.pins.set(kernel, variant);
    for (const [name, fn] of modes) await checks((x) => fn(x, [6, 10]), [2, 3, 5, 8], `${name} ${variant}`);
    for (const kernel of kernels) gpu.pins.delete(kernel);
  }
});

test('by hand: 1 3 to five pixels', async () => {
  await testGpu();
  const x = tensor([1, 3], [1, 1, 2, 1]);
  is([...(await resizeNearest(x, [1, 5]).data())].join(), '1,1,1,3,3');
  // Sources 0.4 o - 0.3: 0 (below), 0.1, 0.5, 0.9, 1.3 (past the last).
  const half = [...(await resizeBilinear(x, [1, 5]).data())].map((v) => v.toFixed(4));
  is(half.join(), '1.0000,1.2000,2.0000,2.8000,3.0000');
  const corners = await resizeBilinear(x, [1, 5], { alignCorners: true }).data();
  is([...corners].join(), '1,1.5,2,2.5,3');
});

test('the adjoint carries every weight once: the gradient of a sum adds up to the outputs', async () => {
  await testGpu();
  for (const [h, w, oh, ow] of [
    [24, 40, 192, 320],
    [37, 91, 23, 512],
    [192, 5, 11, 333],
  ]) {
    for (const [name, fn] of modes) {
      const x = tensor(new Float32Array(h * w * 4), [1, h, w, 4]);
      const [dx] = grad(() => sum(fn(x, [oh, ow])), [x]);
      let total = 0;
      for (const v of await dx.data()) total += v;
      ok(Math.abs(total / (oh * ow * 4) - 1) < 1e-5, `${name} ${h}x${w} to ${oh}x${ow}: ${total}`);
    }
  }
});

test('wrong arguments are named', async () => {
  await testGpu();
  const x = tensor(new Float32Array(12), [2, 3, 2]);
  throws(
    () => resizeNearest(x, [2, 2]),
    (e: Error) => e instanceof ShapeError && e.message.includes('needs [N,H,W,C], got [2,3,2]'),
  );
  throws(
    () => resizeBilinear(tensor(new Float32Array(12), [1, 2, 3, 2]), [2.5, 2]),
    (e: Error) => e instanceof ShapeError && e.message.includes('got 2.5,2'),
  );
  for (const resize of [resizeNearest, resizeBilinear]) {
    throws(
      () => resize(tensor([], [1, 0, 3, 2]), [2, 2]),
      (e: Error) => e instanceof ShapeError && e.message.includes('[1,0,3,2] has images without pixels'),
    );
  }
});

test('axes whose positions do not fit into 32 bits are refused', async () => {
  await testGpu();
  const line = tensor(new Float32Array(40000), [1, 1, 40000, 1]);
  for (const resize of [resizeNearest, resizeBilinear, adaptiveAvgPool2d])
    throws(
      () => resize(line, [1, 30000]),
      (e: Error) => e instanceof ShapeError && /axis of 40000 pixels to 30000; .* 2\^30/.test(e.message),
    );
  is((await resizeNearest(line, [1, 20000]).data()).length, 20000);
});
