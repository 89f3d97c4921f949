import {
  City,
  camvidClasses,
  cityscapesClasses,
  cityscapesLabelIdToTrainId,
  cityscapesToCamvid,
} from '../../src/data/classes.ts';
import { magma } from '../../src/data/colormap.ts';
import { contactSheet } from '../../src/data/contact-sheet.ts';
import { streetVariants } from '../../src/data/spec.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { DataError, type Dataset, type Frame, type Intrinsics } from '../../src/data/types.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const small = { width: 64, height: 32, snippets: { train: 3, val: 2, unlabelled: 2 }, framesPerSnippet: 4 };
const moving: readonly number[] = [
  City.person,
  City.rider,
  City.car,
  City.truck,
  City.bus,
  City.train,
  City.motorcycle,
  City.bicycle,
];

async function all(dataset: Dataset, split: 'train' | 'val' | 'unlabelled'): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let i = 0; i < dataset[split].length; i++) frames.push(await dataset[split].load(i));
  return frames;
}

const sameBytes = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.prototype.every.call(a, (v: number, i: number) => v === b[i]);

/** Where pixel (x, y) at z-depth z of frame a falls in frame b: u, v and z-depth there. */
function reproject(
  k: Intrinsics,
  a: Frame,
  b: Frame,
  x: number,
  y: number,
  z: number,
): [number, number, number] {
  const p = a.pose!;
  const q = b.pose!;
  const c = [((x - k.cx) / k.fx) * z, ((y - k.cy) / k.fy) * z, z];
  const world = [0, 1, 2].map(
    (r) => p[4 * r] * c[0] + p[4 * r + 1] * c[1] + p[4 * r + 2] * c[2] + p[4 * r + 3],
  );
  const d = world.map((w, r) => w - q[4 * r + 3]);
  const [u, v, w] = [0, 1, 2].map((r) => q[r] * d[0] + q[4 + r] * d[1] + q[8 + r] * d[2]);
  return [(k.fx * u) / w + k.cx, (k.fy * v) / w + k.cy, w];
}

/** Bilinear sample of channel c of an interleaved map, or of inverse depth for a depth map. */
function bilinear(read: (i: number) => number, width: number, height: number, u: number, v: number): number {
  const x = Math.min(Math.floor(u), width - 2);
  const y = Math.min(Math.floor(v), height - 2);
  const fx = u - x;
  const fy = v - y;
  const i = y * width + x;
  const top = read(i) * (1 - fx) + read(i + 1) * fx;
  const low = read(i + width) * (1 - fx) + read(i + width + 1) * fx;
  return top * (1 - fy) + low * fy;
}

const test = suite('street');

test('two openings give equal bytes, in any order of loading', async () => {
  const a = openStreet(small);
  const b = openStreet(small);
  const last = a.train.length - 1;
  await b.train.load(last);
  await b.val.load(0);
  for (const i of [0, 5, last]) {
    const fa = await a.train.load(i);
    const fb = await b.train.load(i);
    ok(sameBytes(fa.image.data, fb.image.data));
    ok(sameBytes(fa.label!.data, fb.label!.data));
    ok(sameBytes(fa.depth!.data, fb.depth!.data));
    ok(sameBytes(fa.pose!, fb.pose!));
  }
});

test('another seed is another world', async () => {
  const a = await openStreet(small).train.load(0);
  const b = await openStreet({ ...small, seed: 1 }).train.load(0);
  ok(!sameBytes(a.label!.data, b.label!.data));
});

test('splits and snippets are disjoint worlds', async () => {
  const dataset = openStreet(small);
  const seen = new Map<string, string>();
  const ids = new Set<string>();
  for (const split of ['train', 'val', 'unlabelled'] as const) {
    for (const frame of await all(dataset, split)) {
      const bytes = frame.image.data.join();
      ok(!seen.has(bytes), `${frame.id} equals ${seen.get(bytes)}`);
      seen.set(bytes, frame.id);
      ids.add(frame.id);
      ok(frame.id.startsWith(`${split}/`));
    }
  }
  is(ids.size, 7 * 4);
  is(dataset.train.id(6), 'train/001/02');
});

test('labels, depth and poses come with train and val only', async () => {
  const dataset = openStreet(small);
  for (const split of [dataset.train, dataset.val]) {
    ok(split.hasLabels && split.hasDepth && split.hasPoses && split.intrinsics);
    const frame = await split.load(1);
    ok(frame.label && frame.depth && frame.pose);
  }
  const { unlabelled } = dataset;
  ok(!unlabelled.hasLabels && !unlabelled.hasDepth && !unlabelled.hasPoses && unlabelled.intrinsics);
  equal(Object.keys(await unlabelled.load(0)).sort(), ['id', 'image']);
});

