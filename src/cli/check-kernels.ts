// Every variant of every kernel against its plain-loop reference. The parameters and inputs are those with which the ops
// launch it: the cases of check-ops.ts run, forward and backward, on a reference device that notes every launch. What
// has no gradient to check is launched here.
import * as anomaly from '../../kernels/anomaly.ts';
import type { GradcheckInput } from '../autograd/gradcheck.ts';
import { HostTensor, upload } from '../autograd/program.ts';
import { vjp } from '../autograd/tape.ts';
import { launch, onDevice, step, type Tensor, tensor } from '../autograd/tensor.ts';
import type { Device, Storage } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { available, canRun, type Kernel, type Numbers, type Params, type Variant } from '../gpu/kernel.ts';
import { ReferenceDevice } from '../gpu/reference.ts';
import { uniform } from '../gpu/threefry.ts';
import { colorJitter } from '../ops/colorJitter.ts';
import * as depthmix from '../ops/depthmix.ts';
import { countConfusions } from '../ops/metrics.ts';
import * as movement from '../ops/movement.ts';
import { opticalFlow } from '../ops/opticalFlow.ts';
import * as random from '../ops/random.ts';
import * as reduce from '../ops/reduce.ts';
import { clipByGlobalNorm } from '../optim/clip.ts';
import { emaUpdate } from '../optim/ema.ts';
import { Adam, Sgd } from '../optim/optimizer.ts';
import { breathe } from './breathe.ts';
import { type CheckCase, type Deviation, deviation, largest, TOLERANCE } from './check-case.ts';
import { opCases } from './check-ops.ts';
import { kernelList } from './kernel-list.ts';
import { expressions } from './op-case.ts';

/** One use of a kernel: parameters, and what every buffer held before it ran. */
export interface Launch {
  params: Params;
  buffers: Record<string, Numbers>;
}

/** Enough parameter sets for each kernel to meet its edge cases, few enough for a check of a minute. */
const LAUNCHES_PER_VARIANT = 3;

/** Runs kernels as their references and keeps the launches that bring something new. */
class NotingDevice extends ReferenceDevice {
  readonly launches = new Map<Kernel, Launch[]>();
  readonly #seen = new Map<Kernel, { params: Set<string>; uses: Map<string, number> }>();

  constructor(private readonly only?: readonly Kernel[]) {
    super();
  }

  override run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    const plain = kernel as unknown as Kernel;
    if (this.only && !this.only.includes(plain)) {
      super.run(kernel, params, buffers);
      return;
    }
    let seen = this.#seen.get(plain);
    if (!seen) this.#seen.set(plain, (seen = { params: new Set(), uses: new Map() }));
    const { uses } = seen;
    const variants = plain.variants.filter((variant) => canRun(variant, params));
    const wanted = variants.some((variant) => (uses.get(variant.name) ?? 0) < LAUNCHES_PER_VARIANT);
    const key = JSON.stringify(params);
    if (wanted && !seen.params.has(key)) {
      seen.params.add(key);
      for (const { name } of variants) uses.set(name, (uses.get(name) ?? 0) + 1);
      const held = kernel.bindings.map(({ name }) => {
        const { data } = buffers[name] as unknown as { data: Numbers };
        return [name, data.slice()] as const;
      });
      this.launches.set(plain, [
        ...(this.launches.get(plain) ?? []),
        { params, buffers: Object.fromEntries(held) },
      ]);
    }
    super.run(kernel, params, buffers);
  }
}

const draw = (shape: readonly number[], stream: number, low = 0, high = 1): Tensor => {
  const size = shape.reduce((n, d) => n * d, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, k) => low + (high - low) * uniform(21, stream, k)),
    shape,
  );
};

const count = (shape: readonly number[], modulus: number, dtype: 'i32' | 'u32' = 'i32'): Tensor => {
  const size = shape.reduce((n, d) => n * d, 1);
  return tensor(
    Array.from({ length: size }, (_, k) => (k % 11 === 3 ? 255 : (k * 7) % modulus)),
    shape,
    dtype,
  );
};

