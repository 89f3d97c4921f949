// Camera geometry of Monodepth2: rigid transforms from axis-angle and translation, back-projection of a z-depth map,
// projection into another camera. Pixel centres are at integers.
import * as shader from '../shaders/geometry.wgsl.ts';
import { type Binding, groupsFor, type Kernel, type Numbers, type Variant } from '../src/gpu/kernel.ts';

const SOURCE = 'Monodepth2 layers.py (Godard et al., ICCV 2019)';

const reads = (...names: string[]): Binding[] => names.map((name) => ({ name, type: 'f32', access: 'read' }));
const writes = (...names: string[]): Binding[] =>
  names.map((name) => ({ name, type: 'f32', access: 'write' }));

const one = <P extends Record<string, number>>(
  name: string,
  summary: string,
  code: (p: P) => string,
  invocations: (p: P) => number,
  vec4?: string[],
): Variant<P>[] => [
  {
    name,
    summary,
    applies: () => true,
    ...(vec4 ? { vec4 } : {}),
    code,
    workgroups: (p) => groupsFor(invocations(p)),
  },
];

/** axisAngle and translation [n,3], matrix [n,4,4]; `invert` is 0 or 1. */
export type PoseParams = Record<'n' | 'invert', number>;

/** a = sin|v| / |v|, b = (1 - cos|v|) / |v|^2 and their slopes along |v|^2. */
function turn(v: number[]): { a: number; b: number; slopeA: number; slopeB: number; s: number } {
  const s = v[0] ** 2 + v[1] ** 2 + v[2] ** 2;
  const angle = Math.sqrt(s);
  const half = angle / 2;
  if (s < 1e-4) {
    return {
      a: 1 - s / 6 + s ** 2 / 120,
      b: 1 / 2 - s / 24 + s ** 2 / 720,
      slopeA: -1 / 6 + s / 60 - s ** 2 / 1680,
      slopeB: -1 / 24 + s / 360 - s ** 2 / 13440,
      s,
    };
  }
  const a = Math.sin(angle) / angle;
  const b = (2 * Math.sin(half) ** 2) / s;
  return { a, b, slopeA: (Math.cos(angle) - a) / (2 * s), slopeB: (a - 2 * b) / (2 * s), s };
}

const cross = (v: number[]) => [
  [0, -v[2], v[1]],
  [v[2], 0, -v[0]],
  [-v[1], v[0], 0],
];

/** R = I + a [v]x + b (v v^T - s I). */
function rotation(v: number[]): number[][] {
  const { a, b, s } = turn(v);
  const skew = cross(v);
  return v.map((vi, i) => v.map((vj, j) => (i === j ? 1 - b * s : 0) + a * skew[i][j] + b * vi * vj));
}

/** d R / d v_m, entry by entry. */
function rotationSlope(v: number[], m: number): number[][] {
  const { a, b, slopeA, slopeB, s } = turn(v);
  const unit = [0, 1, 2].map((i) => (i === m ? 1 : 0));
  const skew = cross(v);
  const skewM = cross(unit);
  return v.map((vi, i) =>
    v.map((vj, j) => {
      const eye = i === j ? 1 : 0;
      const ds = 2 * v[m];
      return (
        slopeA * ds * skew[i][j] +
        a * skewM[i][j] +
        slopeB * ds * (vi * vj - s * eye) +
        b * (unit[i] * vj + vi * unit[j] - ds * eye)
      );
    }),
  );
}

const three = (array: Numbers, n: number) => [array[3 * n], array[3 * n + 1], array[3 * n + 2]];

