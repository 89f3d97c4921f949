import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import type { Split } from '../../src/data/types.ts';
import { slice } from '../../src/ops/movement.ts';
import { evaluateDepth } from '../../src/train/evaluate.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('evaluate');

test('depth is scored by itself and with its mirror image, which takes what leans to one side out of it', async () => {
  await testGpu();
  const [width, height] = [8, 2];
  const image = { width, height, data: new Uint8Array(3 * width * height).fill(90) };
  const depth = { width, height, data: new Float32Array(width * height).fill(10) };
  const split = { length: 1, hasDepth: true, load: async () => ({ image, depth }) } as unknown as Split;
  // The disparity grows from left to right, whatever the picture shows.
  const ramp = Float32Array.from({ length: width * height }, (_, i) => 0.2 + 0.05 * (i % width));
  const model = { disparities: () => [tensor(ramp, [1, height, width, 1])] };
  const range = { minDepth: 0.1, maxDepth: 100 };

  const { ours, mirrored } = await evaluateDepth(model, split, range);
  // Of dispToDepth, 1 / (1/max + (1/min - 1/max) d), scaled to the median of the truth.
  const predicted = [...ramp].map((d) => 1 / (0.01 + 9.99 * d)).sort((a, b) => a - b);
  const half = predicted.length / 2;
  const median = (predicted[half - 1] + predicted[half]) / 2;
  const expected = predicted.reduce((sum, z) => sum + Math.abs(z / median - 1), 0) / predicted.length;
  ok(Math.abs(ours!.absRel - expected) < 1e-5, `${ours!.absRel}, expected ${expected}`);
  ok(expected > 0.2, `${expected}`);
  ok(mirrored!.absRel < 1e-5, `${mirrored!.absRel}`);
});

test('frames are scored as each would be alone, those without depth left out', async () => {
  await testGpu();
  const [width, height] = [8, 2];
  const pixels = width * height;
  // The first batch lacks one, the second all, and the last has one frame.
  const without = new Set([2, 4, 5, 6, 7]);
  const frames = Array.from({ length: 9 }, (_, k) => ({
    image: {
      width,
      height,
      data: Uint8Array.from({ length: 3 * pixels }, (_, i) => (37 * i + 59 * k) % 251),
    },
    depth: without.has(k)
      ? undefined
      : { width, height, data: Float32Array.from({ length: pixels }, (_, i) => 2 + ((7 * i + 11 * k) % 40)) },
  }));
  const splitOf = (some: typeof frames) =>
    ({ length: some.length, hasDepth: true, load: async (i: number) => some[i] }) as unknown as Split;
  const batches: number[] = [];
  const model = {
    disparities: (x: Tensor) => {
      batches.push(x.shape[0]);
      return [slice(x, [0, 0, 0, 1], [x.shape[0], height, width, 2])];
    },
  };
  const range = { minDepth: 0.1, maxDepth: 100 };
  const together = await evaluateDepth(model, splitOf(frames), range);
  // Each batch twice: its images and their mirror images.
  equal(batches, [3, 3, 1, 1]);
  const measured = frames.filter(({ depth }) => depth);
  const alone = await Promise.all(measured.map((frame) => evaluateDepth(model, splitOf([frame]), range)));
  for (const which of ['ours', 'mirrored'] as const) {
    const mean = alone.reduce((sum, one) => sum + one[which]!.absRel, 0) / alone.length;
    is(together[which]!.absRel, mean);
  }
  ok(new Set(alone.map(({ ours }) => ours!.absRel)).size === alone.length);
});
