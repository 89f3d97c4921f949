import * as kernels from '../../kernels/norm.ts';
import { isRecording, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, sizeOf, step, type Tensor } from '../autograd/tensor.ts';
import { type Activation, activationGradient } from './activation.ts';
import { affine, mul, rsqrt, square, sub } from './elementwise.ts';
import { reshape } from './movement.ts';
import { mean } from './reduce.ts';
import { sum } from './sum.ts';

/** x seen as [n, s, c]; statistics over `width` channels of each of `sets` sets of samples (1: all; n: one each). */
interface Groups {
  n: number;
  s: number;
  c: number;
  sets: number;
  width: number;
}

interface Statistics {
  mean: Tensor;
  rstd: Tensor;
}

/** Statistics of all batches so far, [C] each, and the share of the newest. */
interface Running {
  runningMean: Tensor;
  runningVar: Tensor;
  momentum: number;
}

let moving = true;

/** Runs `fn` with all running statistics as they are: batch norm in training mode then changes nothing. */
export function fixedStatistics<T>(fn: () => T): T {
  const before = moving;
  moving = false;
  try {
    return fn();
  } finally {
    moving = before;
  }
}

/** Sizes of x as samples, positions, channels. */
function sizes(op: string, x: Tensor): { n: number; s: number; c: number } {
  if (x.dtype !== 'f32') throw new ShapeError(`${op}: needs f32, got ${x.dtype}`);
  if (x.shape.length !== 4 && x.shape.length !== 2) {
    throw new ShapeError(`${op}: needs [N,H,W,C] or [N,C], got ${shapeText(x.shape)}`);
  }
  const n = x.shape[0];
  const c = x.shape[x.shape.length - 1];
  return { n, s: sizeOf(x.shape.slice(1, -1)), c };
}

function checkChannels(op: string, c: number, named: Record<string, Tensor | null>): void {
  for (const [name, t] of Object.entries(named)) {
    if (t && (t.dtype !== 'f32' || shapeText(t.shape) !== `[${c}]`)) {
      throw new ShapeError(`${op}: ${name} must be f32 [${c}], got ${t.dtype} ${shapeText(t.shape)}`);
    }
  }
}

const valuesPerGroup = (p: Groups): number => (p.n / p.sets) * p.s * p.width;

function checkCount(op: string, x: Tensor, p: Groups): void {
  if (x.size === 0 || valuesPerGroup(p) < 2) {
    const values = x.size === 0 ? 'no' : 'one';
    throw new ShapeError(
      `${op}: ${values} value per statistic in ${shapeText(x.shape)}, at least two are needed`,
    );
  }
}

/** Near the square root of what is summed, so that both passes are about as long. */
function chunkOf(p: Groups): number {
  const even = 2 ** Math.round(Math.log2((p.n / p.sets) * p.s) / 2);
  return Math.min(p.s, Math.min(512, Math.max(32, even)));
}

/** Mean and 1 / deviation of every group; moves the running ones where they are given. */
function statistics(x: Tensor, p: Groups, eps: number, running: Running | null): Statistics {
  return step(() => {
    const params = { ...p, chunk: chunkOf(p) };
    const parts = [p.n, kernels.chunksOf(params), p.c];
    const [partMean, partM2] = [empty(parts, 'f32', x.device), empty(parts, 'f32', x.device)];
    launch(kernels.normPartials, params, { x, partMean, partM2 });
    const perSet = () => empty([p.sets, p.c], 'f32', x.device);
    const made = { mean: perSet(), rstd: perSet() };
    const chunks = { partMean, partM2, ...made };
    if (running) {
      const { runningMean, runningVar, momentum } = running;
      const m = valuesPerGroup(p);
      launch(
        kernels.normMerge.running,
        { ...params, eps, momentum, correction: m / (m - 1) },
        { ...chunks, runningMean, runningVar },
      );
    } else launch(kernels.normMerge.plain, { ...params, eps }, chunks);
    return made;
  });
}

function apply(
  x: Tensor,
  gamma: Tensor | null,
  beta: Tensor | null,
  p: Groups,
  mean: Tensor,
  rstd: Tensor,
  activation?: Activation,
): Tensor {
  const y = empty(x.shape, 'f32', x.device);
  const params = { n: p.n, s: p.s, c: p.c, sets: p.sets };
  if (gamma && beta) {
    launch(kernels.normApply[activation ?? 'affine'], params, { x, mean, rstd, gamma, beta, y });
  } else launch(kernels.normApply.plain, params, { x, mean, rstd, y });
  return y;
}

