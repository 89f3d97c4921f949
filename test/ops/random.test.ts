import { onDevice, ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { threefry2x32, uniform } from '../../src/gpu/threefry.ts';
import { randomBits, randomNormal, randomUniform } from '../../src/ops/random.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('random');

const key = (seed: number, step: number) => tensor([seed, step], [2], 'u32');
const KEYS: [number, number, number][] = [
  [0, 0, 0],
  [42, 7, 3],
  [0xffffffff, 0x80000000, 0xffffffff],
];

for (const [seed, at, use] of KEYS) {
  test(`bits and uniform numbers of (${seed}, ${at}, ${use}) as in TypeScript, bit by bit`, async () => {
    await testGpu();
    const shape = [3, 5, 67];
    const bits = await randomBits(shape, key(seed, at), use).data();
    const floats = await randomUniform(shape, key(seed, at), use).data();
    for (let i = 0; i < 1005; i++) {
      const word = threefry2x32(seed, at, i, use)[0];
      is(bits[i], word);
      is(floats[i], (word >>> 8) / 2 ** 24);
      if (use === 0) is(floats[i], uniform(seed, at, i));
    }
  });
}

test('another seed, step or use gives other numbers; an element does not depend on the shape', async () => {
  await testGpu();
  const draw = async (seed: number, at: number, use: number, n = 64) =>
    [...(await randomBits([n], key(seed, at), use).data())].slice(0, 64);
  const base = await draw(1, 2, 3);
  equal(await draw(1, 2, 3, 1000), base);
  for (const other of [await draw(2, 2, 3), await draw(1, 3, 3), await draw(1, 2, 4), await draw(2, 1, 3)]) {
    ok(other.filter((word, i) => word === base[i]).length === 0);
  }
});

test('normal numbers on the device as on the reference', async () => {
  const device = await testGpu();
  const draw = () => randomNormal([20_000], key(5, 6), 7);
  const want = await onDevice(new ReferenceDevice(), draw).data();
  const got = await onDevice(device, draw).data();
  let worst = 0;
  for (let i = 0; i < want.length; i++)
    worst = Math.max(worst, Math.abs(got[i] - want[i]) / Math.max(1, Math.abs(want[i])));
  ok(worst < 5e-6, `off by ${worst}`);
});

const moments = async (x: Tensor, center: number) => {
  const values = Array.from(await x.data());
  const power = (k: number) => values.reduce((sum, v) => sum + (v - center) ** k, 0) / values.length;
  return [power(1), power(2), power(3), power(4)];
};

test('moments of both distributions, within five standard errors', async () => {
  await testGpu();
  const n = 200_000;
  const within = (got: number, want: number, deviation: number) =>
    ok(Math.abs(got - want) < (5 * deviation) / Math.sqrt(n), `${got}, expected ${want}`);
  const normal = await moments(randomNormal([n], key(1, 1), 0), 0);
  within(normal[0], 0, 1);
  within(normal[1], 1, Math.sqrt(2));
  within(normal[2], 0, Math.sqrt(15));
  within(normal[3], 3, Math.sqrt(96));
  const flat = await moments(randomUniform([n], key(1, 1), 0), 0.5);
  within(flat[0], 0, Math.sqrt(1 / 12));
  within(flat[1], 1 / 12, Math.sqrt(1 / 180));
});

test('the reference crosses tabulated quantiles where the uniform number of the same bits does', async () => {
  const draw = (fn: typeof randomNormal) =>
    onDevice(new ReferenceDevice(), () => fn([5000], key(3, 4), 0)).data();
  const [values, floats] = [await draw(randomNormal), await draw(randomUniform)];
  for (let i = 0; i < 5000; i++) {
    is(floats[i] > 0.9, values[i] > 1.2815515655446004);
    is(floats[i] > 0.0013498980316301, values[i] > -3);
    is(floats[i] > 0.5, values[i] > 0);
  }
});

test('a key of the wrong type or size is refused', async () => {
  await testGpu();
  const shapeError = (error: Error) => error instanceof ShapeError;
  throws(() => randomUniform([3], tensor([1, 2]), 0), shapeError);
  throws(() => randomUniform([3], tensor([1, 2, 3], [3], 'u32'), 0), shapeError);
  throws(() => randomUniform([3], key(1, 2), -1), shapeError);
});
