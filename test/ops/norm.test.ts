import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad, vjp } from '../../src/autograd/tape.ts';
import { onDevice, ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { mul, square } from '../../src/ops/elementwise.ts';
import { batchNorm, groupNorm, instanceNorm } from '../../src/ops/norm.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { is, ok, suite, throws } from '../suite.ts';

const test = suite('norm');

const input = (shape: number[], stream: number, low = -1, high = 1) => ({
  shape,
  data: randoms(
    shape.reduce((n, d) => n * d, 1),
    stream,
    low,
    high,
  ),
});
const fixed = (c: number, stream: number, low: number, high: number) => ({
  ...input([c], stream, low, high),
  differentiate: false,
});

interface Case {
  name: string;
  fn: (...inputs: Tensor[]) => Tensor;
  c: number[];
  affine: boolean;
}
const cases: Case[] = [
  {
    name: 'batchNorm, training',
    fn: (x, gamma, beta, rm, rv) => batchNorm(x, gamma, beta, rm, rv, { training: true }),
    c: [1, 5, 8],
    affine: true,
  },
  {
    name: 'batchNorm, frozen',
    fn: (x, gamma, beta, rm, rv) => batchNorm(x, gamma, beta, rm, rv, { training: false }),
    c: [3, 8],
    affine: true,
  },
  { name: 'instanceNorm', fn: (x) => instanceNorm(x), c: [1, 3, 8], affine: false },
  {
    name: 'instanceNorm, affine',
    fn: (x, gamma, beta) => instanceNorm(x, gamma, beta, { eps: 1e-3 }),
    c: [5, 4],
    affine: true,
  },
  {
    name: 'groupNorm',
    fn: (x, gamma, beta) => groupNorm(x, gamma, beta, { groups: 2 }),
    c: [6, 8],
    affine: true,
  },
  {
    name: 'groupNorm of one group',
    fn: (x, gamma, beta) => groupNorm(x, gamma, beta, { groups: 1 }),
    c: [3],
    affine: true,
  },
  ...([true, false] as const).flatMap((training) =>
    (['relu', 'elu'] as const).map((activation) => ({
      name: `batchNorm, ${training ? 'training' : 'frozen'}, ${activation}`,
      fn: (x: Tensor, gamma: Tensor, beta: Tensor, rm: Tensor, rv: Tensor) =>
        batchNorm(x, gamma, beta, rm, rv, { training, activation }),
      c: [3, 8],
      affine: true,
    })),
  ),
];

const inputsOf = (one: Case, x: number[]) => {
  const c = x[x.length - 1];
  const affine = [input([c], 2, 0.5, 1.5), input([c], 3)];
  const running = [fixed(c, 4, -0.5, 0.5), fixed(c, 5, 0.5, 2)];
  return [input(x, 1), ...(one.affine ? affine : []), ...(one.name.startsWith('batch') ? running : [])];
};

for (const one of cases) {
  for (const c of one.c) {
    test(`${one.name}, ${c} channels: value, gradient, second gradient`, async () => {
      const device = await testGpu();
      // 35 positions are two chunks, the second one short.
      const inputs = inputsOf(one, [3, 7, 5, c]);
      const first = await gradcheck(one.fn, inputs, { device });
      ok(first.ok, first.message);
      const few = inputsOf(one, [2, 3, 3, c]);
      const weights = randoms(18 * c, 9);
      const twice = (...xs: Tensor[]) =>
        grad(() => sum(mul(square(one.fn(...xs)), tensor(weights, xs[0].shape))), [xs[0]])[0];
      const second = await gradcheck(twice, few, { device, samples: 8 });
      ok(second.ok, `second order: ${second.message}`);
    });
  }
}

test('[N,C] counts as images of one pixel', async () => {
  const device = await testGpu();
  for (const one of [cases[0], cases[4]]) {
    const check = await gradcheck(one.fn, inputsOf(one, [7, 6]), { device });
    ok(check.ok, check.message);
  }
});

test('every variant agrees with the reference', async () => {
  const gpu = await testGpu();
  const pins = [
    ['normPartials', 'naive'],
    ['normMerge', 'tree'],
    ['normMerge', 'walk'],
    ['normMerge.running', 'tree'],
    ['normMerge.running', 'walk'],
    ['normApply.affine', 'scalar'],
    ['normApply', 'scalar'],
    ['normGradPartials', 'scalar'],
    ['normGradMerge.affine', 'tree'],
    ['normGradMerge.affine', 'walk'],
    ['normGradMerge', 'tree'],
    ['normGradInput.affine', 'scalar'],
    ['normGradInput', 'scalar'],
  ];
  for (const [kernel, variant] of pins) {
    gpu.pins.set(kernel, variant);
    for (const one of [cases[0], cases[2], cases[4]]) {
      // 561 pixels are more than 16 chunks: fewer are not for `tree`.
      const check = await gradcheck(one.fn, inputsOf(one, [2, 17, 33, 8]), { device: gpu, samples: 2 });
      ok(check.ok, `${kernel}/${variant}, ${one.name}: ${check.message}`);
    }
    gpu.pins.delete(kernel);
  }
});

test('the fused gradient and the one built from ops agree', async () => {
  await testGpu();
  for (const one of cases) {
    const inputs = inputsOf(one, [2, 5, 7, 6]);
    const xs = inputs.map(({ shape, data }) => tensor(data, shape));
    const wrt = xs.slice(0, one.affine ? 3 : 1);
    const weights = tensor(randoms(420, 8), [2, 5, 7, 6]);
    const fused = vjp(() => one.fn(...xs), wrt)[1](weights);
    // Inside another recording the gradient is built from ops.
    let composed: Tensor[] = [];
    grad(() => {
      composed = vjp(() => one.fn(...xs), wrt)[1](weights);
      return sum(composed[0]);
    }, wrt);
    for (const [i, t] of fused.entries()) {
      const error = relativeError(await composed[i].data(), await t.data());
      ok(error < 1e-5, `${one.name}: gradient of input ${i} differs by ${error}`);
    }
  }
});

test('batchNorm by hand: output and running statistics', async () => {
  for (const device of [await testGpu(), new ReferenceDevice()]) {
    const of = (...values: number[]) => onDevice(device, () => tensor(values));
    const [gamma, beta, rm, rv] = [of(2), of(10), of(1), of(3)];
    // Mean 3, deviations -2 0 2 0: variance 2, unbiased 8 / 3.
    const x = of(1, 3, 5, 3).view([2, 2, 1, 1]);
    const y = batchNorm(x, gamma, beta, rm, rv, { training: true, momentum: 0.25, eps: 2 });
    is([...(await y.data())].join(), '8,10,12,10');
    ok(Math.abs((await rm.item()) - (0.75 * 1 + 0.25 * 3)) < 1e-6);
    ok(Math.abs((await rv.item()) - (0.75 * 3 + 0.25 * (8 / 3))) < 1e-6);
    const frozen = batchNorm(x, gamma, beta, of(1), of(2), { training: false, eps: 2 });
    is([...(await frozen.data())].join(), '10,12,14,12');
  }
});

test('a large mean does not spoil the variance', async () => {
  await testGpu();
  const c = 4;
  const positions = 4096;
  // +-1 around 4096: E[x^2] - E[x]^2 would lose every digit in f32.
  const data = Float32Array.from(
    { length: positions * c },
    (_, i) => 4096 + (Math.floor(i / c) % 2 ? 1 : -1),
  );
  const y = await instanceNorm(tensor(data, [1, 64, 64, c])).data();
  ok(Math.abs(y[0] + 1) < 1e-3 && Math.abs(y[c] - 1) < 1e-3, `${y[0]}, ${y[c]}`);
});

test('the same input gives the same bits', async () => {
  await testGpu();
  const run = async () => {
    const x = tensor(randoms(4 * 33 * 17 * 8, 6), [4, 33, 17, 8]);
    return instanceNorm(x).data();
  };
  is(Buffer.compare(Buffer.from((await run()).buffer), Buffer.from((await run()).buffer)), 0);
});

test('wrong arguments are named', async () => {
  await testGpu();
  const of = (shape: number[]) => tensor(new Float32Array(shape.reduce((n, d) => n * d, 1)), shape);
  throws(
    () => groupNorm(of([1, 2, 2, 6]), of([6]), of([6]), { groups: 4 }),
    (e: Error) => e instanceof ShapeError && e.message.includes('6 channels do not make 4 groups'),
  );
  throws(
    () => batchNorm(of([1, 2, 2, 6]), of([6]), of([5]), of([6]), of([6]), { training: true }),
    (e: Error) => e instanceof ShapeError && e.message.includes('beta must be f32 [6], got f32 [5]'),
  );
  throws(
    () => batchNorm(of([1, 6]), of([6]), of([6]), of([6]), of([6]), { training: true }),
    (e: Error) => e instanceof ShapeError && e.message.includes('at least two'),
  );
  throws(
    () => groupNorm(of([0, 2, 2, 6]), of([6]), of([6]), { groups: 2 }),
    (e: Error) => e instanceof ShapeError && e.message.includes('no value per statistic in [0,2,2,6]'),
  );
  throws(
    () => instanceNorm(of([1, 2, 2, 6]), of([6]), null),
    (e: Error) => e instanceof ShapeError && e.message.includes('go together'),
  );
});
