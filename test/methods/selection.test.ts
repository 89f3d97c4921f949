import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { type FrameRef, labelledBatch } from '../../src/data/batch.ts';
import { labelSubset } from '../../src/data/sampler.ts';
import { openStreet } from '../../src/data/street/index.ts';
import type { Split } from '../../src/data/types.ts';
import { SELECTIONS } from '../../src/methods/choices.ts';
import {
  depthDisagreement,
  depthFeatures,
  distillationLoss,
  furthestFirst,
  highest,
  pixelEntropy,
  stageSizes,
  standardize,
} from '../../src/methods/selection.ts';
import { depthStudent, GrowingSelection } from '../../src/methods/selectionPhase.ts';
import { labelledInputs } from '../../src/methods/supervised.ts';
import { DepthModel } from '../../src/models/models.ts';
import { Initializer } from '../../src/nn/module.ts';
import { mean } from '../../src/ops/reduce.ts';
import { type Config, presets } from '../../src/train/config.ts';
import { trainPlan } from '../../src/train/loop.ts';
import { selectionBy } from '../../src/train/selecting.ts';
import { randoms, relativeError, testGpu } from '../device.ts';
import { equal, is, not, ok, suite } from '../suite.ts';
import { smallModel } from './networks.ts';

const test = suite('selection');

const numbers = async (x: Tensor) => Array.from(await x.data());
const vectors = (count: number, length: number, stream: number) =>
  Array.from({ length: count }, (_, i) => Float64Array.from(randoms(length, 100 * stream + i)));

/** The whole matrix of distances, a column raised by its bonus, searched anew for every image. */
function bruteForce(features: Float64Array[], chosen: number[], count: number, bonus: number[]): number[] {
  const all = [...chosen];
  while (all.length < chosen.length + count) {
    const scores = features.map((f, j) =>
      all.includes(j)
        ? 0
        : Math.min(...all.map((i) => Math.hypot(...f.map((v, k) => v - features[i][k])))) + bonus[j],
    );
    const best = scores.indexOf(Math.max(...scores));
    if (all.includes(best)) break;
    all.push(best);
  }
  return all.slice(chosen.length);
}

test('furthest-first is the brute-force choice, with and without a bonus', () => {
  for (let stream = 1; stream <= 5; stream++) {
    const features = vectors(23, 6, stream);
    const bonus = Array.from(randoms(23, 900 + stream, 0, 2));
    const pick = (extra?: number[]) => furthestFirst(features, [4, 11], 9, extra).map(({ index }) => index);
    equal(pick(), bruteForce(features, [4, 11], 9, Array(23).fill(0)));
    equal(pick(bonus), bruteForce(features, [4, 11], 9, bonus));
    not.equal(pick(bonus), pick());
  }
});

test('furthest-first on a line: the ends, then the middle; distances and nearest are those of the moment', () => {
  const line = [0, 1, 2, 5, 9, 10].map((x) => Float64Array.of(x));
  equal(furthestFirst(line, [0], 3), [
    { index: 5, distance: 10, nearest: 0, uncertainty: null },
    { index: 3, distance: 5, nearest: 0, uncertainty: null },
    { index: 2, distance: 2, nearest: 0, uncertainty: null },
  ]);
  // Equal distances: the first. From 1 and 9, both 5 and nothing else are furthest; of 0 and 10 the first.
  equal(
    furthestFirst(line, [1, 4], 3).map(({ index }) => index),
    [3, 0, 2],
  );
});

test('furthest-first stops when only copies are left, unless they have a bonus', () => {
  const twice = [0, 3, 0, 3].map((x) => Float64Array.of(x));
  const pick = (bonus?: number[]) => furthestFirst(twice, [0], 3, bonus).map(({ index }) => index);
  equal(pick(), [1]);
  equal(pick([0, 0, 0.5, 0]), [1, 2]);
});

