import {
  colorJitter,
  crop,
  cropIntrinsics,
  draws,
  type FloatImage,
  gaussianBlur,
  hflip,
  hflipIntrinsics,
  randomCrop,
  randomJitter,
  toBytes,
  toFloat,
} from '../../src/data/augment.ts';
import type { Intrinsics } from '../../src/data/types.ts';
import { equal, not, ok, suite } from '../suite.ts';
import { messageOf } from './fixtures.ts';

const test = suite('augment');
const KEEP = { brightness: 1, contrast: 1, saturation: 1, hue: 0 };
const STRENGTH = { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 };

function noise(width: number, height: number): FloatImage {
  const draw = draws(1, 2, 3);
  return { width, height, data: Float32Array.from({ length: 3 * width * height }, (_, i) => draw(i)) };
}

function close(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6) {
  ok(found.length === expected.length, `${found.length} values for ${expected.length}`);
  for (let i = 0; i < found.length; i++)
    ok(Math.abs(found[i] - expected[i]) <= tolerance, `[${i}] ${found[i]} for ${expected[i]}`);
}

const pixel = (...rgb: number[]): FloatImage => ({
  width: rgb.length / 3,
  height: 1,
  data: Float32Array.from(rgb),
});

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

test('the same draws give the same augmented bytes', () => {
  const image = noise(40, 30);
  const run = (step: number) => {
    const draw = draws(7, step, 0);
    const jittered = colorJitter(image, randomJitter(STRENGTH, draw, 0));
    return toBytes(crop(gaussianBlur(jittered, 0.15 + draw(8)), randomCrop(image, 20, 10, draw, 9))).data;
  };
  equal(run(5), run(5));
  not.equal(run(5), run(6));
});

test('bytes survive the way to floats and back; floats are clamped and rounded', () => {
  const data = Uint8Array.from({ length: 258 }, (_, i) => i % 256);
  equal(toBytes(toFloat({ width: 86, height: 1, data })).data, data);
  equal(Array.from(toBytes(pixel(-0.5, 1.5, 0.501)).data), [0, 255, 128]);
});

test('hflip mirrors images, labels and depth, and twice is nothing', () => {
  const label = { width: 3, height: 2, data: Uint8Array.of(1, 2, 3, 4, 5, 255) };
  equal(Array.from(hflip(label).data), [3, 2, 1, 255, 5, 4]);
  const depth = { width: 2, height: 1, data: Float32Array.of(0.5, 80) };
  equal(Array.from(hflip(depth).data), [80, 0.5]);
  equal(Array.from(hflip(pixel(1, 2, 3, 4, 5, 6)).data), [4, 5, 6, 1, 2, 3]);
  const image = noise(7, 5);
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

test('colour jitter: factors of 1 and no turn keep the image', () => {
  const image = noise(9, 9);
  close(colorJitter(image, KEEP).data, image.data, 1e-6);
});

test('brightness is a product, clamped; contrast blends with the mean grey; saturation with each grey', () => {
  close(colorJitter(pixel(0.2, 0.5, 0.9), { ...KEEP, brightness: 1.5 }).data, [0.3, 0.75, 1]);
  const two = pixel(0.2, 0.2, 0.2, 0.6, 0.6, 0.6);
  const mean = 0.4 * 0.9999;
  const contrast = [0.2, 0.6].flatMap((v) => new Array(3).fill(0.5 * v + 0.5 * mean));
  close(colorJitter(two, { ...KEEP, contrast: 0.5 }).data, contrast);
  const grey = 0.2989 * 0.9 + 0.587 * 0.1 + 0.114 * 0.4;
  close(colorJitter(pixel(0.9, 0.1, 0.4), { ...KEEP, saturation: 0 }).data, [grey, grey, grey]);
});

test('hue turns red to green to blue and leaves greys alone', () => {
  const turn = (hue: number, ...rgb: number[]) => colorJitter(pixel(...rgb), { ...KEEP, hue }).data;
  close(turn(1 / 3, 0.8, 0.1, 0.1), [0.1, 0.8, 0.1]);
  close(turn(-1 / 3, 0.8, 0.1, 0.1), [0.1, 0.1, 0.8]);
  close(turn(0.5, 0.8, 0.2, 0.2), [0.2, 0.8, 0.8]);
  close(turn(1 / 12, 1, 0, 0), [1, 0.5, 0]);
  close(turn(0.3, 0.4, 0.4, 0.4), [0.4, 0.4, 0.4]);
  const image = noise(16, 16);
  const back = colorJitter(colorJitter(image, { ...KEEP, hue: 0.1 }), { ...KEEP, hue: -0.1 });
  close(back.data, image.data, 1e-5);
});

test('the order of the steps counts, and jitter factors stay in their ranges in every order', () => {
  const image = noise(8, 8);
  const strong = { brightness: 1.4, contrast: 0.6, saturation: 1, hue: 0 };
  const other = colorJitter(image, { ...strong, order: ['contrast', 'brightness', 'saturation', 'hue'] });
  not.equal(other.data, colorJitter(image, strong).data);
  const orders = new Set<string>();
  for (let sample = 0; sample < 400; sample++) {
    const { brightness, contrast, saturation, hue, order } = randomJitter(STRENGTH, draws(2, 0, sample), 0);
    for (const factor of [brightness, contrast, saturation]) ok(factor >= 0.8 && factor < 1.2);
    ok(hue >= -0.1 && hue < 0.1);
    orders.add(order!.join());
  }
  ok(orders.size === 24, `${orders.size} of 24 orders`);
});

test('blur keeps a constant image, spreads a point as a Gaussian and reflects at the border', async () => {
  const flat: FloatImage = { width: 50, height: 40, data: new Float32Array(3 * 50 * 40).fill(0.3) };
  close(gaussianBlur(flat, 1.15).data, flat.data);

  // 50 pixels give a kernel of 5, 30 pixels one of 3.
  const point: FloatImage = { width: 50, height: 30, data: new Float32Array(3 * 50 * 30) };
  point.data[3 * (50 * 15 + 25) + 1] = 1;
  const blurred = gaussianBlur(point, 1);
  const [e1, e4] = [Math.exp(-0.5), Math.exp(-2)];
  const across = [e4, e1, 1, e1, e4].map((v) => v / (1 + 2 * e1 + 2 * e4));
  const down = [e1, 1, e1].map((v) => v / (1 + 2 * e1));
  const at = (x: number, y: number, c: number) => blurred.data[3 * (50 * y + x) + c];
  for (let dy = -2; dy <= 2; dy++)
    for (let dx = -3; dx <= 3; dx++)
      close([at(25 + dx, 15 + dy, 1)], [(across[dx + 2] ?? 0) * (down[dy + 1] ?? 0)]);
  ok(at(25, 15, 0) === 0 && at(25, 15, 2) === 0);

  const edge: FloatImage = { width: 30, height: 1, data: new Float32Array(90) };
  edge.data.set([1, 1, 1], 3);
  // Pixel 0 sees pixel 1 on both sides.
  close([gaussianBlur(edge, 1).data[0]], [2 * down[0]]);
  ok(/sigma 0/.test(await messageOf(() => gaussianBlur(flat, 0), 'RangeError')));
});
