import {
  type BinaryParams,
  binaryKernels,
  type UnaryParams,
  unaryKernels,
} from '../../kernels/elementwise.ts';
import { noGrad, record, setAccumulate } from '../autograd/tape.ts';
import { empty, launch, type Shape, ShapeError, step as scope, Tensor, tensor } from '../autograd/tensor.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { stridesOf } from './movement.ts';
import { broadcastShape, broadcastTo, sumTo } from './sum.ts';

/** A tensor, or a number that stands for a scalar tensor. */
export type Operand = Tensor | number;

function mapUnary(kernel: Kernel<UnaryParams>, x: Tensor, a = 0, b = 0): Tensor {
  if (x.dtype !== 'f32') throw new ShapeError(`${kernel.name}: needs f32, got ${x.dtype}`);
  const y = empty(x.shape, 'f32', x.device);
  launch(kernel, { n: x.size, a, b }, { x, y });
  return y;
}

/** Collapses neighbouring axes that both operands walk alike, so that most calls need one or two axes. */
function collapse(shape: Shape, a: number[], b: number[]): { shape: number[]; a: number[]; b: number[] } {
  const out = { shape: [] as number[], a: [] as number[], b: [] as number[] };
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis];
    if (size === 1) continue;
    const inner = out.shape[0];
    if (inner !== undefined && a[axis] === out.a[0] * inner && b[axis] === out.b[0] * inner) {
      out.shape[0] = inner * size;
    } else {
      out.shape.unshift(size);
      out.a.unshift(a[axis]);
      out.b.unshift(b[axis]);
    }
  }
  return out;
}

function mapBinary(kernel: Kernel<BinaryParams>, a: Tensor, b: Tensor): Tensor {
  if (a.dtype !== 'f32' || b.dtype !== 'f32')
    throw new ShapeError(`${kernel.name}: needs f32, got ${a.dtype} and ${b.dtype}`);
  const shape = broadcastShape(kernel.name, a.shape, b.shape);
  const walk = (x: Tensor) => {
    const strides = stridesOf(x.shape).map((s, i) => (x.shape[i] === 1 ? 0 : s));
    return [...new Array(shape.length - strides.length).fill(0), ...strides];
  };
  const c = collapse(shape, walk(a), walk(b));
  // The kernel walks four axes. Repeated beforehand, both operands are walked along one.
  if (c.shape.length > 4)
    return scope(() => noGrad(() => mapBinary(kernel, broadcastTo(a, shape), broadcastTo(b, shape))));
  const y = empty(shape, 'f32', a.device);
  // Axes in front of the first have length one, and the strides a plain array would have there: then equal shapes
  // are recognised as such.
  const size = [...new Array(4 - c.shape.length).fill(1), ...c.shape];
  const pad = (strides: number[]) => {
    const full = [...new Array(4 - strides.length).fill(0), ...strides];
    if (c.shape.length === 0) full[3] = 1;
    const plain = stridesOf(size);
    for (let axis = 0; axis < 4; axis++) if (size[axis] === 1) full[axis] = plain[axis];
    return full;
  };
  const [a0, a1, a2, a3] = pad(c.a);
  const [b0, b1, b2, b3] = pad(c.b);
  const params = { n: y.size, d1: size[1], d2: size[2], d3: size[3], a0, a1, a2, a3, b0, b1, b2, b3 };
  launch(kernel, params, { a, b, y });
  return y;
}

const asTensor = (x: Operand, like: Operand): Tensor => {
  if (x instanceof Tensor) return x;
  const made = tensor([x], []);
  if (like instanceof Tensor && made.device !== like.device)
    throw new ShapeError('operands live on different devices');
  return made;
};

/** a x + b, with numbers a and b. */
export function affine(x: Tensor, a: number, b: number): Tensor {
  return record('affine', [x], mapUnary(unaryKernels.affine, x, a, b), (g) => [affine(g, a, 0)]);
}

export const neg = (x: Tensor): Tensor => affine(x, -1, 0);