test('looks share geometry and differ in colour', async () => {
  const day = openStreet(small);
  const night = openStreet({ ...small, variant: 'night' });
  is(day.spec, 'street:clean');
  is(night.spec, 'street:night');
  let light = 0;
  let dark = 0;
  for (const i of [0, 3, 6, 9]) {
    const a = await day.train.load(i);
    const b = await night.train.load(i);
    ok(sameBytes(a.label!.data, b.label!.data));
    ok(sameBytes(a.depth!.data, b.depth!.data));
    ok(sameBytes(a.pose!, b.pose!));
    for (const v of a.image.data) light += v;
    for (const v of b.image.data) dark += v;
  }
  ok(dark < 0.6 * light, `night is ${(dark / light).toFixed(2)} of day`);
});

test('depth and poses agree between frames', async () => {
  const dataset = openStreet({ seed: 4, snippets: { train: 4, val: 1, unlabelled: 1 }, framesPerSnippet: 3 });
  const k = dataset.train.intrinsics!;
  const { width: w, height: h } = k;
  const errors: number[] = [];
  for (let snippet = 0; snippet < 4; snippet++) {
    const a = await dataset.train.load(3 * snippet);
    const b = await dataset.train.load(3 * snippet + 1);
    for (let i = 0; i < w * h; i++) {
      const z = a.depth!.data[i];
      const label = a.label!.data[i];
      if (z === 0 || moving.includes(label)) continue;
      const [u, v, expected] = reproject(k, a, b, i % w, Math.floor(i / w), z);
      if (!(u >= 0 && v >= 0 && u <= w - 1 && v <= h - 1)) continue;
      // Inverse depth is linear on a plane; across an edge, and where something has come in front, it says nothing.
      const corner = Math.min(Math.floor(v), h - 2) * w + Math.min(Math.floor(u), w - 2);
      const around = [corner, corner + 1, corner + w, corner + w + 1];
      if (around.some((j) => b.label!.data[j] !== label)) continue;
      const found = 1 / bilinear((j) => 1 / b.depth!.data[j], w, h, u, v);
      errors.push(Math.abs(found / expected - 1));
    }
  }
  errors.sort((x, y) => x - y);
  const within = (limit: number) => errors.filter((e) => e < limit).length / errors.length;
  ok(errors.length > 12_000, `${errors.length} pixels compared`);
  const median = errors[errors.length >> 1];
  ok(median < 1e-4, `median relative error ${median}`);
  ok(within(0.01) > 0.9, `${(100 * within(0.01)).toFixed(1)} % within 1 %`);
});

test('true depth and pose explain the next image', async () => {
  const dataset = openStreet({ seed: 2, snippets: { train: 5, val: 1, unlabelled: 1 }, framesPerSnippet: 2 });
  const k = dataset.train.intrinsics!;
  const { width: w, height: h } = k;
  let warped = 0;
  let still = 0;
  for (let snippet = 0; snippet < 5; snippet++) {
    const a = await dataset.train.load(2 * snippet);
    const b = await dataset.train.load(2 * snippet + 1);
    for (let i = 0; i < w * h; i++) {
      const z = a.depth!.data[i];
      if (z === 0) continue;
      const [u, v] = reproject(k, a, b, i % w, Math.floor(i / w), z);
      if (!(u >= 0 && v >= 0 && u <= w - 1 && v <= h - 1)) continue;
      for (let c = 0; c < 3; c++) {
        const here = a.image.data[3 * i + c];
        warped += Math.abs(bilinear((j) => b.image.data[3 * j + c], w, h, u, v) - here);
        still += Math.abs(b.image.data[3 * i + c] - here);
      }
    }
  }
  ok(warped < 0.6 * still, `warped ${warped}, unwarped ${still}`);
});

test('labels are train ids or void, the sky has no depth, and the usual classes are there', async () => {
  const dataset = openStreet({
    ...small,
    width: 96,
    height: 48,
    snippets: { train: 10, val: 1, unlabelled: 1 },
    framesPerSnippet: 1,
  });
  const counts = new Array<number>(256).fill(0);
  for (const frame of await all(dataset, 'train')) {
    frame.label!.data.forEach((label, i) => {
      counts[label]++;
      const z = frame.depth!.data[i];
      if (label === City.sky ? z !== 0 : !(z > 0.3 && z < 2000))
        throw new Error(`${frame.id}: label ${label}, depth ${z}`);
    });
  }
  counts.forEach((n, label) => {
    ok(n === 0 || label < 19 || label === 255, `label ${label}`);
  });
  const {
    road,
    sidewalk,
    building,
    wall,
    fence,
    pole,
    trafficSign,
    vegetation,
    terrain,
    sky,
    person,
    car,
    bicycle,
  } = City;
  for (const id of [
    road,
    sidewalk,
    building,
    wall,
    fence,
    pole,
    trafficSign,
    vegetation,
    terrain,
    sky,
    person,
    car,
    bicycle,
  ])
    ok(counts[id] > 0, `no ${cityscapesClasses[id].name}`);
  const total = counts.reduce((a, b) => a + b);
  ok(counts[road] / total > 0.2 && counts[road] / total < 0.45, `road ${counts[road] / total}`);
});

