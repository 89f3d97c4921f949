import { upload } from '../autograd/program.ts';
import { noGrad } from '../autograd/tape.ts';
import { keep, step, type Tensor, tensor } from '../autograd/tensor.ts';
import { allFrames, imageTensor, labelledBatch } from '../data/batch.ts';
import type { ClassInfo, RgbImage, Split } from '../data/types.ts';
import { dispToDepth } from '../geometry/viewSynthesis.ts';
import type { Numbers } from '../gpu/kernel.ts';
import { labelledInputs } from '../methods/supervised.ts';
import type { DepthModel, SegmentationModel } from '../models/models.ts';
import { add, affine } from '../ops/elementwise.ts';
import { countConfusions } from '../ops/metrics.ts';
import { flip } from '../ops/movement.ts';
import { argmax } from '../ops/reduce.ts';
import {
  bestConstantDepth,
  type DepthBaseline,
  type DepthScores,
  depthMetrics,
  fittedRoadPlane,
  iouTable,
  meanDepthScores,
  type SegmentationScores,
} from './metrics.ts';

/** Depth beyond this is not scored (Eigen et al. 2014). Metres. */
export const SCORED_DEPTH = { min: 1e-3, max: 80 };

// Images per evaluation batch; statistics are fixed in evaluation, so it does not change results.
const BATCH = 4;

export interface SegmentationEvaluation {
  scores: SegmentationScores;
  /** Share of the labelled pixels of each class. */
  shares: number[];
}

/** IoU of every class over a labelled split, at the working size. */
export async function evaluateSegmentation(
  model: Pick<SegmentationModel, 'logits'>,
  split: Split,
  classes: readonly ClassInfo[],
): Promise<SegmentationEvaluation> {
  const counts = keep(tensor(new Uint32Array(classes.length ** 2), [classes.length, classes.length], 'u32'));
  const refs = allFrames(split);
  for (let at = 0; at < refs.length; at += BATCH) {
    const batch = await labelledBatch(refs.slice(at, at + BATCH), {
      seed: 0,
      step: 0,
      flip: false,
      crop: false,
      labelled: () => true,
    });
    step(() =>
      noGrad(() => {
        const { images, labels } = upload(labelledInputs(batch));
        countConfusions(counts, argmax(model.logits(images, false), 3), labels);
      }),
    );
  }
  const read = Array.from(await counts.data());
  counts.dispose();
  const names = classes.map((c) => c.name);
  const total = read.reduce((sum, v) => sum + v, 0);
  const row = (k: number) => read.slice(k * names.length, (k + 1) * names.length);
  return {
    scores: iouTable(read, names),
    shares: names.map((_, k) => row(k).reduce((sum, v) => sum + v, 0) / Math.max(1, total)),
  };
}

export interface DepthEvaluation {
  /** Median-scaled, mean over images; null without any measured pixel. */
  ours: DepthScores | null;
  /** The same for the mean of what is predicted for an image and for its mirror image. */
  mirrored: DepthScores | null;
  constant: DepthBaseline | null;
  roadPlane: DepthBaseline | null;
}

/**
 * Predicted depth of images of one size, metres up to scale, [H,W] each: from the image, and from the mean disparity of the image and
 * its mirror image (Godard et al., CVPR 2017, "post-processing", without their ramps at the sides, which stereo needs).
 */
async function predictDepth(
  model: Pick<DepthModel, 'disparities'>,
  images: readonly RgbImage[],
  range: { minDepth: number; maxDepth: number },
): Promise<{ plain: Float32Array; mirrored: Float32Array }[]> {
  const { width, height } = images[0];
  const depths = step(() =>
    noGrad(() => {
      const x = upload(imageTensor(images));
      const disparity = model.disparities(x, false)[0];
      const mirror = flip(model.disparities(flip(x, 2), false)[0], 2);
      const depth = (d: Tensor) => dispToDepth(d, range.minDepth, range.maxDepth);
      return { plain: depth(disparity), mirrored: depth(affine(add(disparity, mirror), 0.5, 0)) };
    }),
  );
  const [plain, mirrored] = await Promise.all([depths.plain.data(), depths.mirrored.data()]);
  depths.plain.dispose();
  depths.mirrored.dispose();
  const one = (values: Numbers, i: number) =>
    Float32Array.from(values.subarray(i * height * width, (i + 1) * height * width));
  return images.map((_, i) => ({ plain: one(plain, i), mirrored: one(mirrored, i) }));
}

/** Depth errors over a split with measured depth, beside two predictions that do not look at the picture. */
export async function evaluateDepth(
  model: Pick<DepthModel, 'disparities'>,
  split: Split,
  range: { minDepth: number; maxDepth: number },
): Promise<DepthEvaluation> {
  const scores: Record<'plain' | 'mirrored', (DepthScores | null)[]> = { plain: [], mirrored: [] };
  const truths: { depth: Float32Array; width: number; height: number }[] = [];
  for (let at = 0; at < split.length; at += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, split.length - at) }, (_, i) => at + i);
    const frames = (await Promise.all(indices.map((i) => split.load(i)))).flatMap(({ image, depth }) =>
      depth ? [{ image, depth }] : [],
    );
    if (frames.length === 0) continue;
    const predicted = await predictDepth(
      model,
      frames.map(({ image }) => image),
      range,
    );
    frames.forEach(({ depth }, i) => {
      truths.push({ depth: depth.data, width: depth.width, height: depth.height });
      for (const which of ['plain', 'mirrored'] as const) {
        const score = depthMetrics(predicted[i][which], depth.data, { ...SCORED_DEPTH, medianScale: true });
        scores[which].push(score);
      }
    });
  }
  return {
    ours: meanDepthScores(scores.plain),
    mirrored: meanDepthScores(scores.mirrored),
    constant: bestConstantDepth(
      truths.map((t) => t.depth),
      SCORED_DEPTH,
    ),
    roadPlane: fittedRoadPlane(truths, SCORED_DEPTH),
  };
}
