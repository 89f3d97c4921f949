// Counter-based random numbers: element i of a tensor is a pure function of (seed, step, stream, i), in any order.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** `threefry(key, counter)`: Threefry-2x32 with 20 rounds; the same bits as src/gpu/threefry.ts. */
export const threefry = wgsl`
fn scramble(x: vec2u, by: u32) -> vec2u {
  let sum = x.x + x.y;
  return vec2u(sum, ((x.y << by) | (x.y >> (32u - by))) ^ sum);
}
fn even(x: vec2u) -> vec2u { return scramble(scramble(scramble(scramble(x, 13u), 15u), 26u), 6u); }
fn odd(x: vec2u) -> vec2u { return scramble(scramble(scramble(scramble(x, 17u), 29u), 16u), 24u); }
fn threefry(k: vec2u, counter: vec2u) -> vec2u {
  let k2 = 0x1bd11bdau ^ k.x ^ k.y;
  var x = even(counter + k) + vec2u(k.y, k2 + 1u);
  x = odd(x) + vec2u(k2, k.x + 2u);
  x = even(x) + vec2u(k.x, k.y + 3u);
  x = odd(x) + vec2u(k.y, k2 + 4u);
  return even(x) + vec2u(k2, k.x + 5u);
}
`;

/**
 * Square root of two times the inverse error function, for -1 < x < 1 (Giles, "Approximating the erfinv function", GPU
 * Computing Gems, 2011): two polynomials in w = -ln(1 - x^2). Logarithm and square root only: cosine, which Box and
 * Muller's method needs, may be off by 2^-11.
 */
export const normalQuantile = wgsl`
fn normalQuantile(x: f32) -> f32 {
  let w = -log((1.0 - x) * (1.0 + x));
  var q: f32;
  if (w < 5.0) {
    let t = w - 2.5;
    q = 2.81022636e-08;
    q = 3.43273939e-07 + q * t;
    q = -3.5233877e-06 + q * t;
    q = -4.39150654e-06 + q * t;
    q = 0.00021858087 + q * t;
    q = -0.00125372503 + q * t;
    q = -0.00417768164 + q * t;
    q = 0.246640727 + q * t;
    q = 1.50140941 + q * t;
  } else {
    let t = sqrt(w) - 3.0;
    q = -0.000200214257;
    q = 0.000100950558 + q * t;
    q = 0.00134934322 + q * t;
    q = -0.00367342844 + q * t;
    q = 0.00573950773 + q * t;
    q = -0.0076224613 + q * t;
    q = 0.00943887047 + q * t;
    q = 1.00167406 + q * t;
    q = 2.83297682 + q * t;
  }
  return 1.41421356 * q * x;
}
`;

/** y[i] = `expression`, WGSL in `bits` (u32). */
export const random = (expression: string) => wgsl`
${threefry}
${normalQuantile}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat(gid, groups);
  if (i >= p.n) { return; }
  let bits = threefry(vec2u(key[0], key[1]), vec2u(i, p.stream)).x;
  y[i] = ${expression};
}
`;
