// Parameters, moments and gradients side by side: one launch updates many, and nobody can tell but by the count.
import * as kernels from '../../kernels/optim.ts';
import { colocate, stretches } from '../../src/autograd/block.ts';
import { HostTensor, Program, upload } from '../../src/autograd/program.ts';
import { valueAndGrad } from '../../src/autograd/tape.ts';
import {
  keep,
  launch,
  step,
  type Tensor,
  tensor,
  useDevice,
  watchLaunches,
} from '../../src/autograd/tensor.ts';
import { layOut } from '../../src/gpu/block.ts';
import { GpuError } from '../../src/gpu/errors.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { add, mul } from '../../src/ops/elementwise.ts';
import { sum } from '../../src/ops/sum.ts';
import { clipByGlobalNorm } from '../../src/optim/clip.ts';
import { emaUpdate } from '../../src/optim/ema.ts';
import { Adam, type ParameterGroup, Sgd } from '../../src/optim/optimizer.ts';
import { assignAndReplay, randoms, testGpu } from '../device.ts';
import { equal, is, not, ok, suite, throws } from '../suite.ts';

const test = suite('side by side');

/** Around the alignment of 64 words, one longer than a chunk of the norm, and a single value. */
const SIZES = [7, 64, 1, 65, 4097, 63];

const made = (first: number) => SIZES.map((n, i) => keep(tensor(randoms(n, first + i), [n])));
const valuesOf = async (tensors: readonly Tensor[]) =>
  (await Promise.all(tensors.map((x) => x.data()))).flatMap((x) => [...x]);
const disposeOf = (...tensors: readonly Tensor[]) => {
  for (const x of tensors) x.dispose();
};

const groupsOf = (ws: readonly Tensor[]): ParameterGroup[] => [
  { params: ws.slice(0, 2), lr: 0.02, weightDecay: 0.1 },
  { params: ws.slice(2), lr: 0.005 },
];

const kinds: Record<string, (groups: ParameterGroup[]) => Sgd | Adam> = {
  sgd: (groups) => new Sgd(groups, { nesterov: true }),
  adam: (groups) => new Adam(groups),
  adamw: (groups) => new Adam(groups, { decoupled: true }),
};

/** Kernels that `work` launches. */
function launchesOf(work: () => void): string[] {
  const names: string[] = [];
  watchLaunches(({ name }, _params, _tensors, done) => done && names.push(name), work);
  return names;
}

/** Fills the memory that is handed out next with NaN: what is left over in padding. */
function poison(): void {
  step(() => {
    for (const words of [128, 320, 448, 512, 4608, 5120, 6144])
      for (let k = 0; k < 4; k++) tensor(new Float32Array(words).fill(Number.NaN));
  });
}

for (const [name, make] of Object.entries(kinds)) {
  test(`${name}: the bits of one optimiser for each parameter, with NaN in the padding`, async () => {
    await testGpu();
    const clip = tensor([0.75], []);
    const apart = made(0);
    const each = groupsOf(apart).flatMap(({ params, ...rates }) =>
      params.map((w) => make([{ params: [w], ...rates }])),
    );
    poison();
    const together = made(0);
    const all = make(groupsOf(together));
    ok(together.every(({ storage }) => storage.place?.block === together[0].storage.place!.block));
    for (let t = 0; t < 4; t++) {
      step(() => {
        const gradients = SIZES.map((n, i) => tensor(randoms(n, 100 * t + 10 + i)));
        each.forEach((optimizer, i) => {
          optimizer.step([gradients[i]], { lrScale: 1 / (t + 1), clip });
        });
        poison();
        const launched = launchesOf(() => all.step(gradients, { lrScale: 1 / (t + 1), clip }));
        equal(launched, launched.slice(0, 1).concat(launched[0]), 'one launch a group');
      });
    }
    equal(await valuesOf(together), await valuesOf(apart));
    const state = await valuesOf(Object.values(all.state()));
    ok(state.every(Number.isFinite));
    disposeOf(clip, ...apart, ...together);
    for (const optimizer of [...each, all]) optimizer.dispose();
  });
}

