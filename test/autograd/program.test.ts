import * as optim from '../../kernels/optim.ts';
import { HostTensor, Program, upload } from '../../src/autograd/program.ts';
import { valueAndGrad } from '../../src/autograd/tape.ts';
import { empty, keep, launch, ShapeError, step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { type Life, planBuffers } from '../../src/gpu/recording.ts';
import { add, affine, mul } from '../../src/ops/elementwise.ts';
import { permute } from '../../src/ops/movement.ts';
import { mean } from '../../src/ops/reduce.ts';
import { Sgd } from '../../src/optim/optimizer.ts';
import { assignAndReplay, randoms, relativeError, testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('program');

async function rejects(run: () => Promise<unknown>, message: RegExp): Promise<void> {
  const error = await run().then(
    () => null,
    (reason: Error) => reason,
  );
  ok(error && message.test(error.message), `expected ${message}, got ${error?.message}`);
}

const inputsOf = (n: number, stream: number) => ({
  x: new HostTensor(randoms(n * 3, stream), [n, 3]),
  more: [new HostTensor(randoms(3, stream + 100), [3])],
});
type In = ReturnType<typeof inputsOf>;

test('planned buffers: every tensor fits into its buffer, and no two that live at once share one', () => {
  const draw = randoms(900, 7, 0, 1);
  const lives = Array.from({ length: 300 }, (_, i): Life => {
    const first = Math.floor(draw[3 * i] * 200);
    return {
      first,
      last: first + Math.floor(draw[3 * i + 1] * 20),
      bytes: 16 * Math.ceil(draw[3 * i + 2] * 99),
    };
  });
  const { sizes, placed } = planBuffers(lives);
  lives.forEach((a, i) => {
    ok(sizes[placed[i]] >= a.bytes, `life ${i} fits`);
    lives.forEach((b, j) => {
      if (i < j && placed[i] === placed[j]) ok(a.last < b.first || b.last < a.first, `${i} and ${j} share`);
    });
  });
});

test('planned buffers: activations that a backward pass consumes in reverse take no more than lives at once', () => {
  // Layer i writes 16 (i + 1) bytes, needed again 2 (layers - i) later; its gradient lives for two launches.
  const layers = 20;
  const activations = Array.from({ length: layers }, (_, i): Life => {
    return { bytes: 16 * (i + 1), first: i, last: 2 * layers - i };
  });
  const gradients = activations.map(({ bytes, last }): Life => ({ bytes, first: last, last: last + 1 }));
  const { sizes } = planBuffers([...activations, ...gradients]);
  const least = 16 * ((layers * (layers + 1)) / 2 + layers);
  is(
    sizes.reduce((a, b) => a + b, 0),
    least,
  );
});

test('a replayed step gives the bits of the eager one, and updates what lives outside', async () => {
  const gpu = await testGpu();
  const train = async (replayed: boolean) => {
    const w = keep(tensor([0.5, -1, 2], [3]));
    const sgd = new Sgd([{ params: [w], lr: 0.1 }], { momentum: 0.9 });
    const fn = ({ x, more }: { x: Tensor; more: Tensor[] }) => {
      const [loss, gradients] = valueAndGrad(() => {
        const y = add(mul(x, w), affine(more[0], 3, 1));
        return mean(mul(mul(y, y), 0.5));
      }, [w]);
      sgd.apply(gradients);
      return { loss, gradient: gradients[0] };
    };
    const program = new Program<In>(gpu, fn);
    const seen: number[][] = [];
    for (let k = 0; k < 5; k++) {
      sgd.advance(1 / (k + 1));
      const inputs = inputsOf(37, k);
      const results = replayed ? await assignAndReplay(program, inputs) : step(() => fn(upload(inputs)));
      for (const result of Object.values(results)) {
        seen.push(Array.from(await result.data()));
        result.dispose();
      }
    }
    seen.push(Array.from(await w.data()));
    await program.dispose();
    return seen;
  };
  const eager = await train(false);
  equal(await train(true), eager);
  ok(eager[0][0] !== eager[2][0], 'steps differ');
});

test('inputs in pieces are the same as whole ones, replayed and eager; too few or too many values are refused', async () => {
  const gpu = await testGpu();
  const fn = ({ x }: { x: Tensor }) => ({ y: affine(x, 2, 1) });
  const program = new Program<{ x: HostTensor }>(gpu, fn);
  const results = [
    await assignAndReplay(program, { x: new HostTensor([1, 2, 3, 4, 5, 6], [2, 3]) }),
    await assignAndReplay(program, { x: new HostTensor([[1], [2, 3, 4], Float32Array.of(5, 6)], [2, 3]) }),
    step(() => fn(upload({ x: new HostTensor([Float32Array.of(1, 2, 3), [4, 5, 6]], [2, 3]) }))),
  ];
  for (const { y } of results) {
    equal(Array.from(await y.data()), [3, 5, 7, 9, 11, 13]);
    y.dispose();
  }
  for (const pieces of [
    [
      [1, 2, 3],
      [4, 5],
    ],
    [
      [1, 2, 3, 4],
      [5, 6, 7],
    ],
  ]) {
    const error = await program
      .assign({ x: new HostTensor(pieces, [2, 3]) })
      .catch((reason: Error) => reason);
    ok(
      error instanceof ShapeError && /^assign: [57] values for shape \[2,3\]/.test(error.message),
      `${error}`,
    );
  }
  const x = tensor([1, 2, 3], [3]);
  throws(() => gpu.write(x.storage, [1, 2], 2), /write of 2 values at 2 into a tensor of 3 f32/);
  x.dispose();
  await program.dispose();
});

test('bytes become shares of 255 or ids, in one array or in pieces that fill no words, replayed and eager', async () => {
  const gpu = await testGpu();
  const bytes = (length: number, from: number) =>
    Uint8Array.from({ length }, (_, k) => (k * 83 + from) % 256);
  const fn = ({ x, ids }: { x: Tensor; ids: Tensor }) => ({ x: affine(x, 1, 0), ids: permute(ids, [1, 0]) });
  const program = new Program<{ x: HostTensor; ids: HostTensor }>(gpu, fn);
  for (const [count, length] of [
    [1, 15],
    [3, 5],
    [5, 12],
    [2, 1],
  ]) {
    const pieces = Array.from({ length: count }, (_, i) => bytes(length, 17 * i));
    // An array that does not begin at a word.
    pieces[0] = new Uint8Array(bytes(length + 3, 253).buffer, 3, length);
    const all = pieces.flatMap((piece) => [...piece]);
    const data = count === 1 ? pieces[0] : pieces;
    const inputs = {
      x: new HostTensor(data, [count, length], 'unorm8'),
      ids: new HostTensor(data, [count, length], 'uint8'),
    };
    for (const made of [await assignAndReplay(program, inputs), step(() => fn(upload(inputs)))]) {
      ok(
        relativeError(
          await made.x.data(),
          all.map((v) => v / 255),
        ) < 3e-7,
      );
      is(made.ids.dtype, 'i32');
      equal(
        Array.from(await made.ids.data()),
        Array.from({ length: count * length }, (_, k) => all[(k % count) * length + Math.floor(k / count)]),
      );
      for (const one of Object.values(made)) one.dispose();
    }
  }
  await program.dispose();
  for (const [lengths, message] of [
    [[3, 2], /^HostTensor: 2 x 3 and 2 bytes for shape \[2,3\] \(6\)/],
    [[4, 4], /^HostTensor: 2 x 4 bytes for shape \[2,3\] \(6\)/],
    [[], /^HostTensor: 1 x 0 bytes for shape \[2,3\] \(6\)/],
  ] as const) {
    const pieces = lengths.map((length) => bytes(length, 1));
    throws(
      () => new HostTensor(pieces, [2, 3], 'unorm8'),
      (error: Error) => error instanceof ShapeError && message.test(error.message),
    );
  }
});

test('bytes that are uploaded eagerly leave nothing behind but their tensor', async () => {
  const gpu = await testGpu();
  const before = gpu.memory().live;
  const x = upload(new HostTensor(Uint8Array.of(1, 2, 3, 4, 5), [5], 'uint8'));
  x.dispose();
  is(gpu.memory().live, before);
});

test('bytes in place of numbers record again', async () => {
  const gpu = await testGpu();
  const said: string[] = [];
  const fn = ({ x }: { x: Tensor }) => ({ y: affine(x, 255, 0) });
  const program = new Program<{ x: HostTensor }>(gpu, fn, (line) => said.push(line));
  const before = gpu.memory().live;
  const run = async (x: HostTensor, expected: number[]) => {
    const { y } = await assignAndReplay(program, { x });
    ok(relativeError(await y.data(), expected) < 1e-6);
    y.dispose();
  };
  await run(new HostTensor([3, 5], [2]), [765, 1275]);
  await run(new HostTensor(Uint8Array.of(3, 5), [2], 'unorm8'), [3, 5]);
  await run(new HostTensor([Uint8Array.of(7), Uint8Array.of(9)], [2], 'unorm8'), [7, 9]);
  equal(said, [
    "input 'x' is [2] unorm8, was [2] f32; recording the step again",
    'the inputs are arranged otherwise; recording the step again',
  ]);
  await program.dispose();
  is(gpu.memory().live, before);
});

test('another shape records again and says which input changed', async () => {
  const gpu = await testGpu();
  const said: string[] = [];
  const program = new Program<In>(
    gpu,
    ({ x, more }) => ({ y: mean(mul(x, more[0])) }),
    (line) => said.push(line),
  );
  const run = async (n: number) => {
    const { y } = await assignAndReplay(program, inputsOf(n, n));
    const eager = step(() => {
      const { x, more } = upload(inputsOf(n, n));
      return mean(mul(x, more[0]));
    });
    is(await y.item(), await eager.item());
    y.dispose();
    eager.dispose();
  };
  const before = gpu.memory().live;
  for (const n of [4, 4, 6, 6]) await run(n);
  equal(said, ["input 'x' is [6,3] f32, was [4,3] f32; recording the step again"]);
  await run(4);
  is(said.length, 2);
  await program.dispose();
  is(gpu.memory().live, before, 'recordings and inputs are freed');
});

test('memory stays as it is over a thousand replays', async () => {
  const gpu = await testGpu();
  const program = new Program<In>(gpu, ({ x, more }) => ({ y: mean(mul(affine(x, 2, 1), more[0])) }));
  const run = async () => (await assignAndReplay(program, inputsOf(8, 1))).y;
  const first = await run();
  const value = await first.item();
  first.dispose();
  const before = gpu.memory();
  for (let k = 0; k < 1000; k++) {
    const y = await run();
    if (k % 100 === 99) is(await y.item(), value);
    y.dispose();
  }
  equal(gpu.memory(), before);
  await program.dispose();
});

test('what a recording cannot repeat is refused', async () => {
  const gpu = await testGpu();
  const outside = keep(tensor([1, 2, 3]));
  const before = gpu.memory().live;
  const run = (fn: (x: Tensor) => Tensor) =>
    assignAndReplay(new Program<In>(gpu, ({ x }) => ({ y: fn(x) })), inputsOf(2, 1));
  await rejects(
    () =>
      run((x) => {
        outside.assign([4, 5, 6]);
        return mul(x, outside);
      }),
    /writes 3 f32 from the host into a tensor from outside/,
  );
  let kept: Tensor | null = null;
  await rejects(() => run((x) => mul((kept = keep(affine(x, 2, 0))), x)), /6 f32 outlives the recorded step/);
  await rejects(async () => kept!.data(), /exists only inside the recorded step/);
  await rejects(
    () =>
      run((x) => {
        const y = affine(x, 1, 0);
        y.assign([1, 2, 3, 4, 5, 6]);
        return y;
      }),
    /into a tensor that it has used before/,
  );
  await rejects(
    () =>
      run((x) => {
        const average = tensor(new Float32Array(6), [2, 3]);
        launch(optim.ema, { n: 6 }, { average, x, rate: empty([]) });
        return average;
      }),
    /ema: 'average' is written and holds numbers from the host/,
  );
  is(gpu.memory().live, before, 'nothing is left behind');

  const program = new Program<In>(gpu, ({ x }) => ({ y: mul(x, outside) }));
  (await assignAndReplay(program, inputsOf(2, 1))).y.dispose();
  outside.dispose();
  await rejects(
    () => assignAndReplay(program, inputsOf(2, 1)),
    /replay: a tensor of 3 f32 that the recording uses was freed/,
  );
  await program.dispose();
});

test('a long step is handed to a GPU in parts while the rest is encoded, to a software adapter whole; the result is the same', async () => {
  const gpu = await testGpu();
  const { adapter } = gpu;
  const { queue } = gpu.device;
  const { submit } = queue;
  const grow = new Program<{ x: HostTensor }>(gpu, ({ x }) => {
    let y = x;
    for (let i = 0; i < 1300; i++) y = affine(y, 1, i);
    return { y };
  });
  const submitted = async (software: boolean) => {
    let count = 0;
    queue.submit = (list) => {
      count++;
      submit.call(queue, list);
    };
    Object.assign(gpu, { adapter: { ...adapter, software } });
    try {
      const { y } = await assignAndReplay(grow, { x: new HostTensor([1, 2], [2]) });
      const parts = count;
      const values = [...(await y.data())];
      y.dispose();
      return { parts, values };
    } finally {
      queue.submit = submit;
      Object.assign(gpu, { adapter });
    }
  };
  const sum = (1299 * 1300) / 2;
  await submitted(true);
  equal(await submitted(true), { parts: 0, values: [1 + sum, 2 + sum] });
  equal(await submitted(false), { parts: 2, values: [1 + sum, 2 + sum] });
  await grow.dispose();
});
