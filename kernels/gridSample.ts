// Bilinear sampling and its gradients. With at = (px, py) the place of a grid value in pixels, after padding:
//   y        = sum_taps tent(px - tx) tent(py - ty) x[ty, tx],          tent(d) = max(0, 1 - |d|)
//   dgrid_x  = (d px / d grid_x) sum_c g_c d y_c / d px                   (a gather at the grid position)
//   dx[q]    = sum_k tent(px_k - q_x) tent(py_k - q_y) g[k]               (a gather over grid positions)
// The ladder. Forward: `element` does the coordinate arithmetic once per channel; `pixel` once per pixel (C <= 3);
// `vec4` moves four channels at a time. Gradient to the image: `all` walks every grid position for every source pixel,
// (H W)(h w) steps; `tiles` first bounds what each 4x4 tile and each 32x32 block of the grid touches, and enters only
// those whose box holds the pixel: about (H W)(h w / 1024 + 64 a few + 16 a few).
import * as shader from '../shaders/gridSample.wgsl.ts';
import { groupsFor, type Kernel, type Numbers, type Variant } from '../src/gpu/kernel.ts';

export const PADDINGS = ['border', 'zeros', 'reflection'] as const;

/** x is [n, ih, iw, c], grid [n, h, w, 2]. `padding` indexes PADDINGS; `align` is 1 for align_corners. */
export type GridSampleParams = Record<'n' | 'h' | 'w' | 'ih' | 'iw' | 'c' | 'padding' | 'align', number>;

const params = {
  n: 'u32',
  h: 'u32',
  w: 'u32',
  ih: 'u32',
  iw: 'u32',
  c: 'u32',
  padding: 'u32',
  align: 'u32',
} as const;

const SOURCE = 'PyTorch grid_sample, bilinear (aten/src/ATen/native/GridSampler.h)';

/** Sides of a tile and of a block of grid positions. */
export const TILE = 4;
export const BLOCK = 32;

/** Tiles of one image's grid. */
export const tilesOf = (p: { h: number; w: number }, tile: number) =>
  Math.ceil(p.h / tile) * Math.ceil(p.w / tile);

const modeOf = (p: GridSampleParams) => [PADDINGS[p.padding], p.align === 1] as const;

/** PyTorch's place of a grid value, in pixels, and its slope. */
function place(g: number, size: number, padding: shader.PaddingMode, align: boolean): [number, number] {
  let at = align ? ((g + 1) / 2) * (size - 1) : ((g + 1) * size - 1) / 2;
  let slope = align ? (size - 1) / 2 : size / 2;
  if (padding === 'zeros') return [at, slope];
  if (padding === 'reflection') {
    const low = align ? 0 : -0.5;
    const span = align ? size - 1 : size;
    if (span === 0) return [0, 0];
    let away = at - low;
    if (away < 0) {
      away = -away;
      slope = -slope;
    }
    const flips = Math.floor(away / span);
    const rest = away % span;
    at = flips % 2 === 0 ? rest + low : span - rest + low;
    if (flips % 2 === 1) slope = -slope;
  }
  if (at <= 0) return [0, 0];
  if (at >= size - 1) return [size - 1, 0];
  return [at, slope];
}

/** Calls `visit` for every tap inside the image: grid position, source pixel, weight, and its slopes along the grid. */
function eachTap(
  p: GridSampleParams,
  grid: Numbers,
  visit: (k: number, pixel: number, weight: number, slopeX: number, slopeY: number) => void,
): void {
  const [padding, align] = modeOf(p);
  for (let k = 0; k < p.n * p.h * p.w; k++) {
    const image = Math.floor(k / (p.h * p.w));
    const [x, alongX] = place(grid[2 * k], p.iw, padding, align);
    const [y, alongY] = place(grid[2 * k + 1], p.ih, padding, align);
    for (const below of [0, 1]) {
      for (const beside of [0, 1]) {
        const tx = Math.floor(x) + beside;
        const ty = Math.floor(y) + below;
        if (tx < 0 || tx >= p.iw || ty < 0 || ty >= p.ih) continue;
        const wx = 1 - Math.abs(x - tx);
        const wy = 1 - Math.abs(y - ty);
        const slopeX = (beside ? wy : -wy) * alongX;
        const slopeY = (below ? wx : -wx) * alongY;
        visit(k, (image * p.ih + ty) * p.iw + tx, wx * wy, slopeX, slopeY);
      }
    }
  }
}

