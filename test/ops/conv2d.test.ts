import {
  type Conv2dParams,
  conv2dBias,
  conv2dInputGrad,
  conv2dWeightGrad,
  conv2d as kernel,
} from '../../kernels/conv2d.ts';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { onDevice, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { compareVariant, type Launch } from '../../src/cli/check-kernels.ts';
import type { GpuStorage } from '../../src/gpu/gpu-storage.ts';
import {
  available,
  canRun,
  chooseVariant,
  everyFeature,
  type Kernel,
  type Variant,
} from '../../src/gpu/kernel.ts';
import { type Conv2dOptions, conv2d, convTranspose2d } from '../../src/ops/conv2d.ts';
import { elu, relu, square } from '../../src/ops/elementwise.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('conv2d');

interface Case {
  x: [number, number, number, number];
  kernel: [number, number];
  k: number;
  options: Conv2dOptions;
}

const cases: Case[] = [
  { x: [2, 5, 9, 4], kernel: [3, 3], k: 8, options: { padding: 1 } },
  { x: [1, 7, 11, 8], kernel: [3, 3], k: 12, options: { stride: 2, padding: 1 } },
  { x: [2, 6, 13, 3], kernel: [3, 3], k: 16, options: { padding: 1 } },
  { x: [1, 9, 10, 6], kernel: [7, 7], k: 5, options: { stride: 2, padding: 3 } },
  { x: [1, 8, 8, 8], kernel: [1, 1], k: 19, options: {} },
  { x: [2, 9, 7, 8], kernel: [3, 3], k: 8, options: { padding: 2, dilation: 2 } },
  { x: [1, 6, 5, 16], kernel: [3, 3], k: 20, options: { padding: 6, dilation: 6 } },
  { x: [2, 6, 9, 8], kernel: [3, 3], k: 8, options: { padding: 1, groups: 8 } },
  { x: [1, 7, 9, 16], kernel: [3, 3], k: 24, options: { padding: 1, groups: 2 } },
  {
    x: [1, 7, 10, 6],
    kernel: [3, 2],
    k: 9,
    options: { stride: [2, 3], padding: [1, 0], dilation: [1, 2], groups: 3 },
  },
  { x: [1, 5, 5, 4], kernel: [3, 3], k: 1, options: { padding: 1 } },
  { x: [2, 7, 9, 16], kernel: [3, 2], k: 6, options: { stride: 2, padding: [1, 0], groups: 2 } },
  { x: [1, 8, 11, 8], kernel: [3, 3], k: 3, options: { padding: 2, dilation: [1, 2] } },
];

const count = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

const inputsOf = ({ x, kernel: [kh, kw], k, options }: Case) => {
  const weight = [kh, kw, x[3] / (options.groups ?? 1), k];
  return [
    { shape: x, data: randoms(count(x), 1) },
    { shape: weight, data: randoms(count(weight), 2) },
    { shape: [k], data: randoms(k, 3) },
  ];
};

const label = (c: Case) => `x [${c.x}], ${c.kernel} -> ${c.k}, ${JSON.stringify(c.options)}`;

for (const one of cases) {
  test(`value and gradients: ${label(one)}`, async () => {
    const device = await testGpu();
    const [x, w, b] = inputsOf(one);
    const biased = await gradcheck((x, w, b) => conv2d(x, w, b, one.options), [x, w, b], {
      device,
      samples: 10,
    });
    ok(biased.ok, biased.message);
    const plain = await gradcheck((x, w) => conv2d(x, w, null, one.options), [x, w], { device, samples: 6 });
    ok(plain.ok, plain.message);
  });
}

/** Kernel parameters of a case, and buffers for all four kernels. */
function kernelCase({ x: [n, h, w, c], kernel: [kh, kw], k, options }: Case) {
  const [[sy, sx], [py, px], [dy, dx]] = [
    options.stride ?? 1,
    options.padding ?? 0,
    options.dilation ?? 1,
  ].map((value) => (typeof value === 'number' ? [value, value] : value));
  const groups = options.groups ?? 1;
  const oh = Math.floor((h + 2 * py - dy * (kh - 1) - 1) / sy) + 1;
  const ow = Math.floor((w + 2 * px - dx * (kw - 1) - 1) / sx) + 1;
  const params: Conv2dParams = { n, h, w, c, oh, ow, k, kh, kw, sy, sx, py, px, dy, dx, groups };
  const [image, weights, result] = [n * h * w * c, (kh * kw * c * k) / groups, n * oh * ow * k];
  const buffers = {
    x: randoms(image, 1),
    w: randoms(weights, 2),
    wt: randoms(weights, 2),
    b: randoms(k, 3),
    g: randoms(result, 4),
    y: new Float64Array(result),
    dx: new Float64Array(image),
  };
  return { params, buffers, weights };
}

const all = [kernel, ...Object.values(conv2dBias), conv2dInputGrad, conv2dWeightGrad];

/** Every variant of the kernels on the buffers of a case, the weight gradient with one split and with three. */
async function everyVariant(
  one: Case,
  families: readonly object[] = all,
  spoil: (buffers: Record<string, Float64Array>) => void = () => {},
) {
  const device = await testGpu();
  const { params, buffers, weights } = kernelCase(one);
  spoil(buffers);
  const splits = [1, Math.min(3, params.n * params.oh)];
  const launches: [Kernel, Launch][] = [
    ...[kernel, ...Object.values(conv2dBias), conv2dInputGrad].map(
      (family) => [family as unknown as Kernel, { params, buffers }] as [Kernel, Launch],
    ),
    ...splits.map((count): [Kernel, Launch] => [
      conv2dWeightGrad as unknown as Kernel,
      {
        params: { ...params, splits: count },
        buffers: { ...buffers, dw: new Float64Array(count * weights) },
      },
    ]),
  ];
  const ran = new Set<string>();
  for (const [family, launch] of launches) {
    if (!families.includes(family)) continue;
    for (const variant of family.variants) {
      if (!canRun(variant, launch.params) || !available(variant, device.adapter)) continue;
      const { wrong } = await compareVariant(device, family, variant, launch);
      equal(wrong, [], `${family.name}/${variant.name} at ${JSON.stringify(launch.params)}: ${wrong[0]}`);
      ran.add(`${family.name}/${variant.name}`);
    }
  }
  return ran;
}

// More than one block of `tiles` along each axis, none of them full; strides, dilations and groups that share nothing.
const larger: Case[] = [
  { x: [2, 9, 11, 20], kernel: [3, 3], k: 36, options: { padding: 1 } },
  { x: [1, 5, 7, 36], kernel: [3, 3], k: 72, options: { stride: 2, padding: 1 } },
  {
    x: [1, 13, 9, 16],
    kernel: [2, 3],
    k: 80,
    options: { stride: [2, 3], padding: [1, 2], dilation: [2, 1], groups: 2 },
  },
  { x: [1, 11, 12, 8], kernel: [3, 3], k: 8, options: { stride: 3, padding: 2, dilation: 2 } },
  { x: [1, 8, 7, 8], kernel: [3, 3], k: 16, options: { stride: 2, padding: 0 } },
  { x: [1, 8, 7, 8], kernel: [1, 1], k: 16, options: { stride: 2 } },
  { x: [2, 9, 13, 8], kernel: [3, 3], k: 8, options: { dilation: 2 } },
  { x: [1, 13, 15, 4], kernel: [3, 3], k: 8, options: { stride: 2, padding: 1, dilation: 3 } },
  { x: [1, 14, 15, 8], kernel: [2, 3], k: 8, options: { padding: [3, 4], dilation: [3, 2], groups: 2 } },
  { x: [1, 13, 14, 8], kernel: [3, 3], k: 4, options: { stride: 2, padding: 3, dilation: 4 } },
  { x: [1, 9, 10, 4], kernel: [7, 7], k: 8, options: { stride: 2, padding: 3 } },
  { x: [1, 6, 7, 6], kernel: [3, 3], k: 12, options: { stride: 2, padding: 1 } },
  { x: [1, 6, 9, 12], kernel: [5, 5], k: 2, options: { padding: 2 } },
  { x: [2, 7, 9, 32], kernel: [3, 3], k: 32, options: { padding: 1, groups: 2 } },
  { x: [1, 9, 8, 16], kernel: [3, 2], k: 48, options: { stride: [2, 1], padding: [1, 0], dilation: [1, 2] } },
  { x: [2, 5, 6, 64], kernel: [1, 1], k: 16, options: {} },
];

test('every variant against plain loops, none beyond its buffers', async () => {
  const ran = new Set<string>();
  for (const one of [...cases, ...larger]) for (const name of await everyVariant(one)) ran.add(name);
  for (const family of all) {
    for (const variant of family.variants) {
      const name = `${family.name}/${variant.name}`;
      is(ran.has(name), available(variant, (await testGpu()).adapter), name);
    }
  }
});

test('variants by subgroups that run by rule have the bits of those that need none', async () => {
  const device = await testGpu();
  const facts = { software: true, ...everyFeature(false), subgroups: true };
  const compared = new Set<string>();
  for (const one of [...cases, ...larger]) {
    const { params, buffers, weights } = kernelCase(one);
    const launch = { ...params, splits: Math.min(3, params.n * params.oh) };
    const data: Record<string, Float64Array> = {
      ...buffers,
      y: new Float64Array(buffers.y.length),
      dw: new Float64Array(launch.splits * weights),
    };
    for (const family of all as unknown as Kernel[]) {
      const same = family.variants.filter((one) => one.sameBits && canRun(one, launch));
      if (same.length === 0 || !same.every((one) => available(one, device.adapter))) continue;
      const plain = chooseVariant(family, launch, { ...facts, subgroups: false });
      const results: Uint32Array[] = [];
      for (const { name } of [plain, ...same]) {
        const storages: Record<string, GpuStorage> = {};
        for (const { name, type } of family.bindings) {
          storages[name] = device.alloc(data[name].length, type);
          device.write(storages[name], data[name]);
        }
        device.pins.set(family.name, name);
        device.run(family, launch, storages);
        device.pins.delete(family.name);
        const values = await device.read(storages[family.bindings.at(-1)!.name]);
        results.push(new Uint32Array(values.buffer, values.byteOffset, values.length));
        for (const storage of Object.values(storages)) device.free(storage);
      }
      for (const [i, { name }] of same.entries()) {
        equal(results[0], results[i + 1], `${family.name}: ${name} and ${plain.name}, ${label(one)}`);
        compared.add(`${family.name}/${name}`);
      }
    }
  }
  const expected = all.flatMap(({ variants }) =>
    (variants as Variant<never>[]).filter((one) => one.sameBits),
  );
  is(compared.size, device.adapter.subgroups ? expected.length : 0, [...compared].join());
});

test('the wide quad runs by rule where the cache is small and the work is worth its time to compile', () => {
  const facts = { software: true, ...everyFeature(false), subgroups: true };
  const chosen = (side: number, k: number, instructionCache?: number) => {
    const { params } = kernelCase({ x: [1, side, side, 32], kernel: [3, 3], k, options: { padding: 1 } });
    return chooseVariant(conv2dWeightGrad, { ...params, splits: 1 }, { ...facts, instructionCache }).name;
  };
  is(chosen(64, 32, 2 ** 15), 'registers-quad-wide');
  is(chosen(64, 32, 2 ** 16), 'registers-quad', 'the loop of registers-quad fits');
  is(chosen(64, 32), 'registers-quad', 'nothing is known of the cache');
  is(chosen(32, 32, 2 ** 15), 'registers-quad', 'little work');
  is(chosen(64, 40, 2 ** 15), 'registers-quad', 'output channels not in sixteens');
});

// The forms of `registers` depend on how much work there is: what large layers get, which small cases never see.
for (const one of [
  { x: [2, 29, 38, 32], kernel: [3, 3], k: 32, options: { padding: 1 } },
  { x: [2, 29, 38, 32], kernel: [3, 3], k: 32, options: { padding: [2, 0], dilation: 2 } },
  { x: [1, 61, 75, 32], kernel: [3, 3], k: 32, options: { stride: 2, padding: 1 } },
  { x: [1, 90, 83, 3], kernel: [7, 7], k: 64, options: { stride: 2, padding: 3 } },
  { x: [2, 66, 69, 16], kernel: [3, 3], k: 1, options: {} },
] satisfies Case[]) {
  test(`weight gradient of several rows at a time: ${label(one)}`, async () => {
    const device = await testGpu();
    const { params, buffers, weights } = kernelCase(one);
    const launch = {
      params: { ...params, splits: 3 },
      buffers: { ...buffers, dw: new Float64Array(3 * weights) },
    };
    const family = conv2dWeightGrad as unknown as Kernel;
    for (const more of [{}, { subgroups: true }, { subgroups: true, instructionCache: 2 ** 15 }]) {
      const variant = chooseVariant(family, launch.params, {
        software: true,
        ...everyFeature(false),
        ...more,
      });
      if (!available(variant, device.adapter)) continue;
      ok(/dot\(m0_0/.test(variant.code(launch.params)), 'several rows in a turn');
      const { wrong } = await compareVariant(device, family, variant, launch);
      equal(wrong, [], `${variant.name}: ${wrong[0]}`);
    }
  });
}

// Blocks of 128 rows, which only large products get.
for (const { family, one, splits } of [
  { family: kernel, one: { x: [1, 129, 256, 4], kernel: [3, 3], k: 12, options: { padding: 1 } }, splits: 1 },
  {
    family: conv2dInputGrad,
    one: { x: [2, 127, 133, 8], kernel: [2, 3], k: 8, options: { stride: [1, 2], padding: [0, 1] } },
    splits: 1,
  },
  {
    family: conv2dWeightGrad,
    one: { x: [1, 257, 135, 32], kernel: [2, 8], k: 32, options: { groups: 4 } },
    splits: 64,
  },
  { family: conv2dBias.elu, one: { x: [1, 130, 256, 4], kernel: [1, 1], k: 36, options: {} }, splits: 1 },
  { family: conv2dBias.plain, one: { x: [1, 130, 256, 4], kernel: [1, 1], k: 20, options: {} }, splits: 1 },
  { family: conv2dInputGrad, one: { x: [1, 256, 130, 36], kernel: [1, 1], k: 4, options: {} }, splits: 1 },
  { family: conv2dWeightGrad, one: { x: [1, 257, 11, 8], kernel: [2, 8], k: 36, options: {} }, splits: 256 },
] satisfies { family: unknown; one: Case; splits: number }[]) {
  test(`large blocks of tiles: ${family.name}, ${label(one)}`, async () => {
    const device = await testGpu();
    const { params, buffers, weights } = kernelCase(one);
    const launch = {
      params: { ...params, splits },
      buffers: { ...buffers, dw: new Float64Array(splits * weights) },
    };
    const variant = family.variants.find(({ name }) => name === 'tiles')!;
    const across = (family === conv2dInputGrad ? params.c : params.k) / (params.groups ?? 1) > 16 ? 8 : 4;
    ok(
      variant.code(launch.params).includes(`@workgroup_size(${16 * across})`),
      `16 by ${across} invocations`,
    );
    const { wrong } = await compareVariant(device, family as unknown as Kernel, variant as never, launch);
    equal(wrong, [], wrong[0]);
  });
}

test('an infinity at the border of the image that is read stays out of the padding', async () => {
  const ends = (values: Float64Array) => {
    values[0] = Number.POSITIVE_INFINITY;
    values[values.length - 1] = Number.NEGATIVE_INFINITY;
  };
  for (const one of [
    { x: [1, 7, 9, 4], kernel: [3, 3], k: 8, options: { padding: 1 } },
    { x: [1, 7, 9, 3], kernel: [3, 3], k: 8, options: { stride: 2, padding: 1 } },
    { x: [1, 6, 7, 3], kernel: [3, 3], k: 5, options: { padding: 2, dilation: 2 } },
  ] satisfies Case[]) {
    await everyVariant(one, [kernel, conv2dBias.plain], ({ x }) => ends(x));
    await everyVariant(one, [conv2dInputGrad], ({ g }) => ends(g));
  }
});

for (const [name, after] of Object.entries({ relu, elu })) {
  test(`${name} in the same pass is ${name} after it, to the bit, gradients too; without a bias likewise`, async () => {
    const device = await testGpu();
    for (const one of [cases[0], cases[1], cases[3], larger[9]]) {
      const [x, w, b] = inputsOf(one).map(({ shape, data }) => onDevice(device, () => tensor(data, shape)));
      const both = [true, false].flatMap((biased) => [
        () => conv2d(x, w, biased ? b : null, { ...one.options, activation: name as 'relu' | 'elu' }),
        () => after(conv2d(x, w, biased ? b : null, one.options)),
      ]);
      const results = await onDevice(device, () =>
        Promise.all(
          both.map(async (forward) => {
            const values = Array.from(await forward().data());
            const gradients = grad(() => sum(square(forward())), [x, w]);
            return [values, ...(await Promise.all(gradients.map(async (g) => Array.from(await g.data()))))];
          }),
        ),
      );
      equal(results[0], results[1], label(one));
      equal(results[2], results[3], label(one));
      ok(results[0][0].some((v) => v <= 0) && results[0][0].some((v) => v > 0), 'both sides are met');
    }
  });
}

test('second derivatives close over the three kernels', async () => {
  const device = await testGpu();
  const one: Case = { x: [1, 5, 6, 4], kernel: [3, 3], k: 4, options: { stride: 2, padding: 1 } };
  const [x, w] = inputsOf(one);
  const penalty = (x: Tensor, w: Tensor) =>
    sum(square(grad(() => sum(square(conv2d(x, w, null, one.options))), [x])[0]));
  const check = await gradcheck(penalty, [x, w], { device });
  ok(check.ok, check.message);
});

for (const options of [
  { stride: 2, padding: 1, outputPadding: 1 },
  { stride: 1, padding: 0 },
  { stride: 3, padding: 2, dilation: 2 },
]) {
  test(`convTranspose2d ${JSON.stringify(options)}`, async () => {
    const device = await testGpu();
    const inputs = [
      { shape: [2, 4, 5, 6], data: randoms(240, 1) },
      { shape: [3, 3, 5, 6], data: randoms(270, 2) },
      { shape: [5], data: randoms(5, 3) },
    ];
    const check = await gradcheck((x, w, b) => convTranspose2d(x, w, b, options), inputs, {
      device,
      samples: 10,
    });
    ok(check.ok, check.message);
  });
}

test('a hand-computed window', async () => {
  await testGpu();
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
  const w = tensor([0, 1, 0, 0, 2, 0, 0, 0, -1], [3, 3, 1, 1]);
  equal([...(await conv2d(x, w, tensor([10])).data())], [2 + 2 * 5 - 9 + 10]);
});

test('wrong shapes are refused by name', async () => {
  await testGpu();
  const x = tensor(randoms(36, 1), [1, 3, 3, 4]);
  throws(() => conv2d(x, tensor(randoms(27, 1), [3, 3, 3, 1])), /4 input channels/);
  throws(() => conv2d(x, tensor(randoms(100, 1), [5, 5, 4, 1])), /3x3 image is smaller than the 5x5 kernel/);
});

// Before a shader sees them: a dilation of 0 is a loop without end there.
test('options that no convolution has are refused', async () => {
  await testGpu();
  const x = tensor(randoms(72, 1), [1, 6, 6, 2]);
  const w = tensor(randoms(36, 2), [3, 3, 2, 2]);
  const refused: [Conv2dOptions, RegExp][] = [
    [{ stride: 0 }, /stride must be whole numbers from 1 on, got 0/],
    [{ stride: 1.5 }, /stride/],
    [{ padding: -1 }, /padding must be whole numbers from 0 on, got -1/],
    [{ dilation: [1, 0] }, /dilation must be whole numbers from 1 on, got 1,0/],
    [{ groups: 0 }, /groups must be a whole number from 1 on, got 0/],
    [{ groups: 0.5 }, /groups/],
  ];
  for (const [options, message] of refused) {
    throws(() => conv2d(x, w, null, options), message);
    throws(() => convTranspose2d(x, w, null, options), message);
  }
  throws(() => conv2d(x, tensor([], [0, 3, 2, 2])), /weights \[0,3,2,2\] hold no kernel/);
  throws(() => convTranspose2d(x, w, tensor([1])), /bias \[1\] for 2 output channels/);
  throws(() => convTranspose2d(tensor([1, 2], [1, 1, 1, 2]), w, null, { padding: 3 }), /leaves nothing/);
});
