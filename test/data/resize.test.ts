import { resizeDepth, resizeImage, resizeLabel, scaleIntrinsics } from '../../src/data/resize.ts';
import type { Intrinsics } from '../../src/data/types.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('resize');

/** Grey image from one number a pixel. */
const image = (width: number, height: number, values: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from(values.flatMap((v) => [v, v, v])),
});
const reds = (data: Uint8Array) => Array.from(data).filter((_, i) => i % 3 === 0);

test('growing is bilinear with align_corners false', () => {
  // torch.nn.functional.interpolate([0, 100], size=4, mode='bilinear', align_corners=False) = [0, 25, 75, 100]
  equal(reds(resizeImage(image(2, 1, [0, 100]), 4, 1).data), [0, 25, 75, 100]);
  equal(reds(resizeImage(image(1, 2, [0, 100]), 1, 4).data), [0, 25, 75, 100]);
});

test('halving weighs with the triangle 1 3 3 1, cut at the border', () => {
  // Output 0 sits at 0.5 with radius 2: inputs 0, 1, 2 with weights 3, 3, 1.
  const values = [0, 70, 210, 140];
  const first = Math.round((3 * 0 + 3 * 70 + 210) / 7);
  const second = Math.round((70 + 3 * 210 + 3 * 140) / 7);
  equal(reds(resizeImage(image(4, 1, values), 2, 1).data), [first, second]);
});

test('shrinking a fine checkerboard gives its mean, not a pattern', () => {
  const board = Array.from({ length: 64 * 64 }, (_, i) => (((i % 64) + Math.floor(i / 64)) % 2) * 200);
  for (const value of reds(resizeImage(image(64, 64, board), 9, 7).data))
    ok(Math.abs(value - 100) <= 5, `${value}`);
});

test('a constant image stays constant at any size, and its own size returns it', () => {
  const flat = image(13, 9, new Array(13 * 9).fill(131));
  for (const [width, height] of [
    [13, 4],
    [5, 9],
    [40, 31],
    [1, 1],
  ])
    ok(reds(resizeImage(flat, width, height).data).every((v) => v === 131));
  is(resizeImage(flat, 13, 9), flat);
});

test('a ramp keeps its place: no shift of half a pixel', () => {
  const ramp = image(
    64,
    1,
    Array.from({ length: 64 }, (_, x) => 3 * x + 20),
  );
  const half = reds(resizeImage(ramp, 32, 1).data);
  for (let x = 2; x < 30; x++) ok(Math.abs(half[x] - (3 * (2 * x + 0.5) + 20)) <= 0.51, `${x}: ${half[x]}`);
});

test('labels and depth take the nearest pixel: no new ids, no mean with 0 = none', () => {
  const label = { width: 4, height: 2, data: Uint8Array.of(0, 7, 255, 3, 1, 1, 9, 9) };
  equal(Array.from(resizeLabel(label, 2, 2).data), [7, 3, 1, 9]);
  equal(Array.from(resizeLabel(label, 8, 2).data.subarray(0, 8)), [0, 0, 7, 7, 255, 255, 3, 3]);
  const depth = { width: 3, height: 1, data: Float32Array.of(0, 80, 2.5) };
  equal(Array.from(resizeDepth(depth, 6, 1).data), [0, 0, 80, 80, 2.5, 2.5]);
});

test('scaled intrinsics project a point to the same place in the image', () => {
  const camera: Intrinsics = {
    width: 1241,
    height: 376,
    fx: 718.856,
    fy: 718.856,
    cx: 607.1928,
    cy: 185.2157,
  };
  const [X, Y, Z] = [1.7, -0.4, 9.3];
  const project = (k: Intrinsics) => [(k.fx * X) / Z + k.cx, (k.fy * Y) / Z + k.cy];
  const [u, v] = project(camera);
  const small = scaleIntrinsics(camera, 416, 128);
  const [us, vs] = project(small);
  // As a share of the image, measured from its outer edge, which is half a pixel before the first centre.
  ok(Math.abs((us + 0.5) / 416 - (u + 0.5) / 1241) < 1e-12);
  ok(Math.abs((vs + 0.5) / 128 - (v + 0.5) / 376) < 1e-12);
  // The numbers stored with the KITTI pack, which were scaled elsewhere.
  ok(Math.abs(small.fx - 240.9702626913779) < 1e-9 && Math.abs(small.cx - 203.20685318291703) < 1e-9);
  ok(Math.abs(small.fy - 244.71693617021276) < 1e-9 && Math.abs(small.cy - 62.722365957446804) < 1e-9);
});
