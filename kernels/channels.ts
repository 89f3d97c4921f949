import { groupsFor, type Variant } from '../src/gpu/kernel.ts';

/**
 * The two variants of a kernel whose invocations have no neighbours: four channels of a position each, or one.
 * @param vec4 bindings that the first variant sees as vec4; their innermost axis is `channels(p)` long.
 * @param invocations number of invocations with one channel each; a multiple of `channels(p)`.
 */
export function alongChannels<P extends Record<string, number>>(
  code: (vector: boolean) => string,
  vec4: readonly string[],
  channels: (p: P) => number,
  invocations: (p: P) => number,
): Variant<P>[] {
  return [
    {
      name: 'vec4',
      summary: 'four channels per invocation: a quarter of the index arithmetic and of the loads',
      applies: (p) => channels(p) % 4 === 0,
      vec4,
      code: () => code(true),
      workgroups: (p) => groupsFor(invocations(p) / 4),
    },
    {
      name: 'scalar',
      summary: 'one channel per invocation, any number of channels',
      applies: () => true,
      code: () => code(false),
      workgroups: (p) => groupsFor(invocations(p)),
    },
  ];
}
