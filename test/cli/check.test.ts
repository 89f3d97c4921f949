// The checks of `warpmix check`: that everything passes, that nothing is left out, and that what is wrong is found.
import { readdirSync, readFileSync } from 'node:fs';
import * as elementwise from '../../kernels/elementwise.ts';
import { matmul as matmulKernel } from '../../kernels/matmul.ts';
import { F16_PRODUCT } from '../../shaders/f16.wgsl.ts';
import { vjp } from '../../src/autograd/tape.ts';
import { onDevice, sizeOf, tensor } from '../../src/autograd/tensor.ts';
import { checkOps } from '../../src/cli/check-gradients.ts';
import { checkKernels, compareVariant, type Launch, noteLaunches } from '../../src/cli/check-kernels.ts';
import { notDifferentiable, opCases } from '../../src/cli/check-ops.ts';
import { kernelFamilies, kernelList } from '../../src/cli/kernel-list.ts';
import type { Storage } from '../../src/gpu/device.ts';
import {
  available,
  canRun,
  type Kernel,
  type Numbers,
  type Params,
  type Variant,
} from '../../src/gpu/kernel.ts';
import { ReferenceDevice } from '../../src/gpu/reference.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { batchNorm, groupNorm, instanceNorm } from '../../src/ops/norm.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('check');

test('every variant of every kernel agrees with its reference', async () => {
  const gpu = await testGpu();
  const cases = await checkKernels(gpu);
  equal(
    cases.filter((one) => !one.ok && !one.unsupported).map(({ name, note }) => `${name}: ${note}`),
    [],
  );
  equal(
    cases.filter((one) => one.unsupported).map(({ name, note }) => `${name} ${note}`),
    kernelList.flatMap(({ kernel }) =>
      kernel.variants
        .filter((variant) => !available(variant, gpu.adapter))
        .map(({ name, needs }) => `${kernel.name}/${name} needs ${needs}, which this adapter does not offer`),
    ),
  );
  is(
    cases.length,
    kernelList.reduce((n, { kernel }) => n + kernel.variants.length, 0),
  );
});

test('every op agrees with finite differences', async () => {
  const cases = await checkOps(await testGpu());
  equal(
    cases.filter((one) => !one.ok).map(({ name, note }) => `${name}: ${note}`),
    [],
  );
});

test('no kernel family is left out, and no two kernels share a name', () => {
  const withKernels = readdirSync('kernels').filter((file) =>
    /: Kernel</.test(readFileSync(`kernels/${file}`, 'utf8')),
  );
  const missing = withKernels
    .map((file) => file.replace('.ts', ''))
    .filter((name) => !(name in kernelFamilies));
  equal(missing, [], 'add them to src/cli/kernel-list.ts');
  const names = kernelList.map(({ kernel }) => kernel.name);
  equal(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
});

test('every function of src/ops is checked, or has a reason not to be', () => {
  const checked = new Set(opCases.map((one) => one.op));
  const exported = readdirSync('src/ops').flatMap((file) =>
    [...readFileSync(`src/ops/${file}`, 'utf8').matchAll(/^export (?:function|const) (\w+)/gm)].map(
      (m) => m[1],
    ),
  );
  ok(exported.length > 60, `${exported.length} exports found`);
  equal(
    exported.filter((name) => !checked.has(name) && !Object.hasOwn(notDifferentiable, name)),
    [],
    'add cases to src/cli/check-ops.ts',
  );
  const stale = [...checked, ...Object.keys(notDifferentiable)].filter((name) => !exported.includes(name));
  equal(stale, [], 'checked or excused, but exported by no file of src/ops');
});

const square = elementwise.unaryKernels.square as unknown as Kernel;
const values = randoms(15, 1);
const launch: Launch = { params: { n: 15, a: 0, b: 0 }, buffers: { x: values, y: new Float64Array(15) } };

/** What the check says of `square` with other WGSL. */
async function verdict(change: (code: string) => string): Promise<string> {
  const scalar = square.variants.find((one) => one.name === 'scalar')!;
  const variant = {
    ...scalar,
    name: `changed ${change}`,
    code: (p: typeof launch.params) => change(scalar.code(p)),
  };
  const { wrong } = await compareVariant(await testGpu(), square, variant, launch);
  return wrong.join('; ');
}

test('a kernel as it is has nothing wrong with it', async () => {
  is(await verdict((code) => code), '');
});

test('a kernel that is off by 0.1 % is found', async () => {
  const found = await verdict((code) => code.replace('x * x', 'x * x * 1.001'));
  ok(/'y' is off by/.test(found), found);
});

test('a kernel that leaves out its last element is found', async () => {
  const found = await verdict((code) => code.replace('p.n / LANES', 'p.n / LANES - 1u'));
  ok(/'y' is off by/.test(found), found);
});

test('a kernel that writes past the end of its result is found', async () => {
  const found = await verdict((code) => code.replace('p.n / LANES', 'p.n / LANES + 1u'));
  ok(/'y' was written 1 beyond its end/.test(found), found);
});

/** What the check says of a matrix product of values that are all `value`, whose factors go through `rounded`, WGSL in `v`. */
async function roundedProduct(value: number, rounded: string, rounding?: number): Promise<string> {
  const [m, n, k] = [5, 7, 30];
  const params = { batch: 1, m, n, k, az: 0, am: k, ak: 1, bz: 0, bk: n, bn: 1 };
  const filled = (size: number) => new Float64Array(size).fill(value);
  const naive = matmulKernel.variants.find((one) => one.name === 'naive')!;
  const code = () => {
    const text = naive.code(params);
    const factors = text.replace(/(a\[[^\]]+\]) \* (b\[[^\]]+\])/, 'rounded($1) * rounded($2)');
    ok(factors !== text);
    return `fn rounded(v: f32) -> f32 { return ${rounded}; }\n${factors}`;
  };
  const variant = { ...naive, name: `${rounded} ${rounding}`, rounding, code } as unknown as Variant<Params>;
  const buffers = { a: filled(m * k), b: filled(k * n), c: new Float64Array(m * n) };
  const kernel = matmulKernel as unknown as Kernel;
  return (await compareVariant(await testGpu(), kernel, variant, { params, buffers })).wrong.join('; ');
}

