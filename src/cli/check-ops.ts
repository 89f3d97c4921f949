// The cases in which ops are checked against finite differences: sizes are odd or small, values stay away from kinks.
import type { GradcheckInput } from '../autograd/gradcheck.ts';
import { conv2d, convTranspose2d } from '../ops/conv2d.ts';
import * as crossEntropyOps from '../ops/crossEntropy.ts';
import * as elementwise from '../ops/elementwise.ts';
import * as geometry from '../ops/geometry.ts';
import { type GridPadding, gridSample } from '../ops/gridSample.ts';
import * as losses from '../ops/losses.ts';
import { matmul } from '../ops/matmul.ts';
import * as movement from '../ops/movement.ts';
import * as norm from '../ops/norm.ts';
import { reflectionPad2d } from '../ops/pad.ts';
import { minReprojection, photometricError } from '../ops/photometric.ts';
import * as pool from '../ops/pool.ts';
import * as reduce from '../ops/reduce.ts';
import { minPhotometricError, pixelProjection, synthesizeViews } from '../ops/reprojection.ts';
import { resizeBilinear, resizeNearest } from '../ops/resize.ts';
import { edgeAwareSmoothness } from '../ops/smoothness.ts';
import { ssimError } from '../ops/ssim.ts';
import { broadcastTo, sum, sumTo } from '../ops/sum.ts';
import { constant, distinct, draw, type Fn, integers, nonzero, type OpCase } from './op-case.ts';

const cases: OpCase[] = [];

type More = Partial<Pick<OpCase, 'twice' | 'eps'>>;

const add = (op: string, what: string, fn: Fn, inputs: readonly GradcheckInput[], more: More = {}) => {
  cases.push({ op, what, fn, inputs, twice: false, ...more });
};

// --- elementwise

const positive = (shape: readonly number[], stream: number) => draw(shape, stream, 0.2, 2);
const unary: [string, Fn, typeof nonzero][] = [
  ['affine', (x) => elementwise.affine(x, -1.5, 0.25), nonzero],
  ['neg', elementwise.neg, nonzero],
  ['abs', elementwise.abs, nonzero],
  ['exp', elementwise.exp, nonzero],
  ['log', elementwise.log, positive],
  ['sqrt', elementwise.sqrt, positive],
  ['rsqrt', elementwise.rsqrt, positive],
  ['reciprocal', elementwise.reciprocal, positive],
  ['square', elementwise.square, nonzero],
  ['relu', elementwise.relu, nonzero],
  ['leakyRelu', (x) => elementwise.leakyRelu(x, 0.2), nonzero],
  ['elu', elementwise.elu, nonzero],
  ['sigmoid', elementwise.sigmoid, nonzero],
  ['softplus', elementwise.softplus, nonzero],
  ['tanh', elementwise.tanh, nonzero],
  ['clamp', (x) => elementwise.clamp(x, -0.503, 0.603), (shape) => distinct(shape, 4)],
];
for (const [name, fn, values] of unary) {
  for (const n of [8, 15]) add(name, `${n} values`, fn, [values([n], 1)], { twice: true });
}

const { add: plus, sub, mul, div, maximum, minimum } = elementwise;
const binary = { add: plus, sub, mul, div, maximum, minimum };
const pairs: [number[], number[]][] = [
  [
    [3, 4],
    [3, 4],
  ],
  [[2, 3, 5], [5]],
  [
    [2, 1, 5],
    [3, 1],
  ],
  [
    [2, 3, 1, 5],
    [2, 1, 4, 5],
  ],
  [
    [3, 37],
    [3, 1],
  ],
  [
    [2, 3, 12],
    [2, 1, 1],
  ],
];
for (const [name, fn] of Object.entries(binary)) {
  for (const [a, b] of pairs) {
    add(name, `[${a}] and [${b}]`, fn, [positive(a, 1), positive(b, 2)], { twice: true });
  }
}
add('where', 'by a row of a mask', (a, b, mask) => elementwise.where(mask, a, b), [
  draw([3, 5], 1),
  draw([3, 5], 2),
  constant({ shape: [5], data: [0, 1, 1, 0, 1] }),
]);
add('where', 'by one value of a mask for a pixel', (a, b, mask) => elementwise.where(mask, a, b), [
  draw([3, 12], 1),
  draw([12], 2),
  constant({ shape: [3, 1], data: [0, 1, 1] }),
]);

