// What each op name of the golden files means here: one entry per name.
import { grad } from '../autograd/tape.ts';
import { type Tensor, tensor } from '../autograd/tensor.ts';
import { dispToDepth, project, viewSynthesis } from '../geometry/viewSynthesis.ts';
import { conv2d, convTranspose2d } from '../ops/conv2d.ts';
import { crossEntropy, crossEntropySoft } from '../ops/crossEntropy.ts';
import {
  confidentShare,
  depthMixMask,
  mixWithNext,
  normalizeDisparity,
  pseudoLabel,
} from '../ops/depthmix.ts';
import * as elementwise from '../ops/elementwise.ts';
import { poseMatrix } from '../ops/geometry.ts';
import { gridSample } from '../ops/gridSample.ts';
import { bceWithLogits, berHu, klDivergence, tripletLoss } from '../ops/losses.ts';
import { matmul } from '../ops/matmul.ts';
import { concat, reshape, slice, zeroPad } from '../ops/movement.ts';
import { batchNorm, groupNorm, instanceNorm } from '../ops/norm.ts';
import { reflectionPad2d } from '../ops/pad.ts';
import { minReprojection, photometricError } from '../ops/photometric.ts';
import { adaptiveAvgPool2d, avgPool2d, maxPool2d } from '../ops/pool.ts';
import * as reduce from '../ops/reduce.ts';
import { resizeBilinear, resizeNearest } from '../ops/resize.ts';
import { edgeAwareSmoothness } from '../ops/smoothness.ts';
import { ssimError } from '../ops/ssim.ts';
import { sum } from '../ops/sum.ts';
import { Adam, Sgd } from '../optim/optimizer.ts';
import { type Axes, type Inputs, type Params, Unsupported } from './golden-case.ts';

export interface Adapter {
  /** Axes of a tensor (an input, or `out/0`) of this rank in our order, or null where the file's order is ours. */
  layout(name: string, rank: number): Axes | null;
  /** The outputs in the order of `out/0`, `out/1`, ...; the first is the one with gradients. */
  run(inputs: Inputs, params: Params): readonly Tensor[];
}

/** NCHW to NHWC. */
const IMAGE: Axes = [0, 2, 3, 1];
/** OIHW to [kh,kw,I,O]; of a transposed convolution IOHW to [kh,kw,O,I], the weight of the convolution it reverses. */
const WEIGHT: Axes = [2, 3, 1, 0];

type Run = (inputs: Inputs, params: Params) => Tensor | readonly Tensor[];

const listed = (run: Run): Adapter['run'] => {
  return (inputs, params) => {
    const made = run(inputs, params);
    return Array.isArray(made) ? made : [made as Tensor];
  };
};

/** Tensors in the file's order of axes. */
const plain = (run: Run): Adapter => ({ layout: () => null, run: listed(run) });

/** Tensors with four axes are images, but for those named here. */
const images = (run: Run, others: Record<string, Axes | null> = {}): Adapter => ({
  layout: (name, rank) => (Object.hasOwn(others, name) ? others[name] : rank === 4 ? IMAGE : null),
  run: listed(run),
});

const unary = (fn: (x: Tensor) => Tensor): Adapter => plain((inputs) => fn(inputs.get('x')));

/** `fn` over the axes that the case names, in the file's order; PyTorch drops them unless `keepdim`. */
const overAxes = (fn: (x: Tensor, axes: number[], keepDims: boolean) => Tensor): Adapter =>
  plain((inputs, params) => fn(inputs.get('x'), params.list('axis'), params.flag('keepdim', false)));

/** Inverses of 3x3 matrices, row-major. */
function inverses(matrices: ArrayLike<number>): Float64Array {
  const out = new Float64Array(matrices.length);
  for (let at = 0; at < out.length; at += 9) {
    const [a, b, c, d, e, f, g, h, i] = Array.from({ length: 9 }, (_, k) => matrices[at + k]);
    const adjugate = [
      e * i - f * h,
      c * h - b * i,
      b * f - c * e,
      f * g - d * i,
      a * i - c * g,
      c * d - a * f,
      d * h - e * g,
      b * g - a * h,
      a * e - b * d,
    ];
    const determinant = a * adjugate[0] + b * adjugate[3] + c * adjugate[6];
    out.set(
      adjugate.map((v) => v / determinant),
      at,
    );
  }
  return out;
}

