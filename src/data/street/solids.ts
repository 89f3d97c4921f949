// The shapes of the street world and where a ray meets them. Internal axes: x right, y up, z forward, metres;
// `camera.ts` turns them into the camera convention of the data contract (y down).
import { noise3 } from './noise.ts';

/** Linear RGB. Typed memory throughout: V8 keeps one fast path for it whatever the values are. */
export type Color = Float64Array;

export const rgb = (r: number, g: number, b: number): Color => Float64Array.of(r, g, b);

/** The point a ray meets, filled by the renderer before it asks for the paint. */
export interface Hit {
  /** World position, metres. */
  x: number;
  y: number;
  z: number;
  /** Position in the frame of the solid. */
  lx: number;
  ly: number;
  lz: number;
  /** Outward unit normal, world. */
  nx: number;
  ny: number;
  nz: number;
  /** Which face of a box or convex solid; see the intersection functions. */
  face: number;
  /** Width of a pixel at this distance, metres, seen face on. */
  pixel: number;
  /** The same along the direction in which the surface is foreshortened. */
  slanted: number;
  /** 1 at night, 0 by day: lit windows and lamps glow. */
  night: number;
}

/** What a paint answers: linear albedo, emitted light, and mirror-like share in [0, 1]. */
export interface Surface {
  r: number;
  g: number;
  b: number;
  glowR: number;
  glowG: number;
  glowB: number;
  gloss: number;
}

export type Paint = (hit: Hit, out: Surface) => void;

export const Shape = {
  box: 0,
  convex: 1,
  ellipsoid: 2,
  foliage: 3,
  cylinder: 4,
  wheel: 5,
  plate: 6,
} as const;
export type ShapeKind = (typeof Shape)[keyof typeof Shape];

/** Outlines of flat plates. */
export const Outline = { rectangle: 0, disc: 1, triangle: 2, diamond: 3, octagon: 4 } as const;

/** A shape turned about the vertical. Its local axes: x right, y up, z along its heading. */
export interface Solid {
  shape: ShapeKind;
  label: number;
  paint: Paint;
  x: number;
  y: number;
  z: number;
  cos: number;
  sin: number;
  /** Half extents of the local bounding box. */
  hx: number;
  hy: number;
  hz: number;
  /** Convex: rows [nx, ny, nz, d] of outward half spaces n.p <= d, local. */
  planes: Float64Array;
  /** Plate: an `Outline`. Wheel: radius of the hole as a share. Foliage: share of the shell that is gaps, about. */
  cut: number;
  castsShadow: boolean;
}

/** Gaps between leaves per metre. */
const GAPS = 4.2;

export const NO_PLANES = new Float64Array(0);

/** Faces of a box, in the order in which `face` counts them. */
export const Face = { left: 0, right: 1, bottom: 2, top: 3, back: 4, front: 5 } as const;

const NEAR = 0.05;

/**
 * The ray under test, in the frame of the solid: origin (0..2), direction (3..5), nearest hit so far (6) and its
 * face (7). Typed memory, because V8 allocates every double that crosses a call it does not inline.
 */
export const ray = new Float64Array(8);

const T = 6;
const FACE = 7;

/**
 * Does `ray` meet the solid between 0.05 and ray[6]? If so ray[6] becomes the distance, in units of the direction,
 * and ray[7] the face: as in `Face` for boxes, the row of `planes` for convex solids, 0 side or 1 cap for cylinders.
 */
export function hitSolid(s: Solid): boolean {
  switch (s.shape) {
    case Shape.box:
      return hitBox(s);
    case Shape.convex:
      return hitConvex(s.planes);
    case Shape.cylinder:
      return hitCylinder(s.hx, s.hy, 0, 1, 0);
    case Shape.wheel:
      return hitCylinder(s.hy, s.hx, s.cut, 0, 1);
    case Shape.plate:
      return hitPlate(s);
    default:
      return hitEllipsoid(s);
  }
}

function hitBox(s: Solid): boolean {
  let enter = NEAR;
  let leave = ray[T];
  let face = -1;
  for (let axis = 0; axis < 3; axis++) {
    const half = axis === 0 ? s.hx : axis === 1 ? s.hy : s.hz;
    const o = ray[axis];
    const inverse = 1 / ray[axis + 3];
    const low = (-half - o) * inverse;
    const high = (half - o) * inverse;
    if (inverse > 0) {
      if (low > enter) {
        enter = low;
        face = 2 * axis;
      }
      if (high < leave) leave = high;
    } else {
      if (high > enter) {
        enter = high;
        face = 2 * axis + 1;
      }
      if (low < leave) leave = low;
    }
    if (enter >= leave) return false;
  }
  if (face < 0) return false;
  ray[T] = enter;
  ray[FACE] = face;
  return true;
}

