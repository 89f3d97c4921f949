// What the pixels of a picture stand for, in words.

import { CAPTIONS } from '../../train/captions.ts';
import type { Gallery, PanelValues } from '../../train/plan.ts';
import type { Prepared } from './protocol.ts';

type Panel = Gallery['panels'][number];
type Classes = Prepared['classes'];

export interface Reading {
  /** Class ids at each pixel, where the picture shows classes. Any that is none of them is void. */
  labels: ArrayLike<number> | null;
  /** Of one pixel, with its unit. */
  at(x: number, y: number): string;
  /** Of the whole picture. */
  summary: string;
}

const percent = (part: number, whole: number) => `${Math.round((100 * part) / whole)} %`;

/** One of a few things at each pixel, by a number that `name` names; and how much there is of the most frequent. */
function things(
  codes: ArrayLike<number>,
  width: number,
  name: (code: number) => string,
): Omit<Reading, 'labels'> {
  const counts = new Map<number, number>();
  for (let i = 0; i < codes.length; i++) counts.set(codes[i], (counts.get(codes[i]) ?? 0) + 1);
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, 4);
  return {
    at: (x, y) => name(codes[y * width + x]),
    summary: most.map(([code, n]) => `${name(code)} ${percent(n, codes.length)}`).join(', '),
  };
}

const nameIn = (classes: Classes) => (label: number) => classes[label]?.name ?? 'void';

/** Share of all pixels that each class has. */
export function classShares(labels: ArrayLike<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) if (labels[i] < classes) counts[labels[i]] += 1;
  return counts.map((n) => n / labels.length);
}

/** What the dark and the bright pixels of a mask mean. */
const MASKS: Record<string, readonly [dark: string, bright: string]> = {
  [CAPTIONS.automask]: ['left out', 'teaches'],
  [CAPTIONS.unusedAutomask]: ['fits as well unwarped', 'fits better warped'],
  [CAPTIONS.crossDomainMask]: ['target', 'source'],
};
const OF_A_MIXTURE = ['second image', 'first image'] as const;

/** Measured disparity is 1 / metres, and 0 where nothing was measured. */
const distanceText = (disparity: number): string =>
  disparity > 0 ? `${(1 / disparity).toFixed(1)} m away` : 'not measured';

function valueReading(
  { kind, data }: PanelValues,
  { title, caption, image: { width } }: Panel,
  classes: Classes,
): Reading {
  if (kind === 'class') {
    return { labels: data, ...things(data, width, nameIn(classes)) };
  }
  if (kind === 'mask') {
    const [dark, bright] = MASKS[caption] ?? OF_A_MIXTURE;
    return { labels: null, ...things(data, width, (side) => (side === 0 ? dark : bright)) };
  }
  const text = title === 'true disparity' ? distanceText : (value: number) => value.toFixed(3);
  const sorted = Float32Array.from(data).sort();
  return {
    labels: null,
    at: (x, y) => text(data[y * width + x]),
    summary: `half of it between ${text(sorted[sorted.length >> 2])} and ${text(sorted[(3 * sorted.length) >> 2])}`,
  };
}

/** Where the classes of two other pictures of the row differ. */
function errorReading({ image: { width } }: Panel, row: readonly Panel[], classes: Classes): Reading | null {
  const labelsOf = (caption: string) => row.find((one) => one.caption === caption)?.values?.data;
  const prediction = labelsOf(CAPTIONS.prediction);
  const truth = labelsOf(CAPTIONS.truth);
  if (!prediction || !truth) return null;
  const names = ['void', 'right', 'wrong'];
  const codes = Uint8Array.from({ length: truth.length }, (_, i) =>
    truth[i] >= classes.length ? 0 : prediction[i] === truth[i] ? 1 : 2,
  );
  return { labels: null, ...things(codes, width, (code) => names[code]) };
}

const colorReading = ({ image: { width, height, data } }: Panel): Reading => ({
  labels: null,
  at: (x, y) => {
    const [r, g, b] = data.subarray(3 * (y * width + x));
    return `red ${r}, green ${g}, blue ${b}`;
  },
  summary: `${width} x ${height} pixels`,
});

/** @param row the panels of its gallery */
export function readingOf(panel: Panel, row: readonly Panel[], classes: Classes): Reading {
  if (panel.values) return valueReading(panel.values, panel, classes);
  const errors = panel.caption === CAPTIONS.error ? errorReading(panel, row, classes) : null;
  return errors ?? colorReading(panel);
}
