import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { upload } from '../../src/autograd/program.ts';
import { grad, vjp } from '../../src/autograd/tape.ts';
import { ShapeError, tensor } from '../../src/autograd/tensor.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../../src/geometry/camera.ts';
import { square } from '../../src/ops/elementwise.ts';
import { backproject, composeProjection, poseMatrix, projectGrid } from '../../src/ops/geometry.ts';
import { sum } from '../../src/ops/sum.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, ok, suite, throws } from '../suite.ts';

const test = suite('geometry');

/** Unit vectors times the angle. */
const turns = (angles: number[]): number[] =>
  angles.flatMap((angle, i) => {
    const v = [...randoms(3, 30 + i)];
    const length = Math.hypot(...v);
    return v.map((x) => (x / length) * angle);
  });

const angles = [0, 1e-4, 0.5, 3.1, 3.2, 6.2, 7, 40];

for (const invert of [false, true]) {
  test(`poseMatrix, invert ${invert}: value and gradients at angles ${angles}`, async () => {
    const device = await testGpu();
    // One angle at a time: the errors are measured against the largest value.
    for (const angle of angles) {
      const check = await gradcheck(
        (v, t) => poseMatrix(v, t, { invert }),
        [
          { shape: [1, 3], data: turns([angle]) },
          { shape: [1, 3], data: randoms(3, 2) },
        ],
        { device, tolerance: 1e-7, deviceTolerance: 1e-5 },
      );
      ok(check.ok, `angle ${angle}: ${check.message}`);
    }
  });
}

test('a quarter turn about z, by hand', async () => {
  await testGpu();
  const v = tensor([0, 0, Math.PI / 2], [1, 3]);
  const t = tensor([1, 2, 3], [1, 3]);
  const want = [0, -1, 0, 1, 1, 0, 0, 2, 0, 0, 1, 3, 0, 0, 0, 1];
  ok(relativeError(await poseMatrix(v, t).data(), want) < 1e-6);
  const back = [0, 1, 0, -2, -1, 0, 0, 1, 0, 0, 1, -3, 0, 0, 0, 1];
  ok(relativeError(await poseMatrix(v, t, { invert: true }).data(), back) < 1e-6);
});

test('rotations agree with sin and cos, and T times its inverse is I, at every angle', async () => {
  await testGpu();
  const many = Array.from({ length: 200 }, (_, i) => i * 0.07);
  const n = many.length;
  const axis = turns(many);
  const v = tensor(axis, [n, 3]);
  const t = tensor(randoms(3 * n, 2), [n, 3]);
  const forth = await poseMatrix(v, t).data();
  const back = await poseMatrix(v, t, { invert: true }).data();
  for (let k = 0; k < n; k++) {
    // The trace of R is 1 + 2 cos of the angle.
    const trace = forth[16 * k] + forth[16 * k + 5] + forth[16 * k + 10];
    ok(Math.abs(trace - 1 - 2 * Math.cos(many[k])) < 6e-6, `angle ${many[k]}: trace ${trace}`);
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        let product = 0;
        for (let m = 0; m < 4; m++) product += forth[16 * k + 4 * i + m] * back[16 * k + 4 * m + j];
        ok(Math.abs(product - (i === j ? 1 : 0)) < 1e-5, `angle ${many[k]}: [${i}, ${j}] is ${product}`);
      }
    }
  }
});

test('at zero rotation the gradient is the skew part of the cotangent', async () => {
  await testGpu();
  const v = tensor([0, 0, 0], [1, 3]);
  const t = tensor([0.3, 0.2, 0.1], [1, 3]);
  const [, pullback] = vjp(() => poseMatrix(v, t), [v]);
  const g = Array.from({ length: 16 }, (_, i) => i * i);
  const got = await pullback(tensor(g, [1, 4, 4]))[0].data();
  equal([...got], [g[9] - g[6], g[2] - g[8], g[4] - g[1]]);
});

const cameras = [
  { fx: 9, fy: 8, cx: 6.2, cy: 5.1 },
  { fx: 11, fy: 10, cx: 5.7, cy: 6.4 },
];

test('composeProjection: value, gradient, second gradient', async () => {
  const device = await testGpu();
  const inputs = [
    { shape: [2, 3, 3], data: randoms(18, 1), differentiate: false },
    { shape: [2, 4, 4], data: randoms(32, 2) },
  ];
  const first = await gradcheck(composeProjection, inputs, { device, samples: 32 });
  ok(first.ok, first.message);
  const second = await gradcheck((K, T) => grad(() => sum(square(composeProjection(K, T))), [T])[0], inputs, {
    device,
    samples: 32,
  });
  ok(second.ok, second.message);
});

