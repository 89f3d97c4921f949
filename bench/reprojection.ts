// The photometric term of one scale by fused kernels, and by the composition of single ones that it is tested against:
// launches, and the device time of all of them together. Two views of 4 images of 64 x 128; the contestants take turns.
//   npx esbuild bench/reprojection.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/bench-reprojection.mjs
//   node dist/bench-reprojection.mjs
import { valueAndGrad } from '../src/autograd/tape.ts';
import { step, useDevice } from '../src/autograd/tensor.ts';
import { openGpu } from '../src/gpu/open.ts';
import { interleaved, median } from './measure.ts';
import { photometricTerm } from './photometricTerm.ts';

const { gpu } = await openGpu();
useDevice(gpu);
const { single, fused } = photometricTerm(4, 64, 128);
const cases = Object.entries({ single, fused }).flatMap(([name, { loss, wrt }]) => [
  { name: `${name}, forward`, run: () => void loss() },
  { name: `${name}, forward and backward`, run: () => void valueAndGrad(loss, wrt) },
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
