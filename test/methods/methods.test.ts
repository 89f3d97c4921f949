import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import type { Jitter } from '../../src/data/augment.ts';
import { labelledBatch, pickFrames, videoBatch } from '../../src/data/batch.ts';
import { openStreet } from '../../src/data/street/index.ts';
import type { Split } from '../../src/data/types.ts';
import { viewSynthesis } from '../../src/geometry/viewSynthesis.ts';
import {
  DepthPhase,
  depthLoss,
  jitterSteps,
  predictPoses,
  selfSupervisedLoss,
  takeFrames,
  targetOf,
  type VideoView,
  videoInputs,
  viewsOf,
  warpNeighbours,
} from '../../src/methods/depth.ts';
import {
  gaussianWeights,
  saturationHueMatrix,
  strongAugment,
  strongInputs,
} from '../../src/methods/strongAugment.ts';
import { DepthModel, SegmentationModel } from '../../src/models/models.ts';
import { PoseNet } from '../../src/models/poseNet.ts';
import { Initializer } from '../../src/nn/module.ts';
import { colorJitter } from '../../src/ops/colorJitter.ts';
import { add, affine, square } from '../../src/ops/elementwise.ts';
import { poseMatrix } from '../../src/ops/geometry.ts';
import { slice } from '../../src/ops/movement.ts';
import { photometricError } from '../../src/ops/photometric.ts';
import { adaptiveAvgPool2d } from '../../src/ops/pool.ts';
import { mean } from '../../src/ops/reduce.ts';
import { sum } from '../../src/ops/sum.ts';
import { presets } from '../../src/train/config.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';
import { smallModel as config } from './networks.ts';

const test = suite('methods');

const numbers = async (x: Tensor) => Array.from(await x.data());

test('networks keep their sizes: five maps, disparities by scale, logits at full size', async () => {
  await testGpu();
  const depth = new DepthModel(new Initializer(1), config);
  const x = tensor(randoms(2 * 64 * 128 * 3, 1, 0, 1), [2, 64, 128, 3]);
  equal(
    depth.encoder.apply(x, true).map((map) => map.shape),
    [
      [2, 32, 64, 4],
      [2, 16, 32, 4],
      [2, 8, 16, 8],
      [2, 4, 8, 8],
      [2, 2, 4, 8],
    ],
  );
  equal(
    depth.disparities(x, false).map((d) => d.shape),
    [
      [2, 64, 128, 1],
      [2, 16, 32, 1],
    ],
  );
  const segmentation = new SegmentationModel(new Initializer(1), config, 5);
  equal(segmentation.logits(x, false).shape, [2, 64, 128, 5]);
});

test('saturation 1 and hue 0 change nothing; grey stays grey at any hue; saturation 0 leaves grey', () => {
  const apply = (m: number[], rgb: number[]) =>
    [0, 1, 2].map((o) => rgb.reduce((sum, v, i) => sum + v * m[3 * i + o], 0));
  ok(relativeError(apply(saturationHueMatrix(1, 0), [0.2, 0.5, 0.9]), [0.2, 0.5, 0.9]) < 2e-3);
  ok(relativeError(apply(saturationHueMatrix(1.2, 0.2), [0.4, 0.4, 0.4]), [0.4, 0.4, 0.4]) < 2e-3);
  const grey = 0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.9;
  ok(relativeError(apply(saturationHueMatrix(0, 0), [0.2, 0.5, 0.9]), [grey, grey, grey]) < 2e-3);
});

test('blur keeps a constant image and the sum of its weights', async () => {
  await testGpu();
  ok(Math.abs(gaussianWeights(1.15, 4).reduce((a, b) => a + b, 0) - 1) < 1e-12);
  const x = tensor(new Float32Array(2 * 9 * 11 * 3).fill(0.3), [2, 9, 11, 3]);
  const y = await numbers(strongAugment(x, upload(strongInputs({ jitter: null, sigma: 1 }))));
  ok(y.every((v) => Math.abs(v - 0.3) < 1e-6));
  const z = strongAugment(
    x,
    upload(strongInputs({ jitter: { brightness: 1.2, contrast: 0.8, saturation: 1, hue: 0 }, sigma: null })),
  );
  ok(
    (await numbers(z)).every((v) => Math.abs(v - 0.36) < 2e-3),
    'contrast turns about the mean',
  );
});

