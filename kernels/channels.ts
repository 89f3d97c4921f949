import { type AdapterFacts, groupsFor, type Params, type Variant } from '../src/gpu/kernel.ts';

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

/** Values that one invocation of `walkElements` computes on a CPU adapter. */
const ELEMENTS = 32;

/**
 * The variants of a kernel made by `walkElements`, over `n` values.
 * @param vec4 bindings that hold as many values, each by itself.
 */
export const alongElements = <P extends { n: number } & Params>(
  code: (vector: boolean, p: P) => string,
  vec4: readonly string[],
): Variant<P>[] =>
  [
    {
      name: 'vec4-run',
      run: ELEMENTS / 4,
      summary: `four values at a time, up to ${ELEMENTS} per invocation: for software adapters`,
    },
    { name: 'vec4', run: 1, summary: 'four values per invocation' },
    { name: 'scalar', run: 1, summary: 'one value per invocation, any number of them' },
  ].map(({ name, run, summary }) => {
    const vector = name !== 'scalar';
    return {
      name,
      summary,
      applies: ({ n }, { software }) => (run === 1 || software) && (!vector || n % 4 === 0),
      vec4: vector ? vec4 : [],
      code: (p) => code(vector, p),
      constants: () => ({ RUN: run }),
      workgroups: ({ n }) => groupsFor(Math.ceil(n / (vector ? 4 : 1) / run)),
    };
  });

/** Elements of a line that one invocation walks on a CPU adapter, where the divisions of a place cost more than it does. */
const RUN = 16;

/**
 * The variants of a kernel made by `walkLines`: four channels at a time or one, in runs along the lines or each by itself.
 * @param lines number of lines; the kernel computes `along(p)` values of each.
 */
export function alongLines<P extends Record<string, number>>(
  code: (vector: boolean) => string,
  vec4: readonly string[],
  channels: (p: P) => number,
  lines: (p: P) => number,
  along: (p: P) => number,
): Variant<P>[] {
  return [RUN, 1].flatMap((run) =>
    [true, false].map((vector) => ({
      name: `${vector ? 'vec4' : 'scalar'}${run > 1 ? '-run' : ''}`,
      summary:
        `${vector ? 'four channels at a time' : 'one channel at a time, any number of them'}, ` +
        `${run > 1 ? `up to ${run} neighbours per invocation: for software adapters` : 'one place per invocation'}`,
      applies: (p: P, { software }: AdapterFacts) =>
        (run === 1 || software) && (!vector || channels(p) % 4 === 0),
      vec4: vector ? vec4 : [],
      code: () => code(vector),
      constants: () => ({ RUN: run }),
      workgroups: (p: P) => groupsFor(lines(p) * Math.ceil(along(p) / (vector ? 4 : 1) / run)),
    })),
  );
}

/** The same for arrays [n, rows, cols, c]. */
export const alongPixels = <P extends { n: number; c: number } & Record<string, number>>(
  code: (vector: boolean) => string,
  vec4: readonly string[],
  rows: (p: P) => number,
  cols: (p: P) => number,
): Variant<P>[] =>
  alongLines(
    code,
    vec4,
    (p) => p.c,
    (p) => p.n * rows(p),
    (p) => cols(p) * p.c,
  );