export function add(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return affine(a as Tensor, 1, b);
  if (typeof a === 'number') return affine(b, 1, a);
  return record('add', [a, b], mapBinary(binaryKernels.add, a, b), (g, [needA, needB]) => [
    needA ? sumTo(g, a.shape) : null,
    needB ? sumTo(g, b.shape) : null,
  ]);
}

export function sub(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return affine(a as Tensor, 1, -b);
  if (typeof a === 'number') return affine(b, -1, a);
  return record('sub', [a, b], mapBinary(binaryKernels.sub, a, b), (g, [needA, needB]) => [
    needA ? sumTo(g, a.shape) : null,
    needB ? sumTo(neg(g), b.shape) : null,
  ]);
}

export function mul(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return affine(a as Tensor, b, 0);
  if (typeof a === 'number') return affine(b, a, 0);
  return record('mul', [a, b], mapBinary(binaryKernels.mul, a, b), (g, [needA, needB]) => [
    needA ? sumTo(mul(g, b), a.shape) : null,
    needB ? sumTo(mul(g, a), b.shape) : null,
  ]);
}

export function div(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return affine(a as Tensor, 1 / b, 0);
  const top = asTensor(a, b);
  return record('div', [top, b], mapBinary(binaryKernels.div, top, b), (g, [needA, needB]) => [
    needA ? sumTo(div(g, b), top.shape) : null,
    needB ? sumTo(neg(div(mul(g, top), square(b))), b.shape) : null,
  ]);
}

/** [a >= b] as 0 or 1; constant to every gradient. */
export const greaterEqual = (a: Operand, b: Operand): Tensor =>
  mapBinary(binaryKernels.greaterEqual, asTensor(a, b), asTensor(b, a));

/** Larger of the two; where they are equal the gradient goes to a. */
export function maximum(a: Operand, b: Operand): Tensor {
  const [x, y] = [asTensor(a, b), asTensor(b, a)];
  return record('maximum', [x, y], mapBinary(binaryKernels.maximum, x, y), (g, [needA, needB]) => {
    const first = greaterEqual(x, y);
    return [
      needA ? sumTo(mul(g, first), x.shape) : null,
      needB ? sumTo(mul(g, sub(1, first)), y.shape) : null,
    ];
  });
}

/** Smaller of the two; where they are equal the gradient goes to a. */
export function minimum(a: Operand, b: Operand): Tensor {
  const [x, y] = [asTensor(a, b), asTensor(b, a)];
  return record('minimum', [x, y], mapBinary(binaryKernels.minimum, x, y), (g, [needA, needB]) => {
    const first = greaterEqual(y, x);
    return [
      needA ? sumTo(mul(g, first), x.shape) : null,
      needB ? sumTo(mul(g, sub(1, first)), y.shape) : null,
    ];
  });
}

/**
 * mask ? a : b for a mask of zeros and ones, broadcast; constant in the mask. What is not chosen may be infinite or NaN. Its
 * gradient is 0 then, but 0 times an infinite slope further back is NaN again, as in PyTorch.
 */
export function where(mask: Tensor, a: Operand, b: Operand): Tensor {
  return add(reluGrad(asTensor(a, mask), mask), reluGrad(asTensor(b, mask), sub(1, mask)));
}

export function abs(x: Tensor): Tensor {
  return record('abs', [x], mapUnary(unaryKernels.abs, x), (g) => [absGrad(g, x)]);
}

/** g sign(x). */
function absGrad(g: Tensor, x: Tensor): Tensor {
  return record('absGrad', [g], mapBinary(binaryKernels.absGrad, g, x), (gg) => [absGrad(gg, x)]);
}

export function exp(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.exp, x);
  return record('exp', [x], y, (g) => [mul(g, y)]);
}

export function log(x: Tensor): Tensor {
  return record('log', [x], mapUnary(unaryKernels.log, x), (g) => [div(g, x)]);
}

export function sqrt(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.sqrt, x);
  return record('sqrt', [x], y, (g) => [div(affine(g, 0.5, 0), y)]);
}