test('depth loss on the street is the sum of its terms, and poses are rigid transforms', async () => {
  await testGpu();
  const data = openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const split: Split = data.train;
  const refs = [1, 2].map((index) => ({ split, index }));
  const host = await videoBatch(refs, { seed: 1, step: 0, augment: null });
  equal(
    host.frames.map(({ length }) => length),
    Array(6).fill(64 * 128 * 3),
  );
  const model = new DepthModel(new Initializer(1), config);
  const options = {
    steps: 1,
    batch: 2,
    crop: false,
    lr: 1e-3,
    minDepth: 0.1,
    maxDepth: 100,
    smoothness: 1e-3,
    resolution: 'full' as const,
    reprojection: 'minimum' as const,
    decay: 'step' as const,
  };
  const terms = step(() => {
    const video = upload(videoInputs(host));
    return depthLoss(model, video, video.frames, tensor([1, 0], [2], 'u32'), options);
  });
  const [loss, photometric, smoothness] = await Promise.all(
    [terms.loss, terms.photometric, terms.smoothness].map((t) => t.item()),
  );
  ok(
    loss > 0 && Math.abs(loss - photometric - smoothness) < 1e-6,
    `${loss} = ${photometric} + ${smoothness}`,
  );
  const poses = step(() => predictPoses(model, upload(videoInputs(host)).frames, false));
  equal(poses.shape, [4, 4, 4]);
  const rows = await numbers(poses);
  for (let i = 0; i < 4; i++) equal(rows.slice(16 * i + 12, 16 * i + 16), [0, 0, 0, 1]);
});

test('colours change what the networks see, and not what the photometric error compares', async () => {
  await testGpu();
  const data = openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const refs = [1, 4].map((index) => ({ split: data.train, index }));
  const host = await videoBatch(refs, { seed: 1, step: 0, augment: null });
  const order = ['hue', 'contrast', 'saturation', 'brightness'] as const;
  const strong = { brightness: 0.7, contrast: 1.3, saturation: 0.5, hue: 0.2, order };
  const options = { ...presets.tiny.depth, steps: 2, batch: 2 };
  const key = () => tensor([1, 0], [2], 'u32');

  // Networks that look at nothing: whatever they are shown, the loss is the same.
  const disparities = [tensor(new Float32Array(2 * 64 * 128).fill(0.3), [2, 64, 128, 1])];
  const pose = {
    apply: () => ({
      axisAngle: tensor(new Float32Array(12).fill(0.01), [4, 3]),
      translation: tensor(new Float32Array(12).fill(0.02), [4, 3]),
    }),
  } as unknown as DepthModel['pose'];
  const blind = (jitter: Jitter | null) =>
    step(() => {
      const video = upload(videoInputs(host));
      const seen = colorJitter(video.frames, upload(jitterSteps([null, jitter])));
      return selfSupervisedLoss(disparities, { pose }, video, seen, key(), options).loss;
    }).item();
  is(await blind(strong), await blind(null));

  const trained = async (jitter: Jitter | null) => {
    const phase = new DepthPhase(new DepthModel(new Initializer(1), config), refs, options, 1);
    const terms = step(() => phase.train(upload(phase.inputs({ ...host, jitter: [null, jitter] }, 0))));
    return terms.loss.item();
  };
  const [plain, coloured] = [await trained(null), await trained(strong)];
  is(plain, await trained({ brightness: 1, contrast: 1, saturation: 1, hue: 0, order }));
  ok(coloured > 0 && coloured !== plain, `${coloured} ${plain}`);
});

