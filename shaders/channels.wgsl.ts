// Common to the kernels that give each invocation one position of [N, rows, cols, C] and one channel, or four.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** T is what an invocation holds of an f32 array, I of an i32 array; LANES channels each. */
export const lanes = (vector: boolean) => wgsl`
#if ${vector}
alias T = vec4f;
alias I = vec4i;
const LANES = 4u;
#else
alias T = f32;
alias I = i32;
const LANES = 1u;
#endif
`;

/**
 * Element k of an array [N, rows, cols, C]: its sample, row, col and c, with `width` elements to a pixel. Returns from
 * the shader past the last one. Remainders come from products, so that there are three divisions and no modulo.
 */
export const unpack = (rows: string, cols: string) => wgsl`
  let k = flat(gid, groups);
  let width = p.c / LANES;
  let pixel = k / width;
  let line = pixel / (${cols});
  let sample = line / (${rows});
  if (sample >= p.n) { return; }
  let c = k - pixel * width;
  let col = pixel - line * (${cols});
  let row = line - sample * (${rows});
`;
