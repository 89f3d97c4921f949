// Every value by itself, no neighbours, no barriers: bound by memory bandwidth.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkElements } from './channels.wgsl.ts';

/** e^x - 1 by series near zero, where the subtraction would cancel. T is f32 or vec4f. */
export const expm1 = wgsl`
fn expm1(x: T) -> T {
  let series = x * (T(1.0) + x * (T(0.5) + x * (T(1.0 / 6.0) + x * T(1.0 / 24.0))));
  return select(exp(min(x, T(80.0))) - T(1.0), series, abs(x) < T(0.05));
}
`;

/** y[i] = f(x[i]). `expression` is WGSL in `x` (T) and the scalars `p.a`, `p.b`; T is f32 or vec4f. */
export const unary = (expression: string, vector: boolean) => wgsl`
${lanes(vector)}
// exp overflows f32 above 88.7; a quotient of infinities would follow.
fn sigmoid(x: T) -> T { return T(1.0) / (T(1.0) + exp(clamp(-x, T(-80.0), T(80.0)))); }
// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); for tiny e the series keeps the digits that 1 + e would lose.
fn softplus(x: T) -> T {
  let e = exp(-abs(x));
  return max(x, T(0.0)) + select(log(T(1.0) + e), e - e * e * 0.5 + e * e * e * (1.0 / 3.0), e < T(0.02));
}
${expm1}
// tanh through sigmoid: the built-in may be off by 1e-5.
fn tanhExact(x: T) -> T {
  let t = expm1(T(-2.0) * abs(x));
  return sign(x) * (-t / (t + T(2.0)));
}
// WGSL leaves log open below and at 0, and there are adapters that make -88 of log(0). The bits are those of -inf and NaN.
fn logExact(x: T) -> T {
  let infinite = 0xff800000u;
  let none = 0x7fc00000u;
  return select(select(T(bitcast<f32>(none)), T(bitcast<f32>(infinite)), x == T(0.0)), log(x), x > T(0.0));
}
fn f(x: T) -> T { return ${expression}; }

${walkElements('', 'y[i] = f(x[i]);')}
`;

/** y[i] = f(a[i], b[i]) for equal shapes. */
export const binary = (expression: string, vector: boolean) => wgsl`
${lanes(vector)}
fn sigmoid(x: T) -> T { return T(1.0) / (T(1.0) + exp(clamp(-x, T(-80.0), T(80.0)))); }
fn f(a: T, b: T) -> T { return ${expression}; }

${walkElements('', 'y[i] = f(a[i], b[i]);')}
`;

/**
 * y[c] = f(a[c . sa], b[c . sb]) over up to four axes; a stride of 0 repeats an axis of length one. An invocation walks RUN
 * neighbours along the last axis, so that places are computed once for all of them. `vector`: neighbours are vec4 of a and y, and b
 * has one value for the whole of the last axis.
 */
export const binaryBroadcast = (expression: string, vector: boolean) => wgsl`
override RUN: u32;
${lanes(vector)}
fn sigmoid(x: T) -> T { return T(1.0) / (T(1.0) + exp(clamp(-x, T(-80.0), T(80.0)))); }
fn f(a: T, b: T) -> T { return ${expression}; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  let along = p.d3 / LANES;
  let runs = (along + RUN - 1u) / RUN;
  let r2 = k / runs;
  let first = (k - r2 * runs) * RUN;
  if (r2 * p.d3 >= p.n) { return; }
  let r1 = r2 / p.d2;
  let c2 = r2 - r1 * p.d2;
  let c0 = r1 / p.d1;
  let c1 = r1 - c0 * p.d1;
  var atA = (c0 * p.a0 + c1 * p.a1 + c2 * p.a2) / LANES + first * p.a3;
  var atB = c0 * p.b0 + c1 * p.b1 + c2 * p.b2 + first * p.b3;
  let end = r2 * along + min(first + RUN, along);
  for (var i = r2 * along + first; i < end; i++) {
    y[i] = f(a[atA], T(b[atB]));
    atA += p.a3;
    atB += p.b3;
  }
}
`;
