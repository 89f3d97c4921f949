import {
  keep,
  onDevice,
  ShapeError,
  step,
  type Tensor,
  tensor,
  useDevice,
} from '../../src/autograd/tensor.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { clipByGlobalNorm } from '../../src/optim/clip.ts';
import { emaRamp, emaUpdate } from '../../src/optim/ema.ts';
import { Adam, type ParameterGroup, Sgd } from '../../src/optim/optimizer.ts';
import { constant, polynomial, sigmoidRampUp, stepDecay, warmUp } from '../../src/optim/schedule.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('optim');

const SIZES = [12, 7, 1];
const STEPS = 6;
const gradientsAt = (t: number) => SIZES.map((n, i) => randoms(n, 100 * t + i));

type Make = (groups: ParameterGroup[]) => Sgd | Adam;

const kinds: [string, Make][] = [
  ['sgd without momentum', (g) => new Sgd(g, { momentum: 0 })],
  ['sgd', (g) => new Sgd(g)],
  ['sgd, Nesterov', (g) => new Sgd(g, { nesterov: true })],
  ['adam', (g) => new Adam(g)],
  ['adamw', (g) => new Adam(g, { decoupled: true, betas: [0.8, 0.95] })],
];

const groupsOf = (ws: Tensor[]): ParameterGroup[] => [
  { params: [ws[0]], lr: 0.02, weightDecay: 0.1 },
  { params: [ws[1], ws[2]], lr: 0.005 },
];

/** Parameters after `STEPS` steps, stopping after `pause` steps to go on in a new optimiser with the loaded state. */
async function trajectory(make: Make, pause = -1): Promise<number[]> {
  const ws = SIZES.map((n, i) => keep(tensor(randoms(n, i), [n])));
  let optimizer = make(groupsOf(ws));
  for (let t = 0; t < STEPS; t++) {
    if (t === pause) {
      const next = make(groupsOf(ws));
      next.steps = optimizer.steps;
      const old = optimizer.state();
      for (const [name, x] of Object.entries(next.state())) x.assign(await old[name].data());
      optimizer.dispose();
      optimizer = next;
    }
    step(() => {
      const gradients = gradientsAt(t).map((g) => tensor(g));
      const { scale } = clipByGlobalNorm(gradients, 1.5);
      optimizer.step(gradients, { lrScale: 1 / (t + 1), clip: scale });
    });
  }
  const values = (await Promise.all(ws.map((w) => w.data()))).flatMap((v) => [...v]);
  for (const w of ws) w.dispose();
  optimizer.dispose();
  return values;
}

for (const [name, make] of kinds) {
  test(`${name}: on the device as on the reference, each variant`, async () => {
    const device = await testGpu();
    const reference = new ReferenceDevice();
    useDevice(reference);
    const want = await trajectory(make);
    useDevice(device);
    ok(relativeError(await trajectory(make), want) < 1e-5);
    for (const kernel of ['sgd', 'adam']) device.pins.set(kernel, 'scalar');
    ok(relativeError(await trajectory(make), want) < 1e-5);
    for (const kernel of ['sgd', 'adam']) device.pins.delete(kernel);
  });

  test(`${name}: a second run and a resumed run have the same bits`, async () => {
    await testGpu();
    const first = await trajectory(make);
    equal(await trajectory(make), first);
    equal(await trajectory(make, 3), first);
  });
}

test('sgd by hand: two steps of 1 with momentum 0.9 and a decay of 0.5', async () => {
  await testGpu();
  const w = tensor([2]);
  const optimizer = new Sgd([{ params: [w], lr: 0.1, weightDecay: 0.5 }]);
  optimizer.step([tensor([1])]);
  // d = 1 + 0.5 * 2 = 2, b = 2.
  ok(Math.abs((await w.item()) - 1.8) < 1e-6);
  optimizer.step([tensor([1])]);
  // d = 1.9, b = 0.9 * 2 + 1.9 = 3.7.
  ok(Math.abs((await w.item()) - 1.43) < 1e-6);
});

test('the first step of adam moves by the learning rate against the sign, whatever the size of the gradient', async () => {
  await testGpu();
  const w = tensor([1, 1, 1]);
  const adam = new Adam([{ params: [w], lr: 0.25 }]);
  adam.step([tensor([1e-4, -7, 1e4])]);
  ok(relativeError(await w.data(), [0.75, 1.25, 0.75]) < 1e-4);
  const v = tensor([2]);
  const adamw = new Adam([{ params: [v], lr: 0.25, weightDecay: 0.1 }], { decoupled: true });
  adamw.step([tensor([3])]);
  ok(Math.abs((await v.item()) - (2 * (1 - 0.025) - 0.25)) < 1e-6);
});

test('clipping: at exactly the norm, above, below, and of zeros', async () => {
  await testGpu();
  const gradients = [tensor([3, 0]), tensor([[4]].flat(), [1, 1])];
  const at = async (maxNorm: number, g = gradients) => {
    const { scale, norm } = clipByGlobalNorm(g, maxNorm);
    return [await scale.item(), await norm.item()];
  };
  equal(await at(5), [1, 5]);
  equal(await at(10), [1, 5]);
  equal(await at(2.5), [0.5, 5]);
  equal(await at(1, [tensor([0, 0])]), [1, 0]);
  throws(
    () => clipByGlobalNorm(gradients, 0),
    (error: Error) => error instanceof ShapeError,
  );
});

