// Batched matrix product c[z,m,n] = sum over k of a[z,m,k] b[z,k,n]. Both operands are read through strides, so a
// transposed operand needs no copy.
//
// The ladder: `naive`, one value per invocation; `registers`, an 8x8 block per invocation, no barriers (sixteen loads for
// sixty-four multiply-adds); `tiles`, a 64x64 block per workgroup, whose operands pass through workgroup memory sixteen
// columns at a time, 4x4 values per invocation. With `half` workgroup memory holds f16 (f16.wgsl.ts). `matrices` multiplies the same blocks
// by subgroup matrices (conv2dBlocks.wgsl.ts says what these are), two side by side per subgroup.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { MatrixForm } from './conv2dBlocks.wgsl.ts';
import { staging } from './f16.wgsl.ts';

const each = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

export const naive = () => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  if (index >= p.batch * p.m * p.n) { return; }
  let column = index % p.n;
  let row = (index / p.n) % p.m;
  let z = index / (p.n * p.m);
  var total = 0.0;
  for (var k = 0u; k < p.k; k++) {
    total += a[z * p.az + row * p.am + k * p.ak] * b[z * p.bz + k * p.bk + column * p.bn];
  }
  c[index] = total;
}
`;

/** Addresses past the edge are clamped by the implementation; what they yield is never stored. */
export const registers = (rows: number, columns: number) => wgsl`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = flat(gid, groups);
  let across = (p.n + ${columns - 1}u) / ${columns}u;
  let down = (p.m + ${rows - 1}u) / ${rows}u;
  if (index >= p.batch * down * across) { return; }
  let column = (index % across) * ${columns}u;
  let row = ((index / across) % down) * ${rows}u;
  let z = index / (across * down);
  let size = p.k;
  let am = p.am;
  let ak = p.ak;
  let bk = p.bk;
  let bn = p.bn;
  var ai = z * p.az + row * am;
  var bi = z * p.bz + column * bn;
  ${each(rows, (r) => each(columns, (q) => `var c${r}_${q} = 0.0;`))}
  for (var k = 0u; k < size; k++) {
    ${each(columns, (q) => `let b${q} = b[bi + ${q}u * bn];`)}
    ${each(
      rows,
      (r) => `{
      let v = a[ai + ${r}u * am];
      ${each(columns, (q) => `c${r}_${q} += v * b${q};`)}
    }`,
    )}
    ai += ak;
    bi += bk;
  }
  let out = (z * p.m + row) * p.n + column;
  ${each(rows, (r) =>
    each(
      columns,
      (q) => `if (row + ${r}u < p.m && column + ${q}u < p.n) { c[out + ${r}u * p.n + ${q}u] = c${r}_${q}; }`,
    ),
  )}
}
`;

/** The block of c that a workgroup has, and how it brings in sixteen columns of a and rows of b. */
const block = `
  let across = (p.n + 63u) / 64u;
  let down = (p.m + 63u) / 64u;
  let index = group.x + group.y * groups.x;
  let column0 = (index % across) * 64u;
  let row0 = ((index / across) % down) * 64u;
  let z = index / (across * down);`;
const bringIn = (left: string, right: string) => `
    for (var s = local; s < 1024u; s += 256u) {
      let row = row0 + s / 16u;
      let ka = k0 + s % 16u;
      left[${left}] = staged(select(0.0, a[z * p.az + row * p.am + ka * p.ak], z < p.batch && row < p.m && ka < p.k));
      let kb = k0 + s / 64u;
      let column = column0 + s % 64u;
      right[${right}] = staged(select(0.0, b[z * p.bz + kb * p.bk + column * p.bn], z < p.batch && column < p.n && kb < p.k));
    }`;

export const tiles = (half: boolean) => wgsl`
${staging(half, 1)}
var<workgroup> left: array<Staged, 1024>;  // [64 rows][16]
var<workgroup> right: array<Staged, 1024>; // [16][64 columns]

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  ${block}
  let tx = (local % 16u) * 4u;
  let ty = (local / 16u) * 4u;
  ${each(4, (r) => `var c${r} = vec4f();`)}
  for (var k0 = 0u; k0 < p.k; k0 += 16u) {
    ${bringIn('s', 's')}
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let at = k * 64u + tx;
      let v = vec4f(f32(right[at]), f32(right[at + 1u]), f32(right[at + 2u]), f32(right[at + 3u]));
      ${each(4, (r) => `c${r} += f32(left[(ty + ${r}u) * 16u + k]) * v;`)}
    }
    workgroupBarrier();
  }
  if (z >= p.batch) { return; }
  ${each(
    4,
    (r) => `if (row0 + ty + ${r}u < p.m) {
    let out = (z * p.m + row0 + ty + ${r}u) * p.n + column0 + tx;
    for (var q = 0u; q < 4u; q++) {
      if (column0 + tx + q < p.n) { c[out + q] = c${r}[q]; }
    }
  }`,
  )}
}
`;

export const matrices = ({ size, lanes }: MatrixForm) => {
  const [leftLine, rightLine] = [16 + 8, 64 + 8];
  const cells = size * size;
  const operand = (side: string) => `subgroup_matrix_${side}<f16, ${size}, ${size}>`;
  return wgsl`
${staging(true, 1)}
var<workgroup> left: array<f16, ${64 * leftLine}>;
var<workgroup> right: array<f16, ${16 * rightLine}>;
var<workgroup> results: array<f32, ${(256 / lanes) * cells}>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${block}
  let above = subgroup / ${32 / size}u * ${size}u;
  let before = subgroup % ${32 / size}u * ${2 * size}u;
  ${each(2, (b) => `var m${b}: subgroup_matrix_result<f32, ${size}, ${size}>;`)}
  for (var k0 = 0u; k0 < p.k; k0 += 16u) {
    ${bringIn(`s / 16u * ${leftLine}u + s % 16u`, `s / 64u * ${rightLine}u + s % 64u`)}
    workgroupBarrier();
    ${each(
      16 / size,
      (s) => `{
      let l = subgroupMatrixLoad<${operand('left')}, row_major>(&left, above * ${leftLine}u + ${s * size}u, ${leftLine}u);
      ${each(
        2,
        (
          b,
        ) => `let r${b} = subgroupMatrixLoad<${operand('right')}, row_major>(&right, ${s * size * rightLine}u + before + ${b * size}u, ${rightLine}u);
      m${b} = subgroupMatrixMultiplyAccumulate(l, r${b}, m${b});`,
      )}
    }`,
    )}
    workgroupBarrier();
  }
  ${each(
    2,
    (b) => `subgroupMatrixStore<row_major>(&results, subgroup * ${cells}u, m${b}, ${size}u);
  workgroupBarrier();
  for (var cell = lane; cell < ${cells}u; cell += ${lanes}u) {
    let row = row0 + above + cell / ${size}u;
    let column = column0 + before + ${b * size}u + cell % ${size}u;
    if (z < p.batch && row < p.m && column < p.n) { c[(z * p.m + row) * p.n + column] = results[subgroup * ${cells}u + cell]; }
  }
  workgroupBarrier();`,
  )}
}
`;
};