export const poseMatrix: Kernel<PoseParams> = {
  name: 'poseMatrix',
  summary: 'rigid transform from an axis-angle vector and a translation, or its inverse',
  formula: 'T = Trans(t) Rot(v); inverted: Rot(v)^T Trans(-t). Rot(v) = I + a [v]x + b (v v^T - |v|^2 I)',
  source: SOURCE,
  bindings: [...reads('axisAngle', 'translation'), ...writes('matrix')],
  params: { n: 'u32', invert: 'u32' },
  variants: one(
    'series',
    'one invocation per pose; power series instead of sin and cos',
    (p) => shader.poseMatrix(p.invert === 1),
    (p) => p.n,
  ),
  cost: (p) => ({ flops: 80 * p.n, bytes: 88 * p.n }),
  reference: (p, { axisAngle, translation, matrix }) => {
    for (let n = 0; n < p.n; n++) {
      const r = rotation(three(axisAngle, n));
      const t = three(translation, n);
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < 4; j++) {
          let value = i === 3 ? (j === 3 ? 1 : 0) : 0;
          if (i < 3 && j < 3) value = p.invert ? r[j][i] : r[i][j];
          if (i < 3 && j === 3) value = p.invert ? -(r[0][i] * t[0] + r[1][i] * t[1] + r[2][i] * t[2]) : t[i];
          matrix[16 * n + 4 * i + j] = value;
        }
      }
    }
  },
};

export const poseMatrixGrad: Kernel<PoseParams> = {
  name: 'poseMatrixGrad',
  summary: 'gradient of poseMatrix to the axis-angle vector and the translation; exact at zero rotation',
  formula:
    "dv = a w + b ((D + D^T) v - 2 tr(D) v) + 2 v (a' w.v + b' (v^T D v - |v|^2 tr D)), D the cotangent of Rot(v), w its skew part",
  source: SOURCE,
  bindings: [...reads('axisAngle', 'translation', 'g'), ...writes('dAxisAngle', 'dTranslation')],
  params: { n: 'u32', invert: 'u32' },
  variants: one(
    'series',
    'one invocation per pose; differentiated power series',
    (p) => shader.poseMatrixGrad(p.invert === 1),
    (p) => p.n,
  ),
  cost: (p) => ({ flops: 160 * p.n, bytes: 112 * p.n }),
  reference: (p, { axisAngle, translation, g, dAxisAngle, dTranslation }) => {
    for (let n = 0; n < p.n; n++) {
      const v = three(axisAngle, n);
      const t = three(translation, n);
      const r = rotation(v);
      for (let m = 0; m < 3; m++) {
        const slope = rotationSlope(v, m);
        let dv = 0;
        let dt = 0;
        for (let i = 0; i < 3; i++) {
          const last = g[16 * n + 4 * i + 3];
          dt += p.invert ? -r[m][i] * last : i === m ? last : 0;
          for (let j = 0; j < 3; j++) {
            dv += g[16 * n + 4 * i + j] * (p.invert ? slope[j][i] : slope[i][j]);
            if (p.invert) dv -= last * slope[j][i] * t[j];
          }
        }
        dAxisAngle[3 * n + m] = dv;
        dTranslation[3 * n + m] = dt;
      }
    }
  },
};

export type ComposeParams = { n: number };

export const composeProjection: Kernel<ComposeParams> = {
  name: 'composeProjection',
  summary: 'camera matrix times the first three rows of a rigid transform',
  formula: 'projection = K T[0:3]',
  source: SOURCE,
  bindings: [...reads('intrinsics', 'pose'), ...writes('projection')],
  params: { n: 'u32' },
  variants: one('value', 'one invocation per value', shader.composeProjection, (p) => 12 * p.n),
  cost: (p) => ({ flops: 72 * p.n, bytes: 4 * 37 * p.n }),
  reference: (p, { intrinsics, pose, projection }) => {
    projection.fill(0);
    for (let n = 0; n < p.n; n++) {
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 4; j++) {
          for (let m = 0; m < 3; m++) {
            projection[12 * n + 4 * i + j] += intrinsics[9 * n + 3 * i + m] * pose[16 * n + 4 * m + j];
          }
        }
      }
    }
  },
};