type Gradients = (Tensor | null)[];

/** Gradients of x, gamma and beta by the fused kernels: two passes of sums, then dx. */
function fusedGradient(
  g: Tensor,
  x: Tensor,
  gamma: Tensor | null,
  p: Groups,
  { mean, rstd }: Statistics,
  needed: readonly boolean[],
): Gradients {
  const params = { ...p, chunk: chunkOf(p) };
  const make = (shape: readonly number[]) => empty(shape, 'f32', x.device);
  const parts = [p.n, kernels.chunksOf(params), p.c];
  const [partG, partGX] = [make(parts), make(parts)];
  launch(kernels.normGradPartials, params, { g, x, mean, rstd, partG, partGX });
  const perSet = [p.sets, p.c];
  const sums = { sumG: make(perSet), sumGX: make(perSet), meanG: make(perSet), meanGX: make(perSet) };
  if (gamma) launch(kernels.normGradMerge.affine, params, { partG, partGX, gamma, ...sums });
  else launch(kernels.normGradMerge.plain, params, { partG, partGX, ...sums });
  let dx: Tensor | null = null;
  if (needed[0]) {
    dx = make(x.shape);
    const { meanG, meanGX } = sums;
    const at = { n: p.n, s: p.s, c: p.c, sets: p.sets };
    if (gamma) launch(kernels.normGradInput.affine, at, { g, x, mean, rstd, meanG, meanGX, gamma, dx });
    else launch(kernels.normGradInput.plain, at, { g, x, mean, rstd, meanG, meanGX, dx });
  }
  return [dx, needed[1] ? sum(sums.sumGX, [0]) : null, needed[2] ? sum(sums.sumG, [0]) : null];
}

/** The same from single ops, statistics included, so that it can be differentiated again. */
function composedGradient(
  g: Tensor,
  x: Tensor,
  gamma: Tensor | null,
  p: Groups,
  eps: number,
  needed: readonly boolean[],
): Gradients {
  const shape = [p.n, p.s, p.c / p.width, p.width];
  const axes = [...(p.sets === 1 ? [0] : []), 1, ...(p.width > 1 ? [3] : [])];
  const over = (t: Tensor) => mean(t, axes, true);
  const x4 = reshape(x, shape);
  const g4 = reshape(g, shape);
  const centred = sub(x4, over(x4));
  const rstd = rsqrt(affine(over(square(centred)), 1, eps));
  const xhat = mul(centred, rstd);
  let dx: Tensor | null = null;
  if (needed[0]) {
    const scaled = gamma ? mul(g4, reshape(gamma, [p.c / p.width, p.width])) : g4;
    const rest = sub(sub(scaled, over(scaled)), mul(xhat, over(mul(scaled, xhat))));
    dx = reshape(mul(rstd, rest), x.shape);
  }
  return [
    dx,
    needed[1] ? reshape(sum(mul(g4, xhat), [0, 1]), [p.c]) : null,
    needed[2] ? reshape(sum(g4, [0, 1]), [p.c]) : null,
  ];
}

/** Normalises x with statistics of its own groups. */
function normalise(
  op: string,
  x: Tensor,
  gamma: Tensor | null,
  beta: Tensor | null,
  p: Groups,
  eps: number,
  running: Running | null = null,
  activation?: Activation,
): Tensor {
  const stats = statistics(x, p, eps, running);
  const y = apply(x, gamma, beta, p, stats.mean, stats.rstd, activation);
  const inputs = gamma && beta ? [x, gamma, beta] : [x];
  return record(op, inputs, y, (cotangent, needed) => {
    const g = activation ? activationGradient[activation](cotangent, y) : cotangent;
    const again = isRecording() && (g.tracked || inputs.some((t) => t.tracked));
    const gradients = again
      ? composedGradient(g, x, gamma, p, eps, needed)
      : fusedGradient(g, x, gamma, p, stats, needed);
    return gradients.slice(0, inputs.length);
  });
}

