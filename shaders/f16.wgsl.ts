// Values held in workgroup memory as f16 in place of f32: half the room, and half the traffic between it and the invocations.
// What is computed with them is f32 all the same; memory and sums hold f32.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/**
 * How far a product of two staged values may be off, as a share of the product. f16 has eleven significant bits, so rounding to the
 * nearest moves a value by at most 2^-11 of it: (1 + 2^-11)^2 - 1. The product itself, of 22 bits, is exact in f32.
 * It holds from 2^-14 on; below, f16 has fewer bits, and a value moves by up to 2^-25, or by all of it where an adapter has no
 * subnormal f16.
 */
export const F16_PRODUCT = (1 + 2 ** -11) ** 2 - 1;

/**
 * `Staged`, what workgroup memory holds of a `value` of `lanes` components, and `staged`, which makes it. `half`: as f16, whose
 * range ends at 65504: larger values become that. Infinities and NaN stay what they are, so that a fault is still seen.
 */
export const staging = (half: boolean, lanes: 1 | 4) => {
  const of = (type: string) => (lanes === 1 ? type : `vec4<${type}>`);
  return half
    ? wgsl`alias Staged = ${of('f16')};
fn staged(value: ${of('f32')}) -> Staged {
  let size = bitcast<${of('u32')}>(value) & ${of('u32')}(0x7fffffffu);
  let beyond = (size > ${of('u32')}(bitcast<u32>(65504.0f))) & (size < ${of('u32')}(0x7f800000u));
  return Staged(select(value, sign(value) * 65504.0, beyond));
}`
    : wgsl`alias Staged = ${of('f32')};
fn staged(value: Staged) -> Staged { return value; }`;
};
