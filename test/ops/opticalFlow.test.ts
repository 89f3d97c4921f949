import { onDevice, ShapeError, tensor } from '../../src/autograd/tensor.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { opticalFlow } from '../../src/ops/opticalFlow.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('opticalFlow');

/** A smooth picture that moved by (u, v) pixels. */
const texture = (h: number, w: number, u: number, v: number): Float64Array =>
  Float64Array.from({ length: h * w * 3 }, (_, k) => {
    const [x, y, c] = [(Math.floor(k / 3) % w) - u, Math.floor(k / 3 / w) - v, k % 3];
    return 0.5 + 0.2 * Math.sin(0.5 * x + 0.2 * y + c) + 0.15 * Math.cos(0.45 * y - 0.15 * x + 2 * c);
  });

for (const [u, v] of [
  [0.3, 0],
  [0, -0.4],
  [-0.6, 0.5],
]) {
  test(`a picture that moves by (${u}, ${v}) pixels`, async () => {
    await testGpu();
    const [h, w] = [32, 48];
    const flow = await opticalFlow(
      tensor(texture(h, w, 0, 0), [1, h, w, 3]),
      tensor(texture(h, w, u, v), [1, h, w, 3]),
      4,
    ).data();
    equal(flow.length, (h / 4) * (w / 4) * 2);
    // Cells at the border see half a gradient there.
    for (let row = 2; row < h / 4 - 2; row++) {
      for (let col = 2; col < w / 4 - 2; col++) {
        const at = 2 * (row * (w / 4) + col);
        ok(
          Math.abs(flow[at] - u) < 0.05 && Math.abs(flow[at + 1] - v) < 0.05,
          `${flow[at]}, ${flow[at + 1]}`,
        );
      }
    }
  });
}

test('one cell by hand', async () => {
  await testGpu();
  // Rows alike, so Iy = 0. Mean image 0, 0.5, 1, 1.5: Ix is 0.5 inside and 0.25 at the ends; It is -0.1 everywhere.
  const row = [0.05, 0.55, 1.05, 1.55];
  const first = [row, row, row, row].flat();
  const earlier = tensor(first, [1, 4, 4, 1]);
  const later = tensor(
    first.map((value) => value - 0.1),
    [1, 4, 4, 1],
  );
  const [u, v] = await opticalFlow(earlier, later, 4).data();
  const xx = (2 * 0.25 + 2 * 0.0625) / 4;
  const xt = (-0.1 * (2 * 0.5 + 2 * 0.25)) / 4;
  ok(Math.abs(u - -xt / (xx + 1e-4)) < 1e-5, `${u}`);
  ok(Math.abs(v) < 1e-6, `${v}`);
});

test('no texture, no motion; and never more than two pixels', async () => {
  await testGpu();
  const flat = (value: number) => tensor(new Array(64 * 3).fill(value), [1, 8, 8, 3]);
  equal([...(await opticalFlow(flat(0.5), flat(0.9), 4).data())].map(Math.abs), new Array(8).fill(0));
  const noise = await opticalFlow(
    tensor(randoms(192, 1, 0, 1), [1, 8, 8, 3]),
    tensor(
      randoms(192, 1, 0, 1).map((value) => value + 30),
      [1, 8, 8, 3],
    ),
    4,
  ).data();
  ok(Math.max(...noise.map(Math.abs)) === 2);
});

for (const [n, h, w, c, cell] of [
  [1, 3, 5, 1, 1],
  [2, 9, 15, 3, 3],
  [3, 14, 7, 2, 7],
  [1, 64, 96, 3, 4],
]) {
  test(`${n} x ${h} x ${w} x ${c}, cells of ${cell}: as the plain loops, whatever the variant`, async () => {
    const gpu = await testGpu();
    const inputs = [randoms(n * h * w * c, 1, 0, 1), randoms(n * h * w * c, 2, 0, 1)];
    const run = () =>
      opticalFlow(tensor(inputs[0], [n, h, w, c]), tensor(inputs[1], [n, h, w, c]), cell).data();
    const want = await onDevice(new ReferenceDevice(), run);
    for (const variant of ['walk', 'naive']) {
      gpu.pins.set('flowMoments', variant);
      const error = relativeError(await run(), want);
      gpu.pins.delete('flowMoments');
      ok(error < 2e-5, `${variant}: ${error}`);
    }
  });
}

test('what is wrong is named', async () => {
  await testGpu();
  const x = tensor(randoms(90, 1), [1, 5, 6, 3]);
  const fault = (message: string) => (error: Error) =>
    error instanceof ShapeError && error.message.includes(message);
  throws(() => opticalFlow(x, tensor(randoms(60, 1), [1, 5, 4, 3]), 1), fault('later [1,5,4,3]'));
  throws(() => opticalFlow(x, x, 4), fault('cells of 4 pixels in 5 x 6'));
  throws(() => opticalFlow(tensor([1, 2]), x, 1), fault('earlier [2]'));
});
