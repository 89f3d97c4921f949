// Structural similarity error and the photometric error of self-supervised depth. Per window p of nine pixels q:
//   d error(p) / d x(q) = ax + b x(q) + c y(q), the same for all nine, since SSIM sees the window only through E[x],
//   E[y], E[x^2], E[y^2], E[xy]. So the backward pass is two gathers: coefficients per window, then per pixel the sum
//   over the windows that hold it, O(9) for each instead of O(81).
// The ladder: `definition` computes means, then central moments, per pixel and channel, 36 loads; `pixel` takes both
// from the moments of three columns, 18 loads; `run` walks a row
// and shares the columns between windows, 6 loads, and `down` a column.
import * as shader from '../shaders/ssim.wgsl.ts';
import { groupsFor, type Kernel, type Numbers, type Variant } from '../src/gpu/kernel.ts';

export const C1 = 0.01 ** 2;
export const C2 = 0.03 ** 2;

const SOURCE = 'Monodepth2 layers.py, SSIM; Wang et al., IEEE TIP 2004';

/** x and y are [n,h,w,c]. */
export type SsimParams = Record<'n' | 'h' | 'w' | 'c', number>;

const params = { n: 'u32', h: 'u32', w: 'u32', c: 'u32' } as const;

const pixels = (p: SsimParams) => p.n * p.h * p.w;

/** Pixels of a row that one invocation walks on a CPU adapter, and of a column on a GPU. */
const RUN = 16;
const DOWN = 8;

/** The variants of a kernel that walks the pixels of images in runs: of `n` images, or as many as `images` says. */
export const inRuns = <P extends SsimParams>(
  code: (direction: shader.Direction, p: P) => string,
  vec4: string[] = [],
  images: (p: P) => number = (p) => p.n,
): Variant<P>[] => {
  const walk = (
    name: string,
    summary: string,
    direction: shader.Direction,
    run: number,
    software: boolean,
  ): Variant<P> => ({
    name,
    summary,
    applies: (_, adapter) => adapter.software || !software,
    vec4,
    code: (p) => code(direction, p),
    constants: () => ({ RUN: run }),
    workgroups: (p) =>
      groupsFor(
        images(p) * (direction === 'along' ? p.h * Math.ceil(p.w / run) : p.w * Math.ceil(p.h / run)),
      ),
  });
  return [
    walk('run', `one invocation walks ${RUN} pixels of a row: for software adapters`, 'along', RUN, true),
    walk(
      'down',
      `one invocation walks ${DOWN} pixels of a column, neighbours side by side: for GPUs`,
      'down',
      DOWN,
      false,
    ),
    walk('pixel', 'one invocation per pixel', 'along', 1, false),
  ];
};

const mirror = (at: number, size: number) => (at < 0 ? -at : at >= size ? 2 * size - 2 - at : at);

/** Pixels of the window around pixel k, with repetition. */
export function windowOf(p: SsimParams, k: number): number[] {
  const px = k % p.w;
  const py = Math.floor(k / p.w) % p.h;
  const image = Math.floor(k / (p.h * p.w));
  const found: number[] = [];
  for (const j of [-1, 0, 1]) {
    for (const i of [-1, 0, 1]) found.push((image * p.h + mirror(py + j, p.h)) * p.w + mirror(px + i, p.w));
  }
  return found;
}

/** Means, variances and covariance of a window in one channel. */
function moments(p: SsimParams, k: number, c: number, x: Numbers, y: Numbers) {
  const at = windowOf(p, k).map((q) => q * p.c + c);
  const mean = (f: (i: number) => number) => at.reduce((sum, i) => sum + f(i), 0) / 9;
  const mx = mean((i) => x[i]);
  const my = mean((i) => y[i]);
  return {
    mx,
    my,
    vx: mean((i) => (x[i] - mx) ** 2),
    vy: mean((i) => (y[i] - my) ** 2),
    cov: mean((i) => (x[i] - mx) * (y[i] - my)),
  };
}

/** SSIM error of the window around pixel k in channel c. */
export function errorAt(p: SsimParams, k: number, c: number, x: Numbers, y: Numbers): number {
  const { mx, my, vx, vy, cov } = moments(p, k, c, x, y);
  const ssim = ((2 * mx * my + C1) * (2 * cov + C2)) / ((mx ** 2 + my ** 2 + C1) * (vx + vy + C2));
  return Math.min(Math.max((1 - ssim) / 2, 0), 1);
}

