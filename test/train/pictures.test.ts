import { magma } from '../../src/data/colormap.ts';
import {
  confidencePicture,
  disparityPicture,
  errorPicture,
  greyPicture,
  grid,
  inverseDepth,
  labelPicture,
  maskPicture,
  overlayPicture,
  rgbPicture,
  row,
  upscale,
} from '../../src/train/pictures.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('pictures');
const classes = [
  { id: 0, name: 'road', color: [10, 20, 30] },
  { id: 1, name: 'sky', color: [100, 150, 200] },
] as const;
const pixel = (image: { width: number; data: Uint8Array }, x: number, y = 0) => [
  ...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3),
];

test('disparity: from the least value to the 95th percentile', () => {
  // numpy.percentile(range(1, 101), 95) = 95.05
  const values = Float32Array.from({ length: 100 }, (_, i) => i + 1);
  const picture = disparityPicture(values, 100, 1);
  equal(pixel(picture, 0), magma(0));
  equal(pixel(picture, 47), magma(47 / 94.05));
  equal(pixel(picture, 99), magma(1));
  equal(pixel(disparityPicture(inverseDepth([0, 2, 4]), 3, 1), 0), [0, 0, 0]);
});

test('disparity of a constant, an empty or a broken map stays finite', () => {
  equal(pixel(disparityPicture([3, 3, 3, 3], 2, 2), 1, 1), magma(0));
  equal([...disparityPicture([0, 0], 2, 1).data], [0, 0, 0, 0, 0, 0]);
  equal(pixel(disparityPicture([Number.NaN, 1, 2], 3, 1), 0), [0, 0, 0]);
});

test('labels, errors and overlays: void is a checkerboard, wrong is red', () => {
  const truth = [0, 1, 255, 0];
  const label = labelPicture(truth, 4, 1, classes);
  equal(
    [pixel(label, 0), pixel(label, 1), pixel(label, 2)],
    [
      [10, 20, 30],
      [100, 150, 200],
      [112, 112, 112],
    ],
  );
  const error = errorPicture([0, 0, 0, 1], truth, 4, 1, classes);
  equal(
    [pixel(error, 0), pixel(error, 2)],
    [
      [38, 42, 51],
      [112, 112, 112],
    ],
  );
  for (const x of [1, 3]) ok(pixel(error, x)[0] > 200 && pixel(error, x)[2] < 180, `${pixel(error, x)}`);
  const image = { width: 4, height: 1, data: new Uint8Array(12).fill(200) };
  const overlay = overlayPicture(image, truth, classes, 0.5);
  equal(
    [pixel(overlay, 0), pixel(overlay, 2)],
    [
      [105, 110, 115],
      [100, 100, 100],
    ],
  );
});

test('masks, greys, confidences and images from numbers', () => {
  const mask = maskPicture([0, 1], 2, 1);
  ok(pixel(mask, 0)[0] < 60 && pixel(mask, 1)[0] > 200);
  const grey = greyPicture([-5, 1, 2, 9], 4, 1, 0, 4);
  equal(
    [0, 1, 2, 3].map((x) => pixel(grey, x)[0]),
    [0, 63, 127, 255],
  );
  const confidence = confidencePicture([0, 0.5, 1], 3, 1);
  equal(
    [pixel(confidence, 0), pixel(confidence, 2)],
    [
      [20, 28, 66],
      [250, 240, 170],
    ],
  );
  equal([...rgbPicture([0, 0.5, 1, -1, 2, 0.25], 2, 1).data], [0, 128, 255, 0, 255, 64]);
});

test('upscale, row and grid put every pixel where it belongs', () => {
  const a = { width: 2, height: 1, data: Uint8Array.of(1, 1, 1, 2, 2, 2) };
  const big = upscale(a, 2);
  equal([big.width, big.height], [4, 2]);
  equal(
    [pixel(big, 1, 1), pixel(big, 2, 0)],
    [
      [1, 1, 1],
      [2, 2, 2],
    ],
  );
  const b = { width: 1, height: 2, data: new Uint8Array(6).fill(9) };
  const beside = row([a, b], 1);
  equal([beside.width, beside.height], [4, 2]);
  equal(
    [pixel(beside, 1), pixel(beside, 2), pixel(beside, 3, 1), pixel(beside, 0, 1)].map((p) => p[0]),
    [2, 24, 9, 24],
  );
  const both = grid([[a, b], [a]], 3);
  equal([both.width, both.height], [6, 6]);
  is(pixel(both, 1, 5)[0], 2);
  equal([row([]).width, grid([]).height], [0, 0]);
});
