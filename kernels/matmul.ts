import * as shader from '../shaders/matmul.wgsl.ts';
import { groupsFor, type Kernel, type Variant } from '../src/gpu/kernel.ts';
import { blockForms } from './blocks.ts';

/** c [batch,m,n]; a and b are read at z * z-stride + row * row-stride + column * column-stride. */
export type MatmulParams = Record<
  'batch' | 'm' | 'n' | 'k' | 'az' | 'am' | 'ak' | 'bz' | 'bk' | 'bn',
  number
>;

const blocks = (p: MatmulParams, size: number) => p.batch * Math.ceil(p.m / size) * Math.ceil(p.n / size);

export const matmul: Kernel<MatmulParams> = {
  name: 'matmul',
  summary: 'batched matrix product of strided operands',
  formula: 'c[z,m,n] = sum_k a[z,m,k] b[z,k,n]',
  source: 'linear algebra',
  bindings: [
    { name: 'a', type: 'f32', access: 'read' },
    { name: 'b', type: 'f32', access: 'read' },
    { name: 'c', type: 'f32', access: 'write' },
  ],
  params: {
    batch: 'u32',
    m: 'u32',
    n: 'u32',
    k: 'u32',
    az: 'u32',
    am: 'u32',
    ak: 'u32',
    bz: 'u32',
    bk: 'u32',
    bn: 'u32',
  },
  variants: [
    ...blockForms('64x64 per workgroup through workgroup memory, 4x4 per invocation: for GPUs').map(
      ({ held, ...described }): Variant<MatmulParams> => ({
        ...described,
        applies: (p, adapter) => !adapter.software && p.m >= 32 && p.n >= 32,
        code: () => (typeof held === 'string' ? shader.tiles(held === 'f16') : shader.matrices(held)),
        workgroups: (p) => blocks(p, 64),
      }),
    ),
    {
      name: 'registers',
      summary: '8x8 per invocation, no barriers: for software adapters and small products',
      applies: (p) => p.k > 0,
      code: () => shader.registers(8, 8),
      workgroups: (p) => groupsFor(blocks(p, 8)),
    },
    {
      name: 'naive',
      summary: 'one value per invocation',
      applies: () => true,
      code: shader.naive,
      workgroups: (p) => groupsFor(p.batch * p.m * p.n),
    },
  ],
  cost: (p) => ({
    flops: 2 * p.batch * p.m * p.n * p.k,
    bytes:
      4 *
      (p.batch * p.m * p.n +
        Math.max(1, p.az && p.batch) * p.m * p.k +
        Math.max(1, p.bz && p.batch) * p.k * p.n),
  }),
  reference: (p, { a, b, c }) => {
    for (let z = 0; z < p.batch; z++) {
      for (let row = 0; row < p.m; row++) {
        for (let column = 0; column < p.n; column++) {
          let total = 0;
          for (let k = 0; k < p.k; k++) {
            total += a[z * p.az + row * p.am + k * p.ak] * b[z * p.bz + k * p.bk + column * p.bn];
          }
          c[(z * p.m + row) * p.n + column] = total;
        }
      }
    }
  },
};
