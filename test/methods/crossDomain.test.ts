import { upload } from '../../src/autograd/program.ts';
import { grad } from '../../src/autograd/tape.ts';
import { step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { draws, hflip } from '../../src/data/augment.ts';
import type { FrameRef } from '../../src/data/batch.ts';
import { openStreet } from '../../src/data/street/index.ts';
import type { Split } from '../../src/data/types.ts';
import {
  CrossDomainPhase,
  closestGeometry,
  crossDomainLoss,
  crossDomainMask,
  crossDomainMixture,
  drawViews,
  Geometry,
  geometryDistance,
  matchingSource,
  pairInputs,
} from '../../src/methods/crossDomain.ts';
import { targetProbabilities } from '../../src/methods/mixing.ts';
import { DepthModel, SegmentationModel } from '../../src/models/models.ts';
import { Initializer } from '../../src/nn/module.ts';
import { slice } from '../../src/ops/movement.ts';
import { type Config, presets } from '../../src/train/config.ts';
import { supervisedRecipe, threeWaysDaRecipe } from '../../src/train/recipes.ts';
import { messageOf, streetPack } from '../data/fixtures.ts';
import { randoms, testGpu } from '../device.ts';
import { equal, is, not, ok, suite } from '../suite.ts';
import { smallModel } from './networks.ts';

const test = suite('crossDomain');

const numbers = async (x: Tensor) => Array.from(await x.data());

test('mask: with s = 1 the source wins ties and up to 0.03 behind, with s = -1 it must be 0.03 nearer', async () => {
  await testGpu();
  const [height, width] = [3, 5];
  const far = Array.from({ length: height * width }, (_, i) => 0.1 + 0.05 * i);
  const masks = async (by: number, signs: [number, number]) => {
    const near = [...far, ...far].map((d) => d + by);
    const one = (values: number[]) => tensor(values, [2, height, width, 1]);
    const mask = crossDomainMask(one(near), one([...far, ...far]), tensor(signs, [2, 1, 1, 1]), 0.03);
    equal(mask.shape, [2, height, width, 1]);
    const values = await numbers(mask);
    const each = [values.slice(0, far.length), values.slice(far.length)];
    for (const half of each) ok(half.every((v) => v === half[0]));
    return each.map((half) => half[0]);
  };
  // Source as near as the target, 0.02 and 0.04 farther, 0.02 and 0.04 nearer.
  const cases: [number, number, number][] = [
    [0, 1, 0],
    [-0.02, 1, 0],
    [-0.04, 0, 0],
    [0.02, 1, 0],
    [0.04, 1, 1],
  ];
  for (const [by, plus, minus] of cases) {
    equal(await masks(by, [1, -1]), [plus, minus], `source ${by} nearer`);
    equal(await masks(by, [-1, 1]), [minus, plus], `source ${by} nearer, signs exchanged`);
  }
});

test('a mixture: truth and weight 1 on source pixels, teacher and q on the target; q is of the unmixed target', async () => {
  await testGpu();
  const mask = tensor([1, 0, 1, 0, 0, 1], [2, 1, 3, 1]);
  const source = {
    images: tensor(randoms(18, 1, 0, 1), [2, 1, 3, 3]),
    labels: tensor([1, 0, 255, 0, 1, 1], [2, 1, 3], 'i32'),
  };
  // Image 0 by the teacher, image 1 by its truth: class 1, void, class 0.
  const logit = (p: number) => [Math.log(p), Math.log(1 - p)];
  const logits = tensor([...logit(0.99), ...logit(0.1), ...logit(0.5), ...randoms(6, 5)], [2, 1, 3, 2]);
  const labels = tensor([255, 255, 255, 1, 255, 0], [2, 1, 3], 'i32');
  const probabilities = targetProbabilities(logits, labels, tensor([0, 1], [2, 1, 1, 1]));
  const target = { images: tensor(randoms(18, 2, 0, 1), [2, 1, 3, 3]), probabilities };
  const made = crossDomainMixture(mask, source, target, 0.968);
  // Sure are 0.99 of image 0, which the mask covers, and the two labelled pixels of image 1: three of six.
  is(await made.q.item(), 0.5);
  equal(await numbers(made.label), [1, 1, 255, 1, 255, 1]);
  equal(await numbers(made.weight), [1, 0.5, 1, 0.5, 0.5, 1]);
  equal(made.weight.shape, [2, 1, 3]);
  const [a, b] = [await numbers(source.images), await numbers(target.images)];
  equal(
    await numbers(made.images),
    [1, 0, 1, 0, 0, 1].flatMap((keep, k) => (keep ? a : b).slice(3 * k, 3 * k + 3)),
  );
});

test('the loss weighs each pixel and divides by all; without any label it is 0 and has no gradient', async () => {
  await testGpu();
  const logits = tensor([1, 0, 0, 2, 0.5, 0.5, 3, 1], [1, 2, 2, 2]);
  const ce = (right: number, other: number) => Math.log(1 + Math.exp(other - right));
  const made = {
    label: tensor([0, 1, 255, 1], [1, 2, 2], 'i32'),
    weight: tensor([1, 0.25, 1, 0.25], [1, 2, 2]),
  };
  const expected = (ce(1, 0) + 0.25 * ce(2, 0) + 0.25 * ce(1, 3)) / 4;
  ok(Math.abs((await crossDomainLoss(logits, made).item()) - expected) < 1e-6);
  const nothing = { ...made, label: tensor([255, 255, 255, 255], [1, 2, 2], 'i32') };
  is(await crossDomainLoss(logits, nothing).item(), 0);
  const [slope] = grad(() => crossDomainLoss(logits, nothing), [logits]);
  equal(await numbers(slope), Array(8).fill(0));
});

test('geometry: mean |log(1 + a) - log(1 + b)| over all pixels, sky and own car left out; the closest wins, of equals the first', () => {
  const [height, width] = [16, 7];
  const flat = (value: number, row = (_: number) => true) =>
    Array.from({ length: height * width }, (_, i) => (row(Math.floor(i / width)) ? value : 0));
  // Of 16 rows those from 2.5 to 12.875 count: 3 to 12, ten of them.
  ok(Math.abs(geometryDistance(flat(1), flat(0), width) - (10 / 16) * Math.log(2)) < 1e-12);
  ok(Math.abs(geometryDistance(flat(0), flat(1), width) - (10 / 16) * Math.log(2)) < 1e-12);
  is(
    geometryDistance(
      flat(1, (y) => y < 3 || y > 12),
      flat(0),
      width,
    ),
    0,
  );
  for (const y of [3, 12]) {
    const one = geometryDistance(
      flat(1, (row) => row === y),
      flat(0),
      width,
    );
    ok(Math.abs(one - Math.log(2) / 16) < 1e-12, `row ${y}: ${one}`);
  }
  const target = flat(0.5);
  is(closestGeometry(target, [flat(0), flat(1), flat(0.45), flat(0.6)], width), 2);
  is(closestGeometry(target, [flat(1), flat(0.25), flat(0.25)], width), 1);
});

test('matching geometry: the candidate, mirrored or not, that the depth network sees as the target; each frame is seen once', async () => {
  await testGpu();
  const [height, width] = [32, 64];
  // Frame k is near on the left up to column 8 (k + 1); the red channel is the disparity.
  const split = {
    length: 5,
    async load(index: number) {
      const data = new Uint8Array(3 * height * width);
      for (let i = 0; i < height * width; i++) data[3 * i] = i % width < 8 * (index + 1) ? 255 : 0;
      return { id: `${index}`, image: { width, height, data } };
    },
  } as unknown as Split;
  let looks = 0;
  const network = {
    disparities(images: Tensor) {
      looks += 1;
      return [slice(images, [0, 0, 0, 0], [1, height, width, 1])];
    },
  };
  const geometry = new Geometry(network, width);
  const view = (index: number, mirrored: boolean) => ({ ref: { split, index }, mirrored });
  const plain = Array.from(await geometry.of(view(1, false)));
  equal(plain.slice(0, 16), [1, 1, 1, 1, ...Array(12).fill(0)]);
  equal(Array.from(await geometry.of(view(1, true))).slice(16, 32), [...Array(12).fill(0), 1, 1, 1, 1]);
  const candidates = [view(0, false), view(4, true), view(3, false), view(2, true), view(2, false)];
  is(await matchingSource(geometry, view(2, false), candidates), candidates[4]);
  is(await matchingSource(geometry, view(2, true), candidates), candidates[3]);
  is(
    await matchingSource(geometry, view(1, true), candidates),
    candidates[3],
    'the narrowest of the right side',
  );
  is(looks, 5);
});

test('candidates are drawn from all frames, half of them mirrored', () => {
  const refs = Array.from({ length: 6 }, (_, index) => ({ index }) as FrameRef);
  const counts = Array(6).fill(0);
  let mirrored = 0;
  for (let at = 0; at < 600; at++) {
    const views = drawViews(refs, 5, draws(3, at, 0));
    is(views.length, 5);
    for (const one of views) {
      counts[one.ref.index] += 1;
      mirrored += one.mirrored ? 1 : 0;
    }
  }
  // Four standard deviations of a binomial with 3000 draws of 1/6, and of 1/2.
  ok(
    counts.every((count) => Math.abs(count - 500) < 82),
    `${counts}`,
  );
  ok(Math.abs(mirrored - 1500) < 110, `${mirrored}`);
});

const street = (variant: string) =>
  openStreet({ variant, width: 96, height: 64, snippets: { train: 2, val: 1, unlabelled: 1 } });

function newPhase(labels: number, { one = false, candidates = 5, crop = false } = {}) {
  const [source, target] = [street('clean').train, street('night').train];
  const refs = (split: Split) => Array.from({ length: split.length }, (_, index) => ({ split, index }));
  const frames = {
    labelled: refs(target).slice(0, labels),
    unlabelled: refs(target).slice(labels, one ? labels + 1 : undefined),
  };
  const init = new Initializer(1);
  const [student, teacher] = [0, 1].map(() => new SegmentationModel(init, smallModel, 19));
  const depth = new DepthModel(init, smallModel);
  const settings = {
    ...presets.tiny.segmentation,
    ...presets.tiny.method,
    steps: 8,
    threshold: 0.05,
    unlabelledWeight: 0.5,
    rampUp: 0.5,
    candidates,
    crop,
  };
  const phase = new CrossDomainPhase(student, teacher, depth, refs(source), frames, 96, 19, settings, 1);
  return { phase, student, teacher, depth, source, target };
}

test('a batch is a function of seed and step: the matching source with its labels, both signs, no hidden target label', async () => {
  await testGpu();
  const { phase, source } = newPhase(3);
  const again = newPhase(3).phase;
  const signs = new Set<number>();
  const known = await Promise.all(
    Array.from({ length: source.length }, async (_, i) => (await source.load(i)).label!.data),
  );
  for (const at of [5, 0, 1, 2]) {
    const batch = await phase.load(at);
    equal(await again.load(at), batch);
    for (const s of batch.signs) signs.add(s);
    is(batch.source.n, 2);
    is(batch.labelled.length, 1);
    for (let i = 0; i < 2; i++) {
      const labels = batch.source.labels[i];
      const flipped = labels.map((_, p) => labels[p - (p % 96) + 95 - (p % 96)]);
      const plain = batch.source.flipped[i] ? flipped : labels;
      ok(
        known.some((one) => one.every((id, p) => id === plain[p])),
        'labels of a source frame, mirrored as its image says',
      );
      const target = batch.mixed.labels[i];
      is(
        target.some((v) => v !== 255),
        batch.truthful[i] === 1,
      );
    }
  }
  equal([...signs].sort(), [-1, 1]);
});

test('of so many candidates that every view is among them, a step takes the one closest to its target, mirrored as that is', async () => {
  await testGpu();
  const { phase, depth, source, target } = newPhase(0, { one: true, candidates: 400 });
  const geometry = new Geometry(depth, 96);
  const views = Array.from({ length: source.length }, (_, index) => ({ split: source, index })).flatMap(
    (ref) => [
      { ref, mirrored: false },
      { ref, mirrored: true },
    ],
  );
  const mirrored = new Set<boolean>();
  for (const at of [0, 1, 2, 3]) {
    const batch = await phase.load(at);
    for (const [i, flipped] of batch.mixed.flipped.entries()) {
      mirrored.add(flipped);
      const best = await matchingSource(
        geometry,
        { ref: { split: target, index: 0 }, mirrored: flipped },
        views,
      );
      is(batch.source.flipped[i], best.mirrored);
      const { image } = await source.load(best.ref.index);
      equal(batch.source.images[i], (best.mirrored ? hflip(image) : image).data);
    }
  }
  is(mirrored.size, 2);
});

test('a target image and its source are cut at one place, so that geometry that matched in whole frames still does', async () => {
  await testGpu();
  const [cut, whole] = [newPhase(3, { crop: true }).phase, newPhase(3).phase];
  const columns = new Set<number>();
  for (const at of [0, 1, 2]) {
    const [a, b] = [await cut.load(at), await whole.load(at)];
    const columnOf = (part: 'mixed' | 'source', i: number) => {
      const row = a[part].images[i].slice(0, 3 * 64).join();
      return Array.from({ length: 33 }, (_, x) => x).find(
        (x) => b[part].images[i].slice(3 * x, 3 * (x + 64)).join() === row,
      );
    };
    for (const i of [0, 1]) {
      const column = columnOf('mixed', i);
      ok(column !== undefined && column === columnOf('source', i), `step ${at}, image ${i}: ${column}`);
      columns.add(column!);
    }
  }
  ok(columns.size > 2, `${[...columns]}`);
});

test('a step: the loss is the sum of its terms, with and without labelled target images; the teacher follows', async () => {
  await testGpu();
  for (const labels of [3, 0]) {
    const { phase, student, teacher } = newPhase(labels);
    await phase.begin();
    equal(
      await numbers(teacher.decoder.classifiers[0].weight),
      await numbers(student.decoder.classifiers[0].weight),
    );
    const inputs = phase.inputs(await phase.load(2), 2);
    const terms = step(() => phase.train(upload(inputs)));
    const values: Record<string, number> = {};
    for (const [name, x] of Object.entries(terms)) values[name] = await x.item();
    const { loss, labelled, source, across, within, q } = values;
    is('labelled' in values, labels > 0);
    ok(q > 0 && source > 0 && across > 0 && within > 0, JSON.stringify(values));
    // Step 2 of the four in which the weight rises to a half.
    const weight = 0.5 * Math.exp(-5 * (1 - 2 / 4) ** 2);
    const sum = (labelled ?? 0) + source + weight * (across + within);
    ok(Math.abs(loss - sum) < 1e-5, JSON.stringify(values));
    not.equal(
      await numbers(teacher.decoder.classifiers[0].weight),
      await numbers(student.decoder.classifiers[0].weight),
    );
  }
});

test('the mixture of a step cuts where the depth network says, by the sign of each image', async () => {
  await testGpu();
  const { phase, depth } = newPhase(0);
  const batch = await phase.load(1);
  const seen = step(() => {
    const inputs = upload(pairInputs(batch));
    const { mask, weight, q } = phase.acrossMixture(inputs);
    const [near, far] = [inputs.source, inputs.mixed].map((one) => depth.disparities(one.images, false)[0]);
    return { mask, weight, q, near, far };
  });
  const [mask, near, far] = await Promise.all([numbers(seen.mask), numbers(seen.near), numbers(seen.far)]);
  const pixels = 96 * 64;
  const normalized = (values: number[]) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return values.map((v) => (v - least) / (most - least));
  };
  let ties = 0;
  for (let i = 0; i < 2; i++) {
    const part = (values: number[]) => values.slice(i * pixels, (i + 1) * pixels);
    const [a, b] = [normalized(part(near)), normalized(part(far))];
    part(mask).forEach((m, p) => {
      const ahead = a[p] - b[p] + 0.03 * batch.signs[i];
      if (Math.abs(ahead) < 1e-5) ties += 1;
      else is(m, ahead > 0 ? 1 : 0, `image ${i}, pixel ${p}`);
    });
  }
  ok(ties < 20, `${ties} ties`);
  const q = await seen.q.item();
  equal(
    await numbers(seen.weight),
    mask.map((m) => (m ? 1 : q)),
  );
});

