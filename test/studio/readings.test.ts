import { classShares, readingOf } from '../../src/studio/train/readings.ts';
import {
  confidencePicture,
  disparityPicture,
  errorPicture,
  greyPicture,
  labelPicture,
  maskPicture,
} from '../../src/train/pictures.ts';
import { CAPTIONS } from '../../src/train/report.ts';
import { equal, is, suite } from '../suite.ts';

const test = suite('studio: what the pixels of pictures stand for');

const classes = [
  { name: 'road', color: [128, 64, 128] as const },
  { name: 'car', color: [0, 0, 142] as const },
];
const infos = classes.map((one, id) => ({ id, ...one }));
type Image = Parameters<typeof readingOf>[0]['image'];
const read = (caption: string, image: Image) => readingOf({ title: '', caption, image }, classes);

test('class pictures give back every label, and void', () => {
  // As wide as the checkerboard of void has two colours.
  const labels = [0, 1, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255];
  const reading = read(CAPTIONS.truth, labelPicture(labels, 12, 1, infos));
  equal(
    labels.map((_, x) => reading.at(x, 0)),
    labels.map((label) => ['road', 'car'][label] ?? 'void'),
  );
  equal(classShares(reading.labels!, 2), [2 / 12, 2 / 12]);
  is(reading.summary, 'road 17 %, car 17 %');
});

test('errors are right, wrong in both colours of the hatch, or void', () => {
  const truth = [0, 0, 0, 0, 255, 1];
  const reading = read(CAPTIONS.error, errorPicture([1, 1, 1, 1, 0, 1], truth, 6, 1, infos));
  equal(
    truth.map((_, x) => reading.at(x, 0)),
    ['wrong', 'wrong', 'wrong', 'wrong', 'void', 'right'],
  );
});

test('numbers come back from their colours', () => {
  is(read(CAPTIONS.confidence, confidencePicture([0.25, 0.9], 2, 1)).at(1, 0), 'confidence 0.90');
  is(read(CAPTIONS.photometricError, greyPicture([0.1, 0.9], 2, 1, 0, 0.4)).at(0, 0), 'error 0.10');
  is(read(CAPTIONS.photometricError, greyPicture([0.1, 0.9], 2, 1, 0, 0.4)).at(1, 0), 'error 0.40 or more');
  const near = Float32Array.from({ length: 101 }, (_, i) => 1 + i);
  // The scale ends at the 95th percentile, so that a value of 48.5 is half of it.
  is(
    read(CAPTIONS.disparity, disparityPicture(near, 101, 1)).at(38, 0),
    '0.40 of the scale from far (0) to near (1)',
  );
});

test('masks say which side a pixel is on', () => {
  const mask = maskPicture([0, 1], 2, 1);
  equal(
    [0, 1].map((x) => read(CAPTIONS.depthMixMask, mask).at(x, 0)),
    ['second image', 'first image'],
  );
  equal(
    [0, 1].map((x) => read(CAPTIONS.automask, mask).at(x, 0)),
    ['left out', 'teaches'],
  );
});
