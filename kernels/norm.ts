// Normalisation of x [N, S, C] over groups of values. A group is `width` neighbouring channels of one set; there are
// `sets` sets: 1 (all samples together: batch norm) or N (each sample alone: instance norm, group norm).
//
//   mean, variance over the m values of a group; rstd = (variance + eps)^(-1/2); xhat = (x - mean) rstd
//   y = gamma xhat + beta
//   dbeta = sum g;  dgamma = sum g xhat                      over everything but the channel
//   dx = rstd (gamma g - A - xhat B),  A = 1/m sum gamma g,  B = 1/m sum gamma g xhat     over the group
//
// A and B come from dy/dx through the mean and through the variance. Every sum runs in two passes: chunks of S, then
// the chunks of a group. Statistics are kept per channel, [sets, C], also where channels share them.
import { type Activation, activationCode } from '../shaders/activation.wgsl.ts';
import * as shader from '../shaders/norm.wgsl.ts';
import { type Binding, groupsFor, type Kernel, type Numbers, type Variant } from '../src/gpu/kernel.ts';
import { activationFlops, activations } from './activation.ts';
import { alongChannels } from './channels.ts';

export type NormParams = { n: number; s: number; c: number; chunk: number; sets: number; width: number };
export type NormMergeParams = NormParams & { eps: number };
export type NormApplyParams = { n: number; s: number; c: number; sets: number };

const normParams = { n: 'u32', s: 'u32', c: 'u32', chunk: 'u32', sets: 'u32', width: 'u32' } as const;
const applyParams = { n: 'u32', s: 'u32', c: 'u32', sets: 'u32' } as const;

const f32 = (access: Binding['access'], ...names: string[]): Binding[] =>
  names.map((name) => ({ name, type: 'f32', access }));

const source =
  'Ioffe and Szegedy 2015, Alg. 1; Wu and He 2018, Eq. 2; variance: Chan, Golub and LeVeque 1983';

/** Chunks of one sample. */
export const chunksOf = (p: NormParams): number => Math.ceil(p.s / p.chunk);
const groupsOf = (p: NormParams) => p.sets * (p.c / p.width);
const values = (p: { n: number; s: number; c: number }) => p.n * p.s * p.c;
const partials = (p: NormParams) => p.n * chunksOf(p) * p.c;
const statAt = (p: { sets: number; c: number }, sample: number, c: number) =>
  (p.sets > 1 ? sample : 0) * p.c + c;

/** Calls `visit` for every value of x with its flat index and the index of its chunk's partial result. */
function eachValue(
  p: NormParams,
  visit: (at: number, part: number, sample: number, c: number) => void,
): void {
  for (let sample = 0; sample < p.n; sample++) {
    for (let s = 0; s < p.s; s++) {
      for (let c = 0; c < p.c; c++) {
        const chunk = Math.floor(s / p.chunk);
        visit((sample * p.s + s) * p.c + c, (sample * chunksOf(p) + chunk) * p.c + c, sample, c);
      }
    }
  }
}

export const normPartials: Kernel<NormParams> = {
  name: 'normPartials',
  summary: 'mean and sum of squared deviations of every chunk of positions, per sample and channel',
  formula: 'mean = 1/k sum x, M2 = sum (x - mean)^2',
  source,
  bindings: [...f32('read', 'x'), ...f32('write', 'partMean', 'partM2')],
  params: normParams,
  variants: [
    {
      name: 'shifted',
      summary: 'four channels per invocation, one walk over values less the first of the chunk',
      applies: (p) => p.c % 4 === 0,
      vec4: ['x', 'partMean', 'partM2'],
      code: shader.partialsShifted,
      workgroups: (p) => groupsFor(partials(p) / 4),
    },
    {
      name: 'naive',
      summary: 'one channel per invocation, the mean first, then the deviations',
      applies: () => true,
      code: shader.partialsNaive,
      workgroups: (p) => groupsFor(partials(p)),
    },
  ],
  cost: (p) => ({ flops: 4 * values(p), bytes: 4 * (values(p) + 2 * partials(p)) }),
  reference: (p, { x, partMean, partM2 }) => {
    const size = (part: number) => {
      const chunk = Math.floor(part / p.c) % chunksOf(p);
      return Math.min(p.chunk, p.s - chunk * p.chunk);
    };
    partMean.fill(0);
    partM2.fill(0);
    eachValue(p, (at, part) => {
      partMean[part] += x[at] / size(part);
    });
    eachValue(p, (at, part) => {
      partM2[part] += (x[at] - partMean[part]) ** 2;
    });
  },
};

