import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { upload } from '../../src/autograd/program.ts';
import { GradientError, grad, vjp } from '../../src/autograd/tape.ts';
import { ShapeError, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../../src/geometry/camera.ts';
import { dispToDepth, viewSynthesis } from '../../src/geometry/viewSynthesis.ts';
import { mul, square } from '../../src/ops/elementwise.ts';
import { composeProjection, poseMatrix } from '../../src/ops/geometry.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { concat, slice } from '../../src/ops/movement.ts';
import { minReprojection, photometricError } from '../../src/ops/photometric.ts';
import { minPhotometricError, pixelProjection, synthesizeViews } from '../../src/ops/reprojection.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('reprojection');

const [N, H, W] = [2, 7, 19];
const range = { minDepth: 0.5, maxDepth: 20 };
const cameras = [
  { fx: 14, fy: 15, cx: 8.1, cy: 3.2 },
  { fx: 13, fy: 14, cx: 7.8, cy: 2.9 },
];
const K = () => upload(intrinsicsMatrix(cameras));
const inverseK = () => upload(inverseIntrinsics(cameras));
const image = (stream: number, n = N, c = 3) => tensor(randoms(n * H * W * c, stream, 0, 1), [n, H, W, c]);
const rows = (x: Tensor, from: number, to: number) =>
  slice(x, [from, ...x.shape.slice(1).map(() => 0)], [to, ...x.shape.slice(1)]);

/** The same from single kernels, one view after the other. */
function composed(disparity: Tensor, frame: Tensor, sources: Tensor, poses: Tensor, bounds: Tensor[]) {
  const depth = dispToDepth(disparity, range.minDepth, range.maxDepth);
  const n = frame.shape[0];
  const warped = Array.from({ length: sources.shape[0] / n }, (_, s) => {
    const part = (x: Tensor) => rows(x, s * n, s * n + n);
    return viewSynthesis(part(sources), depth, K(), inverseK(), part(poses));
  });
  return {
    warped: concat(warped, 0),
    ...minReprojection([...warped.map((one) => photometricError(one, frame)), ...bounds]),
  };
}

function fused(disparity: Tensor, frame: Tensor, sources: Tensor, poses: Tensor, bound: Tensor | null) {
  const warped = synthesizeViews(sources, disparity, pixelProjection(K(), inverseK(), poses), range);
  return { warped, ...minPhotometricError(warped, frame, bound) };
}

/** Motions of two views of each image; `forward` is how far the second one moves back, beyond some of the points. */
const motions = (forward: number) => {
  const t = randoms(12, 5, -0.3, 0.3);
  for (const i of [8, 11]) t[i] = -forward;
  return [tensor(randoms(12, 4, -0.05, 0.05), [4, 3]), tensor(t, [4, 3])];
};

for (const [what, forward] of [
  ['a gentle motion', 0.2],
  ['half of the points behind a camera', 5],
] as const) {
  test(`${what}: the fused kernels agree with single ones, values and gradients`, async () => {
    await testGpu();
    // Depths about 3 and 8: a camera that moves by 5 leaves the former behind it, and nothing comes near it.
    const near = randoms(N * H * W, 6, 0.145, 0.16);
    const far = randoms(N * H * W, 7, 0.035, 0.045);
    const disparity = tensor(
      Array.from(near, (v, i) => (i % 5 < 2 ? v : far[i])),
      [N, H, W, 1],
    );
    const [frame, sources] = [image(1), image(2, 4)];
    const bound = tensor(randoms(N * H * W, 3, 0.2, 0.6), [N, H, W, 1]);
    const [axisAngle, translation] = motions(forward);
    const poses = () => poseMatrix(axisAngle, translation);
    const one = fused(disparity, frame, sources, poses(), bound);
    const many = composed(disparity, frame, sources, poses(), [bound]);
    ok(relativeError(await one.warped.data(), await many.warped.data()) < 2e-5);
    ok(relativeError(await one.error.data(), await many.error.data()) < 2e-5);
    const winners = await one.winner.data();
    equal(winners, await many.winner.data());
    equal([...new Set(winners)].sort(), [0, 1, 2]);
    const wrt = [disparity, axisAngle, translation];
    const weights = tensor(randoms(N * H * W, 8, 0.1, 1), [N, H, W, 1]);
    const a = grad(() => sum(mul(weights, fused(disparity, frame, sources, poses(), bound).error)), wrt);
    const b = grad(() => sum(mul(weights, composed(disparity, frame, sources, poses(), [bound]).error)), wrt);
    for (let i = 0; i < wrt.length; i++) {
      const gap = relativeError(await a[i].data(), await b[i].data());
      ok(gap < 2e-4, `gradient ${i} is off by ${gap}`);
    }
  });
}

test('pixelProjection is the composition of camera, motion and inverse camera; twice differentiable', async () => {
  const device = await testGpu();
  const poses = tensor(randoms(64, 1, -1, 1), [4, 4, 4]);
  const twice = (x: Tensor) => concat([x, x], 0);
  const inverse = await inverseK().data();
  const padded = tensor(
    [0, 1].flatMap((n) =>
      [0, 1, 2, 3].flatMap((i) =>
        [0, 1, 2, 3].map((j) => (i < 3 && j < 3 ? inverse[9 * n + 3 * i + j] : Number(i === j))),
      ),
    ),
    [2, 4, 4],
  );
  const want = matmul(composeProjection(twice(K()), poses), twice(padded));
  const got = pixelProjection(K(), inverseK(), poses);
  ok(relativeError(await got.data(), await want.data()) < 1e-6);
  const check = await gradcheck(
    (T) => grad(() => sum(square(pixelProjection(K(), inverseK(), T))), [T])[0],
    [{ shape: [4, 4, 4], data: randoms(64, 1, -1, 1) }],
    { device },
  );
  ok(check.ok, check.message);
});

for (const [h, w, views, channels] of [
  [2, 2, 1, 1],
  [5, 7, 3, 5],
  [3, 35, 2, 3],
]) {
  const inputs = [
    { shape: [2 * views, h, w, channels], data: randoms(2 * views * h * w * channels, 1, 0, 1) },
    { shape: [2, h, w, channels], data: randoms(2 * h * w * channels, 2, 0, 1), differentiate: false },
    { shape: [2, h, w, 1], data: randoms(2 * h * w, 3, 0.2, 0.6), differentiate: false },
  ];
  test(`minPhotometricError of ${views} views of [2,${h},${w},${channels}]: value and gradient`, async () => {
    const device = await testGpu();
    const options = { device, deviceTolerance: 5e-5 };
    const bounded = await gradcheck((x, y, b) => minPhotometricError(x, y, b).error, inputs, options);
    ok(bounded.ok, bounded.message);
    const free = await gradcheck((x, y) => minPhotometricError(x, y).error, inputs, options);
    ok(free.ok, free.message);
  });

  test(`synthesizeViews of ${views} views of [2,${h},${w},${channels}]: value and gradients`, async () => {
    const device = await testGpu();
    const gentle = randoms(24 * views, 4, -0.01, 0.01).map(
      (v, k) => v + ((k % 12) % 5 === 0 ? 1 : 0) + (k % 4 === 3 ? 0.4 : 0),
    );
    const check = await gradcheck(
      (d, P, sources) => synthesizeViews(sources, d, P, range),
      [
        { shape: [2, h, w, 1], data: randoms(2 * h * w, 5, 0.2, 0.6) },
        { shape: [2 * views, 3, 4], data: gentle },
        { ...inputs[0], differentiate: false },
      ],
      // A step so small that no place crosses from one pixel to the next.
      { device, eps: 1e-7 },
    );
    ok(check.ok, check.message);
  });
}

test('the variants for other adapters', async () => {
  const gpu = await testGpu();
  const kernels = ['viewSynthesis', 'minPhotometric', 'minPhotometricCoefficients', 'minPhotometricGrad'];
  for (const kernel of kernels) gpu.pins.set(kernel, 'pixel');
  const check = await gradcheck(
    (d, T, sources, frame, bound) => fused(d, frame, sources, T, bound).error,
    [
      { shape: [N, H, W, 1], data: randoms(N * H * W, 5, 0.2, 0.6) },
      {
        shape: [4, 4, 4],
        data: randoms(64, 4, -0.01, 0.01).map((v, k) => v + ((k % 16) % 5 === 0 ? 1 : 0)),
      },
      { shape: [4, H, W, 3], data: randoms(12 * H * W, 1, 0, 1), differentiate: false },
      { shape: [N, H, W, 3], data: randoms(6 * H * W, 2, 0, 1), differentiate: false },
      { shape: [N, H, W, 1], data: randoms(N * H * W, 3, 0.2, 0.6), differentiate: false },
    ],
    { device: gpu, eps: 1e-7, tolerance: 1e-4 },
  );
  for (const kernel of kernels) gpu.pins.delete(kernel);
  ok(check.ok, check.message);
});

test('where the bound wins nothing moves, and a warped view wins a tie', async () => {
  await testGpu();
  const [frame, sources] = [image(1), image(2, 4)];
  const [axisAngle, translation] = motions(0.2);
  const disparity = tensor(randoms(N * H * W, 5, 0.2, 0.6), [N, H, W, 1]);
  const zero = tensor(new Float32Array(N * H * W), [N, H, W, 1]);
  const loss = () => sum(fused(disparity, frame, sources, poseMatrix(axisAngle, translation), zero).error);
  for (const gradient of grad(loss, [disparity, axisAngle, translation])) {
    ok((await gradient.data()).every((v) => v === 0));
  }
  // Both views are the frame itself: all errors are exactly zero, and the first of equal ones is taken.
  const same = minPhotometricError(concat([frame, frame], 0), frame, zero);
  equal([...new Set(await same.error.data())], [0]);
  equal([...new Set(await same.winner.data())], [0]);
});

test('second derivatives and shapes that do not fit are refused by name', async () => {
  await testGpu();
  const [frame, sources] = [image(1), image(2, 4)];
  const disparity = tensor(randoms(N * H * W, 5, 0.2, 0.6), [N, H, W, 1]);
  const [axisAngle, translation] = motions(0.2);
  const P = pixelProjection(K(), inverseK(), poseMatrix(axisAngle, translation));
  const twice = (fn: () => Tensor, wrt: Tensor) => () =>
    vjp(() => grad(() => sum(square(fn())), [wrt])[0], [wrt])[1](wrt);
  throws(
    twice(() => minPhotometricError(sources, frame).error, sources),
    (e: unknown) => e instanceof GradientError && /minPhotometricGrad is a fused kernel/.test(e.message),
  );
  for (const wrt of [disparity, P]) {
    throws(
      twice(() => synthesizeViews(sources, disparity, P, range), wrt),
      (e: unknown) => e instanceof GradientError && /viewSynthesisGrad is a fused kernel/.test(e.message),
    );
  }
  const refused = (fn: () => unknown, words: RegExp) =>
    throws(fn, (e: unknown) => e instanceof ShapeError && words.test(e.message));
  refused(
    () => minPhotometricError(image(1, 3), frame),
    /images \[3,7,19,3\], expected a whole number of views of 2/,
  );
  refused(
    () => synthesizeViews(sources, disparity, rows(P, 0, 2), range),
    /projection is \[2,3,4\] f32, expected \[4,3,4\]/,
  );
  refused(() => pixelProjection(K(), K(), image(1)), /T is \[2,7,19,3\] f32, expected \[2,4,4\]/);
});