test('a smaller view sees a moving plane as the full one does, averaged', async () => {
  await testGpu();
  const [height, width] = [32, 64];
  // A ramp stays a ramp under the warp of a plane, so averaging before and after it must agree.
  const ramp = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return x + 2 * y;
  });
  const camera = { width, height, fx: 50, fy: 40, cx: 27.3, cy: 14.1 };
  const video = upload(videoInputs({ n: 1, height, width, frames: [ramp, ramp, ramp], cameras: [camera] }));
  const pose = poseMatrix(tensor([0, 0, 0], [1, 3]), tensor([0.1, -0.2, 0.5], [1, 3]), { invert: false });
  const warp = (view: VideoView) => {
    const [, h, w] = view.target.shape;
    const depth = tensor(new Float32Array(h * w).fill(5), [1, h, w, 1]);
    const before = slice(view.neighbours, [0, 0, 0, 0], [1, h, w, 3]);
    return viewSynthesis(before, depth, view.K, view.inverseK, pose);
  };
  const [full, , small] = viewsOf(video, 2);
  equal(small.target.shape, [1, 8, 16, 3]);
  const averaged = await numbers(adaptiveAvgPool2d(warp(full), [8, 16]));
  const warped = await numbers(warp(small));
  // The border repeats its last pixel; inside nothing does.
  for (let y = 2; y < 6; y++) {
    for (let x = 2; x < 14; x++) {
      const at = (y * 16 + x) * 3;
      ok(Math.abs(averaged[at] - warped[at]) < 1e-5, `${x}, ${y}: ${averaged[at]} ${warped[at]}`);
    }
  }
  const odd = tensor(new Float32Array(3 * 3 * 6 * 10), [3, 6, 10, 3]);
  throws(() => viewsOf({ ...video, frames: odd }, 2), /3 x 5 cannot be halved/);
});

test('what the photometric term is: minimum or average, at full size or at its own', async () => {
  await testGpu();
  const data = openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const host = await videoBatch([{ split: data.train, index: 1 }], { seed: 1, step: 0, augment: null });
  const model = new DepthModel(new Initializer(1), config);
  const range = { minDepth: 0.1, maxDepth: 100 };
  const video = upload(videoInputs(host));
  const term = (resolution: 'full' | 'own', reprojection: 'minimum' | 'average') =>
    step(
      () =>
        depthLoss(model, video, video.frames, tensor([1, 0], [2], 'u32'), {
          ...{ steps: 1, batch: 1, crop: false, lr: 1e-3, smoothness: 1e-3, decay: 'step', ...range },
          resolution,
          reprojection,
        }).photometric,
    ).item();
  const composed = step(() => {
    const disparities = model.disparities(targetOf(video.frames), true);
    const poses = predictPoses(model, video.frames, true);
    const views = viewsOf(video, 3);
    const errors = disparities.map((disparity) => {
      const view = views[Math.log2(64 / disparity.shape[1])];
      const warped = warpNeighbours(disparity, view, poses, range);
      const [, h, w] = view.target.shape;
      const one = (i: number) => slice(warped, [i, 0, 0, 0], [i + 1, h, w, 3]);
      return add(mean(photometricError(one(0), view.target)), mean(photometricError(one(1), view.target)));
    });
    return affine(errors.reduce(add), 0.5 / disparities.length, 0);
  }).item();
  const [average, least, full] = [
    await term('own', 'average'),
    await term('own', 'minimum'),
    await term('full', 'minimum'),
  ];
  ok(Math.abs(average / (await composed) - 1) < 1e-5, `${average}, composed ${await composed}`);
  ok(least > 0 && least < average, `${least} < ${average}`);
  ok(full > 0 && full !== least, `${full} ${least}`);
});

test('a pose network that sees flow: no motion at first, gradients in all its layers', async () => {
  await testGpu();
  const data = openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const host = await videoBatch([{ split: data.train, index: 1 }], { seed: 1, step: 0, augment: null });
  const net = new PoseNet(new Initializer(1), config.encoder, { sees: 'flow', width: 5, scale: 0.1 });
  const { frames } = upload(videoInputs(host));
  const [previous, target] = [0, 1].map((at) => takeFrames(frames, at, 1));
  const still = step(() => net.apply(previous, target, true));
  for (const part of [still.axisAngle, still.translation]) {
    equal(part.shape, [1, 3]);
    ok((await numbers(part)).every((v) => v === 0));
  }
  net.pose2.weight.assign(Float32Array.from({ length: net.pose2.weight.size }, (_, i) => Math.sin(i)));
  const params = net.parameters();
  const gradients = step(() =>
    grad(() => sum(square(net.apply(previous, target, true).translation)), Object.values(params)),
  );
  for (const [i, name] of Object.keys(params).entries()) {
    ok(
      (await numbers(gradients[i])).some((v) => v !== 0),
      name,
    );
  }
});