/** (ax, ay, b, e) of the window around pixel k in channel c, for the cotangent g of its error. */
export function coefficientsAt(
  p: SsimParams,
  k: number,
  c: number,
  x: Numbers,
  y: Numbers,
  g: number,
): [number, number, number, number] {
  const { mx, my, vx, vy, cov } = moments(p, k, c, x, y);
  const n1 = 2 * mx * my + C1;
  const n2 = 2 * cov + C2;
  const d1 = mx ** 2 + my ** 2 + C1;
  const d2 = vx + vy + C2;
  const s = (n1 * n2) / (d1 * d2);
  const passes = (1 - s) / 2 >= 0 && (1 - s) / 2 <= 1;
  const ninth = passes ? g / 9 : 0;
  // error = (1 - s) / 2 through the means, through E[x^2] (slope b x) and through E[xy] (slope cross y).
  const b = (ninth * s) / d2;
  const cross = (-ninth * n1) / (d1 * d2);
  const ax = ninth * ((s * mx) / d1 - (my * n2) / (d1 * d2)) - b * mx - cross * my;
  const ay = ninth * ((s * my) / d1 - (mx * n2) / (d1 * d2)) - b * my - cross * mx;
  return [ax, ay, b, b + cross];
}

export const ssim: Kernel<SsimParams> = {
  name: 'ssim',
  summary: 'structural dissimilarity of 3x3 windows after reflection padding, per pixel and channel',
  formula: 'error = clamp((1 - (2 mx my + C1)(2 cov + C2) / ((mx^2 + my^2 + C1)(vx + vy + C2))) / 2, 0, 1)',
  source: SOURCE,
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'read' },
    { name: 'error', type: 'f32', access: 'write' },
  ],
  params,
  variants: [
    ...inRuns<SsimParams>(shader.ssim),
    {
      name: 'definition',
      summary: 'one invocation per pixel and channel: means, then central moments',
      applies: () => true,
      code: shader.ssimNaive,
      workgroups: (p) => groupsFor(pixels(p) * p.c),
    },
  ],
  cost: (p) => ({ flops: 85 * pixels(p) * p.c, bytes: 12 * pixels(p) * p.c }),
  reference: (p, { x, y, error }) => {
    for (let k = 0; k < pixels(p); k++) {
      for (let c = 0; c < p.c; c++) error[k * p.c + c] = errorAt(p, k, c, x, y);
    }
  },
};

/** The cotangent has `cotangents` values per pixel, c or 1, and is multiplied by `scale`. */
export type CoefficientParams = Record<'n' | 'h' | 'w' | 'c' | 'cotangents' | 'scale', number>;

export const ssimCoefficients: Kernel<CoefficientParams> = {
  name: 'ssimCoefficients',
  summary: 'gradient of the SSIM error of each window as a linear function of the pixels in it',
  formula:
    'd error / d x(q) = ax + b (x(q) - y(q)) + e y(q), d error / d y(q) = ay + b (y(q) - x(q)) + e x(q); stored (ax, ay, b, e)',
  source: SOURCE,
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'read' },
    { name: 'cotangent', type: 'f32', access: 'read' },
    { name: 'coefficients', type: 'f32', access: 'write' },
  ],
  params: { ...params, cotangents: 'u32', scale: 'f32' },
  variants: inRuns(shader.ssimCoefficients, ['coefficients']),
  cost: (p) => ({
    flops: 110 * pixels(p) * p.c,
    bytes: 4 * pixels(p) * (6 * p.c + p.cotangents),
  }),
  reference: (p, { x, y, cotangent, coefficients }) => {
    for (let k = 0; k < pixels(p); k++) {
      for (let c = 0; c < p.c; c++) {
        const g = cotangent[k * p.cotangents + (c % p.cotangents)] * p.scale;
        coefficients.set(coefficientsAt(p, k, c, x, y, g), 4 * (k * p.c + c));
      }
    }
  },
};

/** `side` 0 asks for the gradient to x, 1 to y. */
export type SsimGradParams = Record<'n' | 'h' | 'w' | 'c' | 'side', number>;

