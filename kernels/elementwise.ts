import * as shader from '../shaders/elementwise.wgsl.ts';
import { type AdapterFacts, groupsFor, type Kernel, type Variant } from '../src/gpu/kernel.ts';
import { alongElements } from './channels.ts';

export type UnaryParams = { n: number; a: number; b: number };

/** Values along the last axis that one invocation walks on a CPU adapter, where the four remainders cost more than a value does. */
const RUN = 32;

/** `expression` is WGSL, `plain` the same in TypeScript; both see the scalars a and b. */
function unary(
  name: string,
  formula: string,
  expression: string,
  plain: (x: number, a: number, b: number) => number,
  flops = 1,
): Kernel<UnaryParams> {
  return {
    name,
    summary: `${name} of every element`,
    formula,
    source: 'elementwise',
    bindings: [
      { name: 'x', type: 'f32', access: 'read' },
      { name: 'y', type: 'f32', access: 'write' },
    ],
    params: { n: 'u32', a: 'f32', b: 'f32' },
    variants: alongElements((vector) => shader.unary(expression, vector), ['x', 'y']),
    cost: (p) => ({ flops: flops * p.n, bytes: 8 * p.n }),
    reference: (p, { x, y }) => {
      for (let i = 0; i < p.n; i++) y[i] = plain(x[i], p.a, p.b);
    },
  };
}

const sigmoidOf = (x: number) => 1 / (1 + Math.exp(-x));

/** y = f(x). PyTorch's conventions at the kinks: relu'(0) = 0, sign(0) = 0, clamp' = 1 on its bounds. */
export const unaryKernels = {
  affine: unary('affine', 'y = a x + b', 'x * p.a + T(p.b)', (x, a, b) => a * x + b, 2),
  abs: unary('abs', 'y = |x|', 'abs(x)', Math.abs),
  exp: unary('exp', 'y = e^x', 'exp(x)', Math.exp, 8),
  log: unary('log', 'y = ln x', 'logExact(x)', Math.log, 8),
  sqrt: unary('sqrt', 'y = x^(1/2)', 'sqrt(x)', Math.sqrt, 4),
  rsqrt: unary('rsqrt', 'y = x^(-1/2)', 'inverseSqrt(x)', (x) => 1 / Math.sqrt(x), 4),
  reciprocal: unary('reciprocal', 'y = 1 / x', 'T(1.0) / x', (x) => 1 / x, 4),
  square: unary('square', 'y = x^2', 'x * x', (x) => x * x),
  relu: unary('relu', 'y = max(x, 0)', 'max(x, T(0.0))', (x) => Math.max(x, 0)),
  leakyRelu: unary('leakyRelu', 'y = x > 0 ? x : a x', 'select(x * p.a, x, x > T(0.0))', (x, a) =>
    x > 0 ? x : a * x,
  ),
  elu: unary(
    'elu',
    'y = x > 0 ? x : e^x - 1',
    'select(expm1(x), x, x > T(0.0))',
    (x) => (x > 0 ? x : Math.expm1(x)),
    8,
  ),
  sigmoid: unary('sigmoid', 'y = 1 / (1 + e^-x)', 'sigmoid(x)', sigmoidOf, 10),
  softplus: unary(
    'softplus',
    'y = ln(1 + e^x)',
    'softplus(x)',
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    20,
  ),
  tanh: unary('tanh', 'y = tanh x', 'tanhExact(x)', Math.tanh, 12),
  clamp: unary('clamp', 'y = min(max(x, a), b)', 'clamp(x, T(p.a), T(p.b))', (x, a, b) =>
    Math.min(Math.max(x, a), b),
  ),
  /** Slope of leakyRelu: relu's with a = 0. */
  leakyStep: unary('leakyStep', 'y = x > 0 ? 1 : a', 'select(T(p.a), T(1.0), x > T(0.0))', (x, a) =>
    x > 0 ? 1 : a,
  ),
  inside: unary(
    'inside',
    'y = [a <= x <= b]',
    'select(T(0.0), T(1.0), (x >= T(p.a)) & (x <= T(p.b)))',
    (x, a, b) => (x >= a && x <= b ? 1 : 0),
  ),
} satisfies Record<string, Kernel<UnaryParams>>;

export type BinaryParams = {
  n: number;
  d1: number;
  d2: number;
  d3: number;
  a0: number;
  a1: number;
  a2: number;
  a3: number;
  b0: number;
  b1: number;
  b2: number;
  b3: number;
};

const isPlain = (p: BinaryParams) =>
  [p.a3, p.b3].every((s) => s === 1) &&
  [p.a2, p.b2].every((s) => s === p.d3) &&
  [p.a1, p.b1].every((s) => s === p.d2 * p.d3) &&
  [p.a0, p.b0].every((s) => s === p.d1 * p.d2 * p.d3);

/** Along the last axis a runs on in fours and b stays the same: a factor per image, per row or per pixel. */
const isScaled = (p: BinaryParams) =>
  p.a3 === 1 && p.b3 === 0 && [p.d3, p.a0, p.a1, p.a2].every((s) => s % 4 === 0);

/** Values of an argument with these strides: an axis along which it is repeated has stride 0. */
const held = ({ n, d1, d2, d3 }: BinaryParams, s0: number, s1: number, s2: number, s3: number) =>
  (s0 ? n / (d1 * d2 * d3) : 1) * (s1 ? d1 : 1) * (s2 ? d2 : 1) * (s3 ? d3 : 1);

