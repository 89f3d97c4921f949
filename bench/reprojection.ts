// The photometric term of one scale by fused kernels, and by the composition of single ones that it is tested against:
// launches, and the device time of all of them together. Two views of 4 images of 64 x 128; the contestants take turns.
//   npx esbuild bench/reprojection.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/bench-reprojection.mjs
//   node dist/bench-reprojection.mjs
import { upload } from '../src/autograd/program.ts';
import { valueAndGrad } from '../src/autograd/tape.ts';
import { step, type Tensor, tensor, useDevice } from '../src/autograd/tensor.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../src/geometry/camera.ts';
import { dispToDepth, viewSynthesis } from '../src/geometry/viewSynthesis.ts';
import { openGpu } from '../src/gpu/open.ts';
import { minReprojection, photometricError } from '../src/ops/photometric.ts';
import { mean } from '../src/ops/reduce.ts';
import { minPhotometricError, pixelProjection, synthesizeViews } from '../src/ops/reprojection.ts';
import { filler, interleaved, median } from './measure.ts';

const [N, H, W] = [4, 64, 128];
const range = { minDepth: 0.5, maxDepth: 20 };

const { gpu } = await openGpu();
useDevice(gpu);
const cameras = new Array(N).fill({ fx: 74, fy: 74, cx: 64, cy: 32 });
const [K, inverseK] = [upload(intrinsicsMatrix(cameras)), upload(inverseIntrinsics(cameras))];
const unit = (length: number) => filler(length).map((v) => v + 0.5);
const image = (n: number) => tensor(unit(n * H * W * 3), [n, H, W, 3]);
const map = (scale: number, least: number) =>
  tensor(
    unit(N * H * W).map((v) => least + scale * v),
    [N, H, W, 1],
  );
const motions = filler(32 * N).map((v, k) => 0.02 * v + ((k % 16) % 5 === 0 ? 1 : 0));
const [sources, frame, bound, disparity] = [image(2 * N), image(N), map(0.4, 0.2), map(0.4, 0.1)];
const poses = tensor(motions, [2 * N, 4, 4]);
const halves = [0, 1].map((s) => ({
  source: tensor(unit(2 * N * H * W * 3).subarray(s * N * H * W * 3, (s + 1) * N * H * W * 3), [N, H, W, 3]),
  pose: tensor(motions.subarray(s * N * 16, (s + 1) * N * 16), [N, 4, 4]),
}));

const single = () => {
  const depth = dispToDepth(disparity, range.minDepth, range.maxDepth);
  const errors = halves.map(({ source, pose }) =>
    photometricError(viewSynthesis(source, depth, K, inverseK, pose), frame),
  );
  return mean(minReprojection([...errors, bound]).error);
};
const fused = () => {
  const warped = synthesizeViews(sources, disparity, pixelProjection(K, inverseK, poses), range);
  return mean(minPhotometricError(warped, frame, bound).error);
};

const contestants: [string, () => Tensor, Tensor[]][] = [
  ['single', single, [disparity, ...halves.map(({ pose }) => pose)]],
  ['fused', fused, [disparity, poses]],
];
const cases = contestants.flatMap(([name, fn, wrt]) => [
  { name: `${name}, forward`, run: () => void fn() },
  { name: `${name}, forward and backward`, run: () => void valueAndGrad(fn, wrt) },
]);
const launches = new Map<string, number>();
const samples = await interleaved(
  cases.map(({ name, run }) => async () => {
    const times = await gpu.profile(() => step(run));
    if (!times) throw new Error('this adapter has no timestamps');
    launches.set(name, times.length);
    return times.reduce((sum, { ms }) => sum + ms, 0);
  }),
  { most: 25, budget: 60_000 },
);
cases.forEach(({ name }, i) => {
  console.log(`${name}: ${launches.get(name)} launches, ${median(samples[i].slice(2)).toFixed(1)} ms`);
});
process.exit(0);
