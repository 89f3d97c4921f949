// The one-second test of `warpmix doctor`: does this adapter compute what it should, bit tests included?
import { empty, launch, step, type Tensor, tensor } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { groupsFor, type Kernel } from '../gpu/kernel.ts';
import { add, affine } from '../ops/elementwise.ts';
import { matmul } from '../ops/matmul.ts';
import { sum } from '../ops/sum.ts';

// WGSL lets a compiler take NaN for impossible (gpuweb, "Finite Math Assumption"), and SwiftShader answers false to
// x != x for a NaN. Everything here that looks for NaN relies on its bits, so the bits have to arrive.
const nanBits: Kernel<{ n: number }> = {
  name: 'nanBits',
  summary: 'marks values that are no finite numbers',
  formula: 'y = [exponent bits of x all set]',
  source: 'IEEE 754',
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'u32', access: 'write' },
  ],
  params: { n: 'u32' },
  variants: [
    {
      name: 'scalar',
      summary: 'one element per invocation',
      applies: () => true,
      code: () => `@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat(gid, groups);
  if (i >= p.n) { return; }
  y[i] = select(0u, 1u, (bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u);
}`,
      workgroups: (p) => groupsFor(p.n),
    },
  ],
  cost: (p) => ({ flops: p.n, bytes: 8 * p.n }),
  reference: (p, { x, y }) => {
    for (let i = 0; i < p.n; i++) y[i] = Number.isFinite(x[i]) ? 0 : 1;
  },
};

export interface SelfTest {
  ok: boolean;
  /** Milliseconds, compilation included. */
  ms: number;
  parts: { name: string; ok: boolean; found: string }[];
}

/** Runs a few kernels whose results are known exactly, on the current device. */
export async function selfTest(gpu: Gpu): Promise<SelfTest> {
  const start = performance.now();
  const parts: SelfTest['parts'] = [];
  const expect = async (name: string, make: () => Tensor, wanted: readonly number[]) => {
    try {
      const made = step(make);
      const found = [...(await made.data())];
      made.dispose();
      const ok = found.length === wanted.length && found.every((v, i) => v === wanted[i]);
      parts.push({ name, ok, found: ok ? 'as expected' : `[${found}], expected [${wanted}]` });
    } catch (error) {
      parts.push({ name, ok: false, found: (error as Error).message });
    }
  };
  await expect(
    'elementwise',
    () => add(affine(tensor([1, 2, 3]), 2, 1), tensor([0.5, 0.25, -7])),
    [3.5, 5.25, 0],
  );
  const thousand = Array.from({ length: 1000 }, (_, i) => i + 1);
  await expect('reduction', () => sum(tensor(thousand)), [500500]);
  await expect(
    'matrix product',
    () => matmul(tensor([1, 2, 3, 4, 5, 6], [2, 3]), tensor([1, 0, -1, 2, 0.5, 1], [3, 2])),
    [0.5, 7, 2, 16],
  );
  await expect('NaN by its bits', () => {
    const x = tensor([Number.NaN, 1, Number.POSITIVE_INFINITY, 0]);
    const y = empty([4], 'u32');
    launch(nanBits, { n: 4 }, { x, y });
    return y;
  }, [1, 0, 1, 0]);
  await gpu.sync();
  return { ok: parts.every((part) => part.ok), ms: performance.now() - start, parts };
}
