// What a case of check-ops.ts is, and the inputs that such cases have.
import type { GradcheckInput } from '../autograd/gradcheck.ts';
import { grad } from '../autograd/tape.ts';
import { sizeOf, type Tensor, tensor } from '../autograd/tensor.ts';
import { uniform } from '../gpu/threefry.ts';
import * as elementwise from '../ops/elementwise.ts';
import { sum } from '../ops/sum.ts';

export interface OpCase {
  /** Exported name. */
  op: string;
  /** What is special about this case. */
  what: string;
  fn: (...inputs: Tensor[]) => Tensor;
  inputs: readonly GradcheckInput[];
  /** The gradient is differentiated again. */
  twice: boolean;
  /** Step of the finite differences. */
  eps?: number;
}

export type Fn = OpCase['fn'];

export const caseName = ({ op, what }: OpCase): string => (what ? `${op}: ${what}` : op);

/** The op, and where a case is checked twice the gradient of a weighted sum of y^2 + y. */
export function expressions(one: OpCase): [string, Fn][] {
  if (!one.twice) return [['first', one.fn]];
  const wrt = one.inputs.findIndex((input) => input.differentiate ?? (input.dtype ?? 'f32') === 'f32');
  const gradient = (...xs: Tensor[]) => {
    const loss = () => {
      const y = one.fn(...xs);
      // Weighted, because the sum of squares of a normalised tensor is a constant.
      const weights = tensor(draw(y.shape, 8).data, y.shape);
      return sum(elementwise.mul(weights, elementwise.add(elementwise.square(y), y)));
    };
    return grad(loss, [xs[wrt]])[0];
  };
  return [
    ['first', one.fn],
    ['second', gradient],
  ];
}

/** Random f32 numbers in [low, high), the same for the same stream. */
export function draw(shape: readonly number[], stream: number, low = -1, high = 1): GradcheckInput {
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, k) =>
    Math.fround(low + (high - low) * uniform(20, stream, k)),
  );
  return { shape, data };
}

/** Random numbers at least 0.05 from zero. */
export function nonzero(shape: readonly number[], stream: number): GradcheckInput {
  const { data } = draw(shape, stream);
  return { shape, data: Float64Array.from(data, (v) => Math.fround(v < 0 ? v - 0.05 : v + 0.05)) };
}

/** Numbers at least 0.01 apart, in a random order. */
export function distinct(shape: readonly number[], stream: number): GradcheckInput {
  const count = sizeOf(shape);
  const order = Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => uniform(20, stream, a) - uniform(20, stream, b),
  );
  const data = new Float64Array(count);
  order.forEach((at, rank) => {
    data[at] = Math.fround((rank - count / 2) * 0.01);
  });
  return { shape, data };
}

export const constant = (input: GradcheckInput): GradcheckInput => ({ ...input, differentiate: false });

export const integers = (shape: readonly number[], value: (k: number) => number): GradcheckInput => ({
  shape,
  data: Int32Array.from({ length: sizeOf(shape) }, (_, k) => value(k)),
  dtype: 'i32',
});