test('the subset doubles from its first size to the budget', () => {
  equal(stageSizes(25, 744), [25, 50, 100, 200, 400, 744]);
  equal(stageSizes(3, 24), [3, 6, 12, 24]);
  equal(stageSizes(3, 3), [3]);
  equal(stageSizes(5, 2), [2]);
});

test('features: mean 0 and variance 1 in each channel over images and places; a constant channel is zero', () => {
  const channels = 3;
  const rows = Array.from({ length: 4 }, (_, i) =>
    Float64Array.from(randoms(5 * channels, i + 1), (v, k) =>
      k % channels === 2 ? 7 : 10 * (k % channels) + v,
    ),
  );
  const standard = standardize(rows, channels);
  for (let c = 0; c < channels; c++) {
    const values = standard.flatMap((one) => Array.from(one).filter((_, k) => k % channels === c));
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    ok(Math.abs(mean) < 1e-12 && Math.abs(variance - (c === 2 ? 0 : 1)) < 1e-12, `${c}: ${mean} ${variance}`);
  }
});

test('depth features are the decoder map at an eighth of the size, averaged to 4 x 8 places', async () => {
  await testGpu();
  const depth = new DepthModel(new Initializer(1), smallModel);
  const x = tensor(randoms(2 * 64 * 128 * 3, 1, 0, 1), [2, 64, 128, 3]);
  const features = depthFeatures(depth, x);
  equal(features.shape, [2, 4, 8, 8]);
  const level = depth.decoder.decoder.apply(depth.encoder.apply(x, false), false)[3];
  equal(level.shape, [2, 8, 16, 8]);
  const map = await numbers(level);
  const corner = [0, 1, 16, 17].reduce((sum, place) => sum + map[place * 8 + 5], 0) / 4;
  ok(Math.abs((await numbers(features))[5] - corner) < 1e-6);
});

test('depth disagreement is the plain loop: far surroundings and the lowest rows are left out, and still divided by', async () => {
  await testGpu();
  const [n, h, w] = [2, 15, 17];
  const student = randoms(n * h * w, 1, 0, 1);
  const teacher = randoms(n * h * w, 2, 0.08, 1);
  teacher[3 * w + 4] = 0.05; // hides 7 x 7 pixels of image 0
  teacher[h * w + 2] = 0; // hides a corner of image 1
  const expected = Array.from({ length: n }, (_, i) => {
    let total = 0;
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        let far = false;
        for (let v = Math.max(0, y - 3); v <= Math.min(h - 1, y + 3); v++)
          for (let u = Math.max(0, x - 3); u <= Math.min(w - 1, x + 3); u++)
            far ||= teacher[(i * h + v) * w + u] < 0.07;
        const at = (i * h + y) * w + x;
        if (!far && y < 0.87 * h) total += Math.abs(Math.log(1 + student[at]) - Math.log(1 + teacher[at]));
      }
    }
    return total / (h * w);
  });
  const got = await numbers(depthDisagreement(tensor(student, [n, h, w, 1]), tensor(teacher, [n, h, w, 1])));
  ok(relativeError(got, expected) < 1e-5, `${got} ${expected}`);
  const same = tensor(teacher, [n, h, w, 1]);
  equal(await numbers(depthDisagreement(same, same)), [0, 0]);
});

test('the student is not taught the lowest tenth; berHu bends at a fifth of the greatest error, which has no gradient', async () => {
  await testGpu();
  // Ten rows of one pixel; errors 1, 0.2 (the bend), 0.1 and, in the lowest row, 5.
  const teacher = tensor(Array(10).fill(0), [1, 10, 1, 1]);
  const student = tensor([1, 0.2, 0.1, 0, 0, 0, 0, 0, 0, 5], [1, 10, 1, 1]);
  const loss = await distillationLoss(student, teacher).item();
  const c = 0.2;
  ok(Math.abs(loss - ((1 + c * c) / (2 * c) + 0.2 + 0.1) / 10) < 1e-6, `${loss}`);
  const [slope] = grad(() => distillationLoss(student, teacher), [student]);
  const slopes = await numbers(slope);
  // e / C and 1; a gradient through C = 0.2 e would make the first -13.
  ok(relativeError(slopes.slice(0, 3), [0.5, 0.1, 0.1]) < 1e-5, `${slopes}`);
  is(slopes[9], 0);
});