/** gradient(q) += coefficients of every window that holds q, by scattering. */
function spreadCoefficients(p: SsimGradParams, b: Record<string, Numbers>): void {
  const { x, y, coefficients, gradient } = b;
  gradient.fill(0);
  for (let k = 0; k < pixels(p); k++) {
    for (const q of windowOf(p, k)) {
      for (let c = 0; c < p.c; c++) {
        const at = q * p.c + c;
        const [ax, ay, slope, rest] = [0, 1, 2, 3].map((i) => coefficients[4 * (k * p.c + c) + i]);
        gradient[at] +=
          p.side === 0
            ? ax + slope * (x[at] - y[at]) + rest * y[at]
            : ay + slope * (y[at] - x[at]) + rest * x[at];
      }
    }
  }
}

export const ssimGrad: Kernel<SsimGradParams> = {
  name: 'ssimGrad',
  summary: 'gradient of the SSIM error to one of its images, gathered over the windows that hold a pixel',
  formula: 'dx(q) = sum over windows p that hold q of ax_p + b_p (x(q) - y(q)) + e_p y(q)',
  source: SOURCE,
  bindings: [
    { name: 'coefficients', type: 'f32', access: 'read' },
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'read' },
    { name: 'gradient', type: 'f32', access: 'write' },
  ],
  params: { ...params, side: 'u32' },
  variants: inRuns((direction, p) => shader.ssimGrad(direction, p.side as 0 | 1, false), ['coefficients']),
  cost: (p) => ({ flops: 90 * pixels(p) * p.c, bytes: 28 * pixels(p) * p.c }),
  reference: spreadCoefficients,
};

/** x and y are [n,h,w,c], error [n,h,w,1]. */
export type PhotometricParams = Record<'n' | 'h' | 'w' | 'c' | 'alpha', number>;

export const photometric: Kernel<PhotometricParams> = {
  name: 'photometric',
  summary: 'photometric error per pixel: SSIM error and absolute difference, channel means, weighted',
  formula: 'error = alpha mean_c ssimError(x, y) + (1 - alpha) mean_c |x - y|',
  source: 'Monodepth2 trainer.py, compute_reprojection_loss',
  bindings: ssim.bindings,
  params: { ...params, alpha: 'f32' },
  variants: inRuns(shader.photometric),
  cost: (p) => ({ flops: 90 * pixels(p) * p.c, bytes: 4 * pixels(p) * (2 * p.c + 1) }),
  reference: (p, { x, y, error }) => {
    for (let k = 0; k < pixels(p); k++) {
      let total = 0;
      for (let c = 0; c < p.c; c++) {
        const at = k * p.c + c;
        total += p.alpha * errorAt(p, k, c, x, y) + (1 - p.alpha) * Math.abs(x[at] - y[at]);
      }
      error[k] = total / p.c;
    }
  },
};

/** `scale` multiplies the sign of the difference: (1 - alpha) / c. */
export type PhotometricGradParams = Record<'n' | 'h' | 'w' | 'c' | 'side' | 'scale', number>;

export const photometricGrad: Kernel<PhotometricGradParams> = {
  name: 'photometricGrad',
  summary: 'gradient of the photometric error to one of its images, from the SSIM coefficients',
  formula: 'dx(q) = ssimGrad(q) + scale cotangent(q) sign(x(q) - y(q))',
  source: 'Monodepth2 trainer.py, compute_reprojection_loss',
  bindings: [
    { name: 'coefficients', type: 'f32', access: 'read' },
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'read' },
    { name: 'cotangent', type: 'f32', access: 'read' },
    { name: 'gradient', type: 'f32', access: 'write' },
  ],
  params: { ...params, side: 'u32', scale: 'f32' },
  variants: inRuns((direction, p) => shader.ssimGrad(direction, p.side as 0 | 1, true), ['coefficients']),
  cost: (p) => ({ flops: 95 * pixels(p) * p.c, bytes: 4 * pixels(p) * (7 * p.c + 1) }),
  reference: (p, buffers) => {
    const { x, y, cotangent, gradient } = buffers;
    spreadCoefficients(p, buffers);
    const towards = p.side === 0 ? 1 : -1;
    for (let i = 0; i < pixels(p) * p.c; i++) {
      gradient[i] += towards * p.scale * cotangent[Math.floor(i / p.c)] * Math.sign(x[i] - y[i]);
    }
  },
};
