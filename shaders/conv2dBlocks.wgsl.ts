// The product of two blocks that a workgroup holds: the inner part of `tiles`, and of the same with subgroup matrices.
//
//   sums [rows, columns] += left [rows, 16] right [16, columns]
//
// By vectors, each invocation has 8 rows of `vectors` vectors of four columns. By matrices, a subgroup has 4 by `vectors` matrices of 8 by 8 or 16
// by 16 sums, each multiplied as one: on an NVIDIA GPU by its tensor cores. How the values of a matrix lie in the invocations is the adapter's
// affair; they come from workgroup memory, and go back there.
//
// Innermost arrays have an odd number of vectors, and lines of matrices an odd number of eight f16: neighbouring ones then begin in different
// banks (workgroup memory of an NVIDIA GPU has 32 banks of four bytes, CUDA C++ Programming Guide, "Shared Memory"). Matrices are
// loaded from addresses that are multiples of 16 bytes (SPV_KHR_cooperative_matrix, OpCooperativeMatrixLoadKHR, in Vulkan).
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { each } from './conv2d.wgsl.ts';
import { staging } from './f16.wgsl.ts';

/** How a block is divided. */
export interface TileForm {
  /** Invocations of a workgroup along the rows of a block, and along its columns. Powers of two. */
  down: number;
  across: number;
  /** Vectors of four columns per invocation. */
  vectors: number;
}

/** Subgroup matrices of `size` by `size` in subgroups of `lanes` invocations. */
export interface MatrixForm {
  size: 8 | 16;
  lanes: number;
}

/** Rows per invocation. */
export const ROWS = 8;
/** Steps of the inner sum that workgroup memory holds, in vectors of four. */
export const DEPTH = 4;

export const tileRows = (form: TileForm) => ROWS * form.down;
export const tileColumns = (form: TileForm) => 4 * form.vectors * form.across;

/** What a workgroup does with its blocks. `local` is the index of the invocation. */
export interface BlockProduct {
  /** Workgroup memory, and what the entry point needs besides. */
  memory: string;
  builtins: string;
  sums: string;
  /** Takes the `i`th vector that an invocation brings in of the left operand, and of the right. */
  left(i: number, value: string): string;
  right(i: number, value: string): string;
  multiply: string;
  /** Hands out the sums: of a row of the block, vectors of four columns. */
  results(use: (row: string, vectors: { column: string; value: string }[]) => string): string;
}

/**
 * What a vector of the left operand is. `steps`: of one row four steps of the inner sum; an invocation brings in every (down across / DEPTH)th row.
 * `rows`: of one step four rows; it brings in steps that follow one another.
 */
export type LeftVector = 'steps' | 'rows';

/** Vectors of rows per invocation. */
const QUADS = ROWS / 4;

/** Vectors of the left operand that an invocation brings in. */
export const leftVectors = ({ across }: TileForm, left: LeftVector) =>
  left === 'steps' ? (ROWS * DEPTH) / across : (4 * DEPTH * QUADS) / across;

/** Step of the inner sum of the `i`th vector that an invocation brings in of the right operand. */
const rightStep = ({ down, across, vectors }: TileForm, i: number) =>
  `(local / ${vectors * across}u + ${(i * down) / vectors}u)`;
/** Step of the `i`th of the left operand, where its vectors are rows. */
const leftStep = (form: TileForm, i: number) =>
  `(local / ${QUADS * form.down}u * ${leftVectors(form, 'rows')}u + ${i}u)`;

/**
 * By vectors. `left` has, for each four steps of the inner sum, the rows of the block: which of the `down` invocations takes them, and what it takes,
 * eight vectors. `right` likewise has columns: which of the `across` takes them, then steps and vectors. What an invocation reads in a
 * turn lies in one innermost array, at places known when the shader is written. With `half` all of it is f16.
 */
export function byVectors(form: TileForm, half: boolean, leftVector: LeftVector): BlockProduct {
  const { down, across, vectors } = form;
  const columns = (j: number) =>
    Array.from({ length: vectors }, (_, b) => ({ column: `tx + ${across * b}u`, value: `a${j}_${b}` }));
  const bySteps = leftVector === 'steps';
  return {
    memory: wgsl`
${staging(half, 4)}
var<workgroup> left: array<array<array<Staged, ${ROWS + 1}>, ${down}>, ${DEPTH}>;
var<workgroup> right: array<array<array<Staged, ${4 * vectors + 1}>, ${across}>, ${DEPTH}>;`,
    builtins: '',
    sums: `let tx = local % ${across}u;
  let ty = local / ${across}u;
  ${each(ROWS, (j) => each(vectors, (b) => `var a${j}_${b} = vec4f();`))}`,
    left: (i, value) =>
      bySteps
        ? `left[local % ${DEPTH}u][local / ${DEPTH}u % ${down}u][local / ${DEPTH * down}u + ${(i * across) / DEPTH}u] = staged(${value});`
        : `left[${leftStep(form, i)} / 4u][local % ${down}u][${leftStep(form, i)} % 4u * ${QUADS}u + local / ${down}u % ${QUADS}u] = staged(${value});`,
    right: (i, value) =>
      `right[${rightStep(form, i)} / 4u][local % ${across}u][${rightStep(form, i)} % 4u * ${vectors}u + local / ${across}u % ${vectors}u] = staged(${value});`,
    multiply: bySteps
      ? wgsl`
    for (var s = 0u; s < ${DEPTH}u; s++) {
      ${each(4 * vectors, (i) => `let r${i} = vec4f(right[s][tx][${i}]);`)}
      ${each(ROWS, (j) =>
        [
          `let l${j} = vec4f(left[s][ty][${j}]);`,
          each(4, (e) =>
            each(
              vectors,
              (b) => `a${j}_${b} = fma(vec4f(l${j}.${'xyzw'[e]}), r${e * vectors + b}, a${j}_${b});`,
            ),
          ),
        ].join('\n'),
      )}
    }`
      : wgsl`
    for (var s = 0u; s < ${DEPTH}u; s++) {
      ${each(4, (e) =>
        [
          each(vectors, (b) => `let r${e}_${b} = vec4f(right[s][tx][${e * vectors + b}]);`),
          each(QUADS, (j) =>
            [
              `let l${e}_${j} = vec4f(left[s][ty][${e * QUADS + j}]);`,
              each(4, (r) =>
                each(
                  vectors,
                  (b) =>
                    `a${4 * j + r}_${b} = fma(vec4f(l${e}_${j}.${'xyzw'[r]}), r${e}_${b}, a${4 * j + r}_${b});`,
                ),
              ),
            ].join('\n'),
          ),
        ].join('\n'),
      )}
    }`,
    results: (use) =>
      each(ROWS, (j) =>
        use(bySteps ? `ty + ${down * j}u` : `(ty + ${down * (j >> 2)}u) * 4u + ${j & 3}u`, columns(j)),
      ),
  };
}

