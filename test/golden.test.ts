// PyTorch's values and gradients, and what the runner of such files must never let pass.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckCase } from '../src/cli/check-case.ts';
import { runGolden } from '../src/cli/golden.ts';
import { readSafetensors, type SafeTensor, writeSafetensors } from '../src/data/safetensors.ts';
import { DataError } from '../src/data/types.ts';
import { randoms, testGpu } from './device.ts';
import { equal, is, ok, suite } from './suite.ts';

const test = suite('golden');

test('every file of test/golden passes', async () => {
  const cases = await runGolden(await testGpu(), 'test/golden');
  is(cases.length, readdirSync('test/golden').filter((name) => name.endsWith('.safetensors')).length);
  equal(
    cases.filter((one) => !one.ok).map(({ name, note }) => `${name}: ${note}`),
    [],
  );
});

type Edit = (tensors: Map<string, SafeTensor>, metadata: Record<string, string>) => void;

/** Outcomes of files made for the occasion. */
async function outcomes(files: Record<string, Uint8Array>): Promise<CheckCase[]> {
  const folder = mkdtempSync(join(tmpdir(), 'warpmix-golden-'));
  try {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    return await runGolden(await testGpu(), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Outcome of a file of test/golden after a change. */
async function changed(name: string, edit: Edit): Promise<CheckCase> {
  const { tensors, metadata } = readSafetensors(readFileSync(`test/golden/${name}.safetensors`), name);
  edit(tensors, metadata);
  return (await outcomes({ 'x.safetensors': writeSafetensors(tensors, metadata) }))[0];
}

/** Moves one value by a thousandth of the largest. */
const nudge = (tensors: Map<string, SafeTensor>, name: string) => {
  const data = tensors.get(name)!.data as Float32Array;
  const largest = data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  data[data.length >> 1] += 1e-3 * largest;
};

const failing: [string, string, Edit, RegExp][] = [
  ['an output off by 0.1 %', 'conv2d_3', (t) => nudge(t, 'out/0'), /^out\/0 is off/],
  ['a gradient off by 0.1 %', 'conv2d_3', (t) => nudge(t, 'grad/weight'), /^grad\/weight is off/],
  ['a second output off', 'batch_norm_train', (t) => nudge(t, 'out/2'), /^out\/2 is off/],
  ['a label off by one', 'depthmix', (t) => ((t.get('out/3')!.data as Int32Array)[7] += 1), /^out\/3 is off/],
  ['no expected output', 'act_abs', (t) => t.delete('out/0'), /expects no output/],
  [
    'a missing input',
    'batch_norm_eval',
    (t) => t.delete('in/running_var'),
    /input 'in\/running_var' is missing/,
  ],
  [
    'an expected NaN',
    'act_exp',
    (t) => {
      (t.get('out/0')!.data as Float32Array)[3] = Number.NaN;
    },
    /off by Infinity/,
  ],
  [
    'another shape',
    'act_abs',
    (t) => t.set('out/0', { ...t.get('out/0')!, shape: [33, 4] }),
    /shape \[4,33\], expected \[33,4\]/,
  ],
  ['no params', 'conv2d_0', (_, m) => (m.params = '{'), /params are not JSON/],
  ['gradients of an array', 'act_abs', (t) => t.delete('in/cotangent'), /no in\/cotangent/],
];
for (const [what, name, edit, note] of failing) {
  test(`${what} fails`, async () => {
    const done = await changed(name, edit);
    is(done.ok, false);
    is(done.unsupported, undefined);
    ok(note.test(done.note ?? ''), done.note);
  });
}

const unbuilt: [string, string, Edit, RegExp][] = [
  ['an op nobody built', 'act_abs', (_, m) => (m.op = 'fft'), /no op named 'fft'/],
  ['an op named like an inherited property', 'act_abs', (_, m) => (m.op = 'toString'), /no op named/],
  [
    'a parameter that the op does not read',
    'conv2d_0',
    (_, m) => (m.params = '{"padding": 1, "padding_mode": "circular"}'),
    /parameter 'padding_mode'/,
  ],
  [
    'a mode that is not built',
    'interp_nearest_x2',
    (_, m) => (m.params = '{"mode": "area", "scale": 2}'),
    /"area"/,
  ],
  ['an input without use', 'act_abs', (t) => t.set('in/z', t.get('in/x')!), /input 'in\/z'/],
  [
    'more outputs than are computed',
    'act_abs',
    (t) => t.set('out/1', t.get('out/0')!),
    /2 outputs expected, 1/,
  ],
];
for (const [what, name, edit, note] of unbuilt) {
  test(`${what} is unsupported, not passed`, async () => {
    const done = await changed(name, edit);
    is(done.ok, false);
    is(done.unsupported, true);
    ok(note.test(done.note ?? ''), done.note);
  });
}

test('files that cannot be read fail, the others run', async () => {
  const good = readFileSync('test/golden/act_abs.safetensors');
  const cases = await outcomes({
    'a.safetensors': good.subarray(0, 200),
    'b.safetensors': good,
    'c.safetensors': new Uint8Array(0),
    'readme.txt': new Uint8Array(3),
  });
  equal(
    cases.map(({ name, ok: fine }) => [name, fine]),
    [
      ['a', false],
      ['b', true],
      ['c', false],
    ],
  );
});

test('a missing or empty folder is a data error', async () => {
  const device = await testGpu();
  for (const folder of ['test/golden/nowhere', 'test/cli']) {
    let caught: unknown;
    try {
      await runGolden(device, folder);
    } catch (error) {
      caught = error;
    }
    ok(caught instanceof DataError && caught.message.startsWith(folder), `${caught}`);
  }
});

// The files of test/golden have square kernels, strides and dilations; these loops do not need them to be.
test('a convolution in other shapes: 2x3 kernel, stride 1x2, padding 0x2, dilation 2x1, two groups', async () => {
  const [n, c, h, w, k, groups] = [2, 4, 6, 5, 6, 2];
  const [kh, kw, sy, sx, py, px, dy, dx] = [2, 3, 1, 2, 0, 2, 2, 1];
  const [oh, ow] = [
    Math.floor((h + 2 * py - dy * (kh - 1) - 1) / sy) + 1,
    Math.floor((w + 2 * px - dx * (kw - 1) - 1) / sx) + 1,
  ];
  const f32 = (shape: number[], values: ArrayLike<number>): SafeTensor => ({
    dtype: 'F32',
    shape,
    data: Float32Array.from(values),
  });
  const [x, weight, cotangent] = [
    randoms(n * c * h * w, 1),
    randoms((k * c * kh * kw) / groups, 2),
    randoms(n * k * oh * ow, 3),
  ];
  const out = new Float64Array(cotangent.length);
  const gradX = new Float64Array(x.length);
  const gradWeight = new Float64Array(weight.length);
  for (let b = 0; b < n; b++)
    for (let o = 0; o < k; o++)
      for (let oy = 0; oy < oh; oy++)
        for (let ox = 0; ox < ow; ox++)
          for (let i = 0; i < c / groups; i++)
            for (let ky = 0; ky < kh; ky++)
              for (let kx = 0; kx < kw; kx++) {
                const [y, column] = [oy * sy - py + ky * dy, ox * sx - px + kx * dx];
                if (y < 0 || y >= h || column < 0 || column >= w) continue;
                const channel = Math.floor(o / (k / groups)) * (c / groups) + i;
                const at = ((b * c + channel) * h + y) * w + column;
                const tap = ((o * (c / groups) + i) * kh + ky) * kw + kx;
                const result = ((b * k + o) * oh + oy) * ow + ox;
                out[result] += x[at] * weight[tap];
                gradX[at] += cotangent[result] * weight[tap];
                gradWeight[tap] += cotangent[result] * x[at];
              }
  const params = { stride: [sy, sx], padding: [py, px], dilation: [dy, dx], groups };
  const tensors = new Map<string, SafeTensor>([
    ['in/x', f32([n, c, h, w], x)],
    ['in/weight', f32([k, c / groups, kh, kw], weight)],
    ['in/cotangent', f32([n, k, oh, ow], cotangent)],
    ['out/0', f32([n, k, oh, ow], out)],
    ['grad/x', f32([n, c, h, w], gradX)],
    ['grad/weight', f32([k, c / groups, kh, kw], gradWeight)],
  ]);
  const metadata = { op: 'conv2d', params: JSON.stringify(params) };
  const [forward] = await outcomes({ 'a.safetensors': writeSafetensors(tensors, metadata) });
  ok(forward.ok, forward.note);

  // The same numbers are a transposed convolution: from the convolution's output to its input.
  const reverse = new Map<string, SafeTensor>([
    ['in/x', f32([n, k, oh, ow], cotangent)],
    ['in/weight', f32([k, c / groups, kh, kw], weight)],
    ['out/0', f32([n, c, h, w], gradX)],
    ['in/cotangent', f32([n, c, h, w], x)],
    ['grad/x', f32([n, k, oh, ow], out)],
    ['grad/weight', f32([k, c / groups, kh, kw], gradWeight)],
  ]);
  const left = [
    h - ((oh - 1) * sy - 2 * py + dy * (kh - 1) + 1),
    w - ((ow - 1) * sx - 2 * px + dx * (kw - 1) + 1),
  ];
  const transposed = {
    op: 'conv_transpose2d',
    params: JSON.stringify({ ...params, output_padding: left }),
  };
  const [backward] = await outcomes({ 'a.safetensors': writeSafetensors(reverse, transposed) });
  ok(backward.ok, backward.note);
});
