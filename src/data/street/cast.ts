// The geometry of a picture: for every sample the nearest surface along its ray (all solids, each within its screen
// rectangle, against a depth buffer), and how much light reaches it. Rays are scaled so that t is z-depth.
import type { Intrinsics } from '../types.ts';
import type { Camera } from './camera.ts';
import type { Light } from './light.ts';
import { Ground, KERB, type Plan } from './plan.ts';
import { hitSolid, ray, Shape, type Solid } from './solids.ts';
import type { Bounds, View } from './view.ts';

/** What a ray met, besides the index of a solid. */
export const SKY = -1;
export const GROUND = -2;

/** Faces of the ground: road level, pavement level, and the upright face of the kerb. */
export const GroundFace = { low: 0, raised: 1, kerb: 2 } as const;

/** Ground farther away than this is horizon, metres. */
const FAR = 1500;
/** Shadows of things farther away than this do not show, metres. */
const SHADOW_RANGE = 80;
/** How far the ground around things is darkened, metres. */
const CONTACT = 0.5;

/** A solid with the screen rectangle that it, its shadow or its surroundings can touch. */
export interface Visible {
  solid: Solid;
  index: number;
  bounds: Bounds;
}

/** One ray per pixel, each at the same offset from its pixel's centre. Maps are `[height, width]`. */
export class Samples {
  /** z-depth, metres; Infinity in the sky. */
  readonly t: Float64Array;
  /** Index of the solid, SKY or GROUND. */
  readonly what: Int32Array;
  readonly face: Uint8Array;
  /** World position, `[height, width, 3]`; see `locate`. */
  readonly where: Float64Array;
  /** Share of direct sun and of skylight that arrives. */
  readonly sunlit: Float32Array;
  readonly open: Float32Array;

  constructor(
    private readonly k: Intrinsics,
    readonly u: number,
    readonly v: number,
  ) {
    const n = k.width * k.height;
    this.t = new Float64Array(n);
    this.what = new Int32Array(n);
    this.face = new Uint8Array(n);
    this.where = new Float64Array(n * 3);
    this.sunlit = new Float32Array(n);
    this.open = new Float32Array(n);
  }

  /** Fills t, what and face. */
  cast(plan: Plan, camera: Camera, visible: readonly Visible[]): void {
    this.t.fill(Infinity);
    this.what.fill(SKY);
    this.face.fill(0);
    this.castSolids(camera, visible);
    this.castGround(plan, camera);
  }

  private castSolids(camera: Camera, visible: readonly Visible[]): void {
    const { k, u, v, t, what, face } = this;
    const { width } = k;
    for (const { solid: s, index, bounds } of visible) {
      // Ray origin and direction in the frame of the solid; directions change linearly over the picture.
      const rx = camera.x - s.x;
      const rz = camera.z - s.z;
      ray[0] = rx * s.cos - rz * s.sin;
      ray[1] = camera.y - s.y;
      ray[2] = rx * s.sin + rz * s.cos;
      const { forward: f, right: r, up: w } = camera;
      const fx = f[0] * s.cos - f[2] * s.sin;
      const fz = f[0] * s.sin + f[2] * s.cos;
      const ax = r[0] * s.cos - r[2] * s.sin;
      const az = r[0] * s.sin + r[2] * s.cos;
      const bx = w[0] * s.cos - w[2] * s.sin;
      const bz = w[0] * s.sin + w[2] * s.cos;
      for (let y = bounds.y0; y < bounds.y1; y++) {
        const b = (y + v - k.cy) / k.fy;
        for (let x = bounds.x0, i = y * width + x; x < bounds.x1; x++, i++) {
          if (t[i] <= bounds.near) continue;
          const a = (x + u - k.cx) / k.fx;
          ray[3] = fx + a * ax - b * bx;
          ray[4] = f[1] + a * r[1] - b * w[1];
          ray[5] = fz + a * az - b * bz;
          ray[6] = t[i];
          if (hitSolid(s)) {
            t[i] = ray[6];
            what[i] = index;
            face[i] = ray[7];
          }
        }
      }
    }
  }

  /** Road at height 0, everything else at the height of the kerb, with an upright kerb face between. */
  private castGround(plan: Plan, camera: Camera): void {
    const { k, u, v, t, what, face } = this;
    const { forward: f, right: r, up: w } = camera;
    for (let y = 0, i = 0; y < k.height; y++) {
      const b = (y + v - k.cy) / k.fy;
      for (let x = 0; x < k.width; x++, i++) {
        const a = (x + u - k.cx) / k.fx;
        const dy = f[1] + a * r[1] - b * w[1];
        const high = (KERB - camera.y) / dy;
        if (dy >= 0 || high > FAR || high >= t[i]) continue;
        const dx = f[0] + a * r[0] - b * w[0];
        const dz = f[2] + a * r[2] - b * w[2];
        if (plan.groundAt(camera.x + high * dx, camera.z + high * dz) !== Ground.road) {
          t[i] = high;
          what[i] = GROUND;
          face[i] = GroundFace.raised;
          continue;
        }
        let clear = high;
        let low = -camera.y / dy;
        let kind: number = GroundFace.low;
        if (plan.groundAt(camera.x + low * dx, camera.z + low * dz) !== Ground.road) {
          // The ray enters the kerb between the two heights: bisect to where the road ends.
          for (let step = 0; step < 24; step++) {
            const middle = (clear + low) / 2;
            if (plan.groundAt(camera.x + middle * dx, camera.z + middle * dz) !== Ground.road) low = middle;
            else clear = middle;
          }
          low = clear;
          kind = GroundFace.kerb;
        }
        if (low >= t[i]) continue;
        t[i] = low;
        what[i] = GROUND;
        face[i] = kind;
      }
    }
  }