test('batches are functions of seed and step, and mirror camera and images together', async () => {
  const data = openStreet({ width: 128, height: 64, snippets: { train: 2, val: 1, unlabelled: 1 } });
  const refs = Array.from({ length: 6 }, (_, i) => ({ split: data.train, index: i + 1 }));
  equal(pickFrames(refs, 4, 1, 1, 5), pickFrames(refs, 4, 1, 1, 5));
  const a = await videoBatch(refs, { seed: 1, step: 3, augment: { recolour: true, crop: false } });
  const b = await videoBatch(refs, { seed: 1, step: 3, augment: { recolour: true, crop: false } });
  equal(a, b);
  const recoloured = a.jitter.filter((one) => one !== null);
  ok(recoloured.length > 0 && recoloured.length < 6, `${recoloured.length} of 6 recoloured`);
  const plain = await videoBatch(refs, { seed: 1, step: 3, augment: null });
  for (const [i, { index }] of refs.entries())
    for (const k of [0, 1, 2])
      equal(plain.frames[6 * k + i], (await data.train.load(index + k - 1)).image.data, `frame ${k} of ${i}`);
  let mirrored = 0;
  a.cameras.forEach((camera, i) => {
    const row = (batch: typeof a, x: number) => Array.from(batch.frames[6 + i].slice(3 * x, 3 * x + 3));
    const flipped = row(a, 0).join() !== row(plain, 0).join();
    if (flipped) {
      mirrored += 1;
      equal(row(a, 0), row(plain, 127));
      is(camera.cx, 127 - plain.cameras[i].cx);
    } else is(camera.cx, plain.cameras[i].cx);
  });
  ok(mirrored > 0 && mirrored < 6, `${mirrored} of 6 mirrored`);
});

test('squares of frames: images, labels, video and camera are cut at one place', async () => {
  const data = openStreet({ width: 128, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const refs = Array.from({ length: 6 }, (_, i) => ({ split: data.train, index: i + 1 }));
  const how = { seed: 1, step: 3, flip: true, labelled: () => true };
  const whole = await labelledBatch(refs, { ...how, crop: false });
  const cut = await labelledBatch(refs, { ...how, crop: true });
  equal([cut.n, cut.height, cut.width], [6, 64, 64]);
  equal(cut.flipped, whole.flipped);
  const clean = (crop: boolean) => ({ seed: 1, step: 3, augment: { recolour: false, crop } });
  const video = await videoBatch(refs, clean(true));
  const wholeVideo = await videoBatch(refs, clean(false));
  equal(video.frames.slice(6, 12), cut.images);

  const columns = refs.map((_, b) => {
    const first = cut.images[b].slice(0, 3 * 64).join();
    return Array.from({ length: 65 }, (_, x) => x).findIndex(
      (x) => whole.images[b].slice(3 * x, 3 * (x + 64)).join() === first,
    );
  });
  ok(columns.every((x) => x >= 0) && new Set(columns).size > 3, `columns ${columns}`);
  const row = (pixel: number): [number, number] => [3 * pixel, 3 * (pixel + 64)];
  columns.forEach((x, b) => {
    for (let y = 0; y < 64; y++) {
      const [to, from] = [64 * y, 128 * y + x];
      equal(cut.labels[b].slice(to, to + 64), whole.labels[b].slice(from, from + 64));
      for (const k of [0, 1, 2])
        equal(video.frames[6 * k + b].slice(...row(to)), wholeVideo.frames[6 * k + b].slice(...row(from)));
    }
    const camera = wholeVideo.cameras[b];
    equal(video.cameras[b], { ...camera, width: 64, height: 64, cx: camera.cx - x });
  });
});
