import {
  crop,
  cropIntrinsics,
  draws,
  hflip,
  hflipIntrinsics,
  randomCrop,
  randomJitter,
} from '../../src/data/augment.ts';
import type { Intrinsics } from '../../src/data/types.ts';
import { equal, not, ok, suite } from '../suite.ts';
import { messageOf } from './fixtures.ts';

const test = suite('augment');
const STRENGTH = { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 };

test('draws depend on seed, step, sample and use, and on nothing else', () => {
  const at = (seed: number, step: number, sample: number, use: number) => draws(seed, step, sample)(use);
  equal([at(1, 2, 3, 4)], [at(1, 2, 3, 4)]);
  const all = [
    at(1, 2, 3, 4),
    at(0, 2, 3, 4),
    at(1, 0, 3, 4),
    at(1, 2, 0, 4),
    at(1, 2, 3, 0),
    at(1, 3, 2, 4),
  ];
  ok(new Set(all).size === all.length);
});

test('the same draws give the same jitter and the same window', () => {
  const run = (step: number) => {
    const draw = draws(7, step, 0);
    return [randomJitter(STRENGTH, draw, 0), randomCrop({ width: 40, height: 30 }, 20, 10, draw, 9)];
  };
  equal(run(5), run(5));
  not.equal(run(5), run(6));
});

test('hflip mirrors images and labels, and twice is nothing', () => {
  const label = { width: 3, height: 2, data: Uint8Array.of(1, 2, 3, 4, 5, 255) };
  equal(Array.from(hflip(label).data), [3, 2, 1, 255, 5, 4]);
  const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
  equal(Array.from(hflip(image).data), [4, 5, 6, 1, 2, 3]);
  equal(hflip(hflip(image)), image);
});

test('flipped and cropped intrinsics project a point to its new pixel', async () => {
  const camera: Intrinsics = { width: 64, height: 48, fx: 50, fy: 40, cx: 30, cy: 25 };
  const [X, Y, Z] = [0.9, -0.4, 5];
  const [u, v] = [(camera.fx * X) / Z + camera.cx, (camera.fy * Y) / Z + camera.cy];
  const flipped = hflipIntrinsics(camera);
  // The mirrored scene has the point at -X.
  ok(Math.abs((flipped.fx * -X) / Z + flipped.cx - (camera.width - 1 - u)) < 1e-12);
  ok(flipped.cy === camera.cy);

  const marked = { width: 64, height: 48, data: new Uint8Array(64 * 48) };
  marked.data[64 * Math.round(v) + Math.round(u)] = 9;
  for (let sample = 0; sample < 20; sample++) {
    const window = randomCrop(marked, 60, 44, draws(1, 0, sample), 0);
    ok(window.x >= 0 && window.x <= 4 && window.y >= 0 && window.y <= 4);
    const k = cropIntrinsics(camera, window);
    equal([k.width, k.height], [60, 44]);
    const at = 60 * Math.round((k.fy * Y) / Z + k.cy) + Math.round((k.fx * X) / Z + k.cx);
    ok(crop(marked, window).data[at] === 9);
  }
  ok(/65x1 .* 64x48/.test(await messageOf(() => randomCrop(marked, 65, 1, draws(1, 1, 1), 0), 'RangeError')));
});

test('a crop of the whole size has one place, and every place of a smaller one is drawn', () => {
  const image = { width: 5, height: 4 };
  equal(randomCrop(image, 5, 4, draws(1, 1, 1), 0), { x: 0, y: 0, width: 5, height: 4 });
  const places = new Set<string>();
  for (let sample = 0; sample < 200; sample++) {
    const { x, y } = randomCrop(image, 3, 3, draws(1, 1, sample), 0);
    places.add(`${x} ${y}`);
  }
  ok(places.size === 6, `${places.size} of 6 places`);
});

test('jitter factors stay in their ranges, in every order', () => {
  const orders = new Set<string>();
  for (let sample = 0; sample < 400; sample++) {
    const { brightness, contrast, saturation, hue, order } = randomJitter(STRENGTH, draws(2, 0, sample), 0);
    for (const factor of [brightness, contrast, saturation]) ok(factor >= 0.8 && factor < 1.2);
    ok(hue >= -0.1 && hue < 0.1);
    orders.add(order.join());
  }
  ok(orders.size === 24, `${orders.size} of 24 orders`);
});
