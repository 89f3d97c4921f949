// Lines of few neighbouring values through workgroup memory, for GPUs: where an invocation has a line of its own, such as the 19 scores of
// a pixel, neighbours read addresses 76 bytes apart, and every read of 32 of them touches 19 lines of the cache in place of one. So the
// 64 lines of a workgroup are brought in, and taken out, by neighbours side by side, and walked in workgroup memory.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** Values of a line, of all arrays together, for which 64 lines find room in 16 KiB of workgroup memory, which every adapter has. */
export const ROOM = 64;

/** Values from one line to the next: odd, so that they begin in different banks. */
export const pitch = (count: number) => count | 1;

/** The room of 64 lines of `count` values. */
export const room = (name: string, count: number) =>
  `var<workgroup> ${name}: array<f32, ${64 * pitch(count)}>;`;

/** Where value `c` of this invocation's line is. */
export const heldAt = (count: number, c: string | number) => `lane * ${pitch(count)}u + ${c}`;

/** Where value i of all lines in a row is. */
const moved = (count: number) => (pitch(count) === count ? 'i' : `i + i / ${count}u`);

/** Entry point of a workgroup that has the lines from `first` on; `lane` is the invocation. */
export const stagedEntry = `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 64u;
`;

/** Fills a room from an array of lines of `count` values; beyond the end of the array with what WGSL gives there, which nobody looks at. */
export const bringIn = (name: string, array: string, count: number) => wgsl`
  for (var i = lane; i < ${64 * count}u; i += 64u) { ${name}[${moved(count)}] = ${array}[first * ${count}u + i]; }`;

/** Empties a room into an array of `lines` lines. */
export const takeOut = (name: string, array: string, count: number, lines: string) => wgsl`
  let held_values = min(64u, ${lines} - min(first, ${lines})) * ${count}u;
  for (var i = lane; i < held_values; i += 64u) { ${array}[first * ${count}u + i] = ${name}[${moved(count)}]; }`;