/** A walk per group; on GPUs, where 64 lanes wait no longer than one, a workgroup per group once it is long. */
const mergeVariants = <P extends NormParams>(walk: () => string, tree: () => string): Variant<P>[] => [
  {
    name: 'tree',
    summary: 'one workgroup per group, a tree in workgroup memory',
    applies: (p, adapter) => !adapter.software && (p.n / p.sets) * chunksOf(p) * p.width > 16,
    code: tree,
    workgroups: groupsOf,
  },
  {
    name: 'walk',
    summary: 'one invocation walks the partial results of a group; no barriers',
    applies: () => true,
    code: walk,
    workgroups: (p) => groupsFor(groupsOf(p)),
  },
];

const mergeOf = <P extends NormMergeParams>(
  running: boolean,
  params: Kernel<P>['params'],
  move: (p: P, c: number, mean: number, variance: number, b: Record<string, Numbers>) => void,
): Kernel<P> => ({
  name: running ? 'normMerge.running' : 'normMerge',
  summary: running
    ? "joins the chunks' statistics of every channel, and moves the running statistics of batch norm toward them"
    : "joins the chunks' statistics of every group, in a fixed order",
  formula: `M2 = M2a + M2b + (mean_b - mean_a)^2 ka kb / (ka + kb); rstd = (M2 / m + eps)^(-1/2)${running ? '; rm += momentum (mean - rm), rv += momentum (M2 / (m - 1) - rv)' : ''}`,
  source: running
    ? `${source}; torch.nn.BatchNorm2d: unbiased variance in the running estimate only`
    : source,
  bindings: [
    ...f32('read', 'partMean', 'partM2'),
    ...f32('write', 'mean', 'rstd'),
    ...(running ? f32('update', 'runningMean', 'runningVar') : []),
  ],
  params,
  variants: mergeVariants(
    () => shader.mergeWalk(running),
    () => shader.mergeTree(running),
  ),
  cost: (p) => ({
    flops: 10 * partials(p) + (running ? 7 * p.c : 0),
    bytes: 4 * (2 * partials(p) + (running ? 6 : 2) * p.sets * p.c),
  }),
  reference: (p, b) => {
    const { partMean, partM2, mean, rstd } = b;
    const m = (p.n / p.sets) * p.s * p.width;
    for (let set = 0; set < p.sets; set++) {
      for (let c = 0; c < p.c; c++) {
        const c0 = c - (c % p.width);
        const members: { size: number; at: number }[] = [];
        for (let sample = 0; sample < p.n; sample++) {
          if (p.sets > 1 && sample !== set) continue;
          for (let k = 0; k < chunksOf(p); k++) {
            for (let i = 0; i < p.width; i++) {
              members.push({
                size: Math.min(p.chunk, p.s - k * p.chunk),
                at: (sample * chunksOf(p) + k) * p.c + c0 + i,
              });
            }
          }
        }
        let average = 0;
        for (const { size, at } of members) average += (size * partMean[at]) / m;
        let m2 = 0;
        for (const { size, at } of members) m2 += partM2[at] + size * (partMean[at] - average) ** 2;
        mean[set * p.c + c] = average;
        rstd[set * p.c + c] = 1 / Math.sqrt(m2 / m + p.eps);
        move(p, c, average, m2 / m, b);
      }
    }
  },
});