test('what f16 costs at the worst is allowed where a variant says that it rounds, and no more', async () => {
  const nearest = 'unpack2x16float(pack2x16float(vec2f(v, 0.0))).x';
  const cut = 'bitcast<f32>(bitcast<u32>(v) & 0xffffe000u)';
  const [half, whole] = [1 + 0.99 * 2 ** -11, 1 + 0.99 * 2 ** -10];
  is(await roundedProduct(half, nearest, F16_PRODUCT), '');
  for (const found of [await roundedProduct(half, nearest), await roundedProduct(whole, cut, F16_PRODUCT)])
    ok(/'c' is off by/.test(found), found);
});

/** Notes every launch. */
class NotingDevice extends ReferenceDevice {
  readonly launches: { kernel: Kernel; launch: Launch }[] = [];

  override run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    const held = kernel.bindings.map(({ name }) => {
      const { data } = buffers[name] as unknown as { data: Numbers };
      return [name, data.slice()] as const;
    });
    this.launches.push({
      kernel: kernel as unknown as Kernel,
      launch: { params, buffers: Object.fromEntries(held) },
    });
    super.run(kernel, params, buffers);
  }
}

/** Sizes at which every invocation of a workgroup has its part, which those of `check` are too small for. */
function largeLaunches(): NotingDevice['launches'] {
  const device = new NotingDevice();
  onDevice(device, () => {
    const draw = (shape: readonly number[], stream: number) =>
      tensor(randoms(sizeOf(shape), stream, 0.5, 1.5), shape);
    const [scale, shift, mean, variance] = [5, 6, 7, 8].map((stream) => draw([8], stream));
    const x = draw([2, 48, 48, 8], 1);
    for (const fn of [
      () => batchNorm(x, scale, shift, mean, variance, { training: true }),
      () => groupNorm(x, scale, shift, { groups: 1 }),
      () => instanceNorm(x),
      () => matmul(draw([40, 50], 2), draw([50, 40], 3)),
    ]) {
      const [y, pullback] = vjp(fn, [x]);
      pullback(draw(y.shape, 4));
    }
  });
  return device.launches;
}

test('a kernel with a barrier left out is found, whichever barrier it is', async () => {
  const gpu = await testGpu();
  const BARRIER = 'workgroupBarrier();';
  const barriers = (variant: Variant<Params>, { params }: Launch) =>
    canRun(variant, params) ? variant.code(params).split(BARRIER).length - 1 : 0;
  const noted = await noteLaunches();
  const large = largeLaunches();
  const survivors: string[] = [];
  let removed = 0;
  for (const { kernel } of kernelList) {
    const all = [
      ...large.filter((one) => one.kernel === kernel).map(({ launch }) => launch),
      ...(noted.get(kernel) ?? []),
    ];
    for (const variant of kernel.variants.filter((one) => available(one, gpu.adapter))) {
      const launches = all.filter((one) => barriers(variant, one) > 0);
      const most = Math.max(0, ...launches.map((one) => barriers(variant, one)));
      for (let k = 0; k < most; k++) {
        const code = (params: Params) => {
          const parts = variant.code(params).split(BARRIER);
          return parts.map((part, i) => part + (i === parts.length - 1 || i === k ? '' : BARRIER)).join('');
        };
        const mutant = { ...variant, name: `${variant.name} without barrier ${k}`, code };
        removed += 1;
        let found = false;
        for (const launch of launches) {
          found ||= (await compareVariant(gpu, kernel, mutant, launch)).wrong.length > 0;
        }
        if (!found) survivors.push(`${kernel.name}/${mutant.name}`);
      }
    }
  }
  ok(removed >= 20, `${removed} barriers`);
  // Nothing goes wrong without these. Before the first of subgroups and after it an invocation writes its own place only. That of
  // the tree parts a channel of a group from the next, and these groups have one.
  const folds = ['reduceMax 0', 'reduceMin 0', 'reduceSum 0'];
  const idle = [
    'normGradMerge/tree without barrier 2',
    ...(gpu.adapter.subgroups ? folds.map((fold) => fold.replace(' ', '/subgroups without barrier ')) : []),
  ];
  is(survivors.sort().join(), idle.sort().join());
});

test('filters choose by name', async () => {
  const device = await testGpu();
  const cases = await checkKernels(device, (name) => name === 'rsqrt/scalar');
  equal(
    cases.map((one) => one.name),
    ['rsqrt/scalar'],
  );
  is((await checkOps(device, () => false)).length, 0);
});
