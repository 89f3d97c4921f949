// Images and labels come from the host as bytes, four to a word: a quarter of what f32 or i32 would take on the way to a GPU. Shifts and
// masks take them apart: unpack4xU8 would do it, but not every browser has it.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkElements } from './channels.wgsl.ts';

/** y[i] of a piece of p.per values, its bytes from word p.words on for each piece: one value with one load; `value` is WGSL in `byte`. */
export const bytesNaive = (value: string) => wgsl`
${lanes(false)}

${walkElements(
  '',
  wgsl`
    let piece = i / p.per;
    let at = i - piece * p.per;
    let byte = (x[piece * p.words + at / 4u] >> (8u * (at % 4u))) & 255u;
    y[i] = ${value};
`,
)}
`;

/** Four neighbours of y are the bytes of one word. */
export const bytes4 = (value: string) => wgsl`
${lanes(true)}

${walkElements(
  '',
  wgsl`
    let byte = (vec4u(x[i]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
    y[i] = ${value};
`,
)}
`;
