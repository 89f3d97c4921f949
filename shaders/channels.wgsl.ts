// Common to the kernels that compute one channel at a time, or four, of an array whose channels are its last axis.
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
 * A kernel that computes the p.n values of an array, elements i of LANES values each by themselves: `once` is run once, `element` for
 * each i. An invocation walks RUN neighbours, so that what a CPU adapter does once for an invocation and for an array is done once
 * for all of them.
 */
export const walkElements = (once: string, element: string) => wgsl`
override RUN: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  // A uniform is loaded anew wherever it is named.
  let p = p;
  let begin = flat(gid, groups) * RUN;
  let end = min(begin + RUN, p.n / LANES);
  ${once}
  for (var i = begin; i < end; i++) {
    ${element}
  }
}
`;

/**
 * A kernel that computes the elements k of an array of `lines`, each of `along` elements: `line` is run once, `element` for
 * each k, whose place in its line is `place`. An invocation walks up to RUN neighbours, spread evenly over the line, so that the
 * divisions, which a CPU adapter makes lane by lane, are made once for all of them.
 */
export const walkLines = (lines: string, along: string, line: string, element: string) => wgsl`
override RUN: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let along = ${along};
  let runs = (along + RUN - 1u) / RUN;
  let length = (along + runs - 1u) / runs;
  let turn = flat(gid, groups);
  let line = turn / runs;
  if (line >= ${lines}) { return; }
  let begin = (turn - line * runs) * length;
  let end = min(begin + length, along);
  ${line}
  var k = line * along + begin;
  for (var place = begin; place < end; place++) {
    ${element}
    k += 1u;
  }
}
`;

/**
 * The same for an array [N, rows, cols, C] with `width` elements to a pixel: `line` sees `sample` and `row`, `element` also
 * `col` and `c`.
 */
export const walkPixels = (rows: string, cols: string, line: string, element: string) =>
  walkLines(
    `p.n * (${rows})`,
    `(${cols}) * (p.c / LANES)`,
    wgsl`
  let width = p.c / LANES;
  let sample = line / (${rows});
  let row = line - sample * (${rows});
  var col = begin / width;
  var c = begin - col * width;
  ${line}
`,
    wgsl`
    ${element}
    c += 1u;
    let past = c == width;
    c = select(c, 0u, past);
    col += select(0u, 1u, past);
`,
  );
