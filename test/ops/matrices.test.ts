// Variants by subgroup matrices, on adapters that have none: their shaders with the operations on matrices written out in plain loops, as WebGPU's
// proposal defines them (https://github.com/gpuweb/gpuweb/blob/main/proposals/subgroup-matrix.md). So which values meet is tested everywhere,
// for both sizes; f16 is the matter of f16.test.ts.
import {
  type Conv2dParams,
  conv2d,
  conv2dBias,
  conv2dInputGrad,
  conv2dWeightGrad,
} from '../../kernels/conv2d.ts';
import { matmul } from '../../kernels/matmul.ts';
import { byMatrices, type TileForm, tileColumns, tileRows } from '../../shaders/conv2dBlocks.wgsl.ts';
import { imageTiles, weightTiles } from '../../shaders/conv2dTiles.wgsl.ts';
import { compareVariant, type Launch, noteLaunches } from '../../src/cli/check-kernels.ts';
import { Gpu } from '../../src/gpu/gpu.ts';
import {
  canRun,
  everyFeature,
  type Kernel,
  MATRICES,
  type Params,
  type Variant,
} from '../../src/gpu/kernel.ts';
import { findAdapter } from '../../src/gpu/node-adapter.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('matrices');

/** A device with more workgroup memory than every adapter has: f32 takes twice the room of f16. */
let gpu: Gpu;
test.before(async () => {
  const { adapter } = await findAdapter();
  const { maxComputeWorkgroupStorageSize } = adapter!.limits;
  const device = await adapter!.requestDevice({ requiredLimits: { maxComputeWorkgroupStorageSize } });
  const { vendor, architecture, description } = adapter!.info;
  gpu = new Gpu(device, { vendor, architecture, description, software: true, ...everyFeature(false) });
});
test.after(() => gpu.close());

const kernels = [conv2d, conv2dBias.elu, conv2dInputGrad, conv2dWeightGrad, matmul] as unknown as Kernel[];
const FORMS = ['matrix16', 'matrix8'] as const;

/**
 * WGSL without f16, subgroups and subgroup matrices that does the same: an invocation has every `lanes`th sum of a matrix, and a matrix of
 * operands is the place where it lies.
 */
