// Edge-aware smoothness: first differences of the disparity, cheap where the image itself has an edge.
import * as shader from '../shaders/smoothness.wgsl.ts';
import { groupsFor, type Kernel, type Numbers } from '../src/gpu/kernel.ts';

const SOURCE = 'Monodepth2 layers.py, get_smooth_loss; Heise et al., ICCV 2013';

/** disp is [n,h,w,1], image [n,h,w,c]. */
export type SmoothnessParams = Record<'n' | 'h' | 'w' | 'c', number>;

const params = { n: 'u32', h: 'u32', w: 'u32', c: 'u32' } as const;
const pixels = (p: SmoothnessParams) => p.n * p.h * p.w;

/** Calls `visit` for every pair of neighbours: axis 0 along x, 1 along y; `pairs` counts those of the axis. */
function eachPair(
  p: SmoothnessParams,
  visit: (k: number, other: number, axis: 0 | 1, pairs: number) => void,
): void {
  for (let n = 0; n < p.n; n++) {
    for (let y = 0; y < p.h; y++) {
      for (let x = 0; x < p.w; x++) {
        const k = (n * p.h + y) * p.w + x;
        if (x + 1 < p.w) visit(k, k + 1, 0, p.n * p.h * (p.w - 1));
        if (y + 1 < p.h) visit(k, k + p.w, 1, p.n * (p.h - 1) * p.w);
      }
    }
  }
}

function edge(p: SmoothnessParams, image: Numbers, k: number, other: number): number {
  let total = 0;
  for (let c = 0; c < p.c; c++) total += Math.abs(image[k * p.c + c] - image[other * p.c + c]);
  return total / p.c;
}

export const smoothness: Kernel<SmoothnessParams> = {
  name: 'smoothness',
  summary: 'weighted absolute differences to the right and lower neighbour; their sum is the smoothness cost',
  formula:
    'cost = sum_axis e^(-mean_c |d I|) |d disp| / pairs of the axis; weights = e^(-mean_c |d I|) / pairs',
  source: SOURCE,
  bindings: [
    { name: 'disp', type: 'f32', access: 'read' },
    { name: 'image', type: 'f32', access: 'read' },
    { name: 'cost', type: 'f32', access: 'write' },
    { name: 'weights', type: 'f32', access: 'write' },
  ],
  params,
  variants: [
    {
      name: 'pixel',
      summary: 'one invocation per pixel',
      applies: () => true,
      code: shader.smoothness,
      workgroups: (p) => groupsFor(pixels(p)),
    },
  ],
  cost: (p) => ({ flops: pixels(p) * (6 * p.c + 30), bytes: 4 * pixels(p) * (p.c + 4) }),
  reference: (p, { disp, image, cost, weights }) => {
    cost.fill(0);
    weights.fill(0);
    eachPair(p, (k, other, axis, pairs) => {
      const weight = Math.exp(-edge(p, image, k, other)) / pairs;
      weights[2 * k + axis] = weight;
      cost[k] += weight * Math.abs(disp[k] - disp[other]);
    });
  },
};

export type SmoothnessGradParams = Record<'n' | 'h' | 'w', number>;

export const smoothnessGrad: Kernel<SmoothnessGradParams> = {
  name: 'smoothnessGrad',
  summary: 'gradient of the smoothness cost to the disparity, gathered over four neighbours',
  formula: 'dDisp[k] = sum over pairs (a, b) that hold k of +-g[a] weight sign(disp[b] - disp[a])',
  source: SOURCE,
  bindings: [
    { name: 'disp', type: 'f32', access: 'read' },
    { name: 'weights', type: 'f32', access: 'read' },
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dDisp', type: 'f32', access: 'write' },
  ],
  params: { n: 'u32', h: 'u32', w: 'u32' },
  variants: [
    {
      name: 'pixel',
      summary: 'one invocation per pixel',
      applies: () => true,
      code: shader.smoothnessGrad,
      workgroups: (p) => groupsFor(p.n * p.h * p.w),
    },
  ],
  cost: (p) => ({ flops: 20 * p.n * p.h * p.w, bytes: 20 * p.n * p.h * p.w }),
  reference: (p, { disp, weights, g, dDisp }) => {
    dDisp.fill(0);
    eachPair({ ...p, c: 0 }, (k, other, axis) => {
      const slope = g[k] * weights[2 * k + axis] * Math.sign(disp[other] - disp[k]);
      dDisp[k] -= slope;
      dDisp[other] += slope;
    });
  },
};