const positions = (p: GridSampleParams) => p.n * p.h * p.w;
const pixels = (p: GridSampleParams) => p.n * p.ih * p.iw;

/** The variants by channels per invocation; `count` is the number of items that have c channels each. */
function byLanes(
  code: (p: GridSampleParams, lanes: shader.Lanes) => string,
  count: (p: GridSampleParams, lanes: shader.Lanes) => number,
  vec4: string[],
): Variant<GridSampleParams>[] {
  return [
    {
      name: 'vec4',
      summary: 'four channels per load',
      applies: (p) => p.c % 4 === 0,
      vec4,
      code: (p) => code(p, 4),
      workgroups: (p) => groupsFor(count(p, 4)),
    },
    {
      name: 'pixel',
      summary: 'all of up to three channels per invocation: coordinates are computed once',
      applies: (p) => p.c <= 3,
      code: (p) => code(p, p.c as shader.Lanes),
      workgroups: (p) => groupsFor(count(p, p.c as shader.Lanes)),
    },
    {
      name: 'element',
      summary: 'one channel at a time, any number of channels',
      applies: () => true,
      code: (p) => code(p, 1),
      workgroups: (p) => groupsFor(count(p, 1)),
    },
  ];
}

export const gridSample: Kernel<GridSampleParams> = {
  name: 'gridSample',
  summary: 'bilinear samples of an image at given places',
  formula: 'y[k] = sum_taps tent(px - tx) tent(py - ty) x[ty, tx]',
  source: SOURCE,
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'grid', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params,
  variants: byLanes(
    (p, lanes) => shader.gridSample(...modeOf(p), lanes),
    (p, lanes) => positions(p) * (p.c / lanes),
    ['x', 'y'],
  ),
  cost: (p) => ({
    flops: positions(p) * (7 * p.c + 20),
    bytes: 4 * (pixels(p) * p.c + positions(p) * (p.c + 2)),
  }),
  reference: (p, { x, grid, y }) => {
    y.fill(0);
    eachTap(p, grid, (k, pixel, weight) => {
      for (let c = 0; c < p.c; c++) y[k * p.c + c] += weight * x[pixel * p.c + c];
    });
  },
};

export const gridSampleGradGrid: Kernel<GridSampleParams> = {
  name: 'gridSampleGradGrid',
  summary: 'gradient of gridSample to the grid; zero along an axis where padding clamped the place',
  formula: 'dgrid[k] = slope sum_c g[k,c] d y[k,c] / d (px, py)',
  source: SOURCE,
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'grid', type: 'f32', access: 'read' },
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dgrid', type: 'f32', access: 'write' },
  ],
  params,
  variants: byLanes(
    (p, lanes) => shader.gridSampleGradGrid(...modeOf(p), lanes),
    (p) => positions(p),
    ['x', 'g'],
  ),
  cost: (p) => ({
    flops: positions(p) * (18 * p.c + 20),
    bytes: 4 * (pixels(p) * p.c + positions(p) * (p.c + 4)),
  }),
  reference: (p, { x, grid, g, dgrid }) => {
    dgrid.fill(0);
    eachTap(p, grid, (k, pixel, _, slopeX, slopeY) => {
      for (let c = 0; c < p.c; c++) {
        dgrid[2 * k] += slopeX * g[k * p.c + c] * x[pixel * p.c + c];
        dgrid[2 * k + 1] += slopeY * g[k * p.c + c] * x[pixel * p.c + c];
      }
    });
  },
};

/** Boxes of squares of `tile` by `tile` grid positions. */
export type BoxParams = GridSampleParams & { tile: number };

