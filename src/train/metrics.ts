// Scores of a trained model, computed on the host from counts and depth maps.

export interface SegmentationScores {
  /** Mean of the classes that occur in the labels; null when there are none. */
  miou: number | null;
  /** Share of the labelled pixels whose class is right; null when there are none. */
  pixelAcc: number | null;
  /** Per class; null where the class does not occur in the labels. */
  iou: Record<string, number | null>;
}

/**
 * Intersection over union of every class: hits / (labelled + predicted - hits), over all images at once.
 * A class that no label has is not scored; pixels predicted as it still count against the classes they belong to.
 * @param counts [C * C], row = true class, column = predicted class.
 * @param classes names, in the order of the labels.
 * @throws RangeError when the counts are not C x C.
 */
export function iouTable(counts: ArrayLike<number>, classes: readonly string[]): SegmentationScores {
  const c = classes.length;
  if (counts.length !== c * c) {
    throw new RangeError(`iouTable: ${counts.length} counts for ${c} classes, expected ${c * c}`);
  }
  const truth = new Array<number>(c).fill(0);
  const predicted = new Array<number>(c).fill(0);
  let hits = 0;
  for (let t = 0; t < c; t++) {
    for (let q = 0; q < c; q++) {
      truth[t] += counts[t * c + q];
      predicted[q] += counts[t * c + q];
    }
    hits += counts[t * c + t];
  }
  const own = (k: number) => counts[k * c + k];
  const scores = classes.map((_, k) => (truth[k] > 0 ? own(k) / (truth[k] + predicted[k] - own(k)) : null));
  const scored = scores.filter((s) => s !== null);
  const total = truth.reduce((a, b) => a + b, 0);
  return {
    miou: scored.length > 0 ? scored.reduce((a, b) => a + b, 0) / scored.length : null,
    pixelAcc: total > 0 ? hits / total : null,
    iou: Object.fromEntries(classes.map((name, k) => [name, scores[k]])),
  };
}

/** Errors of depth in metres; a1, a2, a3 are shares of pixels. */
export interface DepthScores {
  absRel: number;
  sqRel: number;
  rmse: number;
  rmseLog: number;
  a1: number;
  a2: number;
  a3: number;
}

export interface DepthOptions {
  /** Predictions are clipped to [min, max], metres. Pixels whose truth is 0 (unknown) or beyond max do not count. */
  min?: number;
  max?: number;
  /** Multiplies each prediction by median(truth) / median(prediction): for depth without a scale. */
  medianScale?: boolean;
}

const SCORES = ['absRel', 'sqRel', 'rmse', 'rmseLog', 'a1', 'a2', 'a3'] as const;