test('backproject: value, gradient, second gradient', async () => {
  const device = await testGpu();
  const inputs = [
    { shape: [2, 5, 7, 1], data: randoms(70, 1, 1, 4) },
    { shape: [2, 3, 3], data: randoms(18, 2), differentiate: false },
  ];
  const first = await gradcheck(backproject, inputs, { device });
  ok(first.ok, first.message);
  const second = await gradcheck((d, k) => grad(() => sum(square(backproject(d, k))), [d])[0], inputs, {
    device,
  });
  ok(second.ok, second.message);
});

test('backproject takes z-depth: the pixel at the principal point lies straight ahead', async () => {
  await testGpu();
  const inverseK = upload(inverseIntrinsics([{ fx: 2, fy: 4, cx: 1, cy: 1 }]));
  const depth = tensor([1, 1, 1, 1, 5, 1, 1, 1, 6], [1, 3, 3, 1]);
  const points = await backproject(depth, inverseK).data();
  equal([...points.slice(12, 15)], [0, 0, 5]);
  equal([...points.slice(24, 27)], [3, 1.5, 6]);
});

for (const [h, w] of [
  [5, 7],
  [13, 17],
]) {
  test(`projectGrid of ${h} x ${w}: value and gradients`, async () => {
    const device = await testGpu();
    const check = await gradcheck(
      (depth, v, t) =>
        projectGrid(
          depth,
          upload(inverseIntrinsics(cameras)),
          composeProjection(upload(intrinsicsMatrix(cameras)), poseMatrix(v, t)),
        ),
      [
        { shape: [2, h, w, 1], data: randoms(2 * h * w, 1, 2, 5) },
        { shape: [2, 3], data: randoms(6, 2, -0.2, 0.2) },
        { shape: [2, 3], data: randoms(6, 3, -0.5, 0.5) },
      ],
      { device },
    );
    ok(check.ok, check.message);
    const projection = await gradcheck(
      (depth, p) => projectGrid(depth, upload(inverseIntrinsics(cameras)), p),
      [
        { shape: [2, h, w, 1], data: randoms(2 * h * w, 1, 2, 5) },
        { shape: [2, 3, 4], data: [...randoms(24, 4)].map((x, i) => (i % 12 === 10 ? 9 + x : x)) },
      ],
      { device },
    );
    ok(projection.ok, projection.message);
  });
}

test('a sideways step moves a plane at depth Z by f t / Z pixels', async () => {
  await testGpu();
  const [w, h, z] = [9, 6, 4];
  const [camera] = cameras;
  const T = poseMatrix(tensor([0, 0, 0], [1, 3]), tensor([0.8, -0.4, 0], [1, 3]));
  const depth = tensor(new Array(w * h).fill(z), [1, h, w, 1]);
  const grid = await projectGrid(
    depth,
    upload(inverseIntrinsics([camera])),
    composeProjection(upload(intrinsicsMatrix([camera])), T),
  ).data();
  for (let k = 0; k < w * h; k++) {
    const u = ((grid[2 * k] + 1) / 2) * (w - 1);
    const v = ((grid[2 * k + 1] + 1) / 2) * (h - 1);
    ok(Math.abs(u - (k % w) - (camera.fx * 0.8) / z) < 1e-5);
    ok(Math.abs(v - Math.floor(k / w) + (camera.fy * 0.4) / z) < 1e-5);
  }
});

test('wrong shapes are named', async () => {
  await testGpu();
  const depth = tensor([1, 1, 1, 1], [1, 2, 2, 1]);
  const K = upload(intrinsicsMatrix([cameras[0]]));
  const fault = (message: string) => (error: Error) =>
    error instanceof ShapeError && error.message.includes(message);
  throws(() => projectGrid(depth, K, K), fault('projectGrid: projection is [1,3,3]'));
  throws(() => projectGrid(tensor([1, 1], [1, 1, 2, 1]), K, K), fault('at least 2'));
  throws(() => backproject(K, K), fault('backproject: depth is [1,3,3]'));
  throws(() => poseMatrix(tensor([0, 0, 0], [1, 3]), K), fault('translation is [1,3,3]'));
});