// --- movement

const cube = draw([2, 3, 5], 1);
add('reshape', '', (x) => movement.reshape(x, [5, -1]), [cube], { twice: true });
add('permute', '', (x) => movement.permute(x, [2, 0, 1]), [cube], { twice: true });
add('slice', 'with steps', (x) => movement.slice(x, [0, 1, 0], [2, 3, 5], [1, 1, 2]), [cube], {
  twice: true,
});
add('spread', 'with steps', (x) => movement.spread(x, [2, 7, 12], [0, 1, 2], [1, 2, 2]), [cube], {
  twice: true,
});
add('zeroPad', '', (x) => movement.zeroPad(x, [0, 1, 2], [1, 0, 3]), [cube], { twice: true });
add('flip', '', (x) => movement.flip(x, 1), [cube], { twice: true });
add('concat', '', (x, y) => movement.concat([x, y, x], 1), [cube, draw([2, 1, 5], 2)], { twice: true });
add('stack', '', (x, y) => movement.stack([x, y], 2), [cube, draw([2, 3, 5], 2)]);
add('broadcastTo', '', (x) => broadcastTo(x, [4, 2, 3, 5]), [draw([2, 1, 5], 1)], { twice: true });
add('sumTo', '', (x) => sumTo(x, [1, 5]), [cube], { twice: true });

// --- reductions

const block = draw([3, 7, 5], 4);
const reductions: [string, string, Fn][] = [
  ['sum', 'axes 0 and 2', (x) => sum(x, [0, 2])],
  ['sum', 'everything', (x) => sum(x)],
  ['mean', 'last axis, kept', (x) => reduce.mean(x, [-1], true)],
  ['variance', 'axes 0 and 1', (x) => reduce.variance(x, [0, 1])],
  ['max', 'axis 1', (x) => reduce.max(x, 1)],
  ['min', 'axis 2, kept', (x) => reduce.min(x, 2, true)],
  ['logSumExp', 'axis 1', (x) => reduce.logSumExp(x, [1])],
  ['softmax', 'axis 1', (x) => reduce.softmax(x, 1)],
  ['softmax', 'last axis', (x) => reduce.softmax(x, -1)],
  ['logSoftmax', 'last axis', (x) => reduce.logSoftmax(x, -1)],
  ['l2Norm', '', reduce.l2Norm],
];
for (const [op, what, fn] of reductions) add(op, what, fn, [block], { twice: true });
add('softmax', 'a long axis', (x) => reduce.softmax(x, 1), [draw([2, 131, 3], 5)], { twice: true });
add('sum', 'longer than one pass', (x) => sum(x, [0]), [draw([1031, 2], 5)]);
add('pick', '', (x, index) => reduce.pick(x, index, 1), [block, integers([3, 5], (k) => k % 7)], {
  twice: true,
});

// --- matrix products

const products: [string, number[], number[], Parameters<typeof matmul>[2]][] = [
  ['7x13 by 13x5', [7, 13], [13, 5], {}],
  ['8x12 by 12x4', [8, 12], [12, 4], {}],
  ['40x9 by 9x36', [40, 9], [9, 36], {}],
  ['a batch', [3, 5, 7], [3, 7, 4], {}],
  ['a batch by one', [3, 5, 7], [7, 3], {}],
  ['a transposed', [12, 8], [12, 5], { transposeA: true }],
  ['b transposed', [3, 5, 7], [3, 4, 7], { transposeB: true }],
  ['both transposed', [7, 5], [4, 7], { transposeA: true, transposeB: true }],
];
for (const [what, a, b, options] of products) {
  add('matmul', what, (x, y) => matmul(x, y, options), [draw(a, 1), draw(b, 2)], { twice: true });
}

// --- convolutions

