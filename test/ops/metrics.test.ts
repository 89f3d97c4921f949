import { onDevice, ShapeError, tensor } from '../../src/autograd/tensor.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { uniform } from '../../src/gpu/threefry.ts';
import { countConfusions } from '../../src/ops/metrics.ts';
import { testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('confusion counts');

const draw = (n: number, stream: number, classes: number) =>
  Array.from({ length: n }, (_, k) => {
    const c = Math.floor(uniform(9, stream, k) * (classes + 3)) - 1;
    return c > classes ? 255 : c;
  });

for (const [classes, pixels] of [
  [1, 65],
  [3, 511],
  [8, 20_001],
  [19, 600_000],
]) {
  test(`${classes} classes, ${pixels} pixels, two batches, against plain loops`, async () => {
    const device = await testGpu();
    const batches = [1, 2].map((b) => ({
      prediction: draw(pixels, 2 * b, classes),
      label: draw(pixels, 2 * b + 1, classes),
    }));
    const want = new Array(classes * classes).fill(0);
    for (const { prediction, label } of batches) {
      for (let i = 0; i < pixels; i++) {
        const [t, q] = [label[i], prediction[i]];
        if (t >= 0 && t < classes && q >= 0 && q < classes) want[t * classes + q] += 1;
      }
    }
    ok(want.some((n) => n > 0));
    for (const on of [device, new ReferenceDevice()]) {
      const counts = onDevice(on, () => {
        const made = tensor(new Uint32Array(classes * classes), [classes, classes], 'u32');
        for (const { prediction, label } of batches) {
          countConfusions(made, tensor(prediction, [pixels], 'i32'), tensor(label, [pixels], 'i32'));
        }
        return made;
      });
      equal([...(await counts.data())], want);
    }
  });
}

test('an ignore label inside the classes, and arguments that do not fit', async () => {
  await testGpu();
  const counts = tensor([0, 0, 0, 5], [2, 2], 'u32');
  const label = tensor([0, 1, 1, 255], [4], 'i32');
  countConfusions(counts, tensor([0, 0, 1, 1], [4], 'i32'), label, 0);
  equal([...(await counts.data())], [0, 0, 1, 6]);
  const shapeError = (error: Error) => error instanceof ShapeError;
  throws(() => countConfusions(tensor([0, 0], [2, 1], 'u32'), label, label), shapeError);
  throws(() => countConfusions(counts, tensor([0], [1], 'i32'), label), shapeError);
});
