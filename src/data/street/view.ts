// Where solids, their shadows and lamps fall on the picture: conservative screen rectangles, and rays in the frame
// of each solid.
import type { Intrinsics } from '../types.ts';
import type { Camera } from './camera.ts';
import type { Solid } from './solids.ts';

const NEAR = 0.1;

/** Corner pairs that share an edge of a box; corners are numbered by bits x, y, z. */
const EDGES: readonly (readonly [number, number])[] = [
  [0, 1],
  [2, 3],
  [4, 5],
  [6, 7],
  [0, 2],
  [1, 3],
  [4, 6],
  [5, 7],
  [0, 4],
  [1, 5],
  [2, 6],
  [3, 7],
];

/** Pixels [x0, x1) x [y0, y1), and the smallest z-depth. Empty when x0 >= x1. */
export interface Bounds {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  near: number;
}

/** Camera coordinates of points, eight (a box) or sixteen (a box and its shadow) at a time. */
const px = new Float64Array(16);
const py = new Float64Array(16);
const pz = new Float64Array(16);

export class View {
  private left = 0;
  private top = 0;
  private right = 0;
  private bottom = 0;

  constructor(
    readonly camera: Camera,
    readonly k: Intrinsics,
  ) {}

  private toCamera(i: number, x: number, y: number, z: number): void {
    const { camera: c } = this;
    const dx = x - c.x;
    const dy = y - c.y;
    const dz = z - c.z;
    px[i] = c.right[0] * dx + c.right[1] * dy + c.right[2] * dz;
    py[i] = -(c.up[0] * dx + c.up[1] * dy + c.up[2] * dz);
    pz[i] = c.forward[0] * dx + c.forward[1] * dy + c.forward[2] * dz;
  }

  private corners(s: Solid): void {
    for (let i = 0; i < 8; i++) {
      const lx = i & 1 ? s.hx : -s.hx;
      const ly = i & 2 ? s.hy : -s.hy;
      const lz = i & 4 ? s.hz : -s.hz;
      this.toCamera(i, s.x + lx * s.cos + lz * s.sin, s.y + ly, s.z - lx * s.sin + lz * s.cos);
    }
  }

  /** Is all of a solid, and `margin` metres around it, behind the camera? A cheap test before the exact one. */
  isBehind(s: Solid, margin: number): boolean {
    const { camera: c } = this;
    const ahead = c.forward[0] * (s.x - c.x) + c.forward[1] * (s.y - c.y) + c.forward[2] * (s.z - c.z);
    return ahead + s.hx + s.hy + s.hz + margin < 0;
  }

  private include(x: number, y: number, z: number): void {
    const u = (this.k.fx * x) / z;
    const v = (this.k.fy * y) / z;
    if (u < this.left) this.left = u;
    if (u > this.right) this.right = u;
    if (v < this.top) this.top = v;
    if (v > this.bottom) this.bottom = v;
  }

  private includeEdge(a: number, b: number): void {
    if (pz[a] < NEAR === pz[b] < NEAR) return;
    const t = (NEAR - pz[a]) / (pz[b] - pz[a]);
    this.include(px[a] + t * (px[b] - px[a]), py[a] + t * (py[b] - py[a]), NEAR);
  }

  /** Rectangle around the first `count` points, a box's corners or a box's and its shadow's. */
  private around(count: 8 | 16, out: Bounds): boolean {
    this.left = this.top = Infinity;
    this.right = this.bottom = -Infinity;
    let near = Infinity;
    let behind = 0;
    for (let i = 0; i < count; i++) {
      if (pz[i] < near) near = pz[i];
      if (pz[i] < NEAR) behind++;
      else this.include(px[i], py[i], pz[i]);
    }
    if (behind === count) return false;
    if (behind > 0) {
      for (let base = 0; base < count; base += 8)
        for (const [a, b] of EDGES) this.includeEdge(base + a, base + b);
      if (count === 16) for (let i = 0; i < 8; i++) this.includeEdge(i, i + 8);
    }
    // A sample lies up to a third of a pixel off the pixel's centre.
    out.x0 = Math.max(0, Math.ceil(this.left + this.k.cx - 0.34));
    out.x1 = Math.min(this.k.width, Math.floor(this.right + this.k.cx + 0.34) + 1);
    out.y0 = Math.max(0, Math.ceil(this.top + this.k.cy - 0.34));
    out.y1 = Math.min(this.k.height, Math.floor(this.bottom + this.k.cy + 0.34) + 1);
    out.near = near;
    return out.x0 < out.x1 && out.y0 < out.y1;
  }

  /** Bounds of a solid; false when it is out of the picture. */
  boundsOf(s: Solid, out: Bounds): boolean {
    this.corners(s);
    return this.around(8, out);
  }

  /** Bounds of all points between a solid and its shadow on the plane y = 0, for light from (lx, ly, lz), ly > 0. */
  boundsOfShadow(s: Solid, lx: number, ly: number, lz: number, out: Bounds): boolean {
    this.corners(s);
    for (let i = 0; i < 8; i++) {
      const x = i & 1 ? s.hx : -s.hx;
      const y = s.y + (i & 2 ? s.hy : -s.hy);
      const z = i & 4 ? s.hz : -s.hz;
      const t = Math.max(y, 0) / ly;
      this.toCamera(
        i + 8,
        s.x + x * s.cos + z * s.sin - t * lx,
        y - t * ly,
        s.z - x * s.sin + z * s.cos - t * lz,
      );
    }
    return this.around(16, out);
  }

  /** Bounds of the ground within `margin` metres of a solid's footprint. */
  boundsOfFootprint(s: Solid, margin: number, out: Bounds): boolean {
    for (let i = 0; i < 8; i++) {
      const x = (s.hx + margin) * (i & 1 ? 1 : -1);
      const z = (s.hz + margin) * (i & 4 ? 1 : -1);
      this.toCamera(i, s.x + x * s.cos + z * s.sin, i & 2 ? 0.15 : 0, s.z - x * s.sin + z * s.cos);
    }
    return this.around(8, out);
  }

  /** Pixel and z-depth of a point: out = [u, v, z]. */
  project(x: number, y: number, z: number, out: Float64Array): void {
    this.toCamera(0, x, y, z);
    out[0] = (this.k.fx * px[0]) / pz[0] + this.k.cx;
    out[1] = (this.k.fy * py[0]) / pz[0] + this.k.cy;
    out[2] = pz[0];
  }
}