const convolutions: [string, number[], number[], Parameters<typeof conv2d>[3]][] = [
  ['3x3 padding 1', [2, 5, 7, 3], [3, 3, 3, 5], { padding: 1 }],
  ['3x3 padding 1, vec4', [1, 5, 7, 4], [3, 3, 4, 8], { padding: 1 }],
  ['3x3 padding 1, sixteens', [1, 5, 3, 16], [3, 3, 16, 16], { padding: 1 }],
  ['3x3 padding 1, image to vec4', [1, 5, 7, 3], [3, 3, 3, 8], { padding: 1 }],
  ['3x3 dilation 2, vec4 to a map', [1, 7, 9, 4], [3, 3, 4, 1], { padding: 2, dilation: 2 }],
  ['1x1', [2, 3, 5, 4], [1, 1, 4, 4], {}],
  ['3x3 stride 2', [2, 5, 7, 3], [3, 3, 3, 4], { stride: 2, padding: 1 }],
  ['3x2 stride 1x2', [1, 5, 7, 2], [3, 2, 2, 3], { stride: [1, 2], padding: [1, 0] }],
  ['dilation 2', [1, 7, 5, 3], [3, 3, 3, 5], { padding: 2, dilation: 2 }],
  ['dilation 3, vec4', [1, 7, 5, 4], [3, 3, 4, 4], { padding: 3, dilation: 3 }],
  ['depthwise', [2, 5, 3, 5], [3, 3, 1, 5], { padding: 1, groups: 5 }],
  ['2 groups', [1, 5, 3, 8], [3, 3, 4, 8], { padding: 1, groups: 2 }],
  ['3 groups stride 2', [1, 5, 4, 6], [3, 3, 2, 3], { padding: 1, stride: 2, groups: 3 }],
];
for (const [what, image, weight, options] of convolutions) {
  const inputs = [draw(image, 1), draw(weight, 2)];
  add('conv2d', what, (x, w) => conv2d(x, w, null, options), inputs, { twice: true });
  for (const activation of [undefined, 'relu', 'elu'] as const) {
    const name = ['', 'bias', ...(activation ? [activation] : [])].join(', ');
    add('conv2d', `${what}${name}`, (x, w, b) => conv2d(x, w, b, { ...options, activation }), [
      ...inputs,
      draw([weight[3]], 3),
    ]);
  }
}
const transposed: [string, number[], number[], Parameters<typeof convTranspose2d>[3]][] = [
  ['4x4 stride 2 padding 1', [2, 3, 5, 3], [4, 4, 5, 3], { stride: 2, padding: 1 }],
  ['3x3 stride 2, output padding 1', [1, 3, 5, 4], [3, 3, 8, 4], { stride: 2, padding: 1, outputPadding: 1 }],
  ['2 groups, dilation 2', [1, 3, 5, 4], [3, 3, 3, 4], { padding: 1, dilation: 2, groups: 2 }],
];
for (const [what, image, weight, options] of transposed) {
  const outputs = weight[2] * (options?.groups ?? 1);
  const inputs = [draw(image, 1), draw(weight, 2), draw([outputs], 3)];
  add('convTranspose2d', what, (x, w, b) => convTranspose2d(x, w, b, options), inputs, { twice: true });
}

// --- norms

for (const channels of [3, 8]) {
  const image = draw([2, 5, 3, channels], 1);
  const [gamma, beta] = [draw([channels], 2, 0.5, 1.5), draw([channels], 3)];
  const running = [constant(draw([channels], 4)), constant(draw([channels], 5, 0.5, 2))];
  const what = `${channels} channels`;
  for (const training of [true, false]) {
    add(
      'batchNorm',
      `${what}, ${training ? 'training' : 'evaluation'}`,
      (x, g, b, m, v) => norm.batchNorm(x, g, b, m, v, { training }),
      [image, gamma, beta, ...running],
    );
  }
  for (const activation of ['relu', 'elu'] as const) {
    add(
      'batchNorm',
      `${what}, ${activation}`,
      (x, g, b, m, v) => norm.batchNorm(x, g, b, m, v, { training: true, activation }),
      [image, gamma, beta, ...running],
    );
  }
  add('instanceNorm', what, (x, g, b) => norm.instanceNorm(x, g, b), [image, gamma, beta]);
  const groups = channels === 8 ? 2 : 3;
  add('groupNorm', `${what}, ${groups} groups`, (x, g, b) => norm.groupNorm(x, g, b, { groups }), [
    image,
    gamma,
    beta,
  ]);
}
for (const channels of [5, 8]) {
  add(
    'instanceNorm',
    `plain, ${channels} channels`,
    (x) => norm.instanceNorm(x),
    [draw([2, 5, 3, channels], 1)],
    {
      twice: true,
    },
  );
}
// Long enough for the statistics of a channel to come from more than 16 chunks.
add('instanceNorm', 'plain, 561 pixels', (x) => norm.instanceNorm(x), [draw([1, 17, 33, 1], 1)]);
add('instanceNorm', '561 pixels', (x, g, b) => norm.instanceNorm(x, g, b), [
  draw([1, 17, 33, 1], 1),
  draw([1], 2, 0.5, 1.5),
  draw([1], 3),
]);
add('batchNorm', '561 pixels', (x, g, b, m, v) => norm.batchNorm(x, g, b, m, v, { training: true }), [
  ...[draw([1, 17, 33, 1], 1), draw([1], 2, 0.5, 1.5), draw([1], 3)],
  ...[constant(draw([1], 4)), constant(draw([1], 5, 0.5, 2))],
]);