/** @param alike a and b always have one shape, as a cotangent and the value that it belongs to. */
function binary(
  name: string,
  formula: string,
  expression: string,
  plain: (a: number, b: number) => number,
  flops = 1,
  alike = false,
): Kernel<BinaryParams> {
  const equal = alongElements(
    (vector) => shader.binary(expression, vector),
    ['a', 'b', 'y'],
  ) as unknown as Variant<BinaryParams>[];
  const broadcast = (
    variant: string,
    summary: string,
    vector: boolean,
    run: number,
    applies: Variant<BinaryParams>['applies'],
  ): Variant<BinaryParams> => ({
    name: variant,
    summary,
    applies: (p, facts) => applies(p, facts) && (!vector || isScaled(p)),
    vec4: vector ? ['a', 'y'] : [],
    code: () => shader.binaryBroadcast(expression, vector),
    constants: () => ({ RUN: run }),
    workgroups: (p) => (p.n === 0 ? 0 : groupsFor((p.n / p.d3) * Math.ceil(p.d3 / (vector ? 4 : 1) / run))),
  });
  const everywhere = () => true;
  const software = (_: BinaryParams, facts: AdapterFacts) => facts.software;
  return {
    name,
    summary: `${name} of two arrays, broadcast over up to four axes`,
    formula,
    source: 'elementwise',
    bindings: [
      { name: 'a', type: 'f32', access: 'read' },
      { name: 'b', type: 'f32', access: 'read' },
      { name: 'y', type: 'f32', access: 'write' },
    ],
    params: {
      n: 'u32',
      d1: 'u32',
      d2: 'u32',
      d3: 'u32',
      a0: 'u32',
      a1: 'u32',
      a2: 'u32',
      a3: 'u32',
      b0: 'u32',
      b1: 'u32',
      b2: 'u32',
      b3: 'u32',
    },
    variants: [
      ...equal.map((v) => ({
        ...v,
        applies: (p: BinaryParams, facts: AdapterFacts) => isPlain(p) && v.applies(p, facts),
      })),
      ...(alike
        ? []
        : [
            broadcast(
              'value-run',
              `four at a time with one value of b, up to ${RUN / 4} times`,
              true,
              RUN / 4,
              software,
            ),
            broadcast('value', 'four at a time with one value of b', true, 1, everywhere),
          ]),
      broadcast('broadcast-run', `${RUN} values of the last axis per invocation`, false, RUN, software),
      broadcast(
        'broadcast',
        'one value per invocation, strides of 0 along repeated axes',
        false,
        1,
        everywhere,
      ),
    ],
    cost: (p) => ({
      flops: flops * p.n,
      bytes: 4 * (p.n + held(p, p.a0, p.a1, p.a2, p.a3) + held(p, p.b0, p.b1, p.b2, p.b3)),
    }),
    reference: (p, { a, b, y }) => {
      for (let i = 0; i < p.n; i++) {
        const c3 = i % p.d3;
        const c2 = Math.floor(i / p.d3) % p.d2;
        const c1 = Math.floor(i / (p.d3 * p.d2)) % p.d1;
        const c0 = Math.floor(i / (p.d3 * p.d2 * p.d1));
        y[i] = plain(
          a[c0 * p.a0 + c1 * p.a1 + c2 * p.a2 + c3 * p.a3],
          b[c0 * p.b0 + c1 * p.b1 + c2 * p.b2 + c3 * p.b3],
        );
      }
    },
  };
}

const slope = (...[name, formula, expression, plain, flops]: Parameters<typeof binary>) =>
  binary(name, formula, expression, plain, flops, true);

/** y = f(a, b). The `…Grad` kernels are slopes fused with the cotangent a: one pass over memory instead of two. */
export const binaryKernels = {
  add: binary('add', 'y = a + b', 'a + b', (a, b) => a + b),
  sub: binary('sub', 'y = a - b', 'a - b', (a, b) => a - b),
  mul: binary('mul', 'y = a b', 'a * b', (a, b) => a * b),
  div: binary('div', 'y = a / b', 'a / b', (a, b) => a / b, 4),
  maximum: binary('maximum', 'y = max(a, b)', 'max(a, b)', Math.max),
  minimum: binary('minimum', 'y = min(a, b)', 'min(a, b)', Math.min),
  greaterEqual: binary('greaterEqual', 'y = [a >= b]', 'select(T(0.0), T(1.0), a >= b)', (a, b) =>
    a >= b ? 1 : 0,
  ),
  reluGrad: binary(
    'reluGrad',
    'y = a [b > 0]',
    'select(T(0.0), a, b > T(0.0))',
    (a, b) => (b > 0 ? a : 0),
    1,
  ),
  eluGrad: slope(
    'eluGrad',
    'y = a (b > 0 ? 1 : b + 1), b = elu(x)',
    'a * (min(b, T(0.0)) + T(1.0))',
    (a, b) => a * (Math.min(b, 0) + 1),
    3,
  ),
  sigmoidGrad: slope(
    'sigmoidGrad',
    'y = a b (1 - b), b = sigmoid(x)',
    'a * b * (T(1.0) - b)',
    (a, b) => a * b * (1 - b),
    3,
  ),
  tanhGrad: slope(
    'tanhGrad',
    'y = a (1 - b^2), b = tanh x',
    'a * (T(1.0) - b * b)',
    (a, b) => a * (1 - b * b),
    3,
  ),
  softplusGrad: slope('softplusGrad', 'y = a sigmoid(b)', 'a * sigmoid(b)', (a, b) => a * sigmoidOf(b), 10),
  absGrad: slope('absGrad', 'y = a sign(b)', 'a * sign(b)', (a, b) => a * Math.sign(b), 1),
} satisfies Record<string, Kernel<BinaryParams>>;
