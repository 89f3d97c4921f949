import { tensor } from '../../src/autograd/tensor.ts';
import type { Split } from '../../src/data/types.ts';
import { evaluateDepth } from '../../src/train/evaluate.ts';
import { testGpu } from '../device.ts';
import { ok, suite } from '../suite.ts';

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
