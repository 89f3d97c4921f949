import type { Kernel } from '../src/gpu/kernel.ts';

interface PeakParams extends Record<string, number> {
  turns: number;
  /** Workgroups. */
  groups: number;
}

/** Multiply-adds with nothing to load: `accumulators` independent chains, `unrolled` times in the body of a loop. */
export function multiplyAdds(
  name: string,
  accumulators: number,
  unrolled: number,
  vector: boolean,
): Kernel<PeakParams> {
  const each = (line: (i: number) => string) =>
    Array.from({ length: accumulators }, (_, i) => line(i)).join(' ');
  const type = vector ? 'vec4f' : 'f32';
  return {
    name,
    summary: 'independent chains of multiply-adds in registers',
    formula: 'c_i = c_i a + b',
    source: 'microbenchmark',
    bindings: [{ name: 'y', type: 'f32', access: 'write' }],
    params: { turns: 'u32', groups: 'u32' },
    variants: [
      {
        name: 'chains',
        summary: `${accumulators} accumulators of ${type}, ${unrolled} times unrolled`,
        applies: () => true,
        code: () => `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat(gid, groups);
  let a = ${type}(1.0 + f32(p.turns) * 1e-9);
  let b = ${type}(f32(i) * 1e-9);
  let turns = p.turns;
  ${each((k) => `var c${k} = b + ${type}(${k}.0);`)}
  for (var t = 0u; t < turns; t++) {
    ${Array.from({ length: unrolled }, () => each((k) => `c${k} = fma(c${k}, a, b);`)).join('\n    ')}
  }
  let total = ${each((k) => `c${k} ${k < accumulators - 1 ? '+' : ''}`)};
  y[i] = ${vector ? 'total.x + total.y + total.z + total.w' : 'total'};
}`,
        workgroups: (p) => p.groups,
      },
    ],
    cost: (p) => ({
      flops: 2 * p.turns * unrolled * accumulators * (vector ? 4 : 1) * p.groups * 64,
      bytes: 4 * p.groups * 64,
    }),
    reference: () => {},
  };
}

/** Workgroups of `multiplyAdds`: on a GPU more than it can hold at once, so that none of its processors waits for the others. */
export const PEAK_GROUPS = { software: 256, gpu: 8192 };

/**
 * Candidates for the adapter's peak; the best counts. GPUs want vectors and many chains; on SwiftShader the turn of a loop
 * costs as much as ten multiply-adds per carried value, so the unrolled ones win by far.
 */
export const peakCandidates = [
  multiplyAdds('rolled, 8 vec4', 8, 1, true),
  multiplyAdds('unrolled, 12 scalars', 12, 8, false),
  multiplyAdds('unrolled, 4 vec4', 4, 8, true),
  multiplyAdds('unrolled, 8 vec4', 8, 8, true),
];