/** `correction` is m / (m - 1) for m values per channel; sets and width are 1. */
export type NormRunningParams = NormMergeParams & { momentum: number; correction: number };

export const normMerge = {
  plain: mergeOf<NormMergeParams>(false, { ...normParams, eps: 'f32' }, () => {}),
  running: mergeOf<NormRunningParams>(
    true,
    { ...normParams, eps: 'f32', momentum: 'f32', correction: 'f32' },
    (p, c, mean, variance, { runningMean, runningVar }) => {
      runningMean[c] = (1 - p.momentum) * runningMean[c] + p.momentum * mean;
      runningVar[c] = (1 - p.momentum) * runningVar[c] + p.momentum * p.correction * variance;
    },
  ),
};

/** Rows that an invocation of an element-wise pass walks: more on a CPU adapter, where it costs more to begin. */
const [ROWS, SOFTWARE_ROWS] = [8, 16];

/** The variants of an element-wise pass over x, whose bindings all have the channels as their last axis. */
function alongRows(code: (vector: boolean) => string, vec4: string[]): Variant<NormApplyParams>[] {
  const walking = (rows: number) =>
    alongChannels<NormApplyParams>(
      code,
      vec4,
      (p) => p.c,
      (p) => p.n * Math.ceil(p.s / rows) * p.c,
    ).map((variant) => ({ ...variant, constants: () => ({ ROWS: rows }) }));
  const [run] = walking(SOFTWARE_ROWS);
  return [
    {
      ...run,
      name: 'vec4-run',
      summary: `four channels of ${SOFTWARE_ROWS} rows per invocation: for software adapters`,
      applies: (p, facts) => facts.software && run.applies(p, facts),
    },
    ...walking(ROWS),
  ];
}

const applyOf = (affine: boolean, activation?: Activation): Kernel<NormApplyParams> => {
  const perChannel = affine ? ['gamma', 'beta'] : [];
  const code = activation ? activationCode[activation] : 'z';
  const of = activation ? activations[activation] : (z: number) => z;
  const z = affine ? '(x - mean) rstd gamma + beta' : '(x - mean) rstd';
  return {
    name: activation ? `normApply.${activation}` : affine ? 'normApply.affine' : 'normApply',
    summary: activation
      ? `normalises with given statistics, then ${activation}`
      : 'normalises with given statistics',
    formula: activation ? `y = ${activation}(${z})` : `y = ${z}`,
    source,
    bindings: [...f32('read', 'x', 'mean', 'rstd', ...perChannel), ...f32('write', 'y')],
    params: applyParams,
    variants: alongRows(
      (vector) => shader.apply(affine, code, vector),
      ['x', 'mean', 'rstd', ...perChannel, 'y'],
    ),
    cost: (p) => ({
      flops: (3 + (activation ? activationFlops[activation] : 0)) * values(p),
      bytes: 8 * values(p),
    }),
    reference: (p, { x, mean, rstd, gamma, beta, y }) => {
      for (let at = 0; at < values(p); at++) {
        const c = at % p.c;
        const stat = statAt(p, Math.floor(at / (p.s * p.c)), c);
        const xhat = (x[at] - mean[stat]) * rstd[stat];
        y[at] = of(affine ? gamma[c] * xhat + beta[c] : xhat);
      }
    },
  };
};
export const normApply = {
  plain: applyOf(false),
  affine: applyOf(true),
  relu: applyOf(true, 'relu'),
  elu: applyOf(true, 'elu'),
};