/** x^(-1/2). */
export function rsqrt(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.rsqrt, x);
  return record('rsqrt', [x], y, (g) => [mul(affine(g, -0.5, 0), mul(y, square(y)))]);
}

export function reciprocal(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.reciprocal, x);
  return record('reciprocal', [x], y, (g) => [neg(mul(g, square(y)))]);
}

export function square(x: Tensor): Tensor {
  return record('square', [x], mapUnary(unaryKernels.square, x), (g) => [mul(affine(g, 2, 0), x)]);
}

export function relu(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.relu, x);
  return record('relu', [x], y, (g) => [reluGrad(g, y)]);
}

/** g where y > 0, else 0, whatever g is there; broadcast. With y = relu(x) the slope of relu, with a mask what it lets through. */
export function reluGrad(g: Tensor, y: Tensor): Tensor {
  return record('reluGrad', [g], mapBinary(binaryKernels.reluGrad, g, y), (gg) => [
    sumTo(reluGrad(gg, y), g.shape),
  ]);
}

/** x > 0 ? x : slope x. */
export function leakyRelu(x: Tensor, slope: number): Tensor {
  return record('leakyRelu', [x], mapUnary(unaryKernels.leakyRelu, x, slope), (g) => [
    mul(g, mapUnary(unaryKernels.leakyStep, x, slope)),
  ]);
}

/** x > 0 ? x : e^x - 1. */
export function elu(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.elu, x);
  return record('elu', [x], y, (g) => [eluGrad(g, y)]);
}

/** g (y > 0 ? 1 : y + 1) for y = elu(x), where y + 1 is e^x. */
export function eluGrad(g: Tensor, y: Tensor): Tensor {
  return record('eluGrad', [g, y], mapBinary(binaryKernels.eluGrad, g, y), (gg, [needG, needY]) => [
    needG ? eluGrad(gg, y) : null,
    needY ? mul(mul(gg, g), greaterEqual(0, y)) : null,
  ]);
}

export function sigmoid(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.sigmoid, x);
  return record('sigmoid', [x], y, (g) => [sigmoidGrad(g, y)]);
}

/** g y (1 - y). */
function sigmoidGrad(g: Tensor, y: Tensor): Tensor {
  return record('sigmoidGrad', [g, y], mapBinary(binaryKernels.sigmoidGrad, g, y), (gg, [needG, needY]) => [
    needG ? sigmoidGrad(gg, y) : null,
    needY ? mul(mul(gg, g), affine(y, -2, 1)) : null,
  ]);
}

/** ln(1 + e^x). */
export function softplus(x: Tensor): Tensor {
  return record('softplus', [x], mapUnary(unaryKernels.softplus, x), (g) => [softplusGrad(g, x)]);
}

/** g sigmoid(x). */
function softplusGrad(g: Tensor, x: Tensor): Tensor {
  return record('softplusGrad', [g, x], mapBinary(binaryKernels.softplusGrad, g, x), (gg, [needG, needX]) => [
    needG ? softplusGrad(gg, x) : null,
    needX ? sigmoidGrad(mul(gg, g), sigmoid(x)) : null,
  ]);
}

export function tanh(x: Tensor): Tensor {
  const y = mapUnary(unaryKernels.tanh, x);
  return record('tanh', [x], y, (g) => [tanhGrad(g, y)]);
}

/** g (1 - y^2). */
function tanhGrad(g: Tensor, y: Tensor): Tensor {
  return record('tanhGrad', [g, y], mapBinary(binaryKernels.tanhGrad, g, y), (gg, [needG, needY]) => [
    needG ? tanhGrad(gg, y) : null,
    needY ? mul(mul(gg, g), affine(y, -2, 0)) : null,
  ]);
}

/** min(max(x, low), high). The gradient passes on the bounds themselves, as in PyTorch. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  return record('clamp', [x], mapUnary(unaryKernels.clamp, x, low, high), (g) => [
    mul(g, mapUnary(unaryKernels.inside, x, low, high)),
  ]);
}

setAccumulate(add);
