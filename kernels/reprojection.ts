// The photometric term of self-supervised depth. Views are image-minor: view s of image i is entry s n + i.
//   x' = D H (x, y, 1) + h,  (H | h) = K (R K^-1 | t),  D = 1 / (least + slope d)          (`pixelProjection`)
//   warped_s(x, y) = bilinear sample of source s at (x'_1, x'_2) / (x'_3 + 1e-7), border repeated
//   error = min over s of alpha mean_c ssimError + (1 - alpha) mean_c |warped_s - image|, and of a bound
// The ladder: the same from single kernels (projectGrid, gridSample, photometric, argmin and others) takes 42 launches for two
// views, forward and backward; here it is 13. Gradients are gathers; that to the projection is a sum in two passes.
import * as shader from '../shaders/reprojection.wgsl.ts';
import { groupsFor, type Kernel, type Numbers } from '../src/gpu/kernel.ts';
import { coefficientsAt, errorAt, inRuns, windowOf } from './ssim.ts';

const SOURCE = 'Monodepth2 layers.py and trainer.py (Godard et al., ICCV 2019)';

/** intrinsics and inverseK [n,3,3], pose [views n,4,4], projection [views n,3,4]. */
export type ProjectionParams = Record<'n' | 'views', number>;

const four = (p: ProjectionParams, j: number, inverseK: Numbers, view: number, m: number) =>
  // Entry (m, j) of diag(K^-1, 1).
  j < 3 && m < 3 ? inverseK[9 * (view % p.n) + 3 * m + j] : j === m ? 1 : 0;

/** Calls `visit` with every product term of K T[0:3] diag(K^-1, 1): its places in projection and pose, and its factor. */
function eachTerm(
  p: ProjectionParams,
  intrinsics: Numbers,
  inverseK: Numbers,
  visit: (projection: number, pose: number, factor: number) => void,
): void {
  for (let view = 0; view < p.views * p.n; view++) {
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 4; j++) {
        for (let a = 0; a < 3; a++) {
          for (let b = 0; b < 4; b++) {
            const factor = intrinsics[9 * (view % p.n) + 3 * i + a] * four(p, j, inverseK, view, b);
            visit(12 * view + 4 * i + j, 16 * view + 4 * a + b, factor);
          }
        }
      }
    }
  }
}

export const pixelProjection: Kernel<ProjectionParams> = {
  name: 'pixelProjection',
  summary: 'what takes a pixel and its depth to pixels of another view',
  formula: 'projection = K T[0:3] diag(K^-1, 1)',
  source: SOURCE,
  bindings: [
    { name: 'intrinsics', type: 'f32', access: 'read' },
    { name: 'inverseK', type: 'f32', access: 'read' },
    { name: 'pose', type: 'f32', access: 'read' },
    { name: 'projection', type: 'f32', access: 'write' },
  ],
  params: { n: 'u32', views: 'u32' },
  variants: [
    {
      name: 'value',
      summary: 'one invocation per value',
      applies: () => true,
      code: shader.pixelProjection,
      workgroups: (p) => groupsFor(12 * p.views * p.n),
    },
  ],
  cost: (p) => ({ flops: 252 * p.views * p.n, bytes: 4 * p.n * (18 + 28 * p.views) }),
  reference: (p, { intrinsics, inverseK, pose, projection }) => {
    projection.fill(0);
    eachTerm(p, intrinsics, inverseK, (to, from, factor) => {
      projection[to] += factor * pose[from];
    });
  },
};

export const pixelProjectionGrad: Kernel<ProjectionParams> = {
  name: 'pixelProjectionGrad',
  summary: 'gradient of pixelProjection to the transform',
  formula: 'dT[0:3] = K^T g diag(K^-1, 1)^T, dT[3] = 0',
  source: SOURCE,
  bindings: [
    { name: 'intrinsics', type: 'f32', access: 'read' },
    { name: 'inverseK', type: 'f32', access: 'read' },
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dPose', type: 'f32', access: 'write' },
  ],
  params: { n: 'u32', views: 'u32' },
  variants: [
    {
      name: 'value',
      summary: 'one invocation per value',
      applies: () => true,
      code: shader.pixelProjectionGrad,
      workgroups: (p) => groupsFor(16 * p.views * p.n),
    },
  ],
  cost: (p) => ({ flops: 252 * p.views * p.n, bytes: 4 * p.n * (18 + 28 * p.views) }),
  reference: (p, { intrinsics, inverseK, g, dPose }) => {
    dPose.fill(0);
    eachTerm(p, intrinsics, inverseK, (from, to, factor) => {
      dPose[to] += factor * g[from];
    });
  },
};

