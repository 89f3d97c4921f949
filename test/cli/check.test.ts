// The checks of `warpmix check`: that everything passes, that nothing is left out, and that what is wrong is found.
import { readdirSync, readFileSync } from 'node:fs';
import * as elementwise from '../../kernels/elementwise.ts';
import { checkOps } from '../../src/cli/check-gradients.ts';
import { checkKernels, compareVariant, type Launch } from '../../src/cli/check-kernels.ts';
import { notDifferentiable, opCases } from '../../src/cli/check-ops.ts';
import { kernelFamilies, kernelList } from '../../src/cli/kernel-list.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('check');

test('every variant of every kernel agrees with its reference', async () => {
  const cases = await checkKernels(await testGpu());
  equal(
    cases.filter((one) => !one.ok).map(({ name, note }) => `${name}: ${note}`),
    [],
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
  const found = await verdict((code) => code.replace('>= p.n', '>= p.n - 1u'));
  ok(/'y' is off by/.test(found), found);
});

test('a kernel that writes past the end of its result is found', async () => {
  const found = await verdict((code) => code.replace('>= p.n', '> p.n'));
  ok(/'y' was written 1 beyond its end/.test(found), found);
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
