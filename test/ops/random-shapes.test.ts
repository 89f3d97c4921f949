// Ops at shapes that nobody chose: values and gradients of the device against the plain loops, those against finite differences.
// `npm run test:long` draws more of them.
import fc from 'fast-check';
import type { GradcheckInput } from '../../src/autograd/gradcheck.ts';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { sizeOf } from '../../src/autograd/tensor.ts';
import { constant, distinct, draw, type Fn, integers } from '../../src/cli/op-case.ts';
import { uniform } from '../../src/gpu/threefry.ts';
import { conv2d, convTranspose2d } from '../../src/ops/conv2d.ts';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { add, mul } from '../../src/ops/elementwise.ts';
import { gridSample } from '../../src/ops/gridSample.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { permute, slice } from '../../src/ops/movement.ts';
import { batchNorm, groupNorm, instanceNorm } from '../../src/ops/norm.ts';
import { reflectionPad2d } from '../../src/ops/pad.ts';
import { adaptiveAvgPool2d, avgPool2d, maxPool2d } from '../../src/ops/pool.ts';
import { logSumExp, mean, softmax } from '../../src/ops/reduce.ts';
import { resizeBilinear, resizeNearest } from '../../src/ops/resize.ts';
import { ssimError } from '../../src/ops/ssim.ts';
import { sum } from '../../src/ops/sum.ts';
import { testGpu } from '../device.ts';
import { suite } from '../suite.ts';

const test = suite('random shapes');

const RUNS = Number(process.env.WARPMIX_RANDOM_SHAPES ?? 6);
const SEED = 20;

const whole = (min: number, max: number) => fc.integer({ min, max });
const pairOf = <T>(one: fc.Arbitrary<T>) => fc.tuple(one, one);
const channels = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 12, 16, 17);

/** A drawn case, as it is shown when it fails. */
type Drawn = Record<string, unknown>;
interface Made {
  fn: Fn;
  inputs: readonly GradcheckInput[];
  eps?: number;
}

