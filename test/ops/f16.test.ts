// The variants that hold their tiles as f16, subgroup matrices among them. Where the adapter has not what they need they are not offered, and
// that is what is tested; how far they may be off elsewhere is the matter of `check`, whose cases of odd sizes they pass on an adapter that has it.
import {
  type Conv2dParams,
  conv2d,
  conv2dBias,
  conv2dInputGrad,
  conv2dWeightGrad,
} from '../../kernels/conv2d.ts';
import { type MatmulParams, matmul } from '../../kernels/matmul.ts';
import type { Storage } from '../../src/gpu/device.ts';
import {
  chooseVariant,
  everyFeature,
  type Kernel,
  type Numbers,
  type Params,
  type Variant,
} from '../../src/gpu/kernel.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('f16');

const VARIANTS = ['tiles-f16', 'matrix16', 'matrix8'];
const LARGEST = 65504;

const image: Conv2dParams = {
  ...{ n: 1, h: 5, w: 7, c: 8, oh: 5, ow: 7, k: 12, kh: 3, kw: 3 },
  ...{ sy: 1, sx: 1, py: 1, px: 1, dy: 1, dx: 1, groups: 1 },
};
const product: MatmulParams = { batch: 1, m: 33, n: 35, k: 21, az: 0, am: 21, ak: 1, bz: 0, bk: 35, bn: 1 };
const [pixels, weights] = [image.h * image.w, 9 * image.c * image.k];
const sizes: Record<string, number> = {
  ...{ x: pixels * image.c, y: pixels * image.k, w: weights, wt: weights, b: image.k },
  ...{ g: pixels * image.k, dx: pixels * image.c, dw: 2 * weights },
};
const [a, b, c] = [33 * 21, 21 * 35, 33 * 35];

interface Case {
  kernel: Kernel;
  params: Params;
  sizes: Record<string, number>;
}
const cases: Case[] = [
  ...[conv2d, conv2dBias.plain, conv2dInputGrad].map((kernel) => ({
    kernel: kernel as unknown as Kernel,
    params: image,
    sizes,
  })),
  { kernel: conv2dWeightGrad as unknown as Kernel, params: { ...image, splits: 2 }, sizes },
  { kernel: matmul as unknown as Kernel, params: product, sizes: { a, b, c } },
];

/** What a kernel multiplies, and what it adds to the sums. */
const ROLES = ['left', 'right', 'bias'] as const;

/** What a variant makes of these inputs, and the plain loops; null where the adapter has not what it needs. */
async function outcome(
  { kernel, params, sizes }: Case,
  variant: Variant<Params>,
  fill: (role: (typeof ROLES)[number], k: number) => number,
): Promise<{ got: Numbers; want: Numbers } | null> {
  const gpu = await testGpu();
  gpu.pins.set(kernel.name, variant.name);
  try {
    const offered = gpu.adapter[variant.needs!];
    is(gpu.variant(kernel, params) === variant, offered, `pinned: ${kernel.name}`);
    if (!offered) return null;
    const held: Record<string, Float64Array> = {};
    const buffers: Record<string, Storage> = {};
    for (const [i, { name, access }] of kernel.bindings.entries()) {
      const value = (k: number) => (access === 'write' ? 0 : fill(ROLES[i], k));
      held[name] = Float64Array.from({ length: sizes[name] }, (_, k) => value(k));
      buffers[name] = gpu.alloc(sizes[name], 'f32');
      gpu.write(buffers[name], held[name]);
    }
    const output = kernel.bindings[kernel.bindings.length - 1].name;
    gpu.run(kernel, params, buffers);
    const got = await gpu.read(buffers[output]);
    for (const storage of Object.values(buffers)) gpu.free(storage);
    kernel.reference(params, held);
    return { got, want: held[output] };
  } finally {
    gpu.pins.delete(kernel.name);
  }
}

for (const [one, variant] of cases.flatMap((one) =>
  VARIANTS.map((name) => [one, one.kernel.variants.find((variant) => variant.name === name)!] as const),
)) {
  const name = `${one.kernel.name}/${variant.name}`;
  test(`${name}: never by the rule`, async () => {
    const gpu = await testGpu();
    for (const software of [true, false]) {
      const facts = { software, ...everyFeature(true) };
      ok(chooseVariant(one.kernel, one.params, facts) !== variant);
    }
    ok(gpu.variant(one.kernel, one.params) !== variant);
  });

  // Multiples of 1/64 below 1: products and sums have no more than 24 bits, so f32 rounds nothing; sums in f16 would.
  test(`${name}: numbers that f16 holds give the exact result, so sums are f32`, async () => {
    const found = await outcome(one, variant, (role, k) => (((k * 37 + role.length * 11) % 127) - 63) / 64);
    if (found) equal([...found.got], [...found.want]);
  });

  test(`${name}: beyond 65504 a value is 65504; infinities and NaN stay`, async () => {
    for (const [value, staged] of [
      [65519, LARGEST],
      [70000, LARGEST],
      [-1e30, -LARGEST],
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
      [Number.NaN, Number.NaN],
    ]) {
      // One such value on the left, ones on the right: each result has it once or not at all.
      const found = await outcome(one, variant, (role, k) =>
        role === 'right' ? 1 : role === 'left' && k === 0 ? value : 0,
      );
      if (found) equal([...new Set(found.got)].sort(), [0, staged].sort(), `${value}`);
    }
  });

  test(`${name}: what is below 2^-25 is lost`, async () => {
    const found = await outcome(one, variant, (role) => ({ left: 2 ** -26, right: 1, bias: 0 })[role]);
    if (found) {
      equal([...new Set(found.got)], [0]);
      ok(found.want.every((value) => value > 0));
    }
  });
}