/** sources and warped [views n,h,w,c], disparity [n,h,w,1], projection [views n,3,4]; depth is 1 / (least + slope d). */
export type SynthesisParams = Record<'n' | 'h' | 'w' | 'c' | 'views' | 'slope' | 'least', number>;

const synthesisParams = {
  n: 'u32',
  h: 'u32',
  w: 'u32',
  c: 'u32',
  views: 'u32',
  slope: 'f32',
  least: 'f32',
} as const;

const TINY = 1e-7;

const pixels = (p: { n: number; h: number; w: number }) => p.n * p.h * p.w;

/** A pixel's place in a view, before the border is repeated, and what its gradient needs. */
interface Landing {
  /** Pixel of the disparity map, and of the warped view. */
  from: number;
  to: number;
  view: number;
  pixel: [number, number];
  depth: number;
  ray: number[];
  z: number;
  u: number;
  v: number;
}

function eachLanding(
  p: SynthesisParams,
  disparity: Numbers,
  projection: Numbers,
  visit: (one: Landing) => void,
): void {
  for (let view = 0; view < p.views * p.n; view++) {
    for (let y = 0; y < p.h; y++) {
      for (let x = 0; x < p.w; x++) {
        const from = ((view % p.n) * p.h + y) * p.w + x;
        const depth = 1 / (p.least + p.slope * disparity[from]);
        const row = (i: number) => projection.subarray(12 * view + 4 * i, 12 * view + 4 * i + 4);
        const ray = [0, 1, 2].map((i) => row(i)[0] * x + row(i)[1] * y + row(i)[2]);
        const [a, b, c] = ray.map((r, i) => depth * r + row(i)[3]);
        const z = 1 / (c + TINY);
        const to = (view * p.h + y) * p.w + x;
        visit({ from, to, view, pixel: [x, y], depth, ray, z, u: a * z, v: b * z });
      }
    }
  }
}

/** The four pixels of a view around (u, v), and their weights and the slopes of these along u and v. */
function taps(p: SynthesisParams, view: number, u: number, v: number) {
  const axis = (at: number, size: number) => {
    const inside = Math.min(Math.max(at, 0), size - 1);
    const low = Math.min(Math.floor(inside), size - 1);
    const slope = at > 0 && at < size - 1 ? 1 : 0;
    return [
      { at: low, weight: 1 - (inside - low), slope: -slope },
      { at: Math.min(low + 1, size - 1), weight: inside - low, slope },
    ];
  };
  return axis(v, p.h).flatMap((row) =>
    axis(u, p.w).map((column) => ({
      at: (view * p.h + row.at) * p.w + column.at,
      weight: row.weight * column.weight,
      alongU: row.weight * column.slope,
      alongV: row.slope * column.weight,
    })),
  );
}

export const viewSynthesis: Kernel<SynthesisParams> = {
  name: 'viewSynthesis',
  summary: 'views warped through one disparity map: depth, back-projection, projection and sampling in one',
  formula:
    'D = 1 / (least + slope d); q = D H (x, y, 1) + h; warped = sample(source, q_1 / (q_3 + 1e-7), q_2 / (q_3 + 1e-7))',
  source: SOURCE,
  bindings: [
    { name: 'sources', type: 'f32', access: 'read' },
    { name: 'disparity', type: 'f32', access: 'read' },
    { name: 'projection', type: 'f32', access: 'read' },
    { name: 'warped', type: 'f32', access: 'write' },
  ],
  params: synthesisParams,
  variants: inRuns(
    (direction, p) => shader.viewSynthesis(direction, p.c),
    ['projection'],
    (p) => p.views * p.n,
  ),
  cost: (p) => ({
    flops: p.views * pixels(p) * (40 + 9 * p.c),
    bytes: 4 * pixels(p) * (1 + 2 * p.views * p.c),
  }),
  reference: (p, { sources, disparity, projection, warped }) => {
    warped.fill(0);
    eachLanding(p, disparity, projection, ({ to, view, u, v }) => {
      for (const { at, weight } of taps(p, view, u, v)) {
        for (let c = 0; c < p.c; c++) warped[to * p.c + c] += weight * sources[at * p.c + c];
      }
    });
  },
};

/** `rows` pixels of a column go into one partial result. */
export type SynthesisGradParams = SynthesisParams & { rows: number };