function property<T extends Drawn>(name: string, drawn: fc.Arbitrary<T>, make: (one: T) => Made): void {
  test(name, async () => {
    const device = await testGpu();
    await fc.assert(
      fc.asyncProperty(drawn, async (one) => {
        const { fn, inputs, eps } = make(one);
        const { ok, message } = await gradcheck(fn, inputs, { device, eps });
        if (!ok) throw new Error(message);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });
}

const image = fc.record({ n: whole(1, 3), h: whole(1, 11), w: whole(1, 11), c: channels });
type Image = { n: number; h: number; w: number; c: number };
const shapeOf = ({ n, h, w, c }: Image): number[] => [n, h, w, c];

const convolution = fc.record({
  n: whole(1, 2),
  groups: whole(1, 3),
  perGroup: pairOf(fc.constantFrom(1, 2, 3, 4, 5, 8, 16)),
  kernel: pairOf(whole(1, 4)),
  stride: pairOf(whole(1, 3)),
  dilation: pairOf(whole(1, 3)),
  padding: pairOf(whole(0, 3)),
  more: pairOf(whole(0, 8)),
});

property('conv2d', convolution, ({ n, groups, perGroup, kernel, more, ...options }) => {
  const { dilation, padding } = options;
  // The smallest image that the kernel fits into, and more.
  const [h, w] = [0, 1].map((i) => Math.max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]) + more[i]);
  const [c, k] = perGroup;
  return {
    fn: (x, weight, bias) => conv2d(x, weight, bias, { ...options, groups }),
    inputs: [draw([n, h, w, groups * c], 1), draw([...kernel, c, groups * k], 2), draw([groups * k], 3)],
  };
});

property(
  'convTranspose2d',
  fc.tuple(convolution, pairOf(whole(0, 2))).map(([one, extra]) => ({ ...one, extra })),
  ({ n, groups, perGroup, kernel, more, extra, ...options }) => {
    const { dilation, padding, stride } = options;
    const [c, k] = perGroup;
    // Less than a stride; and enough pixels that something is left of what the padding cuts.
    const outputPadding = [0, 1].map((i) => Math.min(extra[i], stride[i] - 1)) as [number, number];
    const least = (i: number) => Math.ceil((2 * padding[i] - dilation[i] * (kernel[i] - 1)) / stride[i]) + 1;
    const [h, w] = [0, 1].map((i) => Math.max(1, least(i)) + (more[i] % 5));
    return {
      fn: (x, weight, bias) => convTranspose2d(x, weight, bias, { ...options, groups, outputPadding }),
      inputs: [draw([n, h, w, groups * c], 1), draw([...kernel, k, groups * c], 2), draw([groups * k], 3)],
    };
  },
);

const pooling = fc
  .record({
    image,
    kernel: pairOf(whole(1, 4)),
    stride: pairOf(whole(1, 4)),
    part: pairOf(whole(0, 2)),
    inner: fc.boolean(),
  })
  .map(({ image: { n, h, w, c }, kernel, part, ...rest }) => {
    const padding = [0, 1].map((i) => Math.min(part[i], Math.floor(kernel[i] / 2))) as [number, number];
    return { ...rest, kernel, padding, shape: [n, Math.max(h, kernel[0]), Math.max(w, kernel[1]), c] };
  });
property('maxPool2d', pooling, ({ shape, kernel, stride, padding }) => ({
  fn: (x) => maxPool2d(x, { kernel, stride, padding }),
  inputs: [distinct(shape, 1)],
  eps: 1e-4,
}));
property('avgPool2d', pooling, ({ shape, kernel, stride, padding, inner }) => ({
  fn: (x) => avgPool2d(x, { kernel, stride, padding, countIncludePad: inner }),
  inputs: [draw(shape, 1)],
}));

const resizing = fc.record({ image, size: pairOf(whole(1, 23)), alignCorners: fc.boolean() });
property('adaptiveAvgPool2d', resizing, ({ image, size }) => ({
  fn: (x) => adaptiveAvgPool2d(x, size),
  inputs: [draw(shapeOf(image), 1)],
}));
property('resizeNearest', resizing, ({ image, size }) => ({
  fn: (x) => resizeNearest(x, size),
  inputs: [draw(shapeOf(image), 1)],
}));
property('resizeBilinear', resizing, ({ image, size, alignCorners }) => ({
  fn: (x) => resizeBilinear(x, size, { alignCorners }),
  inputs: [draw(shapeOf(image), 1)],
}));

property(
  'gridSample',
  fc.record({
    image: image.map((one) => ({ ...one, h: one.h + 1, w: one.w + 1 })),
    places: pairOf(whole(1, 6)),
    padding: fc.constantFrom('border' as const, 'zeros' as const, 'reflection' as const),
    alignCorners: fc.boolean(),
  }),
  ({ image, places, padding, alignCorners }) => {
    const shape = [image.n, ...places, 2];
    // Far outside too, and away from the places where the pixels around a position change: whole and half pixels.
    const data = Float64Array.from({ length: sizeOf(shape) }, (_, k) => {
      const size = k % 2 === 0 ? image.w : image.h;
      const pixel = Math.floor((3 * uniform(SEED, 1, k) - 1) * size) + [0.2, 0.3, 0.7, 0.8][k % 4];
      return alignCorners ? (2 * pixel) / (size - 1) - 1 : (2 * pixel + 1) / size - 1;
    });
    return {
      fn: (x, grid) => gridSample(x, grid, { padding, alignCorners }),
      inputs: [draw(shapeOf(image), 2), { shape, data }],
    };
  },
);

property('reflectionPad2d', fc.record({ image, pad: whole(0, 10) }), ({ image, pad }) => ({
  fn: (x) => reflectionPad2d(x, Math.min(pad, image.h - 1, image.w - 1)),
  inputs: [draw(shapeOf(image), 1)],
}));

property(
  'matmul',
  fc.record({
    sizes: fc.tuple(whole(1, 37), whole(1, 37), whole(1, 37)),
    batch: whole(1, 3),
    batched: pairOf(fc.boolean()),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
  }),
  ({ sizes: [m, k, n], batch, batched, transposeA, transposeB }) => {
    const lead = (i: number) => (batched[i] ? [batch] : []);
    return {
      fn: (a, b) => matmul(a, b, { transposeA, transposeB }),
      inputs: [
        draw([...lead(0), ...(transposeA ? [k, m] : [m, k])], 1),
        draw([...lead(1), ...(transposeB ? [n, k] : [k, n])], 2),
      ],
    };
  },
);

// Three values to a group at least: two are normalised to -1 and 1 whatever they are, and the gradient is what rounding leaves of 0.
const normed = fc.record({
  image: image.map((one) => ({ ...one, h: one.h + 2 })),
  kind: fc.constantFrom('batch', 'evaluation', 'instance', 'group'),
  groups: whole(1, 4),
});
property('batchNorm, instanceNorm, groupNorm', normed, ({ image, kind, groups }) => {
  const c = kind === 'group' ? groups * image.c : image.c;
  const inputs = [draw([image.n, image.h, image.w, c], 1), draw([c], 2, 0.5, 1.5), draw([c], 3)];
  if (kind === 'group') return { fn: (x, g, b) => groupNorm(x, g, b, { groups }), inputs };
  if (kind === 'instance') return { fn: (x, g, b) => instanceNorm(x, g, b), inputs };
  const training = kind === 'batch';
  return {
    fn: (x, g, b, m, v) => batchNorm(x, g, b, m, v, { training }),
    inputs: [...inputs, constant(draw([c], 4)), constant(draw([c], 5, 0.5, 1.5))],
  };
});

const block = fc.array(whole(1, 7), { minLength: 1, maxLength: 5 }).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    axes: fc.uniqueArray(whole(0, shape.length - 1), { minLength: 1 }),
    keepDims: fc.boolean(),
  }),
);
for (const [name, reduce] of Object.entries({ sum, mean, logSumExp })) {
  property(name, block, ({ shape, axes, keepDims }) => ({
    fn: (x) => reduce(x, axes, keepDims),
    inputs: [draw(shape, 1)],
  }));
}
property('softmax', block, ({ shape, axes: [axis] }) => ({
  fn: (x) => softmax(x, axis),
  inputs: [draw(shape, 1)],
}));
property('permute and slice', block, ({ shape, axes }) => {
  const order = [...axes, ...shape.map((_, i) => i).filter((i) => !axes.includes(i))];
  const turned = order.map((axis) => shape[axis]);
  const begin = turned.map((d, i) => Math.floor(uniform(SEED, 2, i) * d));
  const steps = turned.map((_, i) => 1 + Math.floor(uniform(SEED, 3, i) * 3));
  return { fn: (x) => slice(permute(x, order), begin, turned, steps), inputs: [draw(shape, 1)] };
});

