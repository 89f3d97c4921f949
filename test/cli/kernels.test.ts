// `warpmix kernels`: what one kernel is, does and costs, and every shader as a file.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dumpShaders } from '../../src/cli/kernel-dump.ts';
import type { Inspection } from '../../src/cli/kernel-inspect.ts';
import { kernelList } from '../../src/cli/kernel-list.ts';
import { DataError } from '../../src/data/types.ts';
import { testGpu } from '../device.ts';
import { nullDevice } from '../null-device.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { warpmix } from './spawn.ts';

const test = suite('kernels');

const folder = mkdtempSync(join(tmpdir(), 'warpmix-kernels-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('NAME: every variant measured on the buffers of a training step, within the limits, against the reference', async () => {
  const { code, stdout, stderr } = await warpmix(['kernels', 'conv2d', '--json']);
  is(code, 0, stderr);
  const { name, formula, bindings, launch } = JSON.parse(stdout) as {
    name: string;
    formula: string;
    bindings: object[];
    launch: Inspection;
  };
  is(name, 'conv2d');
  ok(formula.startsWith('y[n,oy,ox,o] = sum'), formula);
  is(bindings.length, 3);
  ok(/^step of .*preset tiny$/.test(launch.from) && launch.perStep! >= 1, launch.from);
  const { n, h, w, c, oh, ow, k, kh, kw } = launch.params;
  equal(
    launch.buffers.map(({ length }) => length),
    [n * h * w * c, kh * kw * c * k, n * oh * ow * k],
  );
  is(launch.flops, 2 * n * oh * ow * k * kh * kw * c);
  equal(
    launch.variants.map(({ variant }) => variant),
    kernelList.find(({ kernel }) => kernel.name === 'conv2d')!.kernel.variants.map((one) => one.name),
  );
  for (const { variant, why, wgsl, workgroups, ms, rate, maxRelErr } of launch.variants) {
    is(maxRelErr === null, /does not offer/.test(why), `${variant}: error ${maxRelErr}`);
    ok((maxRelErr ?? 0) < 5e-4, `${variant}: error ${maxRelErr}`);
    is(why.startsWith('runs'), variant === launch.chosen, why);
    if (/does not offer/.test(why)) is(ms, null, variant);
    if (wgsl === null || ms === null) continue;
    ok(wgsl.includes('struct Params') && wgsl.includes('fn main'), wgsl);
    ok(workgroups! >= 1 && ms! > 0, `${variant}: ${workgroups} workgroups, ${ms} ms`);
    ok(Math.abs(rate!.gflops - launch.flops / ms! / 1e6) < 1e-9 * rate!.gflops);
    ok(rate!.share > 0, `${variant}: share ${rate!.share}`);
  }
});

test('NAME --variant: parameters that fit it, the text for a reader', async () => {
  const { code, stdout, stderr } = await warpmix(['kernels', 'tanh', '--variant', 'scalar']);
  is(code, 0, stderr);
  for (const part of ['tanh', 'warpmix check', 'FLOPs a byte', 'GFLOP/s', 'workgroups', 'of limit']) {
    ok(stdout.includes(part), `${part}\n${stdout}`);
  }
  ok(/scalar.*meant|scalar \*? .*(runs|applies)/.test(stdout), stdout);
  ok(stdout.includes('WGSL of tanh/scalar') && stdout.includes('x: array<f32>'), stdout);
});

test('a pin that needs what the adapter lacks: the rule chooses, and both are said; its text is shown all the same', async () => {
  const { adapter } = await testGpu();
  const { code, stdout, stderr } = await warpmix(['kernels', 'matmul', '--variant', 'tiles-f16'], {
    env: { WARPMIX_VARIANTS: 'matmul=tiles-f16' },
  });
  is(code, 0, stderr);
  ok(stdout.includes('WGSL of matmul/tiles-f16') && stdout.includes('enable f16;'), stdout);
  const lacks = /matmul=tiles-f16 needs f16, which this adapter does not offer: the rule chooses/.test(
    stderr,
  );
  is(lacks, !adapter.f16, stderr);
  ok((adapter.f16 ? /tiles-f16 \*.*runs: pinned/ : /tiles-f16 .*needs f16, which this/).test(stdout), stdout);
});

test('a kernel, variant or preset that is not there: exit 2', async () => {
  for (const [args, message] of [
    [['conv2'], /no kernel 'conv2' \(did you mean conv2d\?\)/],
    [['conv2d', '--variant', 'fast'], /no variant 'fast'; it has rows/],
    [['conv2d', '--preset', 'huge'], /--preset 'huge': expected one of tiny/],
    [['conv2d', '--dump', folder], /leave out NAME/],
  ] as const) {
    const { code, stderr } = await warpmix(['kernels', ...args]);
    is(code, 2, stderr);
    ok(message.test(stderr), stderr);
  }
});

/** What shaders enable beyond core WGSL. */
const MORE = ['subgroups', 'f16', 'chromium_experimental_subgroup_matrix'];

test('--dump: a file for every variant, each compiles; an earlier dump is replaced, anything else is not', async () => {
  const dir = join(folder, 'shaders');
  const files = await dumpShaders(dir, 'tiny');
  const names = readdirSync(dir);
  is(names.length, files);
  for (const { kernel } of kernelList) {
    for (const variant of kernel.variants) {
      ok(names.includes(`${kernel.name}.${variant.name}.wgsl`), `${kernel.name}/${variant.name} is missing`);
    }
  }
  const { device: own } = await testGpu();
  const other = await nullDevice();
  const lacks = (enabled: string) => {
    const feature = enabled === 'f16' ? 'shader-f16' : enabled.replaceAll('_', '-');
    return !own.features.has(feature as GPUFeatureName);
  };
  const faults: string[] = [];
  let beyond = 0;
  for (const name of names) {
    const code = readFileSync(join(dir, name), 'utf8');
    const [, enabled] = /^enable ([^;]*);/m.exec(code) ?? [];
    const device = enabled?.split(', ').some(lacks) ? other : own;
    if (device === other) beyond += 1;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const error = await device.popErrorScope();
    if (error) faults.push(`${name}: ${(await module.getCompilationInfo()).messages[0]?.message}`);
  }
  equal(faults, []);
  is(beyond > 0, MORE.some(lacks), `${beyond} texts with features that this adapter lacks`);
  other.destroy();

  writeFileSync(join(dir, 'gone.naive.wgsl'), '// warpmix kernels --dump: gone/naive\n');
  await dumpShaders(dir, 'tiny');
  equal(readdirSync(dir), names, 'a shader that is no more goes');

  writeFileSync(join(dir, 'notes.txt'), 'mine');
  await refused(dir, 'notes.txt');
  equal(readFileSync(join(dir, 'notes.txt'), 'utf8'), 'mine');
  is(readdirSync(dir).length, names.length + 1);
  equal(readdirSync(folder), ['shaders'], 'nothing half-written beside it');
});

async function refused(dir: string, named: string): Promise<void> {
  try {
    await dumpShaders(dir, 'tiny');
  } catch (error) {
    ok(error instanceof DataError && error.message.includes(named), String(error));
    return;
  }
  throw new Error(`${dir} was overwritten`);
}

test('--dump onto a file, into a folder that is not there, beside a folder: refused', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'mine');
  await refused(file, file);
  is(readFileSync(file, 'utf8'), 'mine');
  await refused(join(folder, 'missing/shaders'), 'missing/shaders');
  const nested = join(folder, 'nested');
  mkdirSync(join(nested, 'inner'), { recursive: true });
  await refused(nested, 'inner');
  ok(existsSync(join(nested, 'inner')));
});