/** Launches kernels that no gradient of check-ops.ts leads to. */
const withoutGradient: (() => void)[] = [
  () => {
    const x = draw([3, 7, 5], 1);
    reduce.argmin(x, 1);
    for (const extreme of [reduce.maxValue, reduce.minValue]) {
      extreme(draw([2, 7, 12], 10, -1), [1]);
      extreme(draw([3, 37, 2], 13, -1), [1]);
    }
    for (const dtype of ['i32', 'u32'] as const) {
      movement.permute(count([2, 3, 5], 9, dtype), [2, 0, 1]);
      movement.permute(count([4, 3, 5], 9, dtype), [2, 1, 0]);
      movement.slice(count([3, 5, 12], 9, dtype), [0, 0, 4], [3, 5, 12]);
    }
    for (const shape of [
      [3, 4],
      [4, 3],
    ])
      movement.concat([draw(shape, 11), draw(shape, 12)], 1);
  },
  () => {
    const disparity = draw([3, 3, 5, 1], 2);
    const mask = depthmix.depthMixMask(depthmix.normalizeDisparity(disparity));
    for (const channels of [3, 4, 5]) {
      const probabilities = draw([3, 3, 5, channels], 3);
      const mixed = depthmix.mixWithNext(mask, probabilities);
      depthmix.confidentShare(depthmix.pseudoLabel(mixed).confidence);
      depthmix.oneHot(count([3, 3, 5], channels), channels);
    }
    for (const dtype of ['i32', 'u32'] as const) {
      depthmix.mixWithNext(mask, count([3, 3, 5], 9, dtype));
      depthmix.mixWithNext(mask, count([3, 3, 5, 4], 9, dtype));
    }
  },
  () => {
    const counts = tensor(new Uint32Array(25), [5, 5], 'u32');
    countConfusions(counts, count([3, 401], 5), count([401, 3], 6).view([3, 401]));
  },
  () => {
    const inf = Number.POSITIVE_INFINITY;
    for (const [walkers, bad] of [
      [7, []],
      [64, [Number.NaN]],
      [100, [1, inf, 2, -inf]],
    ] as const) {
      const x = tensor([...new Float32Array(131).fill(1), ...bad, 0, 3]);
      const found = tensor(new Uint32Array(2 * walkers), [walkers, 2], 'u32');
      const first = tensor([4, anomaly.NONE, 0, 0], [4], 'u32');
      launch(anomaly.nonFiniteScan, { n: x.size, walkers }, { x, found });
      launch(anomaly.nonFiniteFirst, { walkers }, { found, first });
    }
  },
  () => {
    // Contrast at each place and not at all, a hue that turns and one that does not.
    const steps = Array.from({ length: 49 }, (_, k) => {
      const [sample, place] = [Math.floor(k / 7), k % 7];
      const f = 0.5 + ((3 * k) % 10) / 10;
      if (place === 3) return [1, 0, 0, [0, 0.1, -0.3, 0.5][sample % 4]];
      return place === sample ? [f, 1 - f, 0, 0] : [f, 0, place % 2 && 1 - f, 0];
    });
    const rows = tensor(steps.flat(), [7, 7, 4]);
    for (const width of [5, 6]) colorJitter(draw([14, 6, width, 3], 15), { steps: rows, before: rows });
  },
  () => {
    const bytes = (length: number, from: number) =>
      Uint8Array.from({ length }, (_, k) => (k * 37 + from) % 256);
    for (const [pieces, per] of [
      [3, 15],
      [2, 44],
      [4, 1],
    ])
      for (const format of ['unorm8', 'uint8'] as const)
        upload(
          new HostTensor(
            Array.from({ length: pieces }, (_, i) => bytes(per, 50 * i + 5)),
            [pieces, per],
            format,
          ),
        );
  },
  () => {
    opticalFlow(draw([2, 9, 15, 3], 1), draw([2, 9, 15, 3], 2), 3);
    opticalFlow(draw([1, 4, 8, 1], 3), draw([1, 4, 8, 1], 4), 4);
    opticalFlow(draw([3, 3, 2, 2], 5), draw([3, 3, 2, 2], 6), 1);
  },
  () => {
    const key = tensor([7, 12], [2], 'u32');
    for (const n of [15, 64]) {
      random.randomBits([n], key, 3);
      random.randomUniform([n], key, 4);
      random.randomNormal([n], key, 5);
    }
  },
  () => {
    // One tensor by itself, of a length that vectors do not divide, and several side by side.
    for (const sizes of [[15], [15, 64, 1, 5000]]) {
      const each = (stream: number) => sizes.map((size, i) => draw([size], stream + 10 * i, -1));
      const [params, gradients] = [each(5), each(6)];
      const clip = clipByGlobalNorm([...gradients, draw([5, 31], 8)], 0.5).scale;
      const groups = [
        { params: params.slice(0, 1), lr: 0.01, weightDecay: 0.1 },
        { params: params.slice(1), lr: 0.02 },
      ];
      for (const optimizer of [
        new Sgd(groups, { momentum: 0.9, nesterov: true }),
        new Sgd(groups, { momentum: 0.9 }),
        new Adam(groups),
        new Adam(groups, { decoupled: true }),
      ]) {
        optimizer.step(gradients, { clip });
        optimizer.step(gradients);
        optimizer.dispose();
      }
      emaUpdate(params, each(7), tensor([0.9], []));
    }
  },
];

