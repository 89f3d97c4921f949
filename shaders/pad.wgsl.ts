// Reflection padding of [N,H,W,C] along H and W, and its adjoint. Zero padding is a movement kernel.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkPixels } from './channels.wgsl.ts';

/** y[o, q] = x[mirror(o - pad), mirror(q - pad)]; the border pixel itself is not repeated. */
export const reflect = (vector: boolean) => wgsl`
${lanes(vector)}
fn mirror(o: u32, size: u32) -> u32 {
  let i = abs(i32(o) - i32(p.pad));
  let last = i32(size) - 1;
  return u32(last - abs(last - i));
}

${walkPixels(
  'p.h + 2u * p.pad',
  'p.w + 2u * p.pad',
  wgsl`
  let source = (sample * p.h + mirror(row, p.h)) * p.w;
`,
  wgsl`
    y[k] = x[(source + mirror(col, p.w)) * width + c];
`,
)}
`;

/** dx = sum of g over the pixel's copy and its mirror images, at most one beyond each border. */
export const reflectAdjoint = (vector: boolean) => wgsl`
${lanes(vector)}
// Copies of pixel i: its own, then the one before the first pixel, then the one past the last, where there are such.
fn before(i: u32) -> bool { return i > 0u && i <= p.pad; }
fn past(i: u32, size: u32) -> bool { return i + 1u < size && i + 1u + p.pad >= size; }
fn copies(i: u32, size: u32) -> u32 { return 1u + select(0u, 1u, before(i)) + select(0u, 1u, past(i, size)); }
fn copy(i: u32, size: u32, which: u32) -> u32 {
  let mirrored = select(p.pad + 2u * (size - 1u) - i, p.pad - i, which == 1u && before(i));
  return select(mirrored, p.pad + i, which == 0u);
}

${walkPixels(
  'p.h',
  'p.w',
  wgsl`
  let across = p.w + 2u * p.pad;
  let base = sample * (p.h + 2u * p.pad);
  let here = (base + row + p.pad) * across + p.pad;
  let rows = copies(row, p.h);
`,
  wgsl`
    var total = g[(here + col) * width + c];
    // Away from the borders a pixel has its own copy only, and this loop no turns.
    let cols = copies(col, p.w);
    let all = rows * cols;
    for (var i = 1u; i < all; i++) {
      let r = i / cols;
      total += g[((base + copy(row, p.h, r)) * across + copy(col, p.w, i - r * cols)) * width + c];
    }
    dx[k] = total;
`,
)}
`;