test('entropy is 1 for equal scores, near 0 for one sure class, and a mean over pixels', async () => {
  await testGpu();
  const sure = [50, 0, 0, 0];
  const two = [20, 20, -50, -50];
  const logits = tensor([...sure, ...sure, 1, 1, 1, 1, ...two], [2, 1, 2, 4]);
  const [a, b] = await numbers(pixelEntropy(logits));
  ok(Math.abs(a) < 1e-6 && Math.abs(b - (1 + 0.5) / 2) < 1e-6, `${a} ${b}`);
});

test('the highest scores are taken among those not chosen, the first of equal ones', () => {
  equal(
    highest([0.1, 0.5, 0.9, 0.5, 0.2], [2], 3).map(({ index }) => index),
    [1, 3, 4],
  );
});

const config: Config = { ...structuredClone(presets.tiny), pixels: 4096, seed: 3 };
config.model = structuredClone(smallModel) as unknown as Config['model'];
config.selection = { first: 2, steps: 2, batch: 2, uncertaintyWeight: 1000 };

function candidates(): { refs: FrameRef[]; classes: number } {
  const data = openStreet({ width: 64, height: 64, snippets: { train: 2, val: 1, unlabelled: 1 } });
  const refs = Array.from({ length: data.train.length }, (_, index) => ({ split: data.train, index }));
  return { refs, classes: data.classes.length };
}

async function grow(selection: GrowingSelection): Promise<number[]> {
  const gpu = await testGpu();
  await trainPlan({ phases: selection.stages, state: selection.state(), classes: [] }, gpu, null, 0, {
    checkpointEvery: 1000,
    onStep: () => {},
    interrupted: () => null,
  });
  await selection.grown();
  return (await selection.choices()).map(({ index }) => index);
}

test('every method chooses the budget once, the same at every try; each grows the choice of the smaller budget', async () => {
  await testGpu();
  const { refs, classes } = candidates();
  const depth = new DepthModel(new Initializer(1), config.model);
  const random = labelSubset(refs.length, 5, config.seed).labelled;
  const found: Record<string, number[]> = {};
  for (const method of SELECTIONS) {
    const make = (budget: number) => selectionBy(method, refs, budget, config, depth, classes);
    const selection = make(5);
    const staged = method === 'uncertainty' || method === 'both' || method === 'entropy';
    equal(
      selection.stages.map(({ name, steps }) => [name, steps]),
      staged
        ? [
            ['select-2', 2],
            ['select-4', 4],
          ]
        : [],
    );
    found[method] = await grow(selection);
    is(new Set(found[method]).size, 5, method);
    equal(await grow(make(5)), found[method], `${method} again`);
    is(found[method][0], random[0], `${method} starts with the first of the permutation`);
    const choices = await selection.choices();
    equal(
      choices.map(({ stage }) => stage),
      staged ? [2, 2, 4, 4, 5] : Array(5).fill(5),
    );
    const looks = method === 'diversity' || method === 'both';
    choices.forEach(({ distance, uncertainty }, k) => {
      is(distance !== null, looks && k > 0, `${method} ${k}: distance`);
      is(uncertainty !== null, staged && k >= 2, `${method} ${k}: uncertainty`);
    });
    if (method !== 'random' && method !== 'diversity')
      equal(await grow(make(4)), found[method].slice(0, 4), method);
  }
  equal(found.random, random);
  equal(found.both.slice(0, 2), found.diversity.slice(0, 2), 'the first images by diversity alone');
  equal(found.uncertainty.slice(0, 2), random.slice(0, 2));
  ok(
    found.both.join() !== found.diversity.join() || found.uncertainty.join() !== random.join(),
    'students have a say',
  );
});