  /** Fills `where` with the world positions of what `cast` met. */
  locate(camera: Camera): void {
    const { k, u, v, t, where } = this;
    for (let y = 0, i = 0; y < k.height; y++) {
      const b = (y + v - k.cy) / k.fy;
      for (let x = 0; x < k.width; x++, i++) {
        const a = (x + u - k.cx) / k.fx;
        const z = t[i];
        where[3 * i] = camera.x + z * (camera.forward[0] + a * camera.right[0] - b * camera.up[0]);
        where[3 * i + 1] = camera.y + z * (camera.forward[1] + a * camera.right[1] - b * camera.up[1]);
        where[3 * i + 2] = camera.z + z * (camera.forward[2] + a * camera.right[2] - b * camera.up[2]);
      }
    }
  }

  /** Fills `sunlit`; needs `where`. */
  castShadows(casters: readonly Visible[], light: Light): void {
    const { where, sunlit, what, t } = this;
    sunlit.fill(1);
    for (const { solid: s, index, bounds } of casters) {
      ray[3] = light.sunX * s.cos - light.sunZ * s.sin;
      ray[4] = light.sunY;
      ray[5] = light.sunX * s.sin + light.sunZ * s.cos;
      // Light gets through leaves.
      const left = s.shape === Shape.foliage ? 0.42 : 0;
      for (let y = bounds.y0; y < bounds.y1; y++) {
        for (let x = bounds.x0, i = y * this.k.width + x; x < bounds.x1; x++, i++) {
          if (what[i] === SKY || what[i] === index || sunlit[i] < 0.05 || t[i] < bounds.near) continue;
          const rx = where[3 * i] - s.x;
          const rz = where[3 * i + 2] - s.z;
          ray[0] = rx * s.cos - rz * s.sin;
          ray[1] = where[3 * i + 1] - s.y;
          ray[2] = rx * s.sin + rz * s.cos;
          ray[6] = 200;
          if (hitSolid(s)) sunlit[i] *= left;
        }
      }
    }
  }

  /** Fills `open`: ground close to and under things sees less of the sky. Needs `where`. */
  darkenContacts(contacts: readonly Visible[]): void {
    const { where, open, what } = this;
    open.fill(1);
    for (const { solid: s, bounds } of contacts) {
      for (let y = bounds.y0; y < bounds.y1; y++) {
        for (let x = bounds.x0, i = y * this.k.width + x; x < bounds.x1; x++, i++) {
          if (what[i] !== GROUND) continue;
          const rx = where[3 * i] - s.x;
          const rz = where[3 * i + 2] - s.z;
          const ox = Math.max(0, Math.abs(rx * s.cos - rz * s.sin) - s.hx);
          const oz = Math.max(0, Math.abs(rx * s.sin + rz * s.cos) - s.hz);
          const away = Math.sqrt(ox * ox + oz * oz) / CONTACT;
          if (away < 1) open[i] = Math.min(open[i], 1 - 0.72 * (1 - away) * (1 - away));
        }
      }
    }
  }
}

const newBounds = (): Bounds => ({ x0: 0, y0: 0, x1: 0, y1: 0, near: 0 });

/** Solids in the picture, front to back, so that what is hidden fails the cheap depth test. */
export function inPicture(view: View, solids: readonly Solid[]): Visible[] {
  const found: Visible[] = [];
  let bounds = newBounds();
  solids.forEach((solid, index) => {
    if (view.isBehind(solid, 0) || !view.boundsOf(solid, bounds)) return;
    found.push({ solid, index, bounds });
    bounds = newBounds();
  });
  return found.sort((a, b) => a.bounds.near - b.bounds.near || a.index - b.index);
}

/** Solids whose shadow can fall into the picture. */
export function shadows(view: View, solids: readonly Solid[], light: Light): Visible[] {
  const found: Visible[] = [];
  let bounds = newBounds();
  solids.forEach((solid, index) => {
    if (!solid.castsShadow || Math.hypot(solid.x - view.camera.x, solid.z - view.camera.z) > SHADOW_RANGE)
      return;
    if (!view.boundsOfShadow(solid, light.sunX, light.sunY, light.sunZ, bounds)) return;
    found.push({ solid, index, bounds });
    bounds = newBounds();
  });
  return found;
}

/** Solids that stand on the ground in the picture. */
export function footprints(view: View, solids: readonly Solid[]): Visible[] {
  const found: Visible[] = [];
  let bounds = newBounds();
  solids.forEach((solid, index) => {
    const slim = solid.hx < 0.12 && solid.hz < 0.12;
    if (slim || solid.shape === Shape.foliage || solid.y - solid.hy > 0.6) return;
    if (Math.hypot(solid.x - view.camera.x, solid.z - view.camera.z) > SHADOW_RANGE) return;
    if (view.isBehind(solid, CONTACT) || !view.boundsOfFootprint(solid, CONTACT, bounds)) return;
    found.push({ solid, index, bounds });
    bounds = newBounds();
  });
  return found;
}
