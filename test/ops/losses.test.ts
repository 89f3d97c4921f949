import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad, valueAndGrad } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { abs, affine, square } from '../../src/ops/elementwise.ts';
import { bceWithLogits, berHu, klDivergence, l2Normalize, tripletLoss } from '../../src/ops/losses.ts';
import { concat } from '../../src/ops/movement.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { ok, suite, throws } from '../suite.ts';

const test = suite('losses');

const near = (got: number, want: number, tolerance = 1e-6) =>
  ok(Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want)), `${got}, expected ${want}`);

// The bound of berHu is constant to the gradient, but not to finite differences: a difference that is greater than all
// others, and is not moved, holds it still.
const heldBerHu = (x: Tensor, t: Tensor) => berHu(concat([x, tensor([3])], 0), concat([t, tensor([-2])], 0));

const checks: [string, (...xs: Tensor[]) => Tensor, number[][]][] = [
  [
    'bceWithLogits',
    (x, t) => bceWithLogits(x, abs(t)),
    [
      [2, 3, 5, 1],
      [2, 3, 5, 1],
    ],
  ],
  ['bceWithLogits against one number', (x) => bceWithLogits(x, 1), [[2, 3, 5]]],
  [
    'klDivergence',
    klDivergence,
    [
      [2, 3, 5],
      [2, 3, 5],
    ],
  ],
  ['berHu', heldBerHu, [[23], [23]]],
  ['l2Normalize', l2Normalize, [[5, 7]]],
  [
    'tripletLoss',
    (q, p, n) => tripletLoss(q, p, n),
    [
      [3, 7],
      [3, 7],
      [3, 7],
    ],
  ],
  [
    'tripletLoss of maps',
    (q, p, n) => tripletLoss(q, p, n, 4.5),
    [
      [3, 2, 1, 3],
      [3, 2, 1, 3],
      [3, 2, 1, 3],
    ],
  ],
];
for (const [name, fn, shapes] of checks) {
  test(`${name}: value and gradient`, async () => {
    const device = await testGpu();
    const inputs = shapes.map((shape, i) => ({
      shape,
      data: randoms(
        shape.reduce((a, b) => a * b, 1),
        10 + i,
      ),
    }));
    const check = await gradcheck(fn, inputs, { device });
    ok(check.ok, check.message);
    const twice = (...xs: Tensor[]) => grad(() => sum(square(affine(fn(...xs), 1, 0.3))), [xs[0]])[0];
    const second = await gradcheck(twice, inputs, { device });
    ok(second.ok, `second order: ${second.message}`);
  });
}

test('bceWithLogits keeps the digits of small losses, and its slope at 0 is 1/2 - t', async () => {
  await testGpu();
  near((await bceWithLogits(tensor([12]), 1).item()) / Math.log1p(Math.exp(-12)), 1, 1e-4);
  near((await bceWithLogits(tensor([-12]), 0).item()) / Math.log1p(Math.exp(-12)), 1, 1e-4);
  near(await bceWithLogits(tensor([-500]), 1).item(), 500);
  const x = tensor([0]);
  near(await grad(() => bceWithLogits(x, 1), [x])[0].item(), -0.5);
  near(await grad(() => bceWithLogits(x, 0), [x])[0].item(), 0.5);
});

test('klDivergence: 0 for equal logits, ln 2 less the entropy by hand', async () => {
  await testGpu();
  const p = tensor([0.3, -1, 2, 2, 0, 0], [2, 3]);
  near(await klDivergence(p, p).item(), 0);
  // p = (3/4, 1/4), q = (1/2, 1/2).
  const kl = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5);
  near(await klDivergence(tensor([Math.log(3), 0], [1, 2]), tensor([5, 5], [1, 2])).item(), kl);
});

test('berHu by hand: linear up to C, continuous there with slope 1, quadratic beyond', async () => {
  await testGpu();
  // max |e| = 5, so C = 1.
  const loss = async (e: number) => 2 * (await berHu(tensor([5, e]), tensor([0, 0])).item()) - 13;
  near(await loss(0.5), 0.5);
  near(await loss(1), 1);
  near(await loss(1.0001), 1.0001, 1e-5);
  near(await loss(-1.0001), 1.0001, 1e-5);
  near(await loss(2), 2.5);
  const slope = async (e: number) => {
    const x = tensor([5, e]);
    return 2 * (await grad(() => berHu(x, tensor([0, 0])), [x])[0].data())[1];
  };
  near(await slope(0.9999), 1);
  near(await slope(1.0001), 1.0001);
  // d/de (e^2 + C^2) / 2C at e = 5 with C held: 5. A bound that moved with e would give 2.6.
  const x = tensor([5]);
  near(await grad(() => berHu(x, tensor([0])), [x])[0].item(), 5);
});

test('berHu of equal maps is 0 with gradient 0', async () => {
  await testGpu();
  const x = tensor([1, 2, 3]);
  const [loss, [dx]] = valueAndGrad(() => berHu(x, tensor([1, 2, 3])), [x]);
  ok((await loss.item()) === 0 && (await dx.data()).every((v) => v === 0));
});

test('l2Normalize: unit length, and a zero vector stays zero without a gradient', async () => {
  await testGpu();
  const x = tensor([3, 4, 0, 0, 1e-4, 0], [3, 2]);
  const [loss, [dx]] = valueAndGrad(() => sum(square(l2Normalize(x))), [x]);
  near(await loss.item(), 2);
  ok([...(await dx.data())].slice(2, 4).every((v) => v === 0));
  const y = await l2Normalize(x).data();
  for (const [i, want] of [0.6, 0.8, 0, 0, 1, 0].entries()) near(y[i], want);
});

test('tripletLoss by hand, and never 0 at margin 2.1 for features without negative values', async () => {
  await testGpu();
  // q = p, n at a right angle: 1/2 (2.1 + 0 - 2).
  const q = tensor([2, 0], [1, 2]);
  near(await tripletLoss(q, tensor([5, 0], [1, 2]), tensor([0, 3], [1, 2])).item(), 0.05);
  near(await tripletLoss(q, tensor([5, 0], [1, 2]), tensor([0, 3], [1, 2]), 0.5).item(), 0);
  // A negative of zeros is at distance 1 from every unit vector.
  near(await tripletLoss(q, q.view([1, 2]), tensor([0, 0], [1, 2])).item(), 0.55);
  for (let k = 0; k < 20; k++) {
    const draw = (stream: number) => tensor(randoms(8, 100 + 3 * k + stream, 0, 1), [1, 8]);
    const loss = await tripletLoss(draw(0), draw(1), draw(2)).item();
    ok(loss >= 0.05 - 1e-6, `loss ${loss}`);
  }
});

test('targets that do not belong to the scores, and a bound of nothing, are refused', async () => {
  await testGpu();
  const x = tensor([1, 2, 3]);
  throws(
    () => bceWithLogits(x, tensor([0, 1, 0, 1, 0, 1], [2, 3])),
    /bceWithLogits: target \[2,3\] does not broadcast to logits \[3\]/,
  );
  for (const factor of [0, -1, Number.NaN])
    throws(() => berHu(x, tensor([0, 0, 0]), factor), /berHu: factor .*, expected more than 0/);
});