test('uncertainty weighs 1000 beside features of 8192 numbers, and less beside shorter ones by the root of their length', async () => {
  await testGpu();
  const { refs } = candidates();
  const depth = new DepthModel(new Initializer(1), config.model);
  // A student whose uncertainty is known: how bright an image is.
  const brightness = (images: Tensor) => mean(images, [1, 2, 3]);
  const student = { ...depthStudent(depth, config.model, 1e-3, 1), scores: brightness };
  const selection = new GrowingSelection('both', refs, 6, config.selection, config.seed, depth, student);
  await selection.grown(2);
  await selection.grown(6);
  const choices = await selection.choices();
  const batch = await labelledBatch(refs, {
    seed: 0,
    step: 0,
    flip: false,
    crop: false,
    labelled: () => false,
  });
  const { images } = upload(labelledInputs(batch));
  const flat = await numbers(depthFeatures(depth, images));
  const length = 4 * 8 * 8;
  const rows = refs.map((_, i) => flat.slice(i * length, (i + 1) * length));
  const bright = await numbers(brightness(images));
  const weight = 1000 * Math.sqrt(length / 8192);
  const start = choices.slice(0, 2).map(({ index }) => index);
  const expected = furthestFirst(
    standardize(rows, 8),
    start,
    4,
    bright.map((v) => weight * v),
  );
  equal(
    choices.slice(2).map(({ index, nearest }) => [index, nearest]),
    expected.map(({ index, nearest }) => [index, nearest]),
  );
  const said = choices.slice(2).map(({ uncertainty }) => uncertainty!);
  ok(
    relativeError(
      said,
      expected.map(({ index }) => bright[index]),
    ) < 1e-6,
  );
});

test('a student learns on the images chosen so far only, from the same start at each stage', async () => {
  await testGpu();
  const { refs } = candidates();
  const depth = new DepthModel(new Initializer(1), config.model);
  const selection = selectionBy('both', refs, 5, config, depth, 0);
  const student = selection.state()['selection-student'];
  const start = await numbers(student['encoder.conv1.weight']);
  const [first, second] = selection.stages;
  await first.begin();
  const chosen = (await selection.choices()).map(({ index }) => index);
  is(chosen.length, 2);
  const allowed = await labelledBatch(
    chosen.map((i) => refs[i]),
    { seed: 0, step: 0, flip: false, crop: false, labelled: () => false },
  );
  const sums = (images: Uint8Array[]) => images.map((image) => image.reduce((a, b) => a + b));
  // Mirroring keeps the sum of an image.
  const batch = await first.load(1);
  ok(sums(batch.images).every((sum) => sums(allowed.images).includes(sum)));
  student['encoder.conv1.weight'].assign(new Float32Array(start.length));
  await second.begin();
  equal(await numbers(student['encoder.conv1.weight']), start);
  is((await selection.choices()).length, 4);
});

test('copies are not chosen: fewer different images than asked for is an error that counts them', async () => {
  await testGpu();
  const data = openStreet({ width: 64, height: 64, snippets: { train: 1, val: 1, unlabelled: 1 } });
  const twins: Split = { ...data.train, length: 6, load: (i) => data.train.load(Math.floor(i / 3)) };
  const refs = Array.from({ length: 6 }, (_, index) => ({ split: twins, index }));
  const depth = new DepthModel(new Initializer(1), config.model);
  const selection = selectionBy('diversity', refs, 4, config, depth, 0);
  const message = await selection.grown().then(
    () => '',
    (error: Error) => error.message,
  );
  ok(/diversity: 2 different images among 6, 4 were asked for/.test(message), message);
});