/** Launches all that an op launches: itself, and its gradient for a random cotangent. */
export function forwardAndBackward(fn: (...xs: Tensor[]) => Tensor, inputs: readonly GradcheckInput[]): void {
  const xs = inputs.map(({ data, shape, dtype }) => tensor(data, shape, dtype));
  const wrt = xs.filter((x, i) => inputs[i].differentiate ?? x.dtype === 'f32');
  const [value, pullback] = vjp(() => fn(...xs), wrt);
  pullback(draw(value.shape, 9, -1));
}

/** Runs on `device` everything that leads to a kernel: each op forward and backward, and what has no gradient. */
export async function exerciseKernels(device: Device): Promise<void> {
  const runs = opCases.flatMap((one) =>
    expressions(one).map(
      ([, fn]) =>
        () =>
          forwardAndBackward(fn, one.inputs),
    ),
  );
  for (const run of [...runs, ...withoutGradient]) {
    onDevice(device, () => step(run));
    await breathe();
  }
}

/** The launches that the ops make, by kernel; of the kernels named, or of all. */
export async function noteLaunches(only?: readonly Kernel[]): Promise<Map<Kernel, Launch[]>> {
  const device = new NotingDevice(only);
  await exerciseKernels(device);
  return device.launches;
}

/** Elements behind each buffer's end: a store out of bounds does not fail, it lands in them. */
const GUARD = 8;

/**
 * The share of an output's largest value that rounded factors may cost, by output (`Variant.rounding`): with the magnitudes of its
 * inputs a kernel of sums of products gives the sums of the products' magnitudes.
 */
function roundingLimits(
  kernel: Kernel,
  rounding: number,
  { params, buffers }: Launch,
  expected: Record<string, Numbers>,
): Record<string, number> {
  const sums = Object.fromEntries(
    kernel.bindings.map(({ name }) => [name, Float64Array.from(buffers[name], Math.abs)]),
  );
  kernel.reference(params, sums);
  return Object.fromEntries(
    Object.keys(sums).map((name) => [
      name,
      rounding * (largest(sums[name]) / (largest(expected[name]) || 1)),
    ]),
  );
}

/**
 * Runs one variant and compares every buffer it may write with the reference's.
 * @returns the largest deviation, and what is wrong in words
 */