property(
  'broadcasting',
  fc.record({
    axes: fc.array(fc.record({ size: whole(1, 6), whose: fc.constantFrom('a', 'b', 'both') }), {
      minLength: 1,
      maxLength: 5,
    }),
    fewer: whole(0, 4),
  }),
  ({ axes, fewer }) => {
    const of = (who: string) => axes.map(({ size, whose }) => (whose === who || whose === 'both' ? size : 1));
    const b = of('b').slice(Math.min(fewer, axes.length - 1));
    return { fn: (x, y) => mul(add(x, y), y), inputs: [draw(of('a'), 1), draw(b, 2)] };
  },
);

property(
  'crossEntropy',
  fc.record({
    image: image.map((one) => ({ ...one, c: one.c + 1 })),
    weights: fc.constantFrom('none', 'classes', 'pixels'),
    reduction: fc.constantFrom('valid' as const, 'weighted' as const, 'all' as const),
  }),
  ({ image, weights, reduction }) => {
    const shape = shapeOf(image);
    const label = integers(shape.slice(0, 3), (k) =>
      k > 0 && uniform(SEED, 4, k) < 0.2 ? 255 : k % image.c,
    );
    const weight = constant(draw(weights === 'pixels' ? shape.slice(0, 3) : [image.c], 5, 0.5, 2));
    return {
      fn: (x, labels, w) =>
        crossEntropy(x, labels, {
          reduction,
          classWeights: weights === 'classes' ? w : undefined,
          pixelWeights: weights === 'pixels' ? w : undefined,
        }),
      inputs: [draw(shape, 6, -3, 3), label, weight],
    };
  },
);

property(
  'ssimError',
  image.map((one) => ({ ...one, h: one.h + 1, w: one.w + 1 })),
  (one) => ({
    fn: (x, y) => ssimError(x, y),
    inputs: [draw(shapeOf(one), 1, 0, 1), draw(shapeOf(one), 2, 0, 1)],
  }),
);
