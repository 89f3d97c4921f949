import { classShares, readingOf } from '../../src/studio/train/readings.ts';
import { CAPTIONS } from '../../src/train/captions.ts';
import type { Gallery, PanelValues } from '../../src/train/plan.ts';
import { equal, is, suite } from '../suite.ts';

const test = suite('studio: what the pixels of pictures stand for');

const classes = [
  { name: 'road', color: [128, 64, 128] as const },
  { name: 'car', color: [0, 0, 142] as const },
];

/** A picture of 4 x 1 pixels. */
const panel = (
  caption: string,
  kind?: PanelValues['kind'],
  data: number[] = [],
  title = '',
): Gallery['panels'][number] => ({
  title,
  caption,
  image: { width: 4, height: 1, data: new Uint8Array(12).fill(7) },
  ...(kind && { values: { kind, data } }),
});
const texts = (one: Gallery['panels'][number], row = [one]) => {
  const reading = readingOf(one, row, classes);
  return [0, 1, 2, 3].map((x) => reading.at(x, 0));
};

test('classes by name, what is none as void', () => {
  const truth = panel(CAPTIONS.truth, 'class', [0, 1, 0, 255]);
  equal(texts(truth), ['road', 'car', 'road', 'void']);
  const { labels, summary } = readingOf(truth, [truth], classes);
  is(summary, 'road 50 %, car 25 %, void 25 %');
  equal(classShares(labels!, 2), [0.5, 0.25]);
});

test('errors from the prediction and the truth of the row', () => {
  const errors = panel(CAPTIONS.error);
  const row = [
    panel(CAPTIONS.prediction, 'class', [0, 0, 1, 1]),
    panel(CAPTIONS.truth, 'class', [0, 1, 1, 255]),
    errors,
  ];
  equal(texts(errors, row), ['right', 'wrong', 'right', 'void']);
  equal(texts(errors)[0], 'red 7, green 7, blue 7');
});

test('masks by what their sides mean, numbers as they are, distances in metres', () => {
  equal(texts(panel(CAPTIONS.automask, 'mask', [0, 1, 1, 1])).slice(0, 2), ['left out', 'teaches']);
  equal(texts(panel(CAPTIONS.depthMixMask, 'mask', [0, 1, 1, 1])).slice(0, 2), [
    'second image',
    'first image',
  ]);
  is(texts(panel(CAPTIONS.confidence, 'confidence', [0.25, 0, 0, 0]))[0], '0.250');
  is(texts(panel(CAPTIONS.disparity, 'disparity', [0.5, 0, 0, 0]))[0], '0.500');
  equal(texts(panel('Measured.', 'disparity', [0.05, 0, 0, 0], 'true disparity')).slice(0, 2), [
    '20.0 m away',
    'not measured',
  ]);
});
