// Lines of few neighbouring values through workgroup memory, for GPUs: where an invocation has a line of its own, such as the 19 scores of
// a pixel, neighbours read addresses 76 bytes apart, and every read of 32 of them touches 19 lines of the cache in place of one. So the
// 64 lines of a workgroup are brought in, and taken out, by neighbours side by side, and walked in workgroup memory.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** The room of 64 lines. An odd number of values apart they begin in different banks. */
export const room = (name: string, count: number) =>
  `var<workgroup> ${name}: array<array<f32, ${count | 1}>, 64>;`;

/** Entry point of a workgroup that has the lines from `first` on; `lane` is the invocation. */
export const stagedEntry = `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 64u;
`;

/** Fills a room from an array of `lines` lines of `count` values; beyond its end with what lies there. */
export const bringIn = (name: string, array: string, count: number, lines: string) => wgsl`
  for (var i = lane; i < ${64 * count}u; i += 64u) {
    ${name}[i / ${count}u][i % ${count}u] = ${array}[min(first * ${count}u + i, ${lines} * ${count}u - 1u)];
  }`;

/** Empties a room into an array. */
export const takeOut = (name: string, array: string, count: number, lines: string) => wgsl`
  for (var i = lane; i < min(64u, ${lines} - first) * ${count}u; i += 64u) {
    ${array}[first * ${count}u + i] = ${name}[i / ${count}u][i % ${count}u];
  }`;