/** Matrices of a subgroup, one below the other. */
const MATRICES_DOWN = 4;

/** By matrices of f16 whose sums are f32. `left` has lines of rows, or of steps where its vectors are rows. */
export function byMatrices(
  form: TileForm,
  { size, lanes }: MatrixForm,
  leftVector: LeftVector,
): BlockProduct {
  const { down, across, vectors } = form;
  const steps = 4 * DEPTH;
  const bySteps = leftVector === 'steps';
  const leftLine = (bySteps ? steps : tileRows(form)) + 8;
  const rightLine = tileColumns(form) + 8;
  const subgroups = (down * across) / lanes;
  const subgroupsAcross = tileColumns(form) / (vectors * size);
  const put = (array: string, at: string, value: string) => `{
    let at = ${at};
    let value = staged(${value});
    ${each(4, (e) => `${array}[at + ${e}u] = value.${'xyzw'[e]};`)}
  }`;
  const load = (side: 'left' | 'right', majorness: string, at: string, line: number) =>
    `subgroupMatrixLoad<subgroup_matrix_${side}<f16, ${size}, ${size}>, ${majorness}>(&${side}, ${at}, ${line}u)`;
  return {
    memory: wgsl`
${staging(true, 4)}
var<workgroup> left: array<f16, ${(bySteps ? tileRows(form) : steps) * leftLine}>;
var<workgroup> right: array<f16, ${steps * rightLine}>;
var<workgroup> results: array<f32, ${subgroups * size * size}>;`,
    builtins: `
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,`,
    sums: `let above = subgroup / ${subgroupsAcross}u * ${MATRICES_DOWN}u;
  let before = subgroup % ${subgroupsAcross}u * ${vectors}u;
  ${each(MATRICES_DOWN, (j) =>
    each(vectors, (b) => `var m${j}_${b}: subgroup_matrix_result<f32, ${size}, ${size}>;`),
  )}`,
    left: (i, value) =>
      put(
        'left',
        bySteps
          ? `(local / ${DEPTH}u + ${(i * down * across) / DEPTH}u) * ${leftLine}u + local % ${DEPTH}u * 4u`
          : `${leftStep(form, i)} * ${leftLine}u + local % ${QUADS * down}u * 4u`,
        value,
      ),
    right: (i, value) =>
      put('right', `${rightStep(form, i)} * ${rightLine}u + local % ${vectors * across}u * 4u`, value),
    multiply: each(steps / size, (s) =>
      [
        each(
          vectors,
          (b) =>
            `let r${s}_${b} = ${load('right', 'row_major', `${s * size * rightLine}u + (before + ${b}u) * ${size}u`, rightLine)};`,
        ),
        each(MATRICES_DOWN, (j) => {
          const row = `(above + ${j}u) * ${size}u`;
          const left = bySteps
            ? load('left', 'row_major', `${row} * ${leftLine}u + ${s * size}u`, leftLine)
            : load('left', 'col_major', `${s * size * leftLine}u + ${row}`, leftLine);
          return [
            `let l${s}_${j} = ${left};`,
            each(
              vectors,
              (b) => `m${j}_${b} = subgroupMatrixMultiplyAccumulate(l${s}_${j}, r${s}_${b}, m${j}_${b});`,
            ),
          ].join('\n');
        }),
      ].join('\n'),
    ),
    // A matrix of each subgroup at a time: all of them would not fit into the 16 KiB that every adapter has.
    results: (use) =>
      each(MATRICES_DOWN, (j) =>
        each(
          vectors,
          (b) => wgsl`
  subgroupMatrixStore<row_major>(&results, subgroup * ${size * size}u, m${j}_${b}, ${size}u);
  workgroupBarrier();
  for (var cell = lane; cell < ${(size * size) / 4}u; cell += ${lanes}u) {
    let at = subgroup * ${size * size}u + cell * 4u;
    let value = vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
    ${use(`(above + ${j}u) * ${size}u + cell / ${size / 4}u`, [
      { column: `(before + ${b}u) * ${size / 4}u + cell % ${size / 4}u`, value: 'value' },
    ])}
  }
  workgroupBarrier();`,
        ),
      ),
  };
}
