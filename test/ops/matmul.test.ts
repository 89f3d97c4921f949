import { matmul as kernel } from '../../kernels/matmul.ts';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { square } from '../../src/ops/elementwise.ts';
import { type MatmulOptions, matmul } from '../../src/ops/matmul.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('matmul');

const cases: [number[], number[], MatmulOptions][] = [
  [[7, 13], [13, 5], {}],
  [[13, 7], [5, 13], { transposeA: true, transposeB: true }],
  [[3, 4, 6], [3, 6, 5], {}],
  [[3, 4, 6], [6, 5], {}],
  [[6, 4], [3, 6, 9], { transposeA: true }],
  [[70, 33], [33, 66], {}],
  [[1, 1], [1, 1], {}],
];

for (const [a, b, options] of cases) {
  test(`[${a}] [${b}] ${JSON.stringify(options)}: every variant, second order`, async () => {
    const device = await testGpu();
    const size = (s: number[]) => s.reduce((n, d) => n * d, 1);
    const inputs = [
      { shape: a, data: randoms(size(a), 1) },
      { shape: b, data: randoms(size(b), 2) },
    ];
    for (const variant of kernel.variants.filter(({ rounding }) => !rounding)) {
      device.pins.set(kernel.name, variant.name);
      const check = await gradcheck((x, y) => matmul(x, y, options), inputs, { device, samples: 8 });
      device.pins.delete(kernel.name);
      ok(check.ok, `${variant.name}: ${check.message}`);
    }
    const twice = (x: Tensor, y: Tensor) => grad(() => sum(square(matmul(x, y, options))), [x])[0];
    const second = await gradcheck(twice, inputs, { device, samples: 4 });
    ok(second.ok, `second order: ${second.message}`);
  });
}

test('a hand-computed product, and shapes refused', async () => {
  await testGpu();
  const a = tensor([1, 2, 3, 4], [2, 2]);
  equal([...(await matmul(a, tensor([5, 6, 7, 8], [2, 2])).data())], [19, 22, 43, 50]);
  throws(() => matmul(a, tensor([1, 2, 3], [3, 1])), /\[2,2\] times \[3,1\]/);
});
