import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { draws } from '../../src/data/augment.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { uniform } from '../../src/gpu/threefry.ts';
import { MIXES } from '../../src/methods/choices.ts';
import {
  classMixMask,
  classOrders,
  cutMixBox,
  cutMixMasks,
  maskChance,
  mixMask,
  mixture,
  targetProbabilities,
} from '../../src/methods/mixing.ts';
import { consistencyLoss, loadMixed } from '../../src/methods/threeWays.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, not, ok, suite } from '../suite.ts';

const test = suite('mixing');

const numbers = async (x: Tensor) => Array.from(await x.data());

test('DepthMix: equal or 0.02 farther keeps both images whole, 0.04 farther takes the partner in one direction only', async () => {
  await testGpu();
  // 0 and 1 at the ends, so that normalising changes nothing.
  const ramp = [0, 0.1, 0.4, 0.5, 0.6, 0.8, 0.9, 1];
  const shifted = (by: number) => ramp.map((d) => (d > 0 && d < 1 ? d + by : d));
  const masks = async (first: number[], second: number[]) => {
    const disparity = tensor(
      [...first, ...second].map((d) => 3 * d + 0.5),
      [2, 4, 2, 1],
    );
    return numbers(mixMask('depthmix', () => disparity, disparity, [], 0.03));
  };
  const ones = Array(8).fill(1);
  equal(await masks(ramp, ramp), [...ones, ...ones]);
  equal(await masks(ramp, shifted(0.02)), [...ones, ...ones]);
  equal(
    await masks(ramp, shifted(0.04)),
    [1, 0, 0, 0, 0, 0, 0, 1, ...ones],
    'the two masks are no complements',
  );
});

test('ClassMix keeps floor(n / 2) classes of each image, those first in its order, and never void', async () => {
  await testGpu();
  const [classes, images, height, width] = [7, 3, 5, 9];
  const pixels = height * width;
  // Image 0 has all classes and void, image 1 three of them, image 2 only one.
  const labels = Array.from({ length: images * pixels }, (_, k) => {
    const u = Math.floor(8 * uniform(5, 5, k));
    const image = Math.floor(k / pixels);
    if (image === 0) return u < 7 ? u : 255;
    return image === 1 ? [1, 4, 6][u % 3] : 2;
  });
  const keys = [
    [0.5, 0.1, 0.1, 0.9, 0.3, 0.2, 0.7], // order 1 2 5 4 0 6 3: equal draws by the lower class
    [0.1, 0.8, 0.1, 0.1, 0.7, 0.1, 0.9], // of 1, 4, 6: 4 1 6
    [0, 0, 0, 0, 0, 0, 0],
  ];
  const kept = [[1, 2, 5], [4], []];
  const before = classOrders(
    classes,
    keys.map((row) => (use: number) => row[use]),
  );
  const mask = classMixMask(tensor(labels, [images, height, width], 'i32'), upload(before));
  equal(mask.shape, [images, height, width, 1]);
  equal(
    await numbers(mask),
    labels.map((c, k) => (kept[Math.floor(k / pixels)].includes(c) ? 1 : 0)),
  );
});

test('ClassMix: the orders are functions of seed, step and image, and every class is first as often as another', () => {
  const size = { n: 2, height: 8, width: 8 };
  const orders = (seed: number, step: number) =>
    Array.from(maskChance('classmix', size, 4, seed, step)[0].pieces[0]);
  equal(orders(3, 7), orders(3, 7));
  not.equal(orders(3, 7), orders(3, 8));
  not.equal(orders(3, 7), orders(4, 7));
  not.equal(orders(3, 7).slice(0, 16), orders(3, 7).slice(16));
  const first = [0, 0, 0, 0];
  for (let step = 0; step < 1000; step++) {
    const before = orders(1, step);
    for (let c = 0; c < 4; c++) if (before.slice(4 * c, 4 * c + 4).every((v) => v === 0)) first[c] += 1;
  }
  is(
    first.reduce((a, b) => a + b),
    1000,
    'one class is before all others',
  );
  // Four standard deviations of a binomial with 1000 draws of 1/4.
  ok(
    first.every((count) => Math.abs(count - 250) < 55),
    `${first}`,
  );
});

test('CutMix: a box of half the area inside the image, heights spread from half to whole', async () => {
  await testGpu();
  const [height, width] = [48, 96];
  const heights: number[] = [];
  for (let step = 0; step < 200; step++) {
    const box = cutMixBox(height, width, draws(1, step, 0));
    heights.push(box.height);
    ok(box.top >= 0 && box.left >= 0 && box.top + box.height <= height && box.left + box.width <= width);
    // Rounding moves each side by at most half a pixel.
    ok(Math.abs(box.height * box.width - 0.5 * height * width) <= 0.5 * (box.height + box.width) + 0.25);
  }
  ok(
    Math.min(...heights) <= 25 && Math.max(...heights) >= 47,
    `${Math.min(...heights)} ${Math.max(...heights)}`,
  );
  const mask = await numbers(
    upload(
      cutMixMasks(3, 4, [
        { left: 1, top: 0, width: 2, height: 2 },
        { left: 0, top: 0, width: 0, height: 0 },
      ]),
    ),
  );
  equal(mask, [1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, ...Array(12).fill(1)]);
});