export const composeProjectionGrad: Kernel<ComposeParams> = {
  name: 'composeProjectionGrad',
  summary: 'gradient of composeProjection to the transform',
  formula: 'dT[0:3] = K^T g, dT[3] = 0',
  source: SOURCE,
  bindings: [...reads('intrinsics', 'g'), ...writes('dPose')],
  params: { n: 'u32' },
  variants: one('value', 'one invocation per value', shader.composeProjectionGrad, (p) => 16 * p.n),
  cost: (p) => ({ flops: 72 * p.n, bytes: 4 * 37 * p.n }),
  reference: (p, { intrinsics, g, dPose }) => {
    dPose.fill(0);
    for (let n = 0; n < p.n; n++) {
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 4; j++) {
          for (let m = 0; m < 3; m++) {
            dPose[16 * n + 4 * m + j] += intrinsics[9 * n + 3 * i + m] * g[12 * n + 4 * i + j];
          }
        }
      }
    }
  },
};

/** depth is [n,h,w,1], inverseK [n,3,3]. */
export type PixelParams = Record<'n' | 'h' | 'w', number>;

const pixelParams = { n: 'u32', h: 'u32', w: 'u32' } as const;
const pixels = (p: PixelParams) => p.n * p.h * p.w;

/** Calls `visit` for every pixel with its image and K^-1 (x, y, 1). */
function eachRay(
  p: PixelParams,
  inverseK: Numbers,
  visit: (k: number, n: number, ray: number[]) => void,
): void {
  for (let n = 0; n < p.n; n++) {
    for (let y = 0; y < p.h; y++) {
      for (let x = 0; x < p.w; x++) {
        const row = (i: number) =>
          inverseK[9 * n + 3 * i] * x + inverseK[9 * n + 3 * i + 1] * y + inverseK[9 * n + 3 * i + 2];
        visit((n * p.h + y) * p.w + x, n, [row(0), row(1), row(2)]);
      }
    }
  }
}

export const backproject: Kernel<PixelParams> = {
  name: 'backproject',
  summary: 'z-depth map to points in camera coordinates',
  formula: 'P = D K^-1 (x, y, 1)',
  source: SOURCE,
  bindings: [...reads('depth', 'inverseK'), ...writes('points')],
  params: pixelParams,
  variants: one('pixel', 'one invocation per pixel', shader.backproject, pixels),
  cost: (p) => ({ flops: 15 * pixels(p), bytes: 16 * pixels(p) }),
  reference: (p, { depth, inverseK, points }) => {
    eachRay(p, inverseK, (k, _, ray) => {
      for (let i = 0; i < 3; i++) points[3 * k + i] = depth[k] * ray[i];
    });
  },
};

export const backprojectGrad: Kernel<PixelParams> = {
  name: 'backprojectGrad',
  summary: 'gradient of backproject to the depth',
  formula: 'dD = g . K^-1 (x, y, 1)',
  source: SOURCE,
  bindings: [...reads('inverseK', 'g'), ...writes('dDepth')],
  params: pixelParams,
  variants: one('pixel', 'one invocation per pixel', shader.backprojectGrad, pixels),
  cost: (p) => ({ flops: 17 * pixels(p), bytes: 16 * pixels(p) }),
  reference: (p, { inverseK, g, dDepth }) => {
    eachRay(p, inverseK, (k, _, ray) => {
      dDepth[k] = g[3 * k] * ray[0] + g[3 * k + 1] * ray[1] + g[3 * k + 2] * ray[2];
    });
  },
};

const TINY = 1e-7;

/** projection (v, w) of image n. */
const apply = (projection: Numbers, n: number, v: number[], w: number) =>
  [0, 1, 2].map((i) => {
    const at = 12 * n + 4 * i;
    return (
      projection[at] * v[0] + projection[at + 1] * v[1] + projection[at + 2] * v[2] + projection[at + 3] * w
    );
  });

