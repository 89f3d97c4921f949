// Optical flow by least squares: where a patch of one image went in the next.
//
// A patch that moves by (u, v) keeps its brightness: Ix u + Iy v + It = 0 at each of its pixels, with the gradient of the
// mean of both images and their difference. Over a window that is a least-squares problem with two unknowns:
//
//     ( sum Ix Ix   sum Ix Iy ) (u)       ( sum Ix It )
//     ( sum Ix Iy   sum Iy Iy ) (v)  =  - ( sum Iy It )
//
// The first kernel takes the five means of products over cells of pixels, the second solves over 3 x 3 cells.
import * as shader from '../shaders/opticalFlow.wgsl.ts';
import { groupsFor, type Kernel, type Numbers } from '../src/gpu/kernel.ts';

const SOURCE = 'Lucas and Kanade, IJCAI 1981; symmetric form: Birchfield, KLT derivation, 1997';

/** Images are [n,h,w,c], cells `cell` x `cell` pixels; h and w are multiples of it. */
export type FlowMomentsParams = Record<'n' | 'h' | 'w' | 'c' | 'cell', number>;

const cells = (p: FlowMomentsParams) => (p.n * p.h * p.w) / p.cell ** 2;

/** Mean products Ix Ix, Ix Iy, Iy Iy, Ix It, Iy It of one cell, over its pixels and channels. */
function moments(
  p: FlowMomentsParams,
  a: Numbers,
  b: Numbers,
  n: number,
  row: number,
  col: number,
): number[] {
  const at = (image: Numbers, y: number, x: number, c: number) =>
    image[
      ((n * p.h + Math.min(Math.max(y, 0), p.h - 1)) * p.w + Math.min(Math.max(x, 0), p.w - 1)) * p.c + c
    ];
  const mean = (y: number, x: number, c: number) => (at(a, y, x, c) + at(b, y, x, c)) / 2;
  const total = [0, 0, 0, 0, 0];
  for (let y = row * p.cell; y < (row + 1) * p.cell; y++) {
    for (let x = col * p.cell; x < (col + 1) * p.cell; x++) {
      for (let c = 0; c < p.c; c++) {
        const ix = (mean(y, x + 1, c) - mean(y, x - 1, c)) / 2;
        const iy = (mean(y + 1, x, c) - mean(y - 1, x, c)) / 2;
        const it = at(b, y, x, c) - at(a, y, x, c);
        [ix * ix, ix * iy, iy * iy, ix * it, iy * it].forEach((product, i) => {
          total[i] += product;
        });
      }
    }
  }
  return total.map((sum) => sum / (p.cell ** 2 * p.c));
}

export const flowMoments: Kernel<FlowMomentsParams> = {
  name: 'flowMoments',
  summary: 'mean products of image gradient and difference over cells',
  formula: 'm = mean over a cell of (Ix Ix, Ix Iy, Iy Iy, Ix It, Iy It), I = (a + b) / 2, It = b - a',
  source: SOURCE,
  bindings: [
    { name: 'a', type: 'f32', access: 'read' },
    { name: 'b', type: 'f32', access: 'read' },
    { name: 'm', type: 'f32', access: 'write' },
  ],
  params: { n: 'u32', h: 'u32', w: 'u32', c: 'u32', cell: 'u32' },
  variants: [
    {
      name: 'walk',
      summary:
        'one invocation per cell walks along its rows; a pixel is read once for its row, once above, once below',
      applies: () => true,
      code: shader.flowMoments,
      workgroups: (p) => groupsFor(cells(p)),
    },
    {
      name: 'naive',
      summary: 'one invocation per cell, every product as the formula reads',
      applies: () => true,
      code: shader.flowMomentsNaive,
      workgroups: (p) => groupsFor(cells(p)),
    },
  ],
  cost: (p) => ({ flops: 20 * p.n * p.h * p.w * p.c, bytes: 4 * (2 * p.n * p.h * p.w * p.c + 5 * cells(p)) }),
  reference: (p, { a, b, m }) => {
    const [rows, cols] = [p.h / p.cell, p.w / p.cell];
    for (let k = 0; k < cells(p); k++) {
      const n = Math.floor(k / (rows * cols));
      m.set(moments(p, a, b, n, Math.floor(k / cols) % rows, k % cols), 5 * k);
    }
  },
};

/** Moments are [n,rows,cols,5]; `ridge` is added to both diagonal means, `limit` in pixels. */
export type SolveFlowParams = Record<'n' | 'rows' | 'cols' | 'ridge' | 'limit', number>;

export const solveFlow: Kernel<SolveFlowParams> = {
  name: 'solveFlow',
  summary: 'least-squares motion of each cell from the moments of the 3 x 3 cells around it',
  formula:
    'flow = clamp(-(M + ridge I)^-1 q, -limit, limit), M and q the means over those cells inside the image',
  source: SOURCE,
  bindings: [
    { name: 'm', type: 'f32', access: 'read' },
    { name: 'flow', type: 'f32', access: 'write' },
  ],
  params: { n: 'u32', rows: 'u32', cols: 'u32', ridge: 'f32', limit: 'f32' },
  variants: [
    {
      name: 'cell',
      summary: 'one invocation per cell',
      applies: () => true,
      code: shader.solveFlow,
      workgroups: (p) => groupsFor(p.n * p.rows * p.cols),
    },
  ],
  cost: (p) => ({ flops: 70 * p.n * p.rows * p.cols, bytes: 28 * p.n * p.rows * p.cols }),
  reference: (p, { m, flow }) => {
    for (let k = 0; k < p.n * p.rows * p.cols; k++) {
      const [row, col] = [Math.floor(k / p.cols) % p.rows, k % p.cols];
      const mean = [0, 0, 0, 0, 0];
      let count = 0;
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, p.rows - 1); y++) {
        for (let x = Math.max(col - 1, 0); x <= Math.min(col + 1, p.cols - 1); x++) {
          const other = k + (y - row) * p.cols + (x - col);
          for (let i = 0; i < 5; i++) mean[i] += m[5 * other + i];
          count++;
        }
      }
      const [xx, xy, yy, xt, yt] = mean.map((sum) => sum / count);
      const [a, d] = [xx + p.ridge, yy + p.ridge];
      const determinant = a * d - xy * xy;
      flow[2 * k] = Math.min(Math.max((xy * yt - d * xt) / determinant, -p.limit), p.limit);
      flow[2 * k + 1] = Math.min(Math.max((xy * xt - a * yt) / determinant, -p.limit), p.limit);
    }
  },
};