test('neighbours exist inside a snippet only', () => {
  const { train } = openStreet(small);
  is(train.neighbours(0), null);
  equal(train.neighbours(1), [0, 2]);
  equal(train.neighbours(6), [5, 7]);
  is(train.neighbours(3), null);
  is(train.neighbours(4), null);
  is(train.neighbours(11), null);
  throws(() => train.neighbours(12), /expected 0 to 11/);
});

test('odd sizes work', async () => {
  for (const [width, height] of [
    [37, 53],
    [32, 32],
    [131, 40],
  ]) {
    const dataset = openStreet({ ...small, width, height });
    const frame = await dataset.val.load(0);
    is(frame.image.data.length, 3 * width * height);
    is(frame.label!.data.length, width * height);
    is(frame.depth!.data.length, width * height);
    is(dataset.val.intrinsics!.cx, (width - 1) / 2);
  }
});

test('poses are rigid motions, forward along the street', async () => {
  const { train } = openStreet(small);
  const first = (await train.load(0)).pose!;
  const second = (await train.load(1)).pose!;
  for (const p of [first, second]) {
    for (let r = 0; r < 3; r++)
      for (let c = 0; c < 3; c++) {
        const dot = p[4 * r] * p[4 * c] + p[4 * r + 1] * p[4 * c + 1] + p[4 * r + 2] * p[4 * c + 2];
        ok(Math.abs(dot - Number(r === c)) < 1e-12);
      }
    const det =
      p[0] * (p[5] * p[10] - p[6] * p[9]) -
      p[1] * (p[4] * p[10] - p[6] * p[8]) +
      p[2] * (p[4] * p[9] - p[5] * p[8]);
    ok(Math.abs(det - 1) < 1e-12);
  }
  const ahead = [2, 6, 10].reduce((sum, i) => sum + first[i] * (second[i + 1] - first[i + 1]), 0);
  ok(ahead > 0.4 && ahead < 1.3, `${ahead} m`);
});

test('bad options are named', () => {
  throws(
    () => openStreet({ variant: 'snow' }),
    (e: Error) => e instanceof DataError && streetVariants.every((known) => e.message.includes(known)),
  );
  throws(
    () => openStreet({ width: 16 }),
    (e: Error) => e instanceof DataError && e.message.includes('16'),
  );
});

test('class tables fit together', () => {
  is(cityscapesClasses.length, 19);
  is(camvidClasses.length, 11);
  is(cityscapesToCamvid.length, 19);
  is(cityscapesLabelIdToTrainId.length, 34);
  for (const table of [cityscapesClasses, camvidClasses]) for (const [i, c] of table.entries()) is(c.id, i);
  for (const id of cityscapesToCamvid) ok(id < 11 || id === 255);
  equal([...new Set(cityscapesToCamvid)].filter((id) => id < 11).length, 11);
  equal(
    [...new Set(cityscapesLabelIdToTrainId)].filter((id) => id < 19).sort((a, b) => a - b),
    [...Array(19).keys()],
  );
});

test('the colour map ends where magma ends', () => {
  equal(magma(0), [0, 0, 4]);
  equal(magma(1), [252, 253, 191]);
  equal(magma(-3), magma(0));
  const middle = magma(128 / 255);
  for (const [i, v] of [183, 55, 121].entries()) ok(Math.abs(v - middle[i]) <= 1, `${middle}`);
});

test('a contact sheet holds every panel', async () => {
  const dataset = openStreet(small);
  const frames = [await dataset.train.load(0), await dataset.train.load(1), await dataset.train.load(2)];
  const sheet = contactSheet(frames, dataset.classes, 2);
  is(sheet.data.length, 3 * sheet.width * sheet.height);
  const scale = 4;
  is(sheet.width, 2 * (3 * 64 * scale + 2) + 2);
  is(sheet.height, 2 * 32 * scale + 2);
  // Top-left pixel: the image's.
  equal([...sheet.data.subarray(0, 3)], [...frames[0].image.data.subarray(0, 3)]);
});