test('the norm of many values in several tensors', async () => {
  await testGpu();
  const all = [randoms(70_001, 1), randoms(4096, 2), randoms(1, 3), randoms(4097, 4)];
  const { norm, scale } = clipByGlobalNorm(
    all.map((x) => tensor(x)),
    10,
  );
  const want = Math.sqrt(all.flatMap((x) => [...x]).reduce((s, v) => s + v * v, 0));
  ok(Math.abs((await norm.item()) / want - 1) < 1e-6);
  ok(Math.abs(((await scale.item()) * want) / 10 - 1) < 1e-6);
});

test('averaging: alpha 0 copies the student bit by bit, alpha in between mixes, odd lengths too', async () => {
  const device = await testGpu();
  for (const on of [device, new ReferenceDevice()]) {
    await onDevice(on, async () => {
      const student = [tensor(randoms(8, 1), [2, 4]), tensor(randoms(5, 2))];
      // Large against the student: t + (s - t) would not give s back.
      const teacher = [tensor(randoms(8, 3, -1e4, 1e4), [2, 4]), tensor(randoms(5, 4, -1e4, 1e4))];
      emaUpdate(teacher, student, tensor([0], []));
      for (const i of [0, 1]) equal([...(await teacher[i].data())], [...(await student[i].data())]);
    });
  }
  const teacher = tensor([1, 2, 3]);
  emaUpdate([teacher], [tensor([5, 2, -1])], tensor([0.75], []));
  equal([...(await teacher.data())], [2, 2, 2]);
  throws(
    () => emaUpdate([teacher], [tensor([1])], tensor([0.5], [])),
    (error: Error) => error instanceof ShapeError,
  );
});

test('the averaging rate: 0, 1/2, 2/3, ..., 0.99 at 99 and from then on', () => {
  equal(emaRamp(0), 0);
  equal(emaRamp(1), 0.5);
  ok(Math.abs(emaRamp(2) - 2 / 3) < 1e-15);
  equal(emaRamp(99), 0.99);
  ok(emaRamp(98) < 0.99);
  equal(emaRamp(1000), 0.99);
  equal(emaRamp(5000, 0.999), 0.999);
});

test('schedules', () => {
  equal(constant(123), 1);
  const steps = stepDecay([30, 60]);
  equal([steps(0), steps(29), steps(30), steps(59)], [1, 1, 0.1, 0.1]);
  ok(Math.abs(steps(60) - 0.01) < 1e-15);
  const poly = polynomial(100);
  equal([poly(0), poly(100), poly(101)], [1, 0, 0]);
  ok(Math.abs(poly(50) - 0.5 ** 0.9) < 1e-15);
  equal(polynomial(100, 1)(75), 0.25);
  const warm = warmUp(4, stepDecay([10]));
  equal([warm(0), warm(1), warm(3), warm(4), warm(10)], [0.25, 0.5, 1, 1, 0.1]);
  const ramp = sigmoidRampUp(10);
  equal([ramp(0), ramp(5), ramp(10), ramp(99)], [Math.exp(-5), Math.exp(-1.25), 1, 1]);
  equal(sigmoidRampUp(0)(0), 1);
});

test('gradients that do not match the parameters are refused', async () => {
  await testGpu();
  const optimizer = new Sgd([{ params: [tensor([1, 2])], lr: 1 }]);
  const shapeError = (error: Error) => error instanceof ShapeError;
  throws(() => optimizer.step([]), shapeError);
  throws(() => optimizer.step([tensor([1, 2, 3])]), shapeError);
});

test('a step leaves no memory behind', async () => {
  const device = await testGpu();
  const w = keep(tensor(randoms(1000, 1)));
  const optimizer = new Adam([{ params: [w], lr: 0.1 }]);
  const live = () => device.memory().live;
  const before = live();
  for (let t = 0; t < 3; t++) {
    step(() => {
      const g = tensor(randoms(1000, 2 + t));
      optimizer.step([g], { clip: clipByGlobalNorm([g], 1).scale });
    });
    ok(live() === before, `${live()} bytes, before ${before}`);
  }
  optimizer.dispose();
  w.dispose();
});

test('numbers that would turn parameters into NaN, and a parameter that is there twice, are refused', async () => {
  await testGpu();
  const w = keep(tensor([1, 2, 3]));
  for (const lr of [Number.NaN, -0.1, Number.POSITIVE_INFINITY, undefined as unknown as number])
    throws(
      () => new Sgd([{ params: [w], lr }]),
      /learning rate of group 0 is .*, expected a finite number, 0 or more/,
    );
  throws(() => new Adam([{ params: [w], lr: 1 }], { betas: [0.9, 1] }), /Adam: betas \[0.9,1\]/);
  throws(
    () =>
      new Sgd([
        { params: [w], lr: 1 },
        { params: [w], lr: 2 },
      ]),
    /a parameter is there twice/,
  );
  const sgd = new Sgd([{ params: [w], lr: 1 }]);
  const g = tensor([1, 1, 1]);
  throws(() => sgd.step([g], { lrScale: Number.NaN }), /lrScale is NaN/);
  throws(() => sgd.step([g], { clip: tensor([1, 2]) }), /clip is \[2\], expected a scalar/);
  throws(() => emaUpdate([w], [g], tensor([0.5, 0.5])), /emaUpdate: alpha is \[2\], expected a scalar/);
  equal([...(await w.data())], [1, 2, 3]);
  sgd.dispose();
  w.dispose();
});