function median(values: Float32Array): number {
  const sorted = values.slice().sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Eigen et al.'s (2014) depth errors of one image, as Monodepth2's evaluation computes them: mean |p - z| / z, mean
 * (p - z)^2 / z, root mean squares of p - z and of ln p - ln z, shares of pixels with max(p/z, z/p) < 1.25^k.
 * @param pred metres, one per pixel.
 * @param truth metres, one per pixel; 0 where unknown.
 * @returns null when no pixel counts.
 * @throws RangeError when the lengths differ.
 */
export function depthMetrics(
  pred: Float32Array,
  truth: Float32Array,
  options: DepthOptions = {},
): DepthScores | null {
  const { min = 1e-3, max = 80, medianScale = false } = options;
  if (pred.length !== truth.length) {
    throw new RangeError(`depthMetrics: ${pred.length} predictions for ${truth.length} pixels`);
  }
  const counts = (z: number) => z > 0 && z <= max;
  const z = truth.filter(counts);
  if (z.length === 0) return null;
  const p = pred.filter((_, i) => counts(truth[i]));
  const scale = medianScale ? median(z) / median(p) : 1;
  const s = { absRel: 0, sqRel: 0, rmse: 0, rmseLog: 0, a1: 0, a2: 0, a3: 0 };
  for (let i = 0; i < z.length; i++) {
    const d = Math.min(Math.max(p[i] * scale, min), max);
    const error = d - z[i];
    const ratio = Math.max(d / z[i], z[i] / d);
    s.absRel += Math.abs(error) / z[i];
    s.sqRel += (error * error) / z[i];
    s.rmse += error * error;
    s.rmseLog += (Math.log(d) - Math.log(z[i])) ** 2;
    if (ratio < 1.25) s.a1 += 1;
    if (ratio < 1.25 ** 2) s.a2 += 1;
    if (ratio < 1.25 ** 3) s.a3 += 1;
  }
  for (const name of SCORES) s[name] /= z.length;
  s.rmse = Math.sqrt(s.rmse);
  s.rmseLog = Math.sqrt(s.rmseLog);
  return s;
}

function absRelOf(pred: Float32Array, truth: Float32Array, min: number, max: number): number {
  let sum = 0;
  for (let i = 0; i < truth.length; i++) {
    sum += Math.abs(Math.min(Math.max(pred[i], min), max) - truth[i]) / truth[i];
  }
  return sum / truth.length;
}

/** Mean of each score over images, those without any pixel left out; null when none is left. */
export function meanDepthScores(images: readonly (DepthScores | null)[]): DepthScores | null {
  const scored = images.filter((s) => s !== null);
  if (scored.length === 0) return null;
  const mean = (name: (typeof SCORES)[number]) => scored.reduce((sum, s) => sum + s[name], 0) / scored.length;
  return Object.fromEntries(SCORES.map((name) => [name, mean(name)])) as unknown as DepthScores;
}

/**
 * The least value v with weight({x <= v}) >= half of all weight, exactly and without sorting. Positive floats order
 * like their bits, so one pass finds the upper 16 bits of v and a second the lower 16.
 */
function weightedMedian(each: (visit: (value: number, weight: number) => void) => void): number {
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  const bitsOf = (value: number) => {
    float[0] = value;
    return word[0];
  };
  const settle = (weights: Float64Array, before: number, half: number): [number, number] => {
    let below = before;
    for (let k = 0; k < weights.length; k++) {
      if (weights[k] > 0 && below + weights[k] >= half) return [k, below];
      below += weights[k];
    }
    // Rounding may leave the sum a hair short of half.
    return [weights.findLastIndex((w) => w > 0), below];
  };
  const upper = new Float64Array(65536);
  each((value, weight) => {
    upper[bitsOf(value) >>> 16] += weight;
  });
  const half = upper.reduce((a, b) => a + b, 0) / 2;
  const [high, below] = settle(upper, 0, half);
  const lower = new Float64Array(65536);
  each((value, weight) => {
    const bits = bitsOf(value);
    if (bits >>> 16 === high) lower[bits & 0xffff] += weight;
  });
  word[0] = ((high << 16) | settle(lower, below, half)[0]) >>> 0;
  return float[0];
}

export interface DepthBaseline {
  /** What was fitted: a depth in metres, or a horizon as a share of the image height. */
  fitted: number;
  scores: DepthScores;
}

/**
 * The best prediction that looks at nothing: one depth for every pixel of every image, chosen to have the least mean
 * abs_rel on these very images. It is the median of all depths weighted by 1 / (depth * pixels of its image).
 * @param truths one depth map per image, metres, 0 where unknown.
 * @returns null when no pixel counts.
 */
export function bestConstantDepth(
  truths: readonly Float32Array[],
  options: Omit<DepthOptions, 'medianScale'> = {},
): DepthBaseline | null {
  const { max = 80 } = options;
  const valid = truths.map((truth) => truth.filter((z) => z > 0 && z <= max)).filter((z) => z.length > 0);
  if (valid.length === 0) return null;
  const fitted = weightedMedian((visit) => {
    for (const image of valid) for (const z of image) visit(z, 1 / (z * image.length));
  });
  const scores = meanDepthScores(
    valid.map((z) => depthMetrics(new Float32Array(z.length).fill(fitted), z, options)),
  );
  return scores && { fitted, scores };
}

export interface DepthMap {
  /** Metres, row by row, 0 where unknown. */
  depth: Float32Array;
  width: number;
  height: number;
}

// Pixels that the search for the horizon looks at, all images together.
const SEARCH_PIXELS = 200_000;

/**
 * What a camera above a flat, endless road would see, with no look at the picture: depth 1 / (a (v - v0)) in row v below
 * the horizon v0, `max` above it. One v0 for all images, as a share of the height, is fitted by a grid search for the
 * least mean abs_rel on these very images; a is set image by image, by the medians of the pixels below the horizon: one
 * free scale per image, as median scaling gives a model.
 * @returns null when no pixel counts.
 */
export function fittedRoadPlane(
  truths: readonly DepthMap[],
  options: Omit<DepthOptions, 'medianScale'> = {},
): DepthBaseline | null {
  const { min = 1e-3, max = 80 } = options;
  const pixels = truths.map(({ depth, width, height }) => {
    const at = Array.from(depth.keys()).filter((i) => depth[i] > 0 && depth[i] <= max);
    return {
      truth: Float32Array.from(at, (i) => depth[i]),
      row: Float32Array.from(at, (i) => (Math.floor(i / width) + 0.5) / height),
    };
  });
  const total = pixels.reduce((n, { truth }) => n + truth.length, 0);
  if (total === 0) return null;
  const stride = Math.ceil(total / SEARCH_PIXELS);
  const sample = pixels.map(({ truth, row }) => ({
    truth: truth.filter((_, i) => i % stride === 0),
    row: row.filter((_, i) => i % stride === 0),
  }));
  const planeAt = (v0: number, { truth, row }: (typeof pixels)[number]): Float32Array => {
    const plane = row.map((v) => 1 / (v - v0));
    const below = (_: number, i: number) => row[i] > v0;
    const scale = median(truth.filter(below)) / median(plane.filter(below));
    return plane.map((z, i) => (row[i] > v0 ? z * scale : max));
  };
  const seen = sample.filter(({ truth }) => truth.length > 0);
  // The other scores have logarithms, which are most of what they cost.
  const absRelAt = (v0: number) =>
    seen.reduce((sum, one) => sum + absRelOf(planeAt(v0, one), one.truth, min, max), 0) / seen.length;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  let spacing = 0.05;
  let candidates = Array.from({ length: 21 }, (_, k) => k * spacing);
  for (let round = 0; round < 4; round++) {
    for (const v0 of candidates) {
      const absRel = absRelAt(v0);
      if (absRel < least) [least, best] = [absRel, v0];
    }
    spacing /= 5;
    candidates = [-4, -3, -2, -1, 1, 2, 3, 4].map((k) => best + k * spacing);
  }
  const scores = pixels.map((one) => depthMetrics(planeAt(best, one), one.truth, options));
  return { fitted: best, scores: meanDepthScores(scores) as DepthScores };
}