export const projectGrid: Kernel<PixelParams> = {
  name: 'projectGrid',
  summary: 'where each pixel of a depth map lies in another camera, as a sampling grid',
  formula:
    'P = D K^-1 (x, y, 1); (a, b, c) = projection (P, 1); u = a / (c + 1e-7), v = b / (c + 1e-7); grid = (2 u / (W-1) - 1, 2 v / (H-1) - 1)',
  source: SOURCE,
  bindings: [...reads('depth', 'inverseK', 'projection'), ...writes('grid')],
  params: pixelParams,
  variants: one('pixel', 'one invocation per pixel', shader.projectGrid, pixels),
  cost: (p) => ({ flops: 45 * pixels(p), bytes: 12 * pixels(p) }),
  reference: (p, { depth, inverseK, projection, grid }) => {
    eachRay(p, inverseK, (k, n, ray) => {
      const point = ray.map((r) => depth[k] * r);
      const [a, b, c] = apply(projection, n, point, 1);
      grid[2 * k] = 2 * (a / (c + TINY) / (p.w - 1) - 0.5);
      grid[2 * k + 1] = 2 * (b / (c + TINY) / (p.h - 1) - 0.5);
    });
  },
};

/** Cotangent of (a, b, c) from that of the grid. */
function cotangent(p: PixelParams, g: Numbers, k: number, [a, b, c]: number[]): number[] {
  const da = ((g[2 * k] / (c + TINY)) * 2) / (p.w - 1);
  const db = ((g[2 * k + 1] / (c + TINY)) * 2) / (p.h - 1);
  return [da, db, -(da * a + db * b) / (c + TINY)];
}

export const projectGridGradDepth: Kernel<PixelParams> = {
  name: 'projectGridGradDepth',
  summary: 'gradient of projectGrid to the depth',
  formula: 'dD = d(a, b, c) . projection (K^-1 (x, y, 1), 0)',
  source: SOURCE,
  bindings: [...reads('depth', 'inverseK', 'projection', 'g'), ...writes('dDepth')],
  params: pixelParams,
  variants: one('pixel', 'one invocation per pixel', shader.projectGridGradDepth, pixels),
  cost: (p) => ({ flops: 60 * pixels(p), bytes: 16 * pixels(p) }),
  reference: (p, { depth, inverseK, projection, g, dDepth }) => {
    eachRay(p, inverseK, (k, n, ray) => {
      const point = ray.map((r) => depth[k] * r);
      const d = cotangent(p, g, k, apply(projection, n, point, 1));
      const slope = apply(projection, n, ray, 0);
      dDepth[k] = d[0] * slope[0] + d[1] * slope[1] + d[2] * slope[2];
    });
  },
};

/** `chunk` pixels go into one partial result. */
export type ProjectionParams = Record<'n' | 'h' | 'w' | 'chunk', number>;

export const chunksOf = (p: ProjectionParams) => Math.ceil((p.h * p.w) / p.chunk);

export const projectGridGradProjection: Kernel<ProjectionParams> = {
  name: 'projectGridGradProjection',
  summary: 'gradient of projectGrid to the projection, first pass: twelve sums per chunk of pixels',
  formula: 'partial[n, chunk] = sum_pixels d(a, b, c) (P, 1)^T',
  source: SOURCE,
  bindings: [...reads('depth', 'inverseK', 'projection', 'g'), ...writes('partial')],
  params: { ...pixelParams, chunk: 'u32' },
  variants: one(
    'walk',
    'one invocation walks one chunk with the twelve sums in registers',
    shader.projectGridGradProjection,
    (p) => p.n * chunksOf(p),
    ['partial'],
  ),
  cost: (p) => ({ flops: 80 * pixels(p), bytes: 12 * pixels(p) + 48 * p.n * chunksOf(p) }),
  reference: (p, { depth, inverseK, projection, g, partial }) => {
    partial.fill(0);
    eachRay(p, inverseK, (k, n, ray) => {
      const point = [...ray.map((r) => depth[k] * r), 1];
      const d = cotangent(p, g, k, apply(projection, n, point, 1));
      const chunk = n * chunksOf(p) + Math.floor((k % (p.h * p.w)) / p.chunk);
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 4; j++) partial[12 * chunk + 4 * i + j] += d[i] * point[j];
      }
    });
  },
};