/** Partial results of one view. */
export const partialsOf = (p: { h: number; w: number; rows: number }) => Math.ceil(p.h / p.rows) * p.w;

export const viewSynthesisGrad: Kernel<SynthesisGradParams> = {
  name: 'viewSynthesisGrad',
  summary:
    'gradient of viewSynthesis to the disparity, and first pass of that to the projection: twelve sums per partial',
  formula:
    'dq = (du z, dv z, -(du z u + dv z v)), (du, dv) = sum_c g d sample; dd = -slope D^2 sum_s dq . H (x, y, 1); d(H | h) = sum dq (D x, D y, D, 1)',
  source: SOURCE,
  bindings: [
    { name: 'sources', type: 'f32', access: 'read' },
    { name: 'disparity', type: 'f32', access: 'read' },
    { name: 'projection', type: 'f32', access: 'read' },
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dDisparity', type: 'f32', access: 'write' },
    { name: 'partial', type: 'f32', access: 'write' },
  ],
  params: { ...synthesisParams, rows: 'u32' },
  variants: [
    {
      name: 'walk',
      summary: 'one invocation walks down part of a column, in every view, with the twelve sums in registers',
      applies: () => true,
      vec4: ['projection', 'partial'],
      code: (p) => shader.viewSynthesisGrad(p.c),
      workgroups: (p) => groupsFor(p.n * partialsOf(p)),
    },
  ],
  cost: (p) => ({
    flops: p.views * pixels(p) * (90 + 14 * p.c),
    bytes: 4 * pixels(p) * (2 + 2 * p.views * p.c) + 48 * p.views * p.n * partialsOf(p),
  }),
  reference: (p, { sources, disparity, projection, g, dDisparity, partial }) => {
    dDisparity.fill(0);
    partial.fill(0);
    eachLanding(p, disparity, projection, ({ from, to, view, pixel: [x, y], depth, ray, z, u, v }) => {
      let [du, dv] = [0, 0];
      for (const { at, alongU, alongV } of taps(p, view, u, v)) {
        for (let c = 0; c < p.c; c++) {
          du += g[to * p.c + c] * alongU * sources[at * p.c + c];
          dv += g[to * p.c + c] * alongV * sources[at * p.c + c];
        }
      }
      const dq = [du * z, dv * z, -(du * u + dv * v) * z];
      const dDepth = dq[0] * ray[0] + dq[1] * ray[1] + dq[2] * ray[2];
      dDisparity[from] -= dDepth * p.slope * depth ** 2;
      const at = 12 * (view * partialsOf(p) + Math.floor(y / p.rows) * p.w + x);
      const point = [depth * x, depth * y, depth, 1];
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 4; j++) partial[at + 4 * i + j] += dq[i] * point[j];
      }
    });
  },
};

/** images [views n,h,w,c], frame [n,h,w,c]; error [n,h,w,1] and winner [n,h,w]; `bounded` 1 where `bound` is given. */
export type MinimumParams = Record<'n' | 'h' | 'w' | 'c' | 'views' | 'alpha', number>;

const minimumParams = { n: 'u32', h: 'u32', w: 'u32', c: 'u32', views: 'u32', alpha: 'f32' } as const;

/** View s of the images. */
const viewOf = (p: MinimumParams, images: Numbers, s: number) =>
  images.subarray(s * pixels(p) * p.c, (s + 1) * pixels(p) * p.c);

export const minPhotometric: Kernel<MinimumParams & { bounded: number }> = {
  name: 'minPhotometric',
  summary:
    'least photometric error of several views at each pixel, or a bound where that is less, and which it was',
  formula: 'error = min(min_s (alpha mean_c ssimError(x_s, y) + (1 - alpha) mean_c |x_s - y|), bound)',
  source: 'Monodepth2 trainer.py, compute_losses',
  bindings: [
    { name: 'images', type: 'f32', access: 'read' },
    { name: 'frame', type: 'f32', access: 'read' },
    { name: 'bound', type: 'f32', access: 'read' },
    { name: 'error', type: 'f32', access: 'write' },
    { name: 'winner', type: 'i32', access: 'write' },
  ],
  params: { ...minimumParams, bounded: 'u32' },
  variants: inRuns((direction, p) => shader.minPhotometric(direction, p.views, p.c)),
  cost: (p) => ({
    flops: 85 * p.views * pixels(p) * p.c,
    bytes: 4 * pixels(p) * ((p.views + 1) * p.c + 2 + p.bounded),
  }),
  reference: (p, { images, frame, bound, error, winner }) => {
    for (let k = 0; k < pixels(p); k++) {
      const errors = Array.from({ length: p.views }, (_, s) => {
        const x = viewOf(p, images, s);
        let total = 0;
        for (let c = 0; c < p.c; c++) {
          const apart = Math.abs(x[k * p.c + c] - frame[k * p.c + c]);
          total += p.alpha * errorAt(p, k, c, x, frame) + (1 - p.alpha) * apart;
        }
        return total / p.c;
      });
      if (p.bounded === 1) errors.push(bound[k]);
      winner[k] = errors.reduce((least, one, s) => (one < errors[least] ? s : least), 0);
      error[k] = errors[winner[k]];
    }
  },
};

