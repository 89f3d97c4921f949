import { type GatherParams, gather, type InsertParams, insert } from '../../kernels/movement.ts';
import { grad } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import type { Element, Kernel, Numbers, Params } from '../../src/gpu/kernel.ts';
import { square } from '../../src/ops/elementwise.ts';
import { concat, flip, permute, reshape, slice, spread, stack, zeroPad } from '../../src/ops/movement.ts';
import { broadcastTo, sum, sumTo } from '../../src/ops/sum.ts';
import { testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('movement');

const counted = (n: number, from = 0) => Array.from({ length: n }, (_, k) => k + from);
const values = async (x: Tensor) => [...(await x.data())];

/** Output of a kernel that copies x into y, by each variant that applies, against the reference. */
async function variantsAgree<P extends Params>(kernel: Kernel<P>, params: P, x: number, y: number) {
  const gpu = await testGpu();
  const type: Element = kernel.bindings[0].type;
  const [from, to] = [gpu.alloc(x, type), gpu.alloc(y, type)];
  const before = new Array(y).fill(7);
  const want: Numbers = Float64Array.from(before);
  kernel.reference(params, { x: Float64Array.from(counted(x)), y: want });
  gpu.write(from, counted(x));
  for (const { name } of kernel.variants.filter((variant) => variant.applies(params, gpu.adapter))) {
    gpu.write(to, before);
    gpu.pins.set(kernel.name, name);
    gpu.run(kernel, params, { x: from, y: to });
    gpu.pins.delete(kernel.name);
    equal([...(await gpu.read(to))], [...want], `${kernel.name}/${name} ${JSON.stringify(params)}`);
  }
  for (const one of [from, to]) gpu.free(one);
}

test('gather: each variant copies what the reference does, in each type', async () => {
  for (const kernel of Object.values(gather)) {
    for (const d4 of [3, 4, 5, 12]) {
      const view: GatherParams = {
        n: 2 * 5 * 3 * d4,
        ...{ d1: 1, d2: 5, d3: 3, d4, offset: 29, s0: 31, s1: 0, s2: 0, s3: -7, s4: 2 },
      };
      await variantsAgree(kernel, view, 120, view.n);
      // From the last element down.
      const down = { ...view, n: 15 * d4, offset: 15 * d4 - 1, s0: 0, s2: -3 * d4, s3: -d4, s4: -1 };
      await variantsAgree(kernel, down, 15 * d4, 15 * d4);
    }
    // In fours: a slice of channels, rows from the last one up.
    const fours = {
      n: 2 * 5 * 3 * 8,
      d1: 1,
      d2: 5,
      d3: 3,
      d4: 8,
      offset: 36,
      s0: 0,
      s1: 0,
      s2: 40,
      s3: -12,
      s4: 1,
    };
    await variantsAgree(kernel, { ...fours, s0: 220 }, 440, fours.n);
  }
});

test('insert: each variant writes its rows and leaves the others alone', async () => {
  const cases: [outer: number, part: number, inner: number, whole: number, at: number][] = [
    [5, 3, 1, 7, 2], // 15 values: scalar only
    [8, 1, 1, 3, 1], // rows of one: four rows an invocation
    [4, 3, 1, 6, 3],
    [4, 5, 1, 9, 4],
    [3, 4, 1, 8, 4],
    [3, 4, 1, 7, 3], // rows of four at odd places
    [1, 3, 8, 5, 1],
    [2, 2, 6, 3, 0],
  ];
  for (const [outer, part, inner, whole, at] of cases) {
    const p: InsertParams = { outer, part, inner, whole, at };
    await variantsAgree(insert, p, outer * part * inner, outer * whole * inner);
  }
});

test('views whose axes can be joined, and some whose axes cannot, by hand', async () => {
  await testGpu();
  const x = tensor(counted(24), [2, 3, 1, 4]);
  equal(await values(slice(x, [0, 1, 0, 0], [2, 3, 1, 4])), [...counted(8, 4), ...counted(8, 16)]);
  equal(await values(slice(x, [0, 0, 0, 1], [2, 3, 1, 2])), [1, 5, 9, 13, 17, 21]);
  equal(
    await values(permute(x, [2, 0, 3, 1])),
    [0, 12].flatMap((a) => [0, 1, 2, 3].flatMap((b) => [0, 4, 8].map((c) => a + b + c))),
  );
  equal(await values(flip(tensor(counted(8), [2, 4]), 1)), [3, 2, 1, 0, 7, 6, 5, 4]);
  equal(await values(flip(tensor(counted(8), [1, 8]), 1)), counted(8).reverse());
  equal(await values(broadcastTo(tensor([5]), [2, 2, 1, 2])), new Array(8).fill(5));
  equal(await values(broadcastTo(tensor([5, 6], [2, 1]), [2, 2, 2])), [5, 5, 6, 6, 5, 5, 6, 6]);
  equal(await values(slice(x, [1, 2, 0, 3], [2, 3, 1, 4])), [23]);
});

test('three images of three channels joined along channels and along the batch', async () => {
  await testGpu();
  const images = [0, 100, 200].map((from) => tensor(counted(12, from), [1, 2, 2, 3]));
  equal(await values(concat(images, 0)), [...counted(12), ...counted(12, 100), ...counted(12, 200)]);
  equal(
    await values(concat(images, 3)),
    [0, 3, 6, 9].flatMap((p) => [0, 100, 200].flatMap((from) => counted(3, from + p))),
  );
});

test('shapes that no tensor can have are refused', async () => {
  await testGpu();
  const x = tensor(counted(5));
  const refused: [() => unknown, RegExp][] = [
    [() => tensor([], [-1, 0]), /shape \[-1,0\]/],
    [() => tensor([1], [0.5, 2]), /shape \[0.5,2\]/],
    [() => reshape(x, [-1, 2]), /\[5\] does not say what -1 is in \[-1,2\]/],
    [() => reshape(x, [-1, -1]), /does not say/],
    [() => reshape(tensor([], [0, 3]), [0, -1]), /does not say/],
    [() => reshape(x, [-5, -1]), /shape/],
    [() => slice(x, [0.5], [2]), /slice: 0.5:2:1/],
    [() => zeroPad(x, [-1], [0]), /zeroPad: \[-1\] before/],
    [() => zeroPad(x, [], []), /expected 1 whole numbers each/],
    [() => concat([], 0), /concat: no tensors/],
    [() => stack([], 0), /stack: no tensors/],
    [() => broadcastTo(tensor([1, 2], [1, 2]), [2]), /\[1,2\] has more axes than \[2\]/],
  ];
  for (const [make, message] of refused) {
    throws(make, (error: Error) => {
      ok(error instanceof ShapeError, `${error.name}: ${error.message}`);
      return message.test(error.message);
    });
  }
});

test('spread and sumTo refuse what does not fit; slices of slices have gradients', async () => {
  await testGpu();
  const x = tensor([1, 2, 3]);
  const bad: [() => unknown, RegExp][] = [
    [() => spread(x, [4], [2], [1]), /spread: \[3\] from \[2\] in steps of \[1\] does not fit into \[4\]/],
    [() => spread(x, [4], [0], [0]), /in steps of \[0\]/],
    [() => spread(x, [4], [-1], [1]), /from \[-1\]/],
    [() => spread(x, [2, 4], [0], [1]), /into \[2,4\]/],
    [() => sumTo(tensor([1, 2, 3, 4, 5, 6], [2, 3]), [3, 2]), /\[2,3\] and \[3,2\] do not broadcast/],
    [() => sumTo(tensor([1, 2, 3], [1, 3]), [2, 3]), /sumTo: \[2,3\] does not broadcast to \[1,3\]/],
  ];
  for (const [make, message] of bad)
    throws(make, (error: Error) => error instanceof ShapeError && message.test(error.message));
  // Nothing of x is in the slice: the gradient is zero, and so is its own.
  const [first] = grad(() => sum(square(slice(x, [1], [1], [3]))), [x]);
  equal(await values(first), [0, 0, 0]);
  const [second] = grad(() => sum(square(grad(() => sum(square(slice(x, [1], [1], [3]))), [x])[0])), [x]);
  equal(await values(second), [0, 0, 0]);
});