test('the state has a name and a shape for each parameter, as checkpoints have always had', async () => {
  await testGpu();
  const ws = [keep(tensor(randoms(6, 1), [3, 2])), keep(tensor([1], [1]))];
  const adam = new Adam([{ params: ws, lr: 1 }]);
  equal(
    Object.entries(adam.state()).map(([name, { shape }]) => [name, shape]),
    [
      ['m.0', [3, 2]],
      ['m.1', [1]],
      ['v.0', [3, 2]],
      ['v.1', [1]],
    ],
  );
  // Loading one leaves its neighbours alone, behind other work and with none waiting.
  for (const value of [7, 9]) {
    adam.state()['m.1'].assign([value]);
    ws[1].assign([value + 1]);
    equal(await valuesOf(Object.values(adam.state())), [0, 0, 0, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]);
    equal(await valuesOf(ws), [...randoms(6, 1), value + 1]);
  }
  adam.dispose();
  disposeOf(...ws);
});

test('the norm counts no padding, whatever lies there, and has the bits of tensors apart', async () => {
  await testGpu();
  const normOf = async (gradients: Tensor[]) => {
    const { norm, scale } = clipByGlobalNorm(gradients, 0.5);
    return [await norm.item(), await scale.item()];
  };
  const apart = made(40);
  // A tensor among others already stays there, so these do not come to lie side by side.
  const strangers = apart.map((x) => {
    const other = keep(tensor([0]));
    colocate([x, other]);
    return other;
  });
  is(stretches([apart]).length, SIZES.length);
  poison();
  const together = made(40);
  const launched = launchesOf(() => clipByGlobalNorm(together, 0.5));
  is(launched.filter((name) => name === 'squareSums').length, 1);
  const [norm, scale] = await normOf(together);
  equal([norm, scale], await normOf(apart));
  const want = Math.sqrt((await valuesOf(together)).reduce((total, x) => total + x * x, 0));
  ok(Math.abs(norm / want - 1) < 1e-6, `${norm}, expected ${want}`);
  disposeOf(...apart, ...strangers, ...together);
});

test('averaging is one launch, whether teacher and student lie in blocks of one order or not', async () => {
  for (const device of [await testGpu(), new ReferenceDevice()]) {
    useDevice(device);
    const alpha = tensor([0.75], []);
    const averaged = async (before: (student: Tensor[]) => void) => {
      const [teacher, student] = [made(0), made(20)];
      before(student);
      const launched = launchesOf(() => emaUpdate(teacher, student, alpha)).length;
      const values = await valuesOf(teacher);
      disposeOf(...teacher, ...student);
      return { launched, values };
    };
    const one = await averaged(() => {});
    is(one.launched, 1);
    const other = await averaged((student) => colocate([...student.slice(3), ...student.slice(0, 3)]));
    is(other.launched, 2);
    equal(other.values, one.values);
  }
  await testGpu();
});

/** Two layers of which the second is used twice, a bias, and a parameter that nothing depends on. */
function training(kind: keyof typeof kinds) {
  const ws = [5, 5, 5, 70].map((n, i) => keep(tensor(randoms(n, i), [n])));
  const teacher = ws.map((w) => keep(tensor(new Float32Array(w.size), w.shape)));
  const optimizer = kinds[kind](groupsOf(ws));
  const train = ({ x, alpha }: { x: Tensor; alpha: Tensor }) => {
    const [loss, gradients] = valueAndGrad(() => {
      const hidden = add(mul(x, ws[0]), ws[2]);
      return sum(mul(mul(hidden, ws[1]), ws[1]));
    }, ws);
    const { scale, norm } = clipByGlobalNorm(gradients, 1);
    optimizer.apply(gradients, scale);
    emaUpdate(teacher, ws, alpha);
    return { loss, norm, gradient: gradients[0] };
  };
  const inputs = (t: number) => {
    optimizer.advance(1 / (t + 1));
    return { x: new HostTensor(randoms(15, 50 + t), [3, 5]), alpha: new HostTensor([t / (t + 1)], []) };
  };
  const all = () => [...ws, ...teacher, ...Object.values(optimizer.state())];
  const dispose = () => {
    disposeOf(...ws, ...teacher);
    optimizer.dispose();
  };
  return { train, inputs, all, dispose, ws };
}

