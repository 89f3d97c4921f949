// What the colour of a pixel stands for. Pictures are painted in the worker; the same painters, run here over all that they can
// show, say what each colour means.
import { magma } from '../../data/colormap.ts';
import { paint } from '../../data/paint.ts';
import type { RgbImage } from '../../data/types.ts';
import {
  confidencePicture,
  errorPicture,
  greyPicture,
  labelPicture,
  maskPicture,
} from '../../train/pictures.ts';
import type { Gallery } from '../../train/plan.ts';
import { CAPTIONS } from '../../train/report.ts';
import type { Prepared } from './protocol.ts';

type Panel = Gallery['panels'][number];
type Classes = Prepared['classes'];

/** What a picture shows, in words. */
export interface Reading {
  /** Class ids at each pixel, -1 for void; null for pictures of something else. */
  labels: Int16Array | null;
  /** Of one pixel, with its unit. */
  at(x: number, y: number): string;
  /** Of the whole picture. */
  summary: string;
}

/** 1024 values from 0 to 1: finer than the colours are. */
const RAMP = Float32Array.from({ length: 1024 }, (_, i) => i / 1023);

/** The index of the colour of `palette` that is nearest to that of a pixel; of equal neighbours the one in the middle. */
function nearestIn(palette: RgbImage): (image: RgbImage, pixel: number) => number {
  const known = new Map<number, number>();
  return ({ data }, pixel) => {
    const [r, g, b] = data.subarray(3 * pixel, 3 * pixel + 3);
    const key = (r << 16) | (g << 8) | b;
    let best = known.get(key);
    if (best === undefined) {
      let [first, last, least] = [0, 0, Number.POSITIVE_INFINITY];
      for (let i = 0; i < palette.data.length / 3; i++) {
        const [pr, pg, pb] = palette.data.subarray(3 * i, 3 * i + 3);
        const miss = (pr - r) ** 2 + (pg - g) ** 2 + (pb - b) ** 2;
        if (miss < least) [first, last, least] = [i, i, miss];
        else if (miss === least && last === i - 1) last = i;
      }
      best = (first + last) >> 1;
      known.set(key, best);
    }
    return best;
  };
}

const pixelsOf = ({ width, height }: RgbImage) => width * height;

/** A picture of a number at each pixel. */
function numberReading(image: RgbImage, palette: RgbImage, text: (share: number) => string): Reading {
  const nearest = nearestIn(palette);
  const share = (pixel: number) => RAMP[nearest(image, pixel)];
  let sum = 0;
  for (let i = 0; i < pixelsOf(image); i++) sum += share(i);
  return {
    labels: null,
    at: (x, y) => text(share(y * image.width + x)),
    summary: `on average ${text(sum / pixelsOf(image))}`,
  };
}

/** A picture of one of a few things at each pixel. @param meanings of the colours of the palette */
function thingReading(image: RgbImage, palette: RgbImage, meanings: readonly string[]): Reading {
  const nearest = nearestIn(palette);
  const counts = new Map<string, number>();
  for (let i = 0; i < pixelsOf(image); i++) {
    const thing = meanings[nearest(image, i)];
    counts.set(thing, (counts.get(thing) ?? 0) + 1);
  }
  return {
    labels: null,
    at: (x, y) => meanings[nearest(image, y * image.width + x)],
    summary: [...counts]
      .map(([thing, n]) => `${thing} ${Math.round((100 * n) / pixelsOf(image))} %`)
      .join(', '),
  };
}

/** Squares of the checkerboard of void are four pixels wide, as is the period of the hatch. */
const VOID_SIDE = 8;

