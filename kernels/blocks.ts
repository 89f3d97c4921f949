import type { MatrixForm } from '../shaders/conv2dBlocks.wgsl.ts';
import { F16_PRODUCT } from '../shaders/f16.wgsl.ts';
import { MATRICES, type Variant } from '../src/gpu/kernel.ts';

/** As what a workgroup holds the blocks that it multiplies. */
export type Held = 'f32' | 'f16' | MatrixForm;

/** `tiles` as they are described, with f16 in workgroup memory, and by subgroup matrices, which are f16 too. */
export const blockForms = (
  summary: string,
): (Pick<Variant<never>, 'name' | 'summary' | 'needs' | 'rounding'> & { held: Held })[] => [
  { name: 'tiles', summary, held: 'f32' },
  {
    name: 'tiles-f16',
    summary: 'the same with f16 in workgroup memory, f32 in all else: for GPUs, other bits',
    needs: 'f16',
    rounding: F16_PRODUCT,
    held: 'f16',
  },
  ...(['matrix16', 'matrix8'] as const).map((needs) => ({
    name: needs,
    summary: `the same by subgroup matrices of f16, sums in f32: for ${needs === 'matrix16' ? 'tensor cores' : 'llvmpipe'}, other bits`,
    needs,
    rounding: F16_PRODUCT,
    held: MATRICES[needs],
  })),
];