const settings = (change: (config: Config) => void): Config => {
  const config: Config = {
    ...structuredClone(presets.tiny),
    data: 'street:night',
    source: 'street',
    pixels: 4096,
  };
  change(config);
  return config;
};

test('what is missing is named, with what would work', async () => {
  await testGpu();
  const refused = (change: (config: Config) => void, kind: string) =>
    messageOf(() => threeWaysDaRecipe(settings(change)), kind);
  const expected: [(config: Config) => void, string, RegExp][] = [
    [
      (c) => (c.source = null),
      'ConfigError',
      /source: missing.*--set source=street|source: missing.*source=street/,
    ],
    [(c) => (c.method.multitask = true), 'ConfigError', /method\.multitask=true: not with three-ways-da/],
    [(c) => (c.method.selection = 'both'), 'ConfigError', /method\.selection=both.*--labels-file/],
    [(c) => (c.source = 'stret'), 'DataError', /did you mean street/],
    [(c) => (c.labels = 1000), 'DataError', /--labels 1000.*192/],
  ];
  for (const [change, kind, message] of expected) {
    const said = await refused(change, kind);
    ok(message.test(said), said);
  }
  const none = await messageOf(() => supervisedRecipe(settings((c) => (c.labels = 0))), 'ConfigError');
  ok(/labels is 0.*three-ways-da/.test(none), none);
  const data = await streetPack();
  try {
    const few = await refused((c) => {
      c.data = `pack:${data.root}`;
      c.depth.batch = 1000;
    }, 'DataError');
    ok(/source street and target pack:.*at least 1000.*--set video=SPEC/.test(few), few);
  } finally {
    data.remove();
  }
});