export async function compareVariant(
  gpu: Gpu,
  kernel: Kernel,
  variant: Variant<Params>,
  launch: Launch,
): Promise<Deviation & { wrong: string[] }> {
  const { params, buffers } = launch;
  const expected: Record<string, Numbers> = {};
  const given: Record<string, Numbers> = {};
  const storages: Record<string, Storage> = {};
  for (const { name, type, access } of kernel.bindings) {
    const before = type === 'f32' ? Float64Array.from(buffers[name], Math.fround) : buffers[name].slice();
    expected[name] = before;
    // What is written in full must not depend on what was there.
    const start = Float64Array.from({ length: Math.ceil(before.length / 4) * 4 + GUARD }, (_, k) =>
      access !== 'write' && k < before.length ? before[k] : Math.floor(100 * uniform(22, 1, k)),
    );
    given[name] = start;
    storages[name] = gpu.alloc(start.length, type);
    gpu.write(storages[name], start);
  }
  kernel.reference(params, expected);
  const limits = variant.rounding ? roundingLimits(kernel, variant.rounding, launch, expected) : {};

  const alone: Kernel = { ...kernel, variants: [{ ...variant, applies: () => true }] };
  gpu.pins.set(kernel.name, variant.name); // the pin is part of the key under which launches are kept
  try {
    gpu.run(alone, params, storages);
  } finally {
    gpu.pins.delete(kernel.name);
  }
  let worst = { abs: 0, rel: 0 };
  const wrong: string[] = [];
  for (const { name, type, access } of kernel.bindings) {
    if (access === 'read') continue;
    const found = await gpu.read(storages[name]);
    const length = expected[name].length;
    const off = deviation(found.subarray(0, length), expected[name]);
    worst = { abs: Math.max(worst.abs, off.abs), rel: Math.max(worst.rel, off.rel) };
    const allowed = type === 'f32' ? TOLERANCE + (limits[name] ?? 0) : 0;
    if (!(off.rel <= allowed))
      wrong.push(
        `'${name}' is off by ${off.rel.toExponential(2)} of its largest value, ${allowed.toExponential(1)} is allowed`,
      );
    for (let k = length; k < found.length; k++) {
      if (found[k] !== given[name][k]) wrong.push(`'${name}' was written ${k - length + 1} beyond its end`);
    }
  }
  for (const storage of Object.values(storages)) gpu.free(storage);
  return { ...worst, wrong };
}

const shown = (params: Params) =>
  Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

/** Checks the kernels of which `chosen` says so. A kernel or variant that no launch exercises has failed. */
export async function checkKernels(
  gpu: Gpu,
  chosen: (name: string, op: string) => boolean = () => true,
  report: (done: CheckCase) => void = () => {},
): Promise<CheckCase[]> {
  const noted = await noteLaunches();
  const results: CheckCase[] = [];
  const fail = (name: string, op: string, note: string) => {
    const none = Number.POSITIVE_INFINITY;
    results.push({ name, op, ok: false, maxAbsErr: none, maxRelErr: none, note });
    report(results[results.length - 1]);
  };
  const listed = new Set(kernelList.map(({ kernel }) => kernel));
  for (const kernel of noted.keys()) {
    if (!listed.has(kernel) && chosen(kernel.name, kernel.name))
      fail(
        kernel.name,
        kernel.name,
        `kernel '${kernel.name}' is launched, and missing in src/cli/kernel-list.ts`,
      );
  }
  for (const { kernel } of kernelList) {
    const launches = noted.get(kernel) ?? [];
    for (const variant of kernel.variants) {
      const name = `${kernel.name}/${variant.name}`;
      if (!chosen(name, kernel.name)) continue;
      const fitting = launches.filter(({ params }) => canRun(variant, params));
      if (fitting.length === 0) {
        fail(name, kernel.name, `no case of src/cli/check-ops.ts or check-kernels.ts leads to '${name}'`);
        continue;
      }
      const done: CheckCase = { name, op: kernel.name, ok: true, maxAbsErr: 0, maxRelErr: 0 };
      if (!available(variant, gpu.adapter)) {
        const note = `needs ${variant.needs}, which this adapter does not offer`;
        results.push({ ...done, ok: false, unsupported: true, note });
        report(results[results.length - 1]);
        continue;
      }
      const notes: string[] = [];
      for (const launch of fitting) {
        try {
          const { abs, rel, wrong } = await compareVariant(gpu, kernel, variant, launch);
          done.maxAbsErr = Math.max(done.maxAbsErr, abs);
          done.maxRelErr = Math.max(done.maxRelErr, rel);
          if (wrong.length > 0) notes.push(`${wrong[0]} at ${shown(launch.params)}`);
        } catch (error) {
          done.maxAbsErr = done.maxRelErr = Number.POSITIVE_INFINITY;
          notes.push(`${(error as Error).message} at ${shown(launch.params)}`);
        }
      }
      results.push({ ...done, ok: notes.length === 0, ...(notes.length > 0 && { note: notes.join('; ') }) });
      report(results[results.length - 1]);
      await breathe();
    }
  }
  return results;
}
