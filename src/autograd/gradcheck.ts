import type { Device } from '../gpu/device.ts';
import { ReferenceDevice } from '../gpu/reference.ts';
import { uniform } from '../gpu/threefry.ts';
import { vjp } from './tape.ts';
import { onDevice, type Shape, sizeOf, step, type Tensor, tensor } from './tensor.ts';

export interface GradcheckInput {
  shape: Shape;
  /** Values, row-major. Choose them away from kinks: finite differences know no subgradient. */
  data: ArrayLike<number>;
  dtype?: 'f32' | 'i32' | 'u32';
  /** False for inputs that get no gradient, such as labels. */
  differentiate?: boolean;
}

export interface GradcheckResult {
  ok: boolean;
  /** Largest |analytic - finite difference| over the largest |finite difference| of the same input, on the reference. */
  referenceError: number;
  /** Largest |GPU - reference| over the largest |reference|, of the value and every gradient; 0 without a device. */
  deviceError: number;
  /** Largest |GPU - reference|. */
  deviceAbsoluteError: number;
  message: string;
}

const worst = (got: ArrayLike<number>, want: ArrayLike<number>): { absolute: number; relative: number } => {
  let error = 0;
  let scale = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    scale = Math.max(scale, Math.abs(want[i]));
  }
  return { absolute: error, relative: scale > 1e-12 ? error / scale : error };
};

/**
 * Checks the gradient of any expression in two ways: on the reference device, where f32 is f64, against central
 * differences; and on `device`, value and gradients, against the reference device.
 * @param fn built from ops; gets one tensor per input and returns f32 of any shape.
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly GradcheckInput[],
  options: {
    device?: Device;
    eps?: number;
    tolerance?: number;
    deviceTolerance?: number;
    samples?: number;
  } = {},
): Promise<GradcheckResult> {
  const { eps = 1e-5, tolerance = 1e-5, deviceTolerance = 5e-4, samples = 24 } = options;
  const reference = new ReferenceDevice();
  const place = (data: ArrayLike<number>, i: number) =>
    tensor(data, inputs[i].shape, inputs[i].dtype ?? 'f32');
  const active = inputs
    .map((_, i) => i)
    .filter((i) => inputs[i].differentiate ?? (inputs[i].dtype ?? 'f32') === 'f32');
  let cotangent: Float64Array | null = null;

  const analytic = async (on: Device): Promise<ArrayLike<number>[]> => {
    const parts = onDevice(on, () =>
      step(() => {
        const xs = inputs.map((input, i) => place(Float64Array.from(input.data), i));
        const wrt = active.map((i) => xs[i]);
        const [value, pullback] = vjp(() => fn(...xs), wrt);
        cotangent ??= Float64Array.from({ length: value.size }, (_, k) => uniform(11, 5, k) * 2 - 1);
        return [value, ...pullback(tensor(cotangent, value.shape))];
      }),
    );
    const read = await Promise.all(parts.map((part) => part.data()));
    for (const part of parts) part.dispose();
    return read;
  };

  const contracted = async (data: ArrayLike<number>[]): Promise<number> => {
    const value = onDevice(reference, () => step(() => fn(...data.map(place))));
    const numbers = await value.data();
    let sum = 0;
    for (let k = 0; k < numbers.length; k++) sum += numbers[k] * cotangent![k];
    return sum;
  };

  const expected = await analytic(reference);
  let referenceError = 0;
  let message = '';
  for (const [slot, i] of active.entries()) {
    const size = sizeOf(inputs[i].shape);
    const picks =
      size <= samples
        ? [...Array(size).keys()]
        : Array.from({ length: samples }, (_, k) => Math.floor(uniform(3, i, k) * size));
    const numeric: number[] = [];
    for (const at of picks) {
      const shifted = (by: number) => {
        const copies = inputs.map((input) => Float64Array.from(input.data));
        copies[i][at] += by;
        return contracted(copies);
      };
      numeric.push(((await shifted(eps)) - (await shifted(-eps))) / (2 * eps));
    }
    const { relative: error } = worst(
      picks.map((at) => expected[slot + 1][at]),
      numeric,
    );
    if (error > tolerance)
      message += `input ${i}: analytic and finite differences differ by ${error.toExponential(2)}; `;
    referenceError = Math.max(referenceError, error);
  }

  let deviceError = 0;
  let deviceAbsoluteError = 0;
  if (options.device) {
    const got = await analytic(options.device);
    got.forEach((values, k) => {
      const { absolute, relative: error } = worst(values, expected[k]);
      if (error > deviceTolerance) {
        message += `${k === 0 ? 'value' : `gradient of input ${active[k - 1]}`}: device and reference differ by ${error.toExponential(2)}; `;
      }
      deviceError = Math.max(deviceError, error);
      deviceAbsoluteError = Math.max(deviceAbsoluteError, absolute);
    });
  }
  return { ok: message === '', referenceError, deviceError, deviceAbsoluteError, message };
}