for (const kind of ['sgd', 'adam']) {
  test(`${kind}, clip and averaging: replayed, the bits of eager steps and of the reference's order`, async () => {
    const gpu = await testGpu();
    const before = gpu.memory().live;
    const run = async (replayed: boolean) => {
      const { train, inputs, all, dispose } = training(kind);
      const program = new Program<ReturnType<typeof inputs>>(gpu, train);
      const seen: number[] = [];
      for (let t = 0; t < 5; t++) {
        poison();
        const results = replayed
          ? await assignAndReplay(program, inputs(t))
          : step(() => train(upload(inputs(t))));
        seen.push(...(await valuesOf(Object.values(results))));
        disposeOf(...Object.values(results));
      }
      seen.push(...(await valuesOf(all())));
      await program.dispose();
      dispose();
      return seen;
    };
    const eager = await run(false);
    ok(eager.every(Number.isFinite));
    equal(await run(true), eager);
    is(gpu.memory().live, before);
  });
}

type In = { x: HostTensor };

test('one gradient for two parameters, and one from the host: updated by them, eager and replayed', async () => {
  const gpu = await testGpu();
  const run = async (replayed: boolean) => {
    const ws = [1, 2, 3, 4].map((value) => keep(tensor([value, value], [2])));
    const sgd = new Sgd([{ params: ws, lr: 0.5 }], { momentum: 0 });
    const train = ({ x }: { x: Tensor }) => {
      const gradient = mul(x, x);
      sgd.apply([gradient, mul(x, ws[0]), gradient, tensor([2, 6], [2])]);
      return { x: mul(x, x) };
    };
    const program = new Program<In>(gpu, train);
    sgd.advance();
    const inputs = { x: new HostTensor([1, 2], [2]) };
    const { x } = replayed ? await assignAndReplay(program, inputs) : step(() => train(upload(inputs)));
    const values = await valuesOf(ws);
    await program.dispose();
    sgd.dispose();
    disposeOf(x, ...ws);
    return values;
  };
  equal(await run(false), [0.5, -1, 1.5, 1, 2.5, 1, 3, 1]);
  equal(await run(true), [0.5, -1, 1.5, 1, 2.5, 1, 3, 1]);
});

test('a gradient that is read where another is written stays apart from it', async () => {
  const gpu = await testGpu();
  const ws = [1, 2].map((value) => keep(tensor([value, value], [2])));
  const sgd = new Sgd([{ params: ws, lr: 1 }], { momentum: 0 });
  const program = new Program<In>(gpu, ({ x }) => {
    const first = mul(x, x);
    sgd.apply([first, mul(first, x)]);
    return { x: mul(x, x) };
  });
  sgd.advance();
  const { x } = await assignAndReplay(program, { x: new HostTensor([1, 2], [2]) });
  equal(await valuesOf(ws), [0, -3, 1, -6]);
  await program.dispose();
  sgd.dispose();
  disposeOf(x, ...ws);
});

test('a gradient that the step returns is kept from what is computed after the update', async () => {
  const gpu = await testGpu();
  const ws = [1, 2].map((value) => keep(tensor([value, value], [2])));
  const wide = keep(tensor(new Float32Array(300).fill(5), [150, 2]));
  const sgd = new Sgd([{ params: ws, lr: 1 }], { momentum: 0 });
  const program = new Program<In>(gpu, ({ x }) => {
    const [first, second] = [mul(x, ws[0]), mul(x, ws[1])];
    sgd.apply([first, second]);
    // Larger than the gradients: a plan puts both into one buffer, where their lives allow it.
    return { second, late: sum(mul(wide, x)) };
  });
  sgd.advance();
  const { second, late } = await assignAndReplay(program, { x: new HostTensor([1, 2], [2]) });
  equal([...(await second.data()), await late.item()], [2, 4, 2250]);
  await program.dispose();
  sgd.dispose();
  disposeOf(second, late, wide, ...ws);
});

test('a second optimiser over some of the parameters, in another order, leaves the first what it was', async () => {
  await testGpu();
  const steps = async (both: boolean) => {
    const ws = made(0);
    const first = new Adam([{ params: [ws[3], ws[1], ws[4]], lr: 0.1 }]);
    const second = both ? new Adam([{ params: ws, lr: 0.1 }]) : null;
    for (let t = 0; t < 3; t++) {
      step(() => first.step([3, 1, 4].map((i) => tensor(randoms(SIZES[i], 7 * t + i)))));
    }
    const values = await valuesOf(ws);
    second?.step(SIZES.map((n, i) => tensor(randoms(n, 60 + i))));
    const later = await valuesOf(ws);
    first.dispose();
    second?.dispose();
    disposeOf(...ws);
    return { values, later };
  };
  const both = await steps(true);
  equal(both.values, (await steps(false)).values);
  ok(
    both.later.every((value, i) => value !== both.values[i]),
    'the second one moves every value',
  );
});

