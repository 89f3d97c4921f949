// conv2d 3x3 32 -> 32 at 64x64: every variant of forward, input gradient and weight gradient as shares of the adapter's
// multiply-add peak. Everything in one run, interleaved, medians, times from timestamp queries.
//   npm run bench [-- --json]
import { conv2d, conv2dInputGrad, conv2dWeightGrad, weightGradSplits } from '../kernels/conv2d.ts';
import type { Storage } from '../src/gpu/device.ts';
import type { Kernel } from '../src/gpu/kernel.ts';
import { openGpu } from '../src/gpu/open.ts';
import { PEAK_OUTPUTS, peakCandidates } from './peak.ts';

const ROUNDS = 15;

interface Entry {
  name: string;
  kernel: Kernel;
  params: Record<string, number>;
  buffers: Record<string, Storage>;
  ms: number[];
  variant: string;
  /** What this adapter uses unless told otherwise. */
  chosen: boolean;
}

const { gpu } = await openGpu();
const json = process.argv.includes('--json');
const shape = {
  n: 1,
  h: 64,
  w: 64,
  c: 32,
  oh: 64,
  ow: 64,
  k: 32,
  kh: 3,
  kw: 3,
  sy: 1,
  sx: 1,
  py: 1,
  px: 1,
  dy: 1,
  dx: 1,
  groups: 1,
};
const splits = weightGradSplits(shape);

const filled = (length: number) => {
  const storage = gpu.alloc(length, 'f32');
  gpu.write(
    storage,
    Float32Array.from({ length }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5),
  );
  return storage;
};
const image = filled(64 * 64 * 32);
const other = filled(64 * 64 * 32);
const weights = filled(9 * 32 * 32);
const partial = filled(9 * 32 * 32 * splits);
const peak = filled(PEAK_OUTPUTS);

/** One entry for each variant that can run here, those meant for the other sort of adapter included. */
const entries = <P extends Record<string, number>>(
  name: string,
  kernel: Kernel<P>,
  params: P,
  buffers: Record<string, Storage>,
): Entry[] => {
  const chosen = gpu.source(kernel, params).variant;
  return kernel.variants
    .filter((variant) => [true, false].some((software) => variant.applies(params, { software })))
    .map((variant) => ({
      name,
      kernel: kernel as unknown as Kernel,
      params,
      buffers,
      ms: [],
      variant: variant.name,
      chosen: variant.name === chosen,
    }));
};

const turns = gpu.adapter.software ? 100 : 20000;
const peaks = peakCandidates.flatMap((kernel) => entries(kernel.name, kernel, { turns }, { y: peak }));
const convs = [
  ...entries('conv2d forward', conv2d, shape, { x: image, w: weights, y: other }),
  ...entries('conv2d input gradient', conv2dInputGrad, shape, { g: image, wt: weights, dx: other }),
  ...entries(
    'conv2d weight gradient',
    conv2dWeightGrad,
    { ...shape, splits },
    { x: image, g: other, dw: partial },
  ),
];
const all = [...peaks, ...convs];
for (let round = -1; round < ROUNDS; round++) {
  const times = await gpu.profile(() => {
    for (const { kernel, variant, params, buffers } of all) {
      gpu.pins.set(kernel.name, variant);
      gpu.run(kernel, params, buffers);
      gpu.pins.delete(kernel.name);
    }
  });
  if (!times) throw new Error('this adapter has no timestamp queries');
  // The first round compiles.
  if (round >= 0) for (const [i, { ms }] of times.entries()) all[i].ms.push(ms);
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const gflops = ({ kernel, params, ms }: Entry) => kernel.cost(params).flops / median(ms) / 1e6;
const best = peaks.reduce((a, b) => (gflops(b) > gflops(a) ? b : a));
const rolled = peaks[0];
const rows = all.map((one) => ({
  case: one.name,
  variant: one.variant,
  chosen: one.chosen,
  ms: median(one.ms),
  gflops: gflops(one),
  share: gflops(one) / gflops(best),
  shareOfRolled: gflops(one) / gflops(rolled),
}));
const { vendor, architecture, description } = gpu.adapter;
const adapter = [vendor, architecture, description].filter(Boolean).join(' ');
if (json) {
  console.log(
    JSON.stringify({
      table: 'conv2d',
      adapter,
      date: new Date().toISOString(),
      command: 'npm run bench',
      rows,
    }),
  );
} else {
  console.log(`${adapter}, 3x3 32 -> 32 at 64x64, median of ${ROUNDS}; peak: ${best.name}; *: chosen here`);
  for (const row of rows) {
    console.log(
      `${row.case.padEnd(24)} ${(row.variant + (row.chosen ? ' *' : '')).padEnd(18)} ${row.gflops.toFixed(2).padStart(9)} GFLOP/s  ` +
        `${(100 * row.share).toFixed(0).padStart(4)} % of the peak  ${(100 * row.shareOfRolled).toFixed(0).padStart(4)} % of the rolled loop`,
    );
  }
}
gpu.close();
process.exit(0);
