// Nearest and bilinear resizing of [N,H,W,C], and their adjoints. Source positions are fractions of whole numbers and
// stay so until the last division: forward and adjoint cannot disagree about which pixel an output reads.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkLines, walkPixels } from './channels.wgsl.ts';

/** y[o, q] = x[floor(o H / OH), floor(q W / OW)]. */
export const nearest = (vector: boolean) => wgsl`
${lanes(vector)}
${walkPixels(
  'p.oh',
  'p.ow',
  wgsl`
  let source = (sample * p.h + row * p.h / p.oh) * p.w;
`,
  wgsl`
    y[k] = x[(source + col * p.w / p.ow) * width + c];
`,
)}
`;

/** dx = sum of g over the outputs that read this pixel: floor(o H / OH) = h for o in ceil(h OH / H) .. ceil((h + 1) OH / H). */
export const nearestAdjoint = (vector: boolean) => wgsl`
${lanes(vector)}
fn outputs(i: u32, size: u32, count: u32) -> vec2u {
  return vec2u((i * count + size - 1u) / size, ((i + 1u) * count + size - 1u) / size);
}

${walkPixels(
  'p.h',
  'p.w',
  wgsl`
  let rows = outputs(row, p.h, p.oh);
`,
  wgsl`
    let cols = outputs(col, p.w, p.ow);
    var total = T();
    for (var o = rows.x; o < rows.y; o++) {
      var at = ((sample * p.oh + o) * p.ow + cols.x) * width + c;
      for (var q = cols.x; q < cols.y; q++) {
        total += g[at];
        at += width;
      }
    }
    dx[k] = total;
`,
)}
`;

// An input pixel and four channels at a time: one set of indices for the four output pixels it touches.
const double = (element: string) =>
  walkPixels(
    'p.h',
    'p.w',
    '',
    wgsl`
    let top = (line * 4u * p.w + col * 2u) * width + c;
    let bottom = top + 2u * p.w * width;
    ${element}
`,
  );

/** Nearest to twice the size: each input pixel is written to its four outputs. */
export const nearestDouble = () => wgsl`
${lanes(true)}
${double(wgsl`
    let value = x[k];
    y[top] = value;
    y[top + width] = value;
    y[bottom] = value;
    y[bottom + width] = value;
`)}
`;

/** Its adjoint: the sum of the four. */
export const nearestDoubleAdjoint = () => wgsl`
${lanes(true)}
${double(wgsl`
    dx[k] = g[top] + g[top + width] + g[bottom] + g[bottom + width];
`)}
`;

/**
 * Source positions along an axis: max(start + o step, 0) / unit, in inputs.
 * align_corners: o (size - 1) / (count - 1); else (o + 1/2) size / count - 1/2, not below 0.
 */
const scale = wgsl`
struct Scale { start: i32, step: i32, unit: i32 }
fn scaleOf(size: u32, count: u32) -> Scale {
  if (p.alignCorners == 1u) { return Scale(0, i32(size) - 1, max(i32(count) - 1, 1)); }
  return Scale(i32(size) - i32(count), 2 * i32(size), 2 * i32(count));
}
`;

/** Output o reads the inputs `at` and `next` with weights 1 - part and part. */
const source = wgsl`
${scale}
struct Source { at: u32, next: u32, part: f32 }
fn source(o: u32, size: u32, count: u32) -> Source {
  let s = scaleOf(size, count);
  let top = max(s.start + i32(o) * s.step, 0);
  let at = top / s.unit;
  return Source(u32(at), min(u32(at) + 1u, size - 1u), f32(top - at * s.unit) / f32(s.unit));
}
`;

/** y = bilinear mean of the four pixels around the source position. */
export const bilinear = (vector: boolean) => wgsl`
${lanes(vector)}
${source}
${walkPixels(
  'p.oh',
  'p.ow',
  wgsl`
  let v = source(row, p.h, p.oh);
  let top = (sample * p.h + v.at) * p.w;
  let bottom = (sample * p.h + v.next) * p.w;
`,
  wgsl`
    let u = source(col, p.w, p.ow);
    let left = u.at * width + c;
    let right = u.next * width + c;
    let a = (1.0 - u.part) * x[top * width + left] + u.part * x[top * width + right];
    let b = (1.0 - u.part) * x[bottom * width + left] + u.part * x[bottom * width + right];
    y[k] = (1.0 - v.part) * a + v.part * b;
