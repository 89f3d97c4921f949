// Pooling over windows of [N,H,W,C]. One invocation per output position and channel (or four channels): the forward
// passes gather from the window, the adjoints from the outputs whose windows hold the position.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkPixels } from './channels.wgsl.ts';

/**
 * `inputs(o, ...)`: first input of output o's window and one past its last, inside the image.
 * `outputs(i, ...)`: first output whose window holds input i, and one past the last.
 */
const fixedWindow = wgsl`
fn inputs(o: u32, size: u32, kernel: u32, stride: u32, pad: u32) -> vec2u {
  let first = i32(o * stride) - i32(pad);
  return vec2u(u32(max(first, 0)), min(u32(first + i32(kernel)), size));
}
// o stride - pad <= i <= o stride - pad + kernel - 1, solved for o.
fn outputs(i: u32, count: u32, kernel: u32, stride: u32, pad: u32) -> vec2u {
  let at = i + pad;
  return vec2u(select(0u, (at - kernel) / stride + 1u, at >= kernel), min(at / stride + 1u, count));
}
fn rowInputs(o: u32) -> vec2u { return inputs(o, p.h, p.kh, p.sh, p.ph); }
fn colInputs(o: u32) -> vec2u { return inputs(o, p.w, p.kw, p.sw, p.pw); }
fn rowOutputs(i: u32) -> vec2u { return outputs(i, p.oh, p.kh, p.sh, p.ph); }
fn colOutputs(i: u32) -> vec2u { return outputs(i, p.ow, p.kw, p.sw, p.pw); }
`;

const adaptiveWindow = wgsl`
// floor(o size / count) .. ceil((o + 1) size / count)
fn inputs(o: u32, size: u32, count: u32) -> vec2u {
  return vec2u(o * size / count, ((o + 1u) * size + count - 1u) / count);
}
// The same inequalities solved for o: floor(i count / size) .. ceil((i + 1) count / size).
fn outputs(i: u32, size: u32, count: u32) -> vec2u { return inputs(i, count, size); }
fn rowInputs(o: u32) -> vec2u { return inputs(o, p.h, p.oh); }
fn colInputs(o: u32) -> vec2u { return inputs(o, p.w, p.ow); }
fn rowOutputs(i: u32) -> vec2u { return outputs(i, p.h, p.oh); }
fn colOutputs(i: u32) -> vec2u { return outputs(i, p.w, p.ow); }
`;

/** y = greatest of the window, index = h W + w of the first that is as great. */
export const maxPool = (vector: boolean) => wgsl`
${lanes(vector)}
${fixedWindow}
${walkPixels(
  'p.oh',
  'p.ow',
  wgsl`
  let rows = rowInputs(row);
  let first = sample * p.h * p.w;
`,
  wgsl`
    let cols = colInputs(col);
    var best = x[(first + rows.x * p.w + cols.x) * width + c];
    var at = I(i32(rows.x * p.w + cols.x));
    for (var h = rows.x; h < rows.y; h++) {
      for (var w = cols.x; w < cols.y; w++) {
        let value = x[(first + h * p.w + w) * width + c];
        let better = value > best;
        best = select(best, value, better);
        at = select(at, I(i32(h * p.w + w)), better);
      }
    }
    y[k] = best;
    index[k] = at;
`,
)}
`;

/** dx = sum of g over the windows whose greatest value was here. */
export const maxPoolAdjoint = (vector: boolean) => wgsl`
${lanes(vector)}
${fixedWindow}
${walkPixels(
  'p.h',
  'p.w',
  wgsl`
  let rows = rowOutputs(row);
`,
  wgsl`
    let cols = colOutputs(col);
    let here = I(i32(row * p.w + col));
    var total = T();
    for (var o = rows.x; o < rows.y; o++) {
      for (var q = cols.x; q < cols.y; q++) {
        let at = ((sample * p.oh + o) * p.ow + q) * width + c;
        total += select(T(), g[at], index[at] == here);
      }
    }
    dx[k] = total;
`,
)}
`;

/** y = x where each window had its greatest value. */
export const maxPoolPick = () => wgsl`
${lanes(false)}
${walkPixels(
  'p.oh',
  'p.ow',
  '',
  wgsl`
    y[k] = x[(sample * p.h * p.w + u32(index[k])) * width + c];
`,
)}
`;

/** Values by which a window's sum is divided. */
const divisor = (adaptive: boolean) => wgsl`
#if ${adaptive}
fn divisor(rows: vec2u, cols: vec2u) -> f32 { return f32((rows.y - rows.x) * (cols.y - cols.x)); }
#else
fn divisor(rows: vec2u, cols: vec2u) -> f32 {
  return f32(select((rows.y - rows.x) * (cols.y - cols.x), p.kh * p.kw, p.includePad == 1u));
}
#endif
`;

/** y = mean of the window. */
export const averagePool = (adaptive: boolean, vector: boolean) => wgsl`
${lanes(vector)}
${adaptive ? adaptiveWindow : fixedWindow}
${divisor(adaptive)}
${walkPixels(
  'p.oh',
  'p.ow',
  wgsl`
  let rows = rowInputs(row);
`,
  wgsl`
    let cols = colInputs(col);
    var total = T();
    for (var h = rows.x; h < rows.y; h++) {
      var at = ((sample * p.h + h) * p.w + cols.x) * width + c;
      for (var w = cols.x; w < cols.y; w++) {
        total += x[at];
        at += width;
      }
    }
    y[k] = total / divisor(rows, cols);
`,
)}
`;

/** The mean of windows of two by two that do not overlap: no ranges, no divisor, no loop. */
export const averagePoolHalf = (vector: boolean) => wgsl`
${lanes(vector)}
${walkPixels(
  'p.oh',
  'p.ow',
  wgsl`
  let across = p.w * width;
  let top = 2u * line * across;
`,
  wgsl`
    let at = top + 2u * col * width + c;
    y[k] = (x[at] + x[at + width] + x[at + across] + x[at + across + width]) * 0.25;
`,
)}
`;

/** dx = sum of g / divisor over the windows that hold this position. */
export const averagePoolAdjoint = (adaptive: boolean, vector: boolean) => wgsl`
${lanes(vector)}
${adaptive ? adaptiveWindow : fixedWindow}
${divisor(adaptive)}
${walkPixels(
  'p.h',
  'p.w',
  wgsl`
  let rows = rowOutputs(row);
`,
  wgsl`
    let cols = colOutputs(col);
    var total = T();
    for (var o = rows.x; o < rows.y; o++) {
      let held = rowInputs(o);
      for (var q = cols.x; q < cols.y; q++) {
        total += g[((sample * p.oh + o) * p.ow + q) * width + c] / divisor(held, colInputs(q));
      }
    }
    dx[k] = total;
`,
)}
`;
