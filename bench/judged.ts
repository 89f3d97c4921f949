// The kernels by which warpmix is judged, at sizes that fill a GPU: conv2d against the peak of multiply-adds, and what memory limits
// against the bandwidth of a copy.
import { conv2d, conv2dInputGrad, conv2dWeightGrad, weightGradSplits } from '../kernels/conv2d.ts';
import { valueAndGrad } from '../src/autograd/tape.ts';
import { step as scope, type Tensor, tensor, useDevice } from '../src/autograd/tensor.ts';
import type { Storage } from '../src/gpu/device.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { type Kernel, measurable, type Params } from '../src/gpu/kernel.ts';
import { crossEntropy } from '../src/ops/crossEntropy.ts';
import { gridSample } from '../src/ops/gridSample.ts';
import { batchNorm } from '../src/ops/norm.ts';
import { mean, softmax } from '../src/ops/reduce.ts';
import { ssimError } from '../src/ops/ssim.ts';
import { bestOf, type Limits, limitLaunches, profiled } from './limits.ts';
import { alone, filler, median, type Row } from './measure.ts';
import { photometricTerm } from './photometricTerm.ts';
import { rated, shortParams } from './rate.ts';
import { Tracer } from './trace.ts';

const ROUNDS = 9;

/**
 * conv2d 3x3 with as many outputs as inputs: forward, input gradient, weight gradient, by every variant that is worth a try. The loops that
 * measure the limits take turns with them, so that a processor whose clock changes does it to both.
 */
export async function convolutions(gpu: Gpu, n: number, h: number, w: number, c: number) {
  const shape = { n, h, w, c, oh: h, ow: w, k: c, kh: 3, kw: 3, sy: 1, sx: 1, py: 1, px: 1, dy: 1, dx: 1 };
  const p = { ...shape, groups: 1 };
  const splits = weightGradSplits(p);
  const filled = (length: number): Storage => {
    const storage = gpu.alloc(length, 'f32');
    gpu.write(storage, filler(length));
    return storage;
  };
  const [x, y] = [filled(n * h * w * c), filled(n * h * w * c)];
  const weights = filled(9 * c * c);
  const parts = filled(9 * c * c * splits);
  const launches: { kernel: Kernel; params: Params; buffers: Record<string, Storage> }[] = [
    { kernel: conv2d as Kernel<Params>, params: p, buffers: { x, w: weights, y } },
    { kernel: conv2dInputGrad as Kernel<Params>, params: p, buffers: { g: y, wt: weights, dx: x } },
    {
      kernel: conv2dWeightGrad as unknown as Kernel,
      params: { ...p, splits },
      buffers: { x, g: y, dw: parts },
    },
  ];
  const entries = launches.flatMap((one) =>
    one.kernel.variants
      .filter((variant) => measurable(variant, one.params, gpu.adapter))
      .map((variant) => ({ ...one, variant: variant.name, ms: [] as number[] })),
  );
  const { launches: loops, free } = limitLaunches(gpu);
  const looped: number[][] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const times = await profiled(gpu, () => {
      for (const { kernel, params, buffers } of loops) gpu.run(kernel, params, buffers);
      for (const { kernel, variant, params, buffers } of entries) {
        gpu.pins.set(kernel.name, variant);
        gpu.run(kernel, params, buffers);
        gpu.pins.delete(kernel.name);
      }
    });
    // The first round compiles.
    if (round === 0) continue;
    looped.push(times.slice(0, loops.length).map(({ ms }) => ms));
    for (const [i, { ms }] of times.slice(loops.length).entries()) entries[i].ms.push(ms);
  }
  for (const storage of [x, y, weights, parts]) gpu.free(storage);
  free();
  const limits = bestOf(loops, looped);
  return entries.map(({ kernel, params, variant, ms }) => {
    const chosen = gpu.variant(kernel, params).name === variant;
    return alone(`${kernel.name} 3x3 ${c} to ${c}, ${n}x${h}x${w}, ${variant}${chosen ? ' *' : ''}`, {
      ms: median(ms),
      ...rated(kernel, params, median(ms), limits),
      variant,
      params,
    });
  });
}

/** [n,h,w,c] of numbers in [0, 1). */
function image(n: number, h: number, w: number, c: number): Tensor {
  const line = filler(w * c).map((v) => v + 0.5);
  const values = new Float32Array(n * h * w * c);
  for (let at = 0; at < values.length; at += line.length) values.set(line, at);
  return tensor(values, [n, h, w, c]);
}