function hitConvex(planes: Float64Array): boolean {
  const ox = ray[0];
  const oy = ray[1];
  const oz = ray[2];
  const dx = ray[3];
  const dy = ray[4];
  const dz = ray[5];
  let enter = NEAR;
  let leave = ray[T];
  let face = -1;
  for (let i = 0; i < planes.length; i += 4) {
    const along = planes[i] * dx + planes[i + 1] * dy + planes[i + 2] * dz;
    const away = planes[i + 3] - planes[i] * ox - planes[i + 1] * oy - planes[i + 2] * oz;
    if (along < 0) {
      const t = away / along;
      if (t > enter) {
        enter = t;
        face = i >> 2;
      }
    } else if (along > 0) {
      const t = away / along;
      if (t < leave) leave = t;
    } else if (away < 0) return false;
    if (enter >= leave) return false;
  }
  if (face < 0) return false;
  ray[T] = enter;
  ray[FACE] = face;
  return true;
}

function hitEllipsoid(s: Solid): boolean {
  const px = ray[0] / s.hx;
  const py = ray[1] / s.hy;
  const pz = ray[2] / s.hz;
  const qx = ray[3] / s.hx;
  const qy = ray[4] / s.hy;
  const qz = ray[5] / s.hz;
  const a = qx * qx + qy * qy + qz * qz;
  const half = px * qx + py * qy + pz * qz;
  const disc = half * half - a * (px * px + py * py + pz * pz - 1);
  if (disc <= 0) return false;
  const root = Math.sqrt(disc);
  for (let sign = -1; sign <= 1; sign += 2) {
    const t = (-half + sign * root) / a;
    if (t <= NEAR || t >= ray[T]) continue;
    // A crown is a shell with gaps at fixed places, so what shows through moves with true parallax.
    if (s.shape === Shape.foliage && isGap(s, t)) continue;
    ray[T] = t;
    ray[FACE] = 0;
    return true;
  }
  return false;
}

function isGap(s: Solid, t: number): boolean {
  const x = ray[0] + t * ray[3] + s.x;
  const y = ray[1] + t * ray[4] + s.y;
  const z = ray[2] + t * ray[5] + s.z;
  return 0.5 + 0.5 * noise3(x * GAPS, y * GAPS, z * GAPS) < s.cut;
}

/** `axis` is the coordinate (0 or 1) along the cylinder, `other` the remaining one of the two. */
function hitCylinder(radius: number, halfLength: number, hole: number, axis: 0 | 1, other: 0 | 1): boolean {
  const ox = ray[other];
  const oy = ray[axis];
  const oz = ray[2];
  const dx = ray[3 + other];
  const dy = ray[3 + axis];
  const dz = ray[5];
  const a = dx * dx + dz * dz;
  const half = ox * dx + oz * dz;
  const disc = half * half - a * (ox * ox + oz * oz - radius * radius);
  if (disc <= 0) return false;
  let found = false;
  const t = (-half - Math.sqrt(disc)) / a;
  if (t > NEAR && t < ray[T] && Math.abs(oy + t * dy) <= halfLength) {
    ray[T] = t;
    ray[FACE] = 0;
    found = true;
  }
  const cap = ((dy > 0 ? -halfLength : halfLength) - oy) / dy;
  if (cap > NEAR && cap < ray[T]) {
    const x = ox + cap * dx;
    const z = oz + cap * dz;
    const share = (x * x + z * z) / (radius * radius);
    if (share <= 1 && share >= hole * hole) {
      ray[T] = cap;
      ray[FACE] = 1;
      found = true;
    }
  }
  return found;
}

function hitPlate(s: Solid): boolean {
  const t = -ray[2] / ray[5];
  if (!(t > NEAR && t < ray[T])) return false;
  const u = (ray[0] + t * ray[3]) / s.hx;
  const v = (ray[1] + t * ray[4]) / s.hy;
  if (!insideOutline(s.cut, u, v)) return false;
  ray[T] = t;
  ray[FACE] = ray[5] > 0 ? Face.back : Face.front;
  return true;
}

/** Is (u, v), in half extents, inside the outline? */
function insideOutline(outline: number, u: number, v: number): boolean {
  const au = Math.abs(u);
  const av = Math.abs(v);
  switch (outline) {
    case Outline.disc:
      return u * u + v * v <= 1;
    case Outline.triangle:
      return v >= -1 && au <= (1 - v) * 0.5;
    case Outline.diamond:
      return au + av <= 1;
    case Outline.octagon:
      return au <= 1 && av <= 1 && au + av <= 1.42;
    default:
      return au <= 1 && av <= 1;
  }
}