function camera(inputs: Inputs): { K: Tensor; inverseK: Tensor } {
  const K = inputs.get('K');
  return { K, inverseK: tensor(inverses(inputs.numbers('K')), K.shape) };
}

const pose = (inputs: Inputs, suffix = '', invert = false): Tensor =>
  poseMatrix(inputs.get(`axisangle${suffix}`), inputs.get(`translation${suffix}`), { invert });

/** What the reductions of `cross_entropy` are called here. */
const REDUCTIONS = {
  mean: 'weighted',
  'weighted mean': 'weighted',
  'mean over valid pixels': 'valid',
  'mean over ALL pixels, ignored ones count as 0': 'all',
} as const;

/** Parameters after each of the gradients in turn. */
function trajectory(inputs: Inputs, params: Params): Tensor {
  const shape = inputs.get('w').shape;
  const w = tensor(inputs.numbers('w'), shape);
  const gradients = inputs.numbers('grads');
  const kind = params.word('kind', ['sgd', 'sgd_momentum', 'sgd_nesterov', 'adam', 'adamw']);
  const group = { params: [w], lr: params.number('lr'), weightDecay: params.number('weight_decay', 0) };
  params.only('dampening', 0);
  params.only('amsgrad', false);
  const nesterov = kind.startsWith('sgd') && params.flag('nesterov', kind === 'sgd_nesterov');
  const optimizer = kind.startsWith('sgd')
    ? new Sgd([group], { momentum: params.number('momentum', 0), nesterov })
    : new Adam([group], {
        betas: params.has('betas') ? params.twoNumbers('betas') : undefined,
        eps: params.number('eps', 1e-8),
        decoupled: kind === 'adamw',
      });
  const after: Tensor[] = [];
  for (let t = 0; t < gradients.length / w.size; t++) {
    optimizer.step([tensor(Array.prototype.slice.call(gradients, t * w.size, (t + 1) * w.size), shape)]);
    after.push(reshape(elementwise.affine(w, 1, 0), [1, ...shape]));
  }
  optimizer.dispose();
  return concat(after, 0);
}

const window = (params: Params) => ({
  kernel: params.pair('kernel'),
  stride: params.has('stride') ? params.pair('stride') : undefined,
  padding: params.pair('padding', 0),
});

const convolution = (params: Params) => ({
  stride: params.pair('stride', 1),
  padding: params.pair('padding', 0),
  dilation: params.pair('dilation', 1),
  groups: params.number('groups', 1),
});

/**
 * Mean over images of the squared norm of a critic's gradient in its input (R1, Mescheder et al. 2018). The critic is a
 * 3x3 convolution with padding 1, softplus, a 3x3 convolution with stride 2, and the mean of what is left.
 */
function r1Penalty(inputs: Inputs): Tensor {
  const [x, w1, w2] = ['x', 'w1', 'w2'].map((name) => inputs.get(name));
  const critic = () => {
    const features = elementwise.softplus(conv2d(x, w1, null, { padding: 1 }));
    return sum(reduce.mean(conv2d(features, w2, null, { stride: 2 }), [1, 2, 3]));
  };
  return reduce.mean(sum(elementwise.square(grad(critic, [x])[0]), [1, 2, 3]));
}

/** Loss of one scale: the least of two warped and two unwarped errors per pixel, mean over pixels. */
function photometricLoss(inputs: Inputs, params: Params): Tensor {
  const target = inputs.get('target');
  const noise = inputs.get('noise');
  const { K, inverseK } = camera(inputs);
  const depth = dispToDepth(
    inputs.get('disp'),
    params.number('min_depth', 0.1),
    params.number('max_depth', 100),
  );
  const alpha = params.number('alpha_ssim', 0.85);
  const [n, h, w] = target.shape;
  const unwarped = ['prev', 'next'].map((side, i) => {
    const own = slice(noise, [0, 0, 0, i], [n, h, w, i + 1]);
    return elementwise.add(photometricError(inputs.get(side), target, alpha), own);
  });
  const warped = ['prev', 'next'].map((side) => {
    const seen = viewSynthesis(
      inputs.get(side),
      depth,
      K,
      inverseK,
      pose(inputs, `_${side}`, side === 'prev'),
    );
    return photometricError(seen, target, alpha);
  });
  return reduce.mean(minReprojection([...unwarped, ...warped]).error);
}