test('a mixture takes image, label and confidence from the same side of the mask; q counts all pixels, the threshold included', async () => {
  await testGpu();
  const images = tensor(randoms(2 * 2 * 2 * 3, 1, 0, 1), [2, 2, 2, 3]);
  const mask = [1, 0, 1, 0, 1, 1, 0, 1];
  const threshold = 0.968;
  const known = [
    ...[0.968, 0.032, 0.9, 0.1, 0, 0, 0.1, 0.9], // image 0: the third pixel is void
    ...[0, 1, 0.02, 0.98, 0.5, 0.5, 0, 0], // image 1: the last is void
  ];
  const made = mixture(tensor(mask, [2, 2, 2, 1]), images, tensor(known, [2, 2, 2, 2]), threshold);
  const pixels = await numbers(images);
  const from = mask.map((keep, k) => (keep ? k : (k + 4) % 8));
  equal(
    await numbers(made.images),
    from.flatMap((k) => pixels.slice(3 * k, 3 * k + 3)),
  );
  equal(await numbers(made.label), [0, 1, 255, 255, 1, 1, 255, 255]);
  const confidence = (await numbers(made.confidence)).map((v) => Math.round(1000 * v) / 1000);
  equal(confidence, [0.968, 0.98, 0, 0, 1, 0.98, 0, 0]);
  is(await made.q.item(), 4 / 8);
});

test('the weighted loss divides by all pixels; a batch of void has loss 0 and no gradient', async () => {
  await testGpu();
  const logits = tensor([1, 0, 0, 2, 0.5, 0.5, 3, 1], [1, 2, 2, 2]);
  const ce = (a: number, b: number) => Math.log(1 + Math.exp(b - a));
  const loss = consistencyLoss(logits, {
    label: tensor([0, 1, 255, 255], [1, 2, 2], 'i32'),
    q: tensor([0.25], []),
  });
  ok(Math.abs((await loss.item()) - (0.25 * (ce(1, 0) + ce(2, 0))) / 4) < 1e-6);
  const nothing = { label: tensor([255, 255, 255, 255], [1, 2, 2], 'i32'), q: tensor([0], []) };
  is(await consistencyLoss(logits, nothing).item(), 0);
  const [slope] = grad(() => consistencyLoss(logits, nothing), [logits]);
  equal(await numbers(slope), Array(8).fill(0));
});

test('truth takes the place of the teacher where an image has it, and void is all zero', async () => {
  await testGpu();
  const logits = tensor(randoms(2 * 4 * 4 * 3, 1), [2, 4, 4, 3]);
  const labels = new Int32Array(2 * 4 * 4).fill(2);
  labels[0] = 255;
  const values = await numbers(
    targetProbabilities(logits, tensor(labels, [2, 4, 4], 'i32'), tensor([1, 0], [2, 1, 1, 1])),
  );
  equal(values.slice(0, 6), [0, 0, 0, 0, 0, 1]);
  const second = values.slice(4 * 4 * 3, 4 * 4 * 3 + 3);
  ok(
    Math.abs(second.reduce((a, b) => a + b, 0) - 1) < 1e-5 && second.every((v) => v > 0 && v < 1),
    `${second}`,
  );
});

test('none leaves image and pseudo-label whole; every mix gives a mask of zeros and ones', async () => {
  await testGpu();
  const [n, height, width, classes] = [2, 6, 10, 3];
  const size = { n, height, width };
  const images = tensor(randoms(n * height * width * 3, 1, 0, 1), [n, height, width, 3]);
  const disparity = () => tensor(randoms(n * height * width, 2, 0, 1), [n, height, width, 1]);
  const logits = tensor(randoms(n * height * width * classes, 3), [n, height, width, classes]);
  const nothing = tensor(new Int32Array(n * height * width).fill(255), [n, height, width], 'i32');
  const known = targetProbabilities(logits, nothing, tensor([0, 0], [n, 1, 1, 1]));
  for (const mix of MIXES) {
    const chance = upload(maskChance(mix, size, classes, 1, 4));
    const made = mixture(mixMask(mix, disparity, known, chance, 0.03), images, known, 0.5);
    const mask = await numbers(made.mask);
    equal(made.mask.shape, [n, height, width, 1]);
    const kept = mask.filter((v) => v === 1).length;
    is(kept + mask.filter((v) => v === 0).length, mask.length, mix);
    ok(mix === 'none' ? kept === mask.length : kept > 0 && kept < mask.length, `${mix}: ${kept} kept`);
    if (mix === 'none') equal(await numbers(made.images), await numbers(images));
  }
});

test('labelled frames are mixed with their truth, or with mixTruth false not at all', async () => {
  const data = openStreet({ width: 64, height: 32, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const refs = Array.from({ length: 8 }, (_, index) => ({ split: data.train, index }));
  const frames = { labelled: refs.slice(0, 6), unlabelled: refs.slice(6) };
  const options = { batch: 1, mix: 'none' as const, unlabelledBatch: 2, crop: false, hue: 0.25 };
  for (const mixTruth of [true, false]) {
    let truthful = 0;
    for (let step = 0; step < 4; step++) {
      const batch = await loadMixed(frames, { ...options, mixTruth }, data.classes.length, 0, step);
      batch.truthful.forEach((has, i) => {
        truthful += has;
        const labels = batch.mixed.labels[i];
        is(
          labels.some((v) => v !== 255),
          has === 1,
          'labels of hidden frames stay hidden',
        );
      });
    }
    // Four batches of two are one pass over eight frames, six of them labelled.
    is(truthful, mixTruth ? 6 : 0);
  }
});
