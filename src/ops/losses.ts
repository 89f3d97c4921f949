import { noGrad } from '../autograd/tape.ts';
import { ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import {
  abs,
  add,
  affine,
  clamp,
  div,
  exp,
  greaterEqual,
  mul,
  neg,
  type Operand,
  relu,
  rsqrt,
  softplus,
  square,
  sub,
  where,
} from './elementwise.ts';
import { reshape } from './movement.ts';
import { logSoftmax, maxValue, mean } from './reduce.ts';
import { broadcastShape, sum } from './sum.ts';

function sameShape(op: string, a: Tensor, b: Tensor): void {
  if (shapeText(a.shape) !== shapeText(b.shape)) {
    throw new ShapeError(`${op}: ${shapeText(a.shape)} and ${shapeText(b.shape)} should have one shape`);
  }
}

/**
 * Mean binary cross entropy of scores against probabilities: t softplus(-x) + (1 - t) softplus(x). Written so, the
 * loss of a score that is right keeps its digits, and the gradient at 0 is 1/2 - t.
 * @param logits f32, any shape.
 * @param target numbers in [0, 1]: a tensor that broadcasts to the logits, or one number.
 * @returns scalar.
 * @throws ShapeError.
 */
export function bceWithLogits(logits: Tensor, target: Operand): Tensor {
  if (typeof target !== 'number') {
    const shape = broadcastShape('bceWithLogits', logits.shape, target.shape);
    if (shapeText(shape) !== shapeText(logits.shape)) {
      throw new ShapeError(
        `bceWithLogits: target ${shapeText(target.shape)} does not broadcast to logits ${shapeText(logits.shape)}`,
      );
    }
  }
  const rest = typeof target === 'number' ? 1 - target : sub(1, target);
  return mean(add(mul(softplus(neg(logits)), target), mul(softplus(logits), rest)));
}

/**
 * Kullback-Leibler divergence KL(p || q) of two softmax distributions over the last axis, mean over pixels.
 * @param pLogits f32 [..., C].
 * @param qLogits f32 of the same shape.
 * @returns scalar.
 * @throws ShapeError.
 */
export function klDivergence(pLogits: Tensor, qLogits: Tensor): Tensor {
  sameShape('klDivergence', pLogits, qLogits);
  const logP = logSoftmax(pLogits, -1);
  return mean(sum(mul(exp(logP), sub(logP, logSoftmax(qLogits, -1))), [-1]));
}

/**
 * Reverse Huber loss, mean over all values: |e| up to C, (e^2 + C^2) / (2 C) beyond, with C = factor * max |e| over
 * the whole batch, constant to the gradient (Laina et al. 2016; depth distillation of "Three Ways", CorDA).
 * @param pred f32, any shape.
 * @param target f32 of the same shape.
 * @returns scalar.
 * @throws ShapeError.
 */
export function berHu(pred: Tensor, target: Tensor, factor = 0.2): Tensor {
  sameShape('berHu', pred, target);
  if (!(factor > 0)) throw new ShapeError(`berHu: factor ${factor}, expected more than 0`);
  const e = abs(sub(pred, target));
  // The tiny term makes the quadratic branch 0, not 0 / 0, where pred equals target everywhere.
  const c = noGrad(() => affine(maxValue(e), factor, 1e-30));
  const quadratic = div(add(square(e), square(c)), affine(c, 2, 0));
  return mean(where(greaterEqual(c, e), e, quadratic));
}

/**
 * x / ||x|| along the last axis. A zero vector stays zero and gets no gradient.
 * @param x f32 [..., D].
 */
export function l2Normalize(x: Tensor): Tensor {
  const squares = sum(square(x), [-1], true);
  // 0 for a zero vector, 1 for any with a norm above 1e-10. The shift below it keeps rsqrt and its slope finite.
  const nonzero = noGrad(() => clamp(affine(squares, 1e20, 0), 0, 1));
  return mul(x, mul(rsqrt(affine(squares, 1, 1e-24)), nonzero));
}

/**
 * Triplet loss of Mix-and-Match tuning: 1/(2N) sum max(0, margin + ||q - p||^2 - ||q - n||^2) on L2-normalised
 * vectors (Zhan et al., AAAI 2018, triplet_loss_layer.cpp). Non-negative features have squared distances of at most 2,
 * so with the published margin of 2.1 every triplet keeps a gradient.
 * @param q anchors, f32 [N, ...]; everything behind N is one vector.
 * @param p positives, same shape.
 * @param n negatives, same shape.
 * @returns scalar.
 * @throws ShapeError.
 */
export function tripletLoss(q: Tensor, p: Tensor, n: Tensor, margin = 2.1): Tensor {
  sameShape('tripletLoss', q, p);
  sameShape('tripletLoss', q, n);
  const unit = (x: Tensor) => l2Normalize(reshape(x, [x.shape[0], -1]));
  const anchor = unit(q);
  const distance = (x: Tensor) => sum(square(sub(anchor, unit(x))), [-1]);
  return affine(mean(relu(affine(sub(distance(p), distance(n)), 1, margin))), 0.5, 0);
}