export const adapters: Record<string, Adapter> = {
  abs: unary(elementwise.abs),
  exp: unary(elementwise.exp),
  log: unary(elementwise.log),
  sqrt: unary(elementwise.sqrt),
  rsqrt: unary(elementwise.rsqrt),
  relu: unary(elementwise.relu),
  elu: plain((inputs, params) => {
    params.only('alpha', 1);
    return elementwise.elu(inputs.get('x'));
  }),
  sigmoid: unary(elementwise.sigmoid),
  softplus: unary(elementwise.softplus),
  tanh: unary(elementwise.tanh),
  clamp: plain((inputs, params) =>
    elementwise.clamp(inputs.get('x'), params.number('min'), params.number('max')),
  ),
  leaky_relu: plain((inputs, params) =>
    elementwise.leakyRelu(inputs.get('x'), params.number('negative_slope', 0.01)),
  ),
  // x s + b, shapes broadcast from the right.
  broadcast: plain((inputs) =>
    elementwise.add(elementwise.mul(inputs.get('x'), inputs.get('s')), inputs.get('b')),
  ),

  sum_axis: overAxes(sum),
  mean_axis: overAxes(reduce.mean),
  var_biased: plain((inputs, params) => {
    params.only('unbiased', false);
    return reduce.variance(inputs.get('x'), params.list('axis'), params.flag('keepdim', false));
  }),
  max_axis: overAxes((x, axes, keepDims) => {
    if (axes.length !== 1) throw new Unsupported(`max over ${axes.length} axes`);
    return reduce.max(x, axes[0], keepDims);
  }),
  logsumexp: overAxes(reduce.logSumExp),
  softmax: plain((inputs, params) => reduce.softmax(inputs.get('x'), params.number('axis'))),
  norm_l2_all: unary(reduce.l2Norm),

  matmul: plain((inputs) => matmul(inputs.get('a'), inputs.get('b'))),
  conv2d: images(
    (inputs, params) =>
      conv2d(inputs.get('x'), inputs.get('weight'), inputs.maybe('bias'), convolution(params)),
    { weight: WEIGHT },
  ),
  conv_transpose2d: images(
    (inputs, params) =>
      convTranspose2d(inputs.get('x'), inputs.get('weight'), inputs.maybe('bias'), {
        ...convolution(params),
        outputPadding: params.pair('output_padding', 0),
      }),
    { weight: WEIGHT },
  ),
  r1_penalty: images(r1Penalty, { w1: WEIGHT, w2: WEIGHT }),

  max_pool2d: images((inputs, params) => {
    params.only('dilation', 1);
    params.only('ceil_mode', false);
    return maxPool2d(inputs.get('x'), window(params));
  }),
  avg_pool2d: images((inputs, params) => {
    params.only('ceil_mode', false);
    const countIncludePad = params.flag('count_include_pad', true);
    return avgPool2d(inputs.get('x'), { ...window(params), countIncludePad });
  }),
  adaptive_avg_pool2d: images((inputs, params) => adaptiveAvgPool2d(inputs.get('x'), params.pair('output'))),

  interpolate: images((inputs, params) => {
    const x = inputs.get('x');
    const mode = params.word('mode', ['nearest', 'bilinear'], 'nearest');
    const [, h, w] = x.shape;
    const scaled = () =>
      params.twoNumbers('scale').map((factor, i) => {
        // PyTorch then steps by 1 / factor, not by the ratio of the sizes.
        if (!Number.isInteger([h, w][i] * factor))
          throw new Unsupported(`${[h, w][i]} pixels times ${factor}`);
        return [h, w][i] * factor;
      });
    const size = params.has('size') ? params.pair('size') : scaled();
    if (mode === 'nearest') return resizeNearest(x, [size[0], size[1]]);
    return resizeBilinear(x, [size[0], size[1]], { alignCorners: params.flag('align_corners', false) });
  }),
  pad: images((inputs, params) => {
    const x = inputs.get('x');
    const pad = params.list('pad');
    // PyTorch names the last axis first: left, right, top, bottom.
    const [left, right, top, bottom] = pad.length === 1 ? [pad[0], pad[0], pad[0], pad[0]] : pad;
    if (params.word('mode', ['reflect', 'constant'], 'constant') === 'constant') {
      params.only('value', 0);
      return zeroPad(x, [0, top, left, 0], [0, bottom, right, 0]);
    }
    if (new Set([left, right, top, bottom]).size > 1) throw new Unsupported(`reflection by [${pad}]`);
    return reflectionPad2d(x, left);
  }),

  batch_norm: images((inputs, params) => {
    const mean = inputs.get('running_mean');
    const variance = inputs.get('running_var');
    const options = {
      training: params.flag('training'),
      momentum: params.number('momentum', 0.1),
      eps: params.number('eps', 1e-5),
    };
    const y = batchNorm(inputs.get('x'), inputs.get('gamma'), inputs.get('beta'), mean, variance, options);
    return [y, mean, variance];
  }),
  instance_norm: images((inputs, params) =>
    instanceNorm(inputs.get('x'), inputs.maybe('gamma'), inputs.maybe('beta'), {
      eps: params.number('eps', 1e-5),
    }),
  ),
  group_norm: images((inputs, params) =>
    groupNorm(inputs.get('x'), inputs.get('gamma'), inputs.get('beta'), {
      groups: params.number('groups'),
      eps: params.number('eps', 1e-5),
    }),
  ),

  cross_entropy: images((inputs, params) => {
    const reduction = params.word(
      'reduction',
      Object.keys(REDUCTIONS) as (keyof typeof REDUCTIONS)[],
      'mean',
    );
    return crossEntropy(inputs.get('logits'), inputs.get('target'), {
      ignore: params.number('ignore_index', -100),
      classWeights: inputs.maybe('weight') ?? undefined,
      pixelWeights: inputs.maybe('pixel_weight') ?? undefined,
      reduction: REDUCTIONS[reduction],
    });
  }),
  cross_entropy_soft: images((inputs) => crossEntropySoft(inputs.get('logits'), inputs.get('target'))),
  bce_with_logits: images((inputs) => bceWithLogits(inputs.get('logits'), inputs.get('target'))),
  kl_div: images((inputs) => klDivergence(inputs.get('p_logits'), inputs.get('q_logits'))),
  berhu: images((inputs, params) => berHu(inputs.get('pred'), inputs.get('target'), params.number('c', 0.2))),
  triplet: images((inputs, params) =>
    tripletLoss(inputs.get('q'), inputs.get('p'), inputs.get('n'), params.number('margin', 2.1)),
  ),

  grid_sample: images(
    (inputs, params) => {
      params.only('mode', 'bilinear');
      return gridSample(inputs.get('x'), inputs.get('grid'), {
        padding: params.word('padding_mode', ['zeros', 'border', 'reflection'], 'zeros'),
        alignCorners: params.flag('align_corners', false),
      });
    },
    { grid: null },
  ),
  pose_matrix: plain((inputs, params) => pose(inputs, '', params.flag('invert', false))),
  disp_to_depth: images((inputs, params) =>
    dispToDepth(inputs.get('disp'), params.number('min_depth'), params.number('max_depth')),
  ),
  project: images(
    (inputs) => {
      const { K, inverseK } = camera(inputs);
      return project(inputs.get('depth'), K, inverseK, pose(inputs));
    },
    { 'out/0': null },
  ),
  view_synthesis: images((inputs, params) => {
    const { K, inverseK } = camera(inputs);
    params.only('padding', 'border');
    params.only('align_corners', true);
    const depth = dispToDepth(inputs.get('disp'), params.number('min_depth'), params.number('max_depth'));
    return viewSynthesis(inputs.get('src'), depth, K, inverseK, pose(inputs));
  }),
  ssim_error: images((inputs, params) => {
    params.only('window', 3);
    params.only('pad', 'reflect');
    params.only('C1', 0.0001);
    params.only('C2', 0.0009);
    return ssimError(inputs.get('x'), inputs.get('y'));
  }),
  photometric_loss: images(photometricLoss),
  smoothness: images((inputs) => edgeAwareSmoothness(inputs.get('disp'), inputs.get('image'))),
  depthmix: images((inputs, params) => {
    const mask = depthMixMask(normalizeDisparity(inputs.get('disp')), params.number('margin'));
    const mixed = mixWithNext(mask, inputs.get('img'));
    const probabilities = mixWithNext(mask, inputs.get('prob'));
    const { label, confidence } = pseudoLabel(probabilities, { ignore: params.number('ignore', 255) });
    return [mixed, mask, probabilities, label, confidentShare(confidence, params.number('threshold'))];
  }),

  optim: plain(trajectory),
};