/**
 * Batch normalisation: per channel, over all samples and positions.
 * Training uses the batch's mean and biased variance and moves the running ones in place, the variance unbiased;
 * otherwise the running ones are used, as constants.
 * @param x [N,H,W,C] or [N,C], f32
 * @param gamma [C]
 * @param beta [C]
 * @param runningMean [C], written in training, but for `fixedStatistics`
 * @param runningVar [C], written in training
 * @param options.momentum share of the batch in the running statistics
 * @param options.activation applied to the result, in the same pass
 * @throws ShapeError for other shapes, and for a training batch of one value per channel.
 * Source: Ioffe and Szegedy 2015; conventions of torch.nn.BatchNorm2d.
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  runningMean: Tensor,
  runningVar: Tensor,
  options: { training: boolean; momentum?: number; eps?: number; activation?: Activation },
): Tensor {
  const { training, momentum = 0.1, eps = 1e-5, activation } = options;
  const p: Groups = { ...sizes('batchNorm', x), sets: 1, width: 1 };
  checkChannels('batchNorm', p.c, { gamma, beta, runningMean, runningVar });
  if (!training) return frozenNorm(x, gamma, beta, p, runningMean, runningVar, eps, activation);
  checkCount('batchNorm', x, p);
  const running = moving ? { runningMean, runningVar, momentum } : null;
  return normalise('batchNorm', x, gamma, beta, p, eps, running, activation);
}

/** Batch norm with constant statistics: linear in x, but for the activation. */
function frozenNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  p: Groups,
  runningMean: Tensor,
  runningVar: Tensor,
  eps: number,
  activation?: Activation,
): Tensor {
  const rstd = rsqrt(affine(runningVar, 1, eps));
  // A later training step would change the running mean under the gradient.
  const centre = isRecording() ? affine(runningMean, 1, 0) : runningMean;
  const y = apply(x, gamma, beta, p, centre, rstd, activation);
  return record('batchNorm', [x, gamma, beta], y, (cotangent, [needX, needGamma, needBeta]) => {
    const g = activation ? activationGradient[activation](cotangent, y) : cotangent;
    const positions = x.shape.map((_, axis) => axis).slice(0, -1);
    return [
      needX ? mul(g, mul(gamma, rstd)) : null,
      needGamma ? sum(mul(g, mul(sub(x, centre), rstd)), positions) : null,
      needBeta ? sum(g, positions) : null,
    ];
  });
}

/**
 * Instance normalisation: per sample and channel, over its positions.
 * @param x [N,H,W,C], f32
 * @param gamma [C], or null with beta
 * @param beta [C], or null with gamma
 * @throws ShapeError for other shapes, and for images of one pixel.
 * Source: Ulyanov et al. 2016; conventions of torch.nn.InstanceNorm2d.
 */
export function instanceNorm(
  x: Tensor,
  gamma: Tensor | null = null,
  beta: Tensor | null = null,
  options: { eps?: number } = {},
): Tensor {
  const size = sizes('instanceNorm', x);
  if ((gamma === null) !== (beta === null)) {
    throw new ShapeError('instanceNorm: gamma and beta go together, give both or neither');
  }
  checkChannels('instanceNorm', size.c, { gamma, beta });
  const p: Groups = { ...size, sets: size.n, width: 1 };
  checkCount('instanceNorm', x, p);
  return normalise('instanceNorm', x, gamma, beta, p, options.eps ?? 1e-5);
}

/**
 * Group normalisation: per sample and group of neighbouring channels, over its positions and channels.
 * @param x [N,H,W,C] or [N,C], f32
 * @param gamma [C]
 * @param beta [C]
 * @param options.groups number of groups, a divisor of C
 * @throws ShapeError for other shapes, and where C is no multiple of the groups.
 * Source: Wu and He 2018; conventions of torch.nn.GroupNorm.
 */
export function groupNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  options: { groups: number; eps?: number },
): Tensor {
  const { groups, eps = 1e-5 } = options;
  const size = sizes('groupNorm', x);
  checkChannels('groupNorm', size.c, { gamma, beta });
  if (!Number.isInteger(groups) || groups < 1 || size.c % groups !== 0) {
    throw new ShapeError(`groupNorm: ${size.c} channels do not make ${groups} groups`);
  }
  const p: Groups = { ...size, sets: size.n, width: size.c / groups };
  checkCount('groupNorm', x, p);
  return normalise('groupNorm', x, gamma, beta, p, eps);
}
