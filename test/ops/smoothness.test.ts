import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { ShapeError, tensor } from '../../src/autograd/tensor.ts';
import { edgeAwareSmoothness } from '../../src/ops/smoothness.ts';
import { randoms, testGpu } from '../device.ts';
import { ok, suite, throws } from '../suite.ts';

const test = suite('smoothness');

for (const [n, h, w, c] of [
  [1, 2, 2, 1],
  [2, 5, 7, 3],
  [3, 4, 3, 5],
]) {
  test(`edgeAwareSmoothness of ${n} x ${h} x ${w}, ${c} channels: value and gradient`, async () => {
    const device = await testGpu();
    const check = await gradcheck(
      edgeAwareSmoothness,
      [
        { shape: [n, h, w, 1], data: randoms(n * h * w, 1, 0.1, 1) },
        { shape: [n, h, w, c], data: randoms(n * h * w * c, 2, 0, 1), differentiate: false },
      ],
      { device },
    );
    ok(check.ok, check.message);
  });
}

test('by hand: 2 x 2 pixels', async () => {
  await testGpu();
  const disp = tensor([1, 2, 3, 6], [1, 2, 2, 1]); // mean 3
  const image = tensor([0, 0.5, 0.1, 0.9], [1, 2, 2, 1]);
  const across = (Math.exp(-0.5) * 1 + Math.exp(-0.8) * 3) / 2;
  const down = (Math.exp(-0.1) * 2 + Math.exp(-0.4) * 4) / 2;
  const got = await edgeAwareSmoothness(disp, image).item();
  ok(Math.abs(got - (across + down) / 3) < 1e-6, `${got}`);
});

test('the scale of the disparity does not matter, its shape does', async () => {
  await testGpu();
  const values = randoms(30, 1, 0.1, 1);
  const image = tensor(randoms(90, 2, 0, 1), [1, 5, 6, 3]);
  const at = (scale: number) =>
    edgeAwareSmoothness(
      tensor(
        values.map((v) => v * scale),
        [1, 5, 6, 1],
      ),
      image,
    ).item();
  ok(Math.abs((await at(1)) / (await at(20)) - 1) < 1e-5);
  const flat = tensor(new Array(30).fill(0.3), [1, 5, 6, 1]);
  ok((await edgeAwareSmoothness(flat, image).item()) === 0);
});

test('wrong shapes are named', async () => {
  await testGpu();
  const fault = (message: string) => (error: Error) =>
    error instanceof ShapeError && error.message.includes(message);
  const disp = tensor(randoms(6, 1), [1, 2, 3, 1]);
  throws(() => edgeAwareSmoothness(disp, tensor(randoms(6, 1), [1, 3, 2, 1])), fault('image [1,3,2,1]'));
  throws(() => edgeAwareSmoothness(tensor([1], [1, 1, 1, 1]), disp), fault('h, w >= 2'));
});
