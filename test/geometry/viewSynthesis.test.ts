import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { tensor } from '../../src/autograd/tensor.ts';
import { fromNormalised, intrinsicsMatrix, inverseIntrinsics } from '../../src/geometry/camera.ts';
import { dispToDepth, project, viewSynthesis } from '../../src/geometry/viewSynthesis.ts';
import { poseMatrix } from '../../src/ops/geometry.ts';
import { gridSample } from '../../src/ops/gridSample.ts';
import { minReprojection, photometricError } from '../../src/ops/photometric.ts';
import { mean } from '../../src/ops/reduce.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, ok, suite } from '../suite.ts';

const test = suite('view synthesis');

const [N, H, W] = [2, 11, 17];
const cameras = [
  { fx: 14, fy: 15, cx: 8.1, cy: 5.2 },
  { fx: 13, fy: 14, cx: 7.8, cy: 4.9 },
];
const K = () => upload(intrinsicsMatrix(cameras));
const inverseK = () => upload(inverseIntrinsics(cameras));
const image = (stream: number) => tensor(randoms(N * H * W * 3, stream, 0, 1), [N, H, W, 3]);
const depths = () => randoms(N * H * W, 3, 2, 9);
const still = () => poseMatrix(tensor(new Array(6).fill(0), [N, 3]), tensor(new Array(6).fill(0), [N, 3]));

const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);

test('camera matrices: K of Monodepth2 in pixels, and K times its inverse', async () => {
  await testGpu();
  const camera = fromNormalised({ fx: 0.58, fy: 1.92, cx: 0.5, cy: 0.5 }, 640, 192);
  equal(camera, { fx: 371.2, fy: 368.64, cx: 320, cy: 96 });
  const [[k], [i]] = [intrinsicsMatrix([camera]).pieces, inverseIntrinsics([camera]).pieces];
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) {
      let product = 0;
      for (let m = 0; m < 3; m++) product += k[3 * row + m] * i[3 * m + column];
      ok(Math.abs(product - (row === column ? 1 : 0)) < 1e-4);
    }
  }
});

test('dispToDepth: the ends are minDepth and maxDepth', async () => {
  const device = await testGpu();
  const got = await dispToDepth(tensor([0, 1, 0.5]), 0.1, 100).data();
  ok(largestGap(got, [100, 0.1, 1 / 5.005]) < 1e-4);
  const check = await gradcheck(
    (d) => dispToDepth(d, 0.1, 100),
    [{ shape: [7], data: randoms(7, 1, 0.05, 0.9) }],
    { device },
  );
  ok(check.ok, check.message);
});

test('standing still, the warp is the source whatever the depth; half-pixel corners would shift it', async () => {
  await testGpu();
  const source = image(1);
  const depth = tensor(depths(), [N, H, W, 1]);
  const original = await source.data();
  ok(largestGap(await viewSynthesis(source, depth, K(), inverseK(), still()).data(), original) < 2e-5);
  const grid = project(depth, K(), inverseK(), still());
  const shifted = await gridSample(source, grid, { padding: 'border', alignCorners: false }).data();
  ok(largestGap(shifted, original) > 0.1);
});

test('value, and gradients to source, depth and pose', async () => {
  const device = await testGpu();
  // A whole image of random depths meets kinks of the bilinear weights; a gentle pose and few samples avoid them.
  const check = await gradcheck(
    (source, depth, v, t) => viewSynthesis(source, depth, K(), inverseK(), poseMatrix(v, t)),
    [
      { shape: [N, H, W, 3], data: randoms(N * H * W * 3, 1, 0, 1) },
      { shape: [N, H, W, 1], data: depths() },
      { shape: [N, 3], data: randoms(6, 4, -0.05, 0.05) },
      { shape: [N, 3], data: randoms(6, 5, -0.3, 0.3) },
    ],
    { device, eps: 1e-7, tolerance: 1e-5 },
  );
  ok(check.ok, check.message);
});

test('a static scene: identity wins everywhere and nothing moves depth or pose', async () => {
  await testGpu();
  const scene = image(1);
  const depth = tensor(depths(), [N, H, W, 1]);
  const v = tensor(randoms(6, 4, -0.05, 0.05), [N, 3]);
  const t = tensor(randoms(6, 5, -0.3, 0.3), [N, 3]);
  const errors = () => [
    photometricError(scene, scene),
    photometricError(viewSynthesis(scene, depth, K(), inverseK(), poseMatrix(v, t)), scene),
  ];
  ok((await minReprojection(errors()).winner.data()).every((index) => index === 0));
  for (const gradient of grad(() => mean(minReprojection(errors()).error), [depth, v, t])) {
    ok((await gradient.data()).every((value) => value === 0));
  }
  const moved = grad(() => mean(errors()[1]), [depth, v, t]);
  for (const gradient of moved) ok((await gradient.data()).some((value) => value !== 0));
});
