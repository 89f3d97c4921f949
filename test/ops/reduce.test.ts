import {
  type AxisParams,
  type ReduceParams,
  reduceMax,
  reduceMin,
  reduceSum,
  softmax,
  softmaxGrad,
} from '../../kernels/reduce.ts';
import { grad } from '../../src/autograd/tape.ts';
import { launch, tensor } from '../../src/autograd/tensor.ts';
import { canRun, type Kernel, type Numbers } from '../../src/gpu/kernel.ts';
import { square } from '../../src/ops/elementwise.ts';
import { argmax, logSumExp, max, maxValue, mean, minValue, pick } from '../../src/ops/reduce.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('reduce');

/** Every value of the kernel's output, with one variant pinned. */
async function reduced(kernel: Kernel<ReduceParams>, params: ReduceParams, x: Float64Array, variant: string) {
  const gpu = await testGpu();
  const count = params.outer * Math.ceil(params.reduce / params.chunk) * params.inner;
  const [from, to] = [gpu.alloc(x.length, 'f32'), gpu.alloc(count, 'f32')];
  gpu.write(from, x);
  gpu.pins.set(kernel.name, variant);
  gpu.run(kernel, params, { x: from, y: to });
  gpu.pins.delete(kernel.name);
  const y = await gpu.read(to);
  for (const one of [from, to]) gpu.free(one);
  const want: Numbers = new Float64Array(count);
  kernel.reference(params, { x, y: want });
  return { y: [...y], want };
}

// Axes shorter than what is loaded ahead, a multiple of it, and with a rest; a last chunk that is shorter.
const shapes: ReduceParams[] = [
  { outer: 1, reduce: 1, inner: 4, chunk: 1 },
  { outer: 3, reduce: 3, inner: 12, chunk: 3 },
  { outer: 2, reduce: 8, inner: 20, chunk: 8 },
  { outer: 5, reduce: 23, inner: 4, chunk: 7 },
  { outer: 1, reduce: 101, inner: 300, chunk: 101 },
];

for (const kernel of [reduceSum, reduceMax, reduceMin]) {
  test(`${kernel.name}: each variant as the reference, and all with the same bits`, async () => {
    for (const p of shapes) {
      const x = randoms(p.outer * p.reduce * p.inner, 3);
      const walk = await reduced(kernel, p, x, 'walk');
      const vec4 = await reduced(kernel, p, x, 'vec4');
      ok(relativeError(walk.y, walk.want) < 1e-6, JSON.stringify(p));
      equal(vec4.y, walk.y, JSON.stringify(p));
      const odd = { ...p, inner: p.inner - 1 };
      const { y, want } = await reduced(kernel, odd, x.slice(0, odd.outer * odd.reduce * odd.inner), 'walk');
      ok(relativeError(y, want) < 1e-6, JSON.stringify(odd));
    }
  });
}

for (const kernel of [reduceSum, reduceMax, reduceMin]) {
  test(`${kernel.name}: a workgroup per chunk, by a tree and, where the adapter has them, by subgroups`, async () => {
    const { subgroups } = (await testGpu()).adapter;
    for (const p of [
      { outer: 1, reduce: 16, inner: 1, chunk: 16 },
      { outer: 3, reduce: 65, inner: 7, chunk: 65 },
      { outer: 2, reduce: 513, inner: 3, chunk: 256 },
      // More workgroups than one dimension takes.
      ...(kernel === reduceSum ? [{ outer: 9999, reduce: 17, inner: 7, chunk: 17 }] : []),
    ]) {
      for (const variant of subgroups ? ['tree', 'subgroups'] : ['tree']) {
        const { y, want } = await reduced(kernel, p, randoms(p.outer * p.reduce * p.inner, 4), variant);
        ok(relativeError(y, want) < 1e-6, `${variant} ${JSON.stringify(p)}`);
      }
    }
  });
}

/** The result of a kernel by one of its variants. */
async function byVariant(
  kernel: Kernel<AxisParams>,
  p: AxisParams,
  held: [string, Float64Array][],
  variant: string,
) {
  const gpu = await testGpu();
  const tensors = Object.fromEntries(held.map(([name, values]) => [name, tensor(values, [values.length])]));
  gpu.pins.set(kernel.name, variant);
  is(gpu.variant(kernel, p).name, variant);
  launch(kernel, p, tensors);
  gpu.pins.delete(kernel.name);
  return [...(await tensors[held.at(-1)![0]].data())];
}