test('reading one of a block and writing another is refused by name, eager and recorded', async () => {
  const gpu = await testGpu();
  const ws = [keep(tensor(randoms(64, 1), [64])), keep(tensor(randoms(64, 2), [64]))];
  const adam = new Adam([{ params: ws, lr: 1 }]);
  const rate = keep(tensor([0.5], []));
  const mix = () => launch(kernels.ema, { n: 64 }, { average: ws[0], x: ws[1], rate });
  const named = (error: Error) =>
    error instanceof GpuError &&
    /ema: 'average' \(64 f32\) is written and lies in one block with 'x' \(64 f32\)/.test(error.message);
  throws(mix, named);
  const before = gpu.memory().live;
  const recorded = () => {
    mix();
    return [];
  };
  throws(() => gpu.record(recorded), named);
  is(gpu.memory().live, before, 'nothing is left behind');
  adam.dispose();
  disposeOf(rate, ...ws);
});

test('a recording made before its parameters were moved is refused, and can be made again', async () => {
  const gpu = await testGpu();
  const ws = [keep(tensor([1, 2])), keep(tensor([3, 4]))];
  const make = () => new Program<In>(gpu, ({ x }) => ({ y: mul(mul(x, ws[0]), ws[1]) }));
  const inputs = { x: new HostTensor([1, 1], [2]) };
  const program = make();
  (await assignAndReplay(program, inputs)).y.dispose();
  const adam = new Adam([{ params: ws, lr: 1 }]);
  const error = await assignAndReplay(program, inputs).catch((reason: Error) => reason);
  ok(
    error instanceof GpuError &&
      /2 f32 that the recording uses was moved beside others since/.test(error.message),
  );
  await program.dispose();
  const again = make();
  const { y } = await assignAndReplay(again, inputs);
  equal([...(await y.data())], [3, 8]);
  await again.dispose();
  adam.dispose();
  disposeOf(y, ...ws);
});

test('optimisers made and disposed of leave no memory behind, nor do parameters', async () => {
  const gpu = await testGpu();
  const start = gpu.memory().live;
  const ws = made(0);
  new Adam(groupsOf(ws)).dispose();
  const { live, reserved } = gpu.memory();
  for (let k = 0; k < 50; k++) {
    const adam = new Adam(groupsOf(ws));
    step(() => adam.step(SIZES.map((n, i) => tensor(randoms(n, i)))));
    adam.dispose();
  }
  is(gpu.memory().live, live);
  ok(gpu.memory().reserved < reserved + 1e6, 'buffers are handed out again');
  // A block lives as long as anyone in it.
  disposeOf(...ws.slice(1));
  equal((await ws[0].data()).length, SIZES[0]);
  not.equal(gpu.memory().live, start);
  ws[0].dispose();
  is(gpu.memory().live, start);
});

test('more than the largest buffer holds goes into several blocks', async () => {
  const own = (length: number, type: 'f32' | 'i32' = 'f32') => ({
    id: length,
    length,
    type,
    place: null,
    parts: null,
  });
  const lengths = [60, 64, 65, 128, 500, 1, 1];
  const blocks = layOut([...lengths.map((n) => own(n)), own(2, 'i32'), own(3, 'i32')], 256);
  equal(
    blocks.map(({ members, length }) => [length, members.map(({ storage, at }) => [storage.length, at])]),
    [
      [
        256,
        [
          [60, 0],
          [64, 64],
          [65, 128],
        ],
      ],
      [
        128,
        [
          [1, 0],
          [1, 64],
        ],
      ],
      [
        128,
        [
          [2, 0],
          [3, 64],
        ],
      ],
    ],
  );

  // An optimiser over two blocks.
  await testGpu();
  const run = async (apart: boolean) => {
    const ws = made(0);
    if (apart) for (const half of [ws.slice(0, 4), ws.slice(4)]) colocate(half);
    const sgd = new Sgd([{ params: ws, lr: 0.1 }]);
    const launched = step(() =>
      launchesOf(() => sgd.step(SIZES.map((n, i) => tensor(randoms(n, 30 + i))))),
    ).length;
    const values = await valuesOf(ws);
    sgd.dispose();
    disposeOf(...ws);
    return { launched, values };
  };
  const [one, two] = [await run(false), await run(true)];
  equal([one.launched, two.launched], [1, 2]);
  equal(two.values, one.values);
});
