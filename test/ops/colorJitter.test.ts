import { upload } from '../../src/autograd/program.ts';
import { onDevice, ShapeError, tensor } from '../../src/autograd/tensor.ts';
import type { Jitter } from '../../src/data/augment.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { jitterSteps } from '../../src/methods/depth.ts';
import { colorJitter } from '../../src/ops/colorJitter.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, not, ok, suite, throws } from '../suite.ts';
import torchvision from './torchvision-jitter.json';

const test = suite('colorJitter');

const ORDER = ['brightness', 'contrast', 'saturation', 'hue'] as const;
const KEEP: Jitter = { brightness: 1, contrast: 1, saturation: 1, hue: 0, order: ORDER };

/** An image of one row, or images of one row each with a jitter for each. */
async function jittered(rows: readonly (readonly number[])[], jitters: readonly (Jitter | null)[]) {
  const images = tensor(rows.flat(), [rows.length, 1, rows[0].length / 3, 3]);
  return Array.from(await colorJitter(images, upload(jitterSteps([...jitters]))).data());
}

function close(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6) {
  ok(found.length === expected.length, `${found.length} values for ${expected.length}`);
  for (let i = 0; i < found.length; i++)
    ok(Math.abs(found[i] - expected[i]) <= tolerance, `[${i}] ${found[i]} for ${expected[i]}`);
}

test("torchvision's ColorJitter in four orders, on this adapter and on the reference", async () => {
  const gpu = await testGpu();
  const { width, height, image } = torchvision;
  const jitters = torchvision.jitters as (Jitter & { values: number[] })[];
  const x = image.map((byte) => byte / 255);
  for (const device of [gpu, new ReferenceDevice()]) {
    const y = await onDevice(device, () =>
      colorJitter(
        tensor(
          jitters.flatMap(() => x),
          [jitters.length, height, width, 3],
        ),
        upload(jitterSteps(jitters)),
      ).data(),
    );
    close(
      y,
      jitters.flatMap(({ values }) => values),
      3e-6,
    );
  }
});

test('no jitter, and factors of 1 without a turn in every order, keep every bit', async () => {
  await testGpu();
  const row = Array.from(randoms(3 * 12, 1, 0, 1));
  const orders = ORDER.map((_, i) => ORDER.map((_, k) => ORDER[(i + 3 * k) % 4]));
  const jitters = [null, ...orders.map((order) => ({ ...KEEP, order }))];
  const y = await jittered(
    jitters.map(() => row),
    jitters,
  );
  equal(
    y,
    jitters.flatMap(() => row),
  );
});

test('brightness is a product, clamped; contrast blends with the mean grey; saturation with each grey', async () => {
  await testGpu();
  close(await jittered([[0.2, 0.5, 0.9]], [{ ...KEEP, brightness: 1.5 }]), [0.3, 0.75, 1]);
  const mean = 0.4 * 0.9999;
  const contrast = [0.2, 0.6].flatMap((v) => new Array(3).fill(0.5 * v + 0.5 * mean));
  close(await jittered([[0.2, 0.2, 0.2, 0.6, 0.6, 0.6]], [{ ...KEEP, contrast: 0.5 }]), contrast);
  const grey = 0.2989 * 0.9 + 0.587 * 0.1 + 0.114 * 0.4;
  close(await jittered([[0.9, 0.1, 0.4]], [{ ...KEEP, saturation: 0 }]), [grey, grey, grey]);
});

test('hue turns red to green to blue and leaves greys alone', async () => {
  await testGpu();
  const turn = (hue: number, ...rgb: number[]) => jittered([rgb], [{ ...KEEP, hue }]);
  close(await turn(1 / 3, 0.8, 0.1, 0.1), [0.1, 0.8, 0.1]);
  close(await turn(-1 / 3, 0.8, 0.1, 0.1), [0.1, 0.1, 0.8]);
  close(await turn(0.5, 0.8, 0.2, 0.2), [0.2, 0.8, 0.8]);
  close(await turn(1 / 12, 1, 0, 0), [1, 0.5, 0]);
  close(await turn(0.3, 0.4, 0.4, 0.4), [0.4, 0.4, 0.4]);
  close(await turn(0.3, 0, 0, 0), [0, 0, 0]);
  const row = Array.from(randoms(3 * 64, 2, 0, 1));
  const back = await jittered([await turn(0.1, ...row)], [{ ...KEEP, hue: -0.1 }]);
  close(back, row, 1e-5);
});

test('each sample has its own steps and each image its own mean, whatever the images that go with it', async () => {
  await testGpu();
  const rows = Array.from({ length: 6 }, (_, i) => Array.from(randoms(3 * 10, 10 + i, 0, 1)));
  const jitters: (Jitter | null)[] = [
    {
      brightness: 1.2,
      contrast: 0.7,
      saturation: 1.1,
      hue: 0.05,
      order: ['hue', 'contrast', 'brightness', 'saturation'],
    },
    null,
    {
      brightness: 0.8,
      contrast: 1.3,
      saturation: 0.9,
      hue: -0.1,
      order: ['saturation', 'brightness', 'hue', 'contrast'],
    },
  ];
  const together = await jittered(rows, jitters);
  for (const [i, row] of rows.entries())
    equal(together.slice(30 * i, 30 * i + 30), await jittered([row], [jitters[i % 3]]), `image ${i}`);
});

test('the order of the steps counts', async () => {
  await testGpu();
  const row = Array.from(randoms(3 * 8, 3, 0, 1));
  const strong = { ...KEEP, brightness: 1.4, contrast: 0.6 };
  const other = { ...strong, order: ['contrast', 'brightness', 'saturation', 'hue'] as const };
  not.equal(await jittered([row], [other]), await jittered([row], [strong]));
});

test('what is refused', async () => {
  await testGpu();
  const steps = (n: number) => upload(jitterSteps(Array(n).fill(null)));
  const images = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
  throws(
    () => colorJitter(images(4, 2, 2, 4), steps(2)),
    (e: Error) => e instanceof ShapeError && /\[4,2,2,4\] f32, expected \[M,H,W,3\] f32/.test(e.message),
  );
  throws(
    () => colorJitter(images(4, 2, 2, 3), steps(3)),
    /steps \[3,7,4\] f32, expected \[N,7,4\] f32 with N a divisor of 4/,
  );
  throws(
    () => colorJitter(images(4, 2, 2, 3), { ...steps(2), before: images(4, 4, 4) }),
    /before \[4,4,4\] f32, expected \[N,7,4\]/,
  );
});