// --- pooling

for (const channels of [3, 8]) {
  const image = distinct([2, 7, 5, channels], 3);
  const what = `${channels} channels`;
  const windows: [string, string, Fn][] = [
    ['maxPool2d', '3x3 stride 2 padding 1', (x) => pool.maxPool2d(x, { kernel: 3, stride: 2, padding: 1 })],
    ['avgPool2d', '3x2 stride 2x1', (x) => pool.avgPool2d(x, { kernel: [3, 2], stride: [2, 1], padding: 1 })],
    [
      'avgPool2d',
      'padding not counted',
      (x) => pool.avgPool2d(x, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
    ],
    ['adaptiveAvgPool2d', 'to 3x4', (x) => pool.adaptiveAvgPool2d(x, [3, 4])],
    ['globalAvgPool', '', pool.globalAvgPool],
  ];
  for (const [op, how, fn] of windows)
    add(op, `${what} ${how}`.trim(), fn, [image], { eps: 1e-4, twice: true });
  const even = draw([2, 6, 10, channels], 3);
  const half: Fn = (x) => pool.adaptiveAvgPool2d(x, [3, 5]);
  add('adaptiveAvgPool2d', `${what} to half`, half, [even], { twice: true });
}

// --- padding and resizing

for (const channels of [3, 4]) {
  const image = draw([2, 5, 7, channels], 1);
  const resizes: [string, string, Fn][] = [
    ['reflectionPad2d', 'by 2', (x) => reflectionPad2d(x, 2)],
    ['resizeNearest', 'to 10x14', (x) => resizeNearest(x, [10, 14])],
    ['resizeNearest', 'to 3x11', (x) => resizeNearest(x, [3, 11])],
    ['resizeBilinear', 'to 10x14', (x) => resizeBilinear(x, [10, 14])],
    ['resizeBilinear', 'to 10x16', (x) => resizeBilinear(x, [10, 16])],
    ['resizeBilinear', 'to 3x11', (x) => resizeBilinear(x, [3, 11])],
    ['resizeBilinear', 'to 3x11, aligned corners', (x) => resizeBilinear(x, [3, 11], { alignCorners: true })],
  ];
  for (const [op, what, fn] of resizes) add(op, `${channels} channels ${what}`, fn, [image], { twice: true });
}

// --- losses

const labels = (classes: number) => integers([2, 3, 5], (k) => (k === 4 || k === 17 ? 255 : k % classes));
for (const classes of [5, 8]) {
  const logits = draw([2, 3, 5, classes], 1, -3, 3);
  const classWeights = constant(draw([classes], 2, 0.2, 2));
  const pixelWeights = constant(draw([2, 3, 5], 3, 0.1, 1));
  const { crossEntropy } = crossEntropyOps;
  add('crossEntropy', `${classes} classes`, (x, t) => crossEntropy(x, t), [logits, labels(classes)]);
  add(
    'crossEntropy',
    `${classes} classes, class weights`,
    (x, t, w) => crossEntropy(x, t, { classWeights: w, reduction: 'weighted' }),
    [logits, labels(classes), classWeights],
  );
  add(
    'crossEntropy',
    `${classes} classes, pixel weights`,
    (x, t, w) => crossEntropy(x, t, { pixelWeights: w, reduction: 'all' }),
    [logits, labels(classes), pixelWeights],
  );
}
add('crossEntropySoft', '', crossEntropyOps.crossEntropySoft, [draw([2, 3, 5], 1), positive([2, 3, 5], 2)], {
  twice: true,
});
add(
  'bceWithLogits',
  '',
  losses.bceWithLogits,
  [draw([2, 3, 5], 1, -3, 3), constant(draw([2, 3, 5], 2, 0, 1))],
  {
    twice: true,
  },
);
add('klDivergence', '', losses.klDivergence, [draw([2, 3, 5], 1), draw([2, 3, 5], 2)], { twice: true });
// The bound of berHu is constant to the gradient, so its greatest difference is one that is not moved.
add(
  'berHu',
  '',
  (x, t, far) => losses.berHu(movement.concat([x, far], 0), movement.concat([t, elementwise.neg(far)], 0)),
  [distinct([15], 1), draw([15], 2, 2, 3), constant({ shape: [1], data: [7] })],
);
add('l2Normalize', '', losses.l2Normalize, [draw([5, 7], 1)], { twice: true });
add('tripletLoss', '', (q, p, n) => losses.tripletLoss(q, p, n), [
  draw([3, 7], 1),
  draw([3, 7], 2),
  draw([3, 7], 3),
]);

// --- geometry and view synthesis

/** Places on an image of w x h pixels, at least a fifth of a pixel from where the interpolation has a kink. */
function places(
  shape: readonly number[],
  stream: number,
  w: number,
  h: number,
  aligned: boolean,
): GradcheckInput {
  const { data } = draw(shape, stream, -2, Math.max(w, h) + 1);
  const apart = Float64Array.from(data, (v, k) => {
    const pixel = Math.floor(v) + 0.2 + 0.6 * (v - Math.floor(v));
    const size = k % 2 === 0 ? w : h;
    return Math.fround(aligned ? (2 * pixel) / (size - 1) - 1 : (2 * pixel + 1) / size - 1);
  });
  return { shape, data: apart };
}
for (const padding of ['border', 'zeros', 'reflection'] as const satisfies GridPadding[]) {
  for (const alignCorners of [true, false]) {
    for (const channels of [3, 4]) {
      add(
        'gridSample',
        `${padding}, ${channels} channels${alignCorners ? ', aligned corners' : ''}`,
        (x, grid) => gridSample(x, grid, { padding, alignCorners }),
        [draw([2, 5, 7, channels], 1), places([2, 3, 4, 2], 2, 7, 5, alignCorners)],
      );
    }
  }
}
const angles = draw([3, 3], 1, -0.5, 0.5);
const shifts = draw([3, 3], 2);
add('poseMatrix', '', (v, t) => geometry.poseMatrix(v, t), [angles, shifts]);
add('poseMatrix', 'inverted', (v, t) => geometry.poseMatrix(v, t, { invert: true }), [angles, shifts]);
const K = constant({ shape: [2, 3, 3], data: [5, 0, 3, 0, 6, 2, 0, 0, 1, 4, 0, 2, 0, 5, 1, 0, 0, 1] });
const inverseK = constant({
  shape: [2, 3, 3],
  data: [1 / 5, 0, -3 / 5, 0, 1 / 6, -2 / 6, 0, 0, 1, 1 / 4, 0, -2 / 4, 0, 1 / 5, -1 / 5, 0, 0, 1],
});
add('composeProjection', '', (T, k) => geometry.composeProjection(k, T), [draw([2, 4, 4], 1), K], {
  twice: true,
});
add('backproject', '', geometry.backproject, [positive([2, 5, 7, 1], 1), inverseK], { twice: true });
const projections = {
  shape: [2, 3, 4],
  data: [
    5, 0.1, 3, 0.4, -0.2, 6, 2, -0.3, 0.02, -0.01, 1, 0.1, 4, 0.2, 2, -0.1, 0.1, 5, 1, 0.2, 0.03, 0.01, 1, 0,
  ],
};
add('projectGrid', '', (d, P, k) => geometry.projectGrid(d, k, P), [
  draw([2, 5, 7, 1], 1, 1, 3),
  projections,
  inverseK,
]);

add(
  'pixelProjection',
  'two views',
  (T, k, i) => pixelProjection(k, i, T),
  [draw([4, 4, 4], 1), K, inverseK],
  {
    twice: true,
  },
);
// A gentle motion, and a step so small that no place crosses from one pixel to the next.
const motions = draw([4, 3, 4], 6, -0.01, 0.01);
motions.data = Float64Array.from(motions.data, (v, k) =>
  Math.fround(v + ((k % 12) % 5 === 0 ? 1 : 0) + (k % 4 === 3 ? 0.4 : 0)),
);
for (const channels of [3, 4]) {
  add(
    'synthesizeViews',
    `two views, ${channels} channels`,
    (d, P, sources) => synthesizeViews(sources, d, P, { minDepth: 0.5, maxDepth: 20 }),
    [draw([2, 5, 19, 1], 1, 0.2, 0.6), motions, constant(draw([4, 5, 19, channels], 3, 0, 1))],
    { eps: 1e-7 },
  );
}

// --- photometry: images in [0, 1] that differ by 0.05 or more everywhere

for (const channels of [1, 3, 4]) {
  const shape = [2, 5, 7, channels];
  const target = draw(shape, 1, 0.3, 0.7);
  const step = nonzero(shape, 2);
  const other = {
    shape,
    data: Float64Array.from(target.data, (v, k) => Math.fround(v + 0.25 * step.data[k])),
  };
  const what = `${channels} channels`;
  add('ssimError', what, ssimError, [other, target]);
  add('photometricError', what, (x, y) => photometricError(x, y), [other, target]);
}
for (const [views, channels] of [
  [1, 4],
  [2, 3],
  [3, 1],
]) {
  const frame = constant(draw([2, 5, 19, channels], 1, 0.3, 0.7));
  const images = draw([2 * views, 5, 19, channels], 2, 0, 1);
  const what = `${views} views, ${channels} channels`;
  add('minPhotometricError', what, (x, y) => minPhotometricError(x, y).error, [images, frame]);
  add('minPhotometricError', `${what}, bounded`, (x, y, b) => minPhotometricError(x, y, b).error, [
    images,
    frame,
    constant(draw([2, 5, 19, 1], 3, 0.2, 0.6)),
  ]);
}
add('minReprojection', '', (a, b) => minReprojection([a, b]).error, [
  distinct([2, 3, 5, 1], 1),
  draw([2, 3, 5, 1], 2),
]);
for (const channels of [3, 4]) {
  add('edgeAwareSmoothness', `${channels} channels`, edgeAwareSmoothness, [
    positive([2, 5, 7, 1], 1),
    constant(draw([2, 5, 7, channels], 2, 0, 1)),
  ]);
}

export const opCases: readonly OpCase[] = cases;

/** What src/ops exports and no case checks, with the reason. A test sees to it that nothing else is left out. */
export const notDifferentiable: Record<string, string> = {
  stridesOf: 'shape arithmetic',
  axisOf: 'shape arithmetic',
  expectValues: 'shape arithmetic',
  reducedAxes: 'shape arithmetic',
  reducedShape: 'shape arithmetic',
  broadcastShape: 'shape arithmetic',
  imageShape: 'shape arithmetic',
  imagePair: 'shape arithmetic',
  pairOf: 'shape arithmetic',
  sizeTo: 'shape arithmetic',
  fixedStatistics: 'a mode of batchNorm, whose values and gradients it leaves as they are',
  stridedCopy: 'the inside of permute, slice, flip and broadcastTo',
  middle: 'the inside of the reductions',
  fold: 'the inside of the reductions',
  ssimCoefficients: 'the inside of the gradient of ssimError',
  activate: 'relu and elu, which have cases',
  activationGradient: 'the inside of the gradients of conv2d and batchNorm with an activation',
  reluGrad: 'the inside of the gradient of relu and of batchNorm',
  eluGrad: 'the inside of the gradient of elu and of batchNorm',
  greaterEqual: 'constant to the gradient',
  argmax: 'gives indices',
  argmin: 'gives indices',
  maxValue: 'constant to the gradient',
  minValue: 'constant to the gradient',
  normalizeDisparity: 'constant to the gradient',
  depthMixMask: 'constant to the gradient',
  mixByMask: 'constant to the gradient',
  mixWithNext: 'constant to the gradient',
  pseudoLabel: 'gives labels',
  confidentShare: 'constant to the gradient',
  oneHot: 'takes labels',
  colorJitter: 'constant to the gradient',
  opticalFlow: 'constant to the gradient',
  countConfusions: 'counts',
  randomBits: 'random',
  randomUniform: 'random',
  randomNormal: 'random',
};