export const minPhotometricCoefficients: Kernel<MinimumParams> = {
  name: 'minPhotometricCoefficients',
  summary: "gradient of the winner's SSIM error of each window as a linear function of the pixels in it",
  formula:
    'd error / d x(q) = ax + b (x(q) - y(q)) + e y(q), x the winner; stored (ax, b, e), zeros where the bound won',
  source: 'Monodepth2 trainer.py, compute_losses',
  bindings: [
    { name: 'images', type: 'f32', access: 'read' },
    { name: 'frame', type: 'f32', access: 'read' },
    { name: 'winner', type: 'i32', access: 'read' },
    { name: 'cotangent', type: 'f32', access: 'read' },
    { name: 'coefficients', type: 'f32', access: 'write' },
  ],
  params: minimumParams,
  variants: inRuns((direction, p) => shader.minPhotometricCoefficients(direction, p.views, p.c)),
  cost: (p) => ({
    flops: (75 * p.views + 30) * pixels(p) * p.c,
    bytes: 4 * pixels(p) * ((p.views + 4) * p.c + 2),
  }),
  reference: (p, { images, frame, winner, cotangent, coefficients }) => {
    coefficients.fill(0);
    for (let k = 0; k < pixels(p); k++) {
      if (winner[k] >= p.views) continue;
      const x = viewOf(p, images, winner[k]);
      for (let c = 0; c < p.c; c++) {
        const [ax, , b, e] = coefficientsAt(p, k, c, x, frame, (cotangent[k] * p.alpha) / p.c);
        coefficients.set([ax, b, e], 3 * (k * p.c + c));
      }
    }
  },
};

export const minPhotometricGrad: Kernel<MinimumParams> = {
  name: 'minPhotometricGrad',
  summary:
    'gradient of minPhotometric to the views, gathered over the windows that hold a pixel, each given to its winner',
  formula:
    'dx_s(q) = sum over windows p that hold q and that s won of ax_p + b_p (x_s(q) - y(q)) + e_p y(q), + [s won q] (1 - alpha) / C cotangent(q) sign(x_s(q) - y(q))',
  source: 'Monodepth2 trainer.py, compute_losses',
  bindings: [
    { name: 'coefficients', type: 'f32', access: 'read' },
    { name: 'winner', type: 'i32', access: 'read' },
    { name: 'cotangent', type: 'f32', access: 'read' },
    { name: 'images', type: 'f32', access: 'read' },
    { name: 'frame', type: 'f32', access: 'read' },
    { name: 'gradient', type: 'f32', access: 'write' },
  ],
  params: minimumParams,
  variants: inRuns((direction, p) => shader.minPhotometricGrad(direction, p.views, p.c)),
  cost: (p) => ({
    flops: (30 * p.views + 10) * pixels(p) * p.c,
    bytes: 4 * pixels(p) * ((2 * p.views + 4) * p.c + 2),
  }),
  reference: (p, { coefficients, winner, cotangent, images, frame, gradient }) => {
    gradient.fill(0);
    for (let k = 0; k < pixels(p); k++) {
      if (winner[k] >= p.views) continue;
      const x = viewOf(p, images, winner[k]);
      const to = viewOf(p, gradient, winner[k]);
      for (let c = 0; c < p.c; c++) {
        const [ax, b, e] = [0, 1, 2].map((i) => coefficients[3 * (k * p.c + c) + i]);
        for (const q of windowOf(p, k)) {
          const at = q * p.c + c;
          to[at] += ax + b * (x[at] - frame[at]) + e * frame[at];
        }
        const here = k * p.c + c;
        to[here] += ((1 - p.alpha) / p.c) * cotangent[k] * Math.sign(x[here] - frame[here]);
      }
    }
  },
};