function labelReading(image: RgbImage, classes: Classes): Reading {
  const infos = classes.map((one, id) => ({ id, ...one }));
  const ids = [...infos.map(({ id }) => id), ...Array<number>(VOID_SIDE).fill(255)];
  const palette = labelPicture(ids, ids.length, 1, infos);
  const nearest = nearestIn(palette);
  const labels = Int16Array.from({ length: pixelsOf(image) }, (_, i) => {
    const found = nearest(image, i);
    return found < classes.length ? found : -1;
  });
  const name = (label: number) => classes[label]?.name ?? 'void';
  const shares = classShares(labels, classes.length);
  const most = [...shares.keys()].filter((k) => shares[k] > 0).sort((a, b) => shares[b] - shares[a]);
  return {
    labels,
    at: (x, y) => name(labels[y * image.width + x]),
    summary: most
      .slice(0, 4)
      .map((k) => `${name(k)} ${Math.round(100 * shares[k])} %`)
      .join(', '),
  };
}

/** Share of all pixels that each class has. */
export function classShares(labels: Int16Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) if (label >= 0) counts[label] += 1;
  return counts.map((n) => n / labels.length);
}

function errorReading(image: RgbImage): Reading {
  const infos = [{ id: 0, name: '', color: [0, 0, 0] as const }];
  const truth = [0, 0, 0, 0, 0, ...Array<number>(VOID_SIDE).fill(255)];
  const prediction = truth.map((label, i) => (i < 4 ? 1 : label));
  const meanings = ['wrong', 'wrong', 'wrong', 'wrong', 'right', ...Array<string>(VOID_SIDE).fill('void')];
  return thingReading(image, errorPicture(prediction, truth, truth.length, 1, infos), meanings);
}

const maskReading = (image: RgbImage, dark: string, bright: string): Reading =>
  thingReading(image, maskPicture([0, 1], 2, 1), [dark, bright]);

const rgbReading = (image: RgbImage): Reading => ({
  labels: null,
  at: (x, y) => {
    const [r, g, b] = image.data.subarray(3 * (y * image.width + x));
    return `red ${r}, green ${g}, blue ${b}`;
  },
  summary: `${image.width} x ${image.height} pixels`,
});

const disparityReading = (image: RgbImage): Reading =>
  numberReading(
    image,
    paint(RAMP.length, 1, (i) => magma(RAMP[i])),
    (share) => `${share.toFixed(2)} of the scale from far (0) to near (1)`,
  );

const greyReading = (image: RgbImage, most: number, name: string): Reading =>
  numberReading(
    image,
    greyPicture(RAMP, RAMP.length, 1, 0, 1),
    (share) => `${name} ${(most * share).toFixed(2)}${share === 1 ? ' or more' : ''}`,
  );

/** Photometric errors are drawn from black at 0 to white at this. */
const BRIGHTEST_ERROR = 0.4;

/** What the panel of a gallery shows. Its kind is known by its caption. */
export function readingOf({ title, caption, image }: Panel, classes: Classes): Reading {
  switch (caption) {
    case CAPTIONS.prediction:
    case CAPTIONS.truth:
    case CAPTIONS.mixedLabel:
    case CAPTIONS.pseudoLabel:
    case CAPTIONS.crossDomainLabel:
      return labelReading(image, classes);
    case CAPTIONS.disparity:
      return disparityReading(image);
    case CAPTIONS.photometricError:
    case CAPTIONS.meanPhotometricError:
      return greyReading(image, BRIGHTEST_ERROR, 'error');
    case CAPTIONS.crossDomainWeight:
      return greyReading(image, 1, 'weight');
    case CAPTIONS.automask:
      return maskReading(image, 'left out', 'teaches');
    case CAPTIONS.unusedAutomask:
      return maskReading(image, 'fits as well unwarped', 'fits better warped');
    case CAPTIONS.depthMixMask:
    case CAPTIONS.classMixMask:
    case CAPTIONS.cutMixMask:
    case CAPTIONS.noMixMask:
      return maskReading(image, 'second image', 'first image');
    case CAPTIONS.crossDomainMask:
      return maskReading(image, 'target', 'source');
    case CAPTIONS.confidence:
      return numberReading(
        image,
        confidencePicture(RAMP, RAMP.length, 1),
        (share) => `confidence ${share.toFixed(2)}`,
      );
    case CAPTIONS.error:
      return errorReading(image);
    default:
      return title === 'true disparity' ? disparityReading(image) : rgbReading(image);
  }
}
