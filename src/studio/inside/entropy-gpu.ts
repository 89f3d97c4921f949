// Cross-entropy of one pixel, and pseudo-labels of an image from a teacher that is made up: scores from the true labels, with noise.
import { valueAndGrad } from '../../autograd/tape.ts';
import { type Tensor, tensor } from '../../autograd/tensor.ts';
import { cityscapesClasses } from '../../data/classes.ts';
import type { RgbImage } from '../../data/types.ts';
import { consistencyLoss } from '../../methods/threeWays.ts';
import { crossEntropy } from '../../ops/crossEntropy.ts';
import { confidentShare, oneHot, pseudoLabel } from '../../ops/depthmix.ts';
import { add, affine, div, greaterEqual, mul } from '../../ops/elementwise.ts';
import { randomNormal } from '../../ops/random.ts';
import { softmax } from '../../ops/reduce.ts';
import { resizeBilinear } from '../../ops/resize.ts';
import { sum } from '../../ops/sum.ts';
import { sceneFrame } from './frames.ts';
import { type Computed, compute } from './gpu.ts';
import { HEIGHT, WIDTH } from './scenes.ts';

export type PixelEntropy = Computed<'probabilities' | 'loss' | 'gradient' | 'gradientSum'>;

/** @param request scores of the classes of one pixel, and its class */
export function pixelEntropy(request: { scores: readonly number[]; label: number }): Promise<PixelEntropy> {
  const { scores, label } = request;
  return compute(() => {
    const logits = tensor(scores, [1, scores.length]);
    const truth = tensor([label], [1], 'i32');
    const [loss, [gradient]] = valueAndGrad(() => crossEntropy(logits, truth), [logits]);
    return { probabilities: softmax(logits, 1), loss, gradient, gradientSum: sum(gradient) };
  });
}

export interface TeacherRequest {
  scene: number;
  /** Standard deviation of what is added to the scores; a right score is `SCORE` before. */
  noise: number;
  /** Scores are divided by it. */
  temperature: number;
  threshold: number;
}

/** What the true class has over the others before noise is added. */
const SCORE = 8;
/** Noise is drawn in cells of so many pixels and interpolated: networks are wrong about regions. */
const CELL = 8;

export interface Teacher
  extends Computed<
    'probabilities' | 'label' | 'confidence' | 'kept' | 'q' | 'loss' | 'weighted' | 'right' | 'rightKept'
  > {
  image: RgbImage;
  truth: Uint8Array;
}

export async function teacher(request: TeacherRequest): Promise<Teacher> {
  const { scene, noise, temperature, threshold } = request;
  const { image, label } = await sceneFrame(scene);
  const classes = cityscapesClasses.length;
  const computed = await compute(() => {
    const truth = tensor(Array.from(label!.data), [1, HEIGHT, WIDTH], 'i32');
    const truthful = oneHot(truth, classes, { ignore: 255 });
    const right = affine(truthful, SCORE, 0);
    const key = tensor([scene, 0], [2], 'u32');
    // Use 0 is the teacher's noise, 1 the student's.
    const network = (use: number) => {
      const cells = randomNormal([1, HEIGHT / CELL, WIDTH / CELL, classes], key, use);
      const smooth = resizeBilinear(cells, [HEIGHT, WIDTH], { alignCorners: false });
      return add(right, affine(smooth, noise, 0));
    };
    const probabilities = softmax(affine(network(0), 1 / temperature, 0), 3);
    const pseudo = pseudoLabel(probabilities);
    const q = confidentShare(pseudo.confidence, threshold);
    const student = network(1);
    // As in `confidentShare`, the threshold is compared as f32.
    const kept = greaterEqual(pseudo.confidence, threshold);
    const labelled = sum(truthful, [3]);
    const agreed = sum(mul(truthful, oneHot(pseudo.label, classes)), [3]);
    const share = (of: Tensor, among: Tensor) => div(sum(mul(of, among)), sum(mul(labelled, among)));
    return {
      probabilities,
      ...pseudo,
      kept,
      q,
      right: share(agreed, labelled),
      rightKept: share(agreed, kept),
      loss: crossEntropy(student, pseudo.label, { reduction: 'all' }),
      weighted: consistencyLoss(student, { label: pseudo.label, q }),
    };
  });
  return { ...computed, image, truth: label!.data };
}