export const gridSampleBoxes: Kernel<BoxParams> = {
  name: 'gridSampleBoxes',
  summary: 'bounding box of the source pixels that each square tile of the grid touches',
  formula: 'boxes[tile] = (floor min px, floor min py, ceil max px, ceil max py)',
  source: SOURCE,
  bindings: [
    { name: 'grid', type: 'f32', access: 'read' },
    { name: 'boxes', type: 'i32', access: 'write' },
  ],
  params: { ...params, tile: 'u32' },
  variants: [
    {
      name: 'walk',
      summary: 'one invocation walks one tile',
      applies: () => true,
      vec4: ['boxes'],
      code: (p) => shader.gridSampleBoxes(...modeOf(p)),
      workgroups: (p) => groupsFor(p.n * tilesOf(p, p.tile)),
    },
  ],
  cost: (p) => ({ flops: 16 * positions(p), bytes: 8 * positions(p) + 16 * p.n * tilesOf(p, p.tile) }),
  reference: (p, { grid, boxes }) => {
    const [padding, align] = modeOf(p);
    const across = Math.ceil(p.w / p.tile);
    const within = (v: number, size: number) => Math.min(Math.max(v, -2), size + 1);
    for (let tile = 0; tile < p.n * tilesOf(p, p.tile); tile++) {
      const box = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -3, -3];
      const image = Math.floor(tile / tilesOf(p, p.tile));
      for (let v = 0; v < p.h; v++) {
        for (let u = 0; u < p.w; u++) {
          if (Math.floor(v / p.tile) * across + Math.floor(u / p.tile) !== tile % tilesOf(p, p.tile))
            continue;
          const k = 2 * ((image * p.h + v) * p.w + u);
          const x = within(place(grid[k], p.iw, padding, align)[0], p.iw);
          const y = within(place(grid[k + 1], p.ih, padding, align)[0], p.ih);
          box[0] = Math.min(box[0], Math.floor(x));
          box[1] = Math.min(box[1], Math.floor(y));
          box[2] = Math.max(box[2], Math.ceil(x));
          box[3] = Math.max(box[3], Math.ceil(y));
        }
      }
      boxes.set(box, tile * 4);
    }
  },
};

export const gridSampleGradImage: Kernel<GridSampleParams> = {
  name: 'gridSampleGradImage',
  summary: 'gradient of gridSample to the image, gathered in a fixed order',
  formula: 'dx[q] = sum_k tent(px_k - q_x) tent(py_k - q_y) g[k]',
  source: SOURCE,
  bindings: [
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'grid', type: 'f32', access: 'read' },
    { name: 'boxes', type: 'i32', access: 'read' },
    { name: 'blocks', type: 'i32', access: 'read' },
    { name: 'dx', type: 'f32', access: 'write' },
  ],
  params,
  variants: [
    ...byLanes(
      (p, lanes) => shader.gridSampleGradImageTiles(...modeOf(p), lanes, TILE, BLOCK),
      (p, lanes) => pixels(p) * (p.c / lanes),
      ['g', 'dx', 'boxes', 'blocks'],
    ).map((v) => ({
      ...v,
      name: `tiles-${v.name}`,
      summary: `enters the blocks and tiles whose box holds the pixel; ${v.summary}`,
      vec4: v.vec4 ?? ['boxes', 'blocks'],
    })),
    {
      name: 'all',
      summary: 'walks every grid position for every source pixel and channel',
      applies: () => true,
      code: (p) => shader.gridSampleGradImageAll(...modeOf(p)),
      workgroups: (p) => groupsFor(pixels(p) * p.c),
    },
  ],
  // What the sum itself needs: four shares per grid position. Searching for them comes on top.
  cost: (p) => ({
    flops: positions(p) * (8 * p.c + 20),
    bytes: 4 * (pixels(p) * p.c + positions(p) * (p.c + 2)),
  }),
  reference: (p, { g, grid, dx }) => {
    dx.fill(0);
    eachTap(p, grid, (k, pixel, weight) => {
      for (let c = 0; c < p.c; c++) dx[pixel * p.c + c] += weight * g[k * p.c + c];
    });
  },
};