`,
)}
`;

/** y[o, j, i] = (1 - part) x[o, at, i] + part x[o, next, i]: linear along the middle axis. */
export const linearAxis = (vector: boolean) => wgsl`
${lanes(vector)}
${source}
${walkLines(
  'p.outer * p.count',
  'p.inner / LANES',
  wgsl`
  let o = line / p.count;
  let j = source(line - o * p.count, p.size, p.count);
  let here = (o * p.size + j.at) * along;
  let next = (o * p.size + j.next) * along;
`,
  wgsl`
    y[k] = (1.0 - j.part) * x[here + place] + j.part * x[next + place];
`,
)}
`;

/**
 * dx[o, i, k] = sum over j of the weight of input i in output j, times g[o, j, k]. `first` and `last` bound the j whose
 * source lies within one input of i. The weight is the forward's own quotient: d / unit is its `part` where i is the
 * pixel before the source, (d + unit) / unit where i is the one after; both pass zero outside that range.
 */
export const linearAxisAdjoint = (vector: boolean) => wgsl`
${lanes(vector)}
${scale}
${walkLines(
  'p.outer * p.size',
  'p.inner / LANES',
  wgsl`
  let o = line / p.size;
  let i = i32(line - o * p.size);
  let s = scaleOf(p.size, p.count);
  let here = i * s.unit;
  // Sources from the last input on belong to it wholly.
  let isLast = i == i32(p.size) - 1;
  let step = max(s.step, 1);
  let first = max(here - s.unit - s.start, 0) / step;
  let last = select(min(max(here + s.unit - s.start, 0) / step + 1, i32(p.count)), i32(p.count), isLast);
  let top = (o * p.count + u32(first)) * along;
`,
  wgsl`
    var at = top + place;
    var total = T();
    for (var j = first; j < last; j++) {
      let d = max(s.start + j * s.step, 0) - here;
      let before = select(1.0 - f32(d) / f32(s.unit), 1.0, isLast);
      let weight = select(f32(d + s.unit) / f32(s.unit), before, d >= 0);
      total += max(weight, 0.0) * g[at];
      at += along;
    }
    dx[k] = total;
`,
)}
`;

/** Kernels that walk the input lines i of a resize to twice the size; outputs 2i and 2i + 1 begin at `top` and `bottom`. */
const doubleAxis = (vector: boolean, line: string, element: string) => wgsl`
${lanes(vector)}
${walkLines(
  'p.outer * p.size',
  'p.inner / LANES',
  wgsl`
  let i = line % p.size;
  let isFirst = i == 0u;
  let isLast = i == p.size - 1u;
  let top = 2u * line * along;
  let bottom = top + along;
  ${line}
`,
  element,
)}
`;

/**
 * `linearAxis` to twice the size: an input line and its neighbours make two output lines, y[2i] = x[i-1] / 4 + 3 x[i] / 4 and
 * y[2i+1] = 3 x[i] / 4 + x[i+1] / 4. The first source lies before the first input and is moved onto it.
 */
export const linearAxisDouble = (vector: boolean) =>
  doubleAxis(
    vector,
    wgsl`
  let before = (line - select(1u, 0u, isFirst)) * along;
  let after = (line + select(1u, 0u, isLast)) * along;
  let own = select(0.75, 1.0, isFirst);
  let other = select(0.25, 0.0, isFirst);
`,
    wgsl`
    let here = x[k];
    y[top + place] = other * x[before + place] + own * here;
    y[bottom + place] = 0.75 * here + 0.25 * x[after + place];
`,
  );

/** Its adjoint: dx[i] = g[2i-1] / 4 + 3 g[2i] / 4 + 3 g[2i+1] / 4 + g[2i+2] / 4, with whole weights at both ends. */
export const linearAxisDoubleAdjoint = (vector: boolean) =>
  doubleAxis(
    vector,
    wgsl`
  let before = top - select(along, 0u, isFirst);
  let after = bottom + select(along, 0u, isLast);
  let a = select(0.25, 0.0, isFirst);
  let b = select(0.75, 1.0, isFirst);
  let c = select(0.75, 1.0, isLast);
  let d = select(0.25, 0.0, isLast);
`,
    wgsl`
    dx[k] = a * g[before + place] + b * g[top + place] + c * g[bottom + place] + d * g[after + place];
`,
  );