export const normGradPartials: Kernel<NormParams> = {
  name: 'normGradPartials',
  summary: 'sums of g and of g xhat over every chunk of positions, per sample and channel',
  formula: 'G = sum g, GX = sum g (x - mean) rstd',
  source,
  bindings: [...f32('read', 'g', 'x', 'mean', 'rstd'), ...f32('write', 'partG', 'partGX')],
  params: normParams,
  variants: alongChannels(
    shader.gradPartials,
    ['g', 'x', 'mean', 'rstd', 'partG', 'partGX'],
    (p) => p.c,
    partials,
  ),
  cost: (p) => ({ flops: 4 * values(p), bytes: 4 * (2 * values(p) + 2 * partials(p)) }),
  reference: (p, { g, x, mean, rstd, partG, partGX }) => {
    partG.fill(0);
    partGX.fill(0);
    eachValue(p, (at, part, sample, c) => {
      const stat = statAt(p, sample, c);
      partG[part] += g[at];
      partGX[part] += g[at] * (x[at] - mean[stat]) * rstd[stat];
    });
  },
};

const gradMergeOf = (affine: boolean): Kernel<NormParams> => ({
  name: affine ? 'normGradMerge.affine' : 'normGradMerge',
  summary: "joins the chunks' sums per set and channel, and per group with gamma",
  formula: 'sumG = sum g, sumGX = sum g xhat, meanG = 1/m sum gamma g, meanGX = 1/m sum gamma g xhat',
  source,
  bindings: [
    ...f32('read', 'partG', 'partGX', ...(affine ? ['gamma'] : [])),
    ...f32('write', 'sumG', 'sumGX', 'meanG', 'meanGX'),
  ],
  params: normParams,
  variants: mergeVariants(
    () => shader.gradMergeWalk(affine),
    () => shader.gradMergeTree(affine),
  ),
  cost: (p) => ({ flops: 4 * partials(p), bytes: 4 * (2 * partials(p) + 4 * p.sets * p.c) }),
  reference: (p, { partG, partGX, gamma, sumG, sumGX, meanG, meanGX }) => {
    const m = (p.n / p.sets) * p.s * p.width;
    const all = p.sets * p.c;
    const add = (part: Numbers, sums: Numbers, means: Numbers) => {
      sums.fill(0, 0, all);
      means.fill(0, 0, all);
      for (let at = 0; at < partials(p); at++) {
        const c = at % p.c;
        const sample = Math.floor(at / (p.c * chunksOf(p)));
        sums[statAt(p, sample, c)] += part[at];
        for (let other = c - (c % p.width), i = 0; i < p.width; i++) {
          means[statAt(p, sample, other + i)] += ((affine ? gamma[c] : 1) * part[at]) / m;
        }
      }
    };
    add(partG, sumG, meanG);
    add(partGX, sumGX, meanGX);
  },
});
export const normGradMerge = { plain: gradMergeOf(false), affine: gradMergeOf(true) };

const gradInputOf = (affine: boolean): Kernel<NormApplyParams> => {
  const read = ['g', 'x', 'mean', 'rstd', 'meanG', 'meanGX', ...(affine ? ['gamma'] : [])];
  return {
    name: affine ? 'normGradInput.affine' : 'normGradInput',
    summary: 'gradient of a normalisation with respect to its input',
    formula: 'dx = rstd (gamma g - meanG - xhat meanGX)',
    source,
    bindings: [...f32('read', ...read), ...f32('write', 'dx')],
    params: applyParams,
    variants: alongRows((vector) => shader.gradInput(affine, vector), [...read, 'dx']),
    cost: (p) => ({ flops: 6 * values(p), bytes: 12 * values(p) }),
    reference: (p, { g, x, mean, rstd, meanG, meanGX, gamma, dx }) => {
      for (let at = 0; at < values(p); at++) {
        const c = at % p.c;
        const stat = statAt(p, Math.floor(at / (p.s * p.c)), c);
        const xhat = (x[at] - mean[stat]) * rstd[stat];
        dx[at] = rstd[stat] * ((affine ? gamma[c] : 1) * g[at] - meanG[stat] - xhat * meanGX[stat]);
      }
    },
  };
};
export const normGradInput = { plain: gradInputOf(false), affine: gradInputOf(true) };