function writtenOut(code: string, { size, lanes }: { size: number; lanes: number }): string {
  const own = (size * size) / lanes;
  const place = (side: string, r: string, c: string) =>
    `${side}[${side[0]}.x + select(${c} * ${side[0]}.y + ${r}, ${r} * ${side[0]}.y + ${c}, ${side[0]}.z == 1u)]`;
  const text = code
    .replace(/\n *@builtin\(subgroup_id\)[^\n]*\n *@builtin\(subgroup_invocation_id\)[^\n]*/, '')
    .replace(
      /@builtin\(local_invocation_index\) local: u32,?\s*\) \{/,
      `$&\nlet subgroup = local / ${lanes}u;\nlet lane = local % ${lanes}u;`,
    )
    .replace(/f16/g, 'f32')
    .replace(/subgroup_matrix_result<[^>]*>/g, `array<f32, ${own}>`)
    .replace(/subgroupMatrixLoad<[^>]*>, (row|col)_major>\(&\w+, ([^;]*)\);/g, (_, major, args) => {
      return `vec3u(${args}, ${major === 'row' ? 1 : 0}u);`;
    })
    .replace(/subgroupMatrixMultiplyAccumulate\(/g, 'multiplyAccumulate(lane, ')
    .replace(/subgroupMatrixStore<row_major>\(&results, /g, 'store(lane, ');
  return `${text}
fn multiplyAccumulate(lane: u32, l: vec3u, r: vec3u, sums: array<f32, ${own}>) -> array<f32, ${own}> {
  var m = sums;
  for (var i = 0u; i < ${own}u; i++) {
    let row = (lane + i * ${lanes}u) / ${size}u;
    let column = (lane + i * ${lanes}u) % ${size}u;
    for (var k = 0u; k < ${size}u; k++) { m[i] += ${place('left', 'row', 'k')} * ${place('right', 'k', 'column')}; }
  }
  return m;
}
fn store(lane: u32, at: u32, sums: array<f32, ${own}>, line: u32) {
  var m = sums;
  for (var i = 0u; i < ${own}u; i++) {
    let cell = lane + i * ${lanes}u;
    results[at + cell / ${size}u * line + cell % ${size}u] = m[i];
  }
}`;
}

async function wrongIn(
  kernel: Kernel,
  variant: Variant<Params>,
  form: (typeof FORMS)[number],
  launch: Launch,
) {
  const name = `${variant.name}, written out`;
  const code = (p: Params) => {
    const text = writtenOut(variant.code(p), MATRICES[form]);
    ok(!/subgroup[A-Z_]/.test(text), text);
    return text;
  };
  const plain = { ...variant, name, needs: undefined, rounding: undefined, code };
  const { wrong } = await compareVariant(gpu, kernel, plain, launch);
  return wrong.map((fault) => `${JSON.stringify(launch.params)}: ${fault}`);
}

for (const kernel of kernels) {
  for (const form of FORMS) {
    test(`${kernel.name}/${form}: right at the sizes of check`, async () => {
      const variant = kernel.variants.find(({ name }) => name === form)!;
      const launches = (await noteLaunches([kernel])).get(kernel)!;
      const fitting = launches.filter(({ params }) => canRun(variant, params));
      ok(fitting.length > 0);
      for (const launch of fitting) equal(await wrongIn(kernel, variant, form, launch), []);
    });
  }
}

/** The largest alone takes seconds to compile; `npm run test:long` has all. */
const ALL_DIVISIONS = process.env.WARPMIX_ALL_DIVISIONS === '1';

/** A convolution with every parameter that matters, whose product has more than one block of each form. */
const image: Conv2dParams = {
  ...{ n: 2, h: 13, w: 11, c: 24, oh: 7, ow: 11, k: 72, kh: 3, kw: 2 },
  ...{ sy: 2, sx: 1, py: 1, px: 1, dy: 1, dx: 2, groups: 1 },
};

for (const form of FORMS) {
  test(`${form}: right for every division of a block`, async () => {
    is(Math.floor((image.h + 2 - 2 - 1) / 2) + 1, image.oh);
    is(image.w + 2 - 2 - 1 + 1, image.ow);
    const [x, y] = [image.n * image.h * image.w * image.c, image.n * image.oh * image.ow * image.k];
    const w = image.kh * image.kw * image.c * image.k;
    const values = (count: number, seed: number) =>
      Float64Array.from({ length: count }, (_, i) => (((i + seed) * 7919) % 101) / 50 - 1);
    for (const down of [8, 16]) {
      for (const across of [4, 8]) {
        for (const vectors of [1, 2]) {
          if (!ALL_DIVISIONS && down * across * vectors < 16 * 8 * 2) continue;
          const division: TileForm = { down, across, vectors };
          const groups = (rows: number, columns: number) =>
            Math.ceil(rows / tileRows(division)) * Math.ceil(columns / tileColumns(division));
          const variant = (kernel: Kernel<never>, code: string, workgroups: number) =>
            [
              kernel as unknown as Kernel,
              {
                ...(kernel.variants.find(({ name }) => name === form)! as unknown as Variant<Params>),
                name: `${form} ${down} ${across} ${vectors}`,
                code: () => code,
                workgroups: () => workgroups,
              },
            ] as const;
          const plain = { bias: false, activation: null };
          const steps = byMatrices(division, MATRICES[form], 'steps');
          const rows = byMatrices(division, MATRICES[form], 'rows');
          for (const [[kernel, edited], params, buffers] of [
            [
              variant(conv2d as never, imageTiles(plain, division, false, steps), groups(2 * 7 * 11, 72)),
              image,
              { x: values(x, 1), w: values(w, 2), y: new Float64Array(y) },
            ],
            [
              variant(
                conv2dInputGrad as never,
                imageTiles(plain, division, true, steps),
                2 * groups(2 * 7 * 11, 24),
              ),
              image,
              { g: values(y, 3), wt: values(w, 4), dx: new Float64Array(x) },
            ],
            [
              variant(conv2dWeightGrad as never, weightTiles(division, rows), 2 * groups(6 * 24, 72)),
              { ...image, splits: 2 },
              { x: values(x, 5), g: values(y, 6), dw: new Float64Array(2 * w) },
            ],
          ] as const) {
            equal(await wrongIn(kernel, edited, form, { params, buffers }), [], edited.name);
          }
        }
      }
    }
  });
}