/** What `memoryWork` is there for; more is timed on the way. */
export const MEMORY_BOUND = [
  'viewSynthesis',
  'minPhotometric',
  'ssim',
  'gridSample',
  'normPartials',
  'normApply.relu',
  'normGradPartials',
  'normGradInput.affine',
  'crossEntropy',
  'crossEntropyGrad',
  'softmax',
];

/** What is done once a round. `scale` divides the sides of the images. */
function memoryWork(scale: number) {
  const [h, w] = [512 / scale, 1024 / scale];
  const { source, frame, fused } = photometricTerm(6, h, w);
  const grid = new Float32Array(6 * h * w * 2);
  for (let at = 0; at < grid.length; at += 2) {
    // A little smaller than the image, so that bilinear weights are not 0 and 1.
    grid[at] = 1.96 * (((at / 2) % w) / w) - 0.98;
    grid[at + 1] = 1.96 * ((Math.floor(at / 2 / w) % h) / h) - 0.98;
  }
  const places = tensor(grid, [6, h, w, 2]);
  const map = image(8, Math.round(0.375 * h), Math.round(0.3125 * w), 64);
  const [gamma, beta, runningMean, runningVar] = [1, 0, 0, 1].map((v) =>
    tensor(new Float32Array(64).fill(v)),
  );
  const logits = image(4, h, w, 19);
  const labels = tensor(
    Int32Array.from({ length: 4 * h * w }, (_, i) => i % 20),
    [4, h, w],
    'i32',
  );
  return [
    () => valueAndGrad(fused.loss, fused.wrt),
    () => valueAndGrad(() => mean(ssimError(source, frame)), [source]),
    () => gridSample(source, places, { padding: 'border', alignCorners: true }),
    () =>
      valueAndGrad(
        () =>
          mean(batchNorm(map, gamma, beta, runningMean, runningVar, { training: true, activation: 'relu' })),
        [map, gamma, beta],
      ),
    () => valueAndGrad(() => crossEntropy(logits, labels), [logits]),
    () => softmax(logits, -1),
  ];
}

/**
 * Warp, SSIM, normalisation, cross-entropy and what comes with them, forward and backward, on tensors of some 100 MB, more than any
 * cache holds. They live as long as the device.
 */
export async function memoryBound(
  gpu: Gpu,
  limits: Limits,
  chosen: (name: string) => boolean,
  // The largest tensor has 159 MB, more than some adapters bind at once.
  scale = gpu.device.limits.maxStorageBufferBindingSize < 2 ** 28 ? 2 : 1,
): Promise<Row[]> {
  if (!MEMORY_BOUND.some(chosen)) return [];
  const tracer = new Tracer(gpu);
  useDevice(tracer);
  const found = new Map<string, { kernel: string; variant: string; params: Params; ms: number[] }>();
  for (const work of memoryWork(scale)) {
    for (let round = 0; round <= ROUNDS; round++) {
      const times = await profiled(gpu, () => {
        scope(() => {
          work();
          return {};
        });
      });
      // The first round compiles.
      if (round === 0) continue;
      for (const { kernel, variant, params, ms } of times) {
        const key = `${kernel}/${variant} ${JSON.stringify(params)}`;
        const known = found.get(key);
        if (known) known.ms.push(ms);
        else found.set(key, { kernel, variant, params, ms: [ms] });
      }
    }
  }
  useDevice(gpu);
  const bytes = ({ kernel, params }: { kernel: string; params: Params }) =>
    tracer.kernels.get(kernel)!.cost(params).bytes;
  // Of each kernel the launch with most to do.
  const largest = new Map<string, ReturnType<typeof found.get> & object>();
  for (const one of found.values()) {
    const known = largest.get(one.kernel);
    if (!known || bytes(one) > bytes(known)) largest.set(one.kernel, one);
  }
  return [...largest.values()]
    .filter(({ kernel }) => chosen(kernel))
    .map(({ kernel, variant, params, ms }) =>
      alone(`${kernel} ${shortParams(params)}`, {
        ms: median(ms),
        ...rated(tracer.kernels.get(kernel)!, params, median(ms), limits),
        variant,
        params,
      }),
    );
}