for (const [kernel, most] of [
  [softmax, 63],
  [softmaxGrad, 31],
] as const) {
  test(`${kernel.name}: lines in workgroup memory have the bits of the walk, up to ${most} values`, async () => {
    // Fewer lines than a workgroup has, more than one workgroup, the last not full; odd and even lengths.
    for (const [outer, reduce] of [
      [1, 1],
      [64, 2],
      [65, 19],
      [200, 30],
      [70, most],
      // Workgroups in two dimensions, more of them than there are lines for.
      ...(kernel === softmax ? [[64 * 65537 - 50, 1]] : []),
    ]) {
      const p = { outer, reduce, inner: 1 };
      // So far apart that e^x overflows where another value than the greatest is taken out.
      const held = kernel.bindings.map(({ name }, i): [string, Float64Array] => [
        name,
        randoms(outer * reduce, i, -200, 200),
      ]);
      const staged = await byVariant(kernel, p, held, 'staged');
      equal(staged, await byVariant(kernel, p, held, 'walk'), JSON.stringify(p));
      const want = Object.fromEntries(held.map(([name, values]) => [name, values.slice()]));
      kernel.reference(p, want);
      ok(relativeError(staged, want[held.at(-1)![0]]) < 1e-6, JSON.stringify(p));
    }
    const tooLong = { outer: 2, reduce: most + 1, inner: 1 };
    ok(!canRun(kernel.variants.find(({ name }) => name === 'staged')!, tooLong));
    ok(!canRun(kernel.variants.find(({ name }) => name === 'staged')!, { ...tooLong, reduce: 3, inner: 2 }));
  });
}

test('a sum of floats goes from first to last, unless subgroups are asked for', async () => {
  const { pins } = await testGpu();
  pins.set('reduceSum', 'vec4');
  // 2^24 + 1 is no f32: each 1 is lost if it comes after 2^24, and counts if it comes before.
  const big = 2 ** 24;
  const at = async (values: number[]) => (await sum(tensor(values, [values.length, 1]), [0])).item();
  is(await at([1, 1, big]), big + 2);
  is(await at([big, 1, 1]), big);
  const columns = [1, 1, big, 1, 1, big, 1, 1].flatMap((v) => [v, v, v, v]);
  equal([...(await sum(tensor(columns, [8, 4]), [0]).data())], new Array(4).fill(2 * big + 4));
  pins.delete('reduceSum');
});

test('a sum over axes of length one launches nothing and has a gradient', async () => {
  const gpu = await testGpu();
  const x = tensor([1, -2, 3], [1, 3, 1]);
  const before = gpu.dispatches;
  const y = sum(x, [0, 2]);
  is(gpu.dispatches, before);
  equal(y.shape, [3]);
  equal(sum(x, [0], true).shape, [1, 3, 1]);
  equal([...(await y.data())], [1, -2, 3]);
  const [g] = grad(() => sum(square(sum(x, [0, 2]))), [x]);
  equal([...(await g.data())], [2, -4, 6]);
});

test('no values have a sum, and nothing else', async () => {
  await testGpu();
  const none = tensor([], [0, 3]);
  equal([...(await sum(none, [0]).data())], [0, 0, 0]);
  const refused = { mean, maxValue, minValue };
  for (const [name, fn] of Object.entries(refused)) {
    throws(
      () => fn(none, [0]),
      (error: Error) => error.message === `${name}: no values along axes [0] of [0,3]`,
    );
  }
  throws(() => argmax(none, 0), /^argmax: no values/);
  throws(() => max(none, 0), /^max: no values/);
});

test('pick wants an index for every place', async () => {
  await testGpu();
  const x = tensor([1, 2, 3, 4], [2, 2]);
  throws(() => pick(x, tensor([0], [1], 'i32'), 1), /index \[1\] along axis 1 of \[2,2\], expected \[2\]/);
});

test('extremes of infinite values, in short and long lines', async () => {
  await testGpu();
  for (const count of [1, 2, 3, 7, 64, 5000]) {
    for (const inner of [1, 3, 4]) {
      const line = (value: number) => tensor(new Float32Array(count * inner).fill(value), [count, inner]);
      const all = async (x: Promise<ArrayLike<number>>, value: number) =>
        ok(
          Array.from(await x).every((v) => v === value),
          `${count} x ${inner}, ${value}`,
        );
      await all(maxValue(line(-Infinity), [0]).data(), -Infinity);
      await all(minValue(line(Infinity), [0]).data(), Infinity);
      await all(logSumExp(line(-Infinity), [0]).data(), -Infinity);
      await all(logSumExp(line(Infinity), [0]).data(), Infinity);
    }
  }
});
