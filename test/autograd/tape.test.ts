import { gradcheck } from '../../src/autograd/gradcheck.ts';
import {
  GradientError,
  grad,
  noGrad,
  record,
  stopGradient,
  valueAndGrad,
  vjp,
} from '../../src/autograd/tape.ts';
import { keep, step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { conv2d } from '../../src/ops/conv2d.ts';
import { add, elu, mul, square } from '../../src/ops/elementwise.ts';
import { reshape } from '../../src/ops/movement.ts';
import { mean } from '../../src/ops/reduce.ts';
import { sum } from '../../src/ops/sum.ts';
import { Adam } from '../../src/optim/optimizer.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('tape');

test('d(x^2 + x y)/dx and dy, used twice and by name', async () => {
  await testGpu();
  const x = tensor([3], []);
  const y = tensor([5], []);
  const [value, [dx, dy]] = valueAndGrad(() => add(square(x), mul(x, y)), [x, y]);
  equal([await value.item(), await dx.item(), await dy.item()], [24, 11, 3]);
});

test('third derivative of x^4 by nesting', async () => {
  await testGpu();
  const x = tensor([2], []);
  const first = () => grad(() => square(square(x)), [x])[0];
  const second = () => grad(first, [x])[0];
  is(await grad(second, [x])[0].item(), 48);
});

test('stopGradient, noGrad and tensors that are not used', async () => {
  await testGpu();
  const x = tensor([3], []);
  const unused = tensor([1, 2], [2]);
  const [dx, du] = grad(() => mul(x, stopGradient(square(x))), [x, unused]);
  is(await dx.item(), 9);
  equal([...(await du.data())], [0, 0]);
  const [dn] = grad(
    () =>
      mul(
        x,
        noGrad(() => square(x)),
      ),
    [x],
  );
  is(await dn.item(), 9);
});

test('vjp pulls a cotangent back through a reshape', async () => {
  await testGpu();
  const x = tensor([1, 2, 3, 4], [2, 2]);
  const [value, pullback] = vjp(() => square(reshape(x, [4])), [x]);
  equal([...(await value.data())], [1, 4, 9, 16]);
  equal([...(await pullback(tensor([1, 0, 0, 2]))[0].data())], [2, 0, 0, 16]);
});

test('a loss that is no scalar is refused', async () => {
  await testGpu();
  const x = tensor([1, 2]);
  throws(
    () => grad(() => square(x), [x]),
    (error: unknown) => error instanceof GradientError && /scalar/.test(error.message),
  );
});

test('a gradient that is one per cent off is caught', async () => {
  const device = await testGpu();
  const off = (x: Tensor) =>
    record(
      'off',
      [x],
      noGrad(() => square(x)),
      (g) => [mul(mul(g, x), 2.02)],
    );
  const check = await gradcheck(off, [{ shape: [5], data: randoms(5, 1) }], { device });
  ok(!check.ok && check.referenceError > 0.005, `error ${check.referenceError}`);
});

test('steps free what they make; kept and returned tensors live', async () => {
  const gpu = await testGpu();
  const before = gpu.memory().live;
  let kept: Tensor | undefined;
  const returned = step(() => {
    const a = tensor(randoms(1000, 1));
    kept = keep(square(a));
    return { inner: [square(a)] };
  });
  ok(gpu.memory().live > before);
  await returned.inner[0].data();
  returned.inner[0].dispose();
  kept?.dispose();
  is(gpu.memory().live, before);
});

test('no growth over 1,000 training steps', async () => {
  const gpu = await testGpu();
  const w = keep(tensor(randoms(3 * 3 * 3 * 4, 1), [3, 3, 3, 4]));
  const x = keep(tensor(randoms(2 * 8 * 8 * 3, 2), [2, 8, 8, 3]));
  const optimizer = new Adam([{ params: [w], lr: 1e-3 }]);
  const once = () =>
    step(() => {
      const [loss, gradients] = valueAndGrad(
        () => mean(square(elu(conv2d(x, w, null, { padding: 1 })))),
        [w],
      );
      optimizer.step(gradients);
      return loss;
    });
  const seen = new Set<string>();
  let first = 0;
  let last = 0;
  for (let k = 0; k < 1000; k++) {
    const loss = once();
    if (k % 100 === 10) {
      last = await loss.item();
      first ||= last;
      const { live, reserved } = gpu.memory();
      seen.add(`${live}/${reserved}`);
    }
    loss.dispose();
  }
  is(seen.size, 1, `live/reserved bytes: ${[...seen].join(', ')}`);
  ok(last < first, `loss ${first} -> ${last}`);
  for (const one of [w, x]) one.dispose();
  optimizer.dispose();
});

test('a pull-back is differentiated through what it is of, and through its cotangent', async () => {
  await testGpu();
  const x = tensor([1, 2, 3]);
  const pulled = (c: Tensor) => vjp(() => square(x), [x])[1](c)[0];
  const squared = () => square(x);
  // The pull-back of x^2 at c = x^2 is 2 x^3.
  const [both] = grad(() => sum(pulled(squared())), [x]);
  equal([...(await both.data())], [6, 24, 54]);
  const [byMul] = grad(() => sum(grad(() => sum(mul(squared(), stopGradient(squared()))), [x])[0]), [x]);
  const [held] = grad(() => sum(pulled(stopGradient(squared()))), [x]);
  equal([...(await held.data())], [...(await byMul.data())]);
  const c = tensor([1, 1, 1]);
  const [dc] = grad(() => sum(pulled(c)), [c]);
  equal([...(await dc.data())], [2, 4, 6]);
});
