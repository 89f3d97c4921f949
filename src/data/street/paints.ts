// Surfaces other than the ground and the facades. A paint is a function from the point that a ray met to albedo,
// glow and gloss; each call here fixes one material.
import { band, cellHash, fractal2, fractal3, noise2, resolved, stripes } from './noise.ts';
import { type Color, Face, type Hit, type Paint, type Surface } from './solids.ts';

export function matte(out: Surface, r: number, g: number, b: number, gloss = 0): void {
  out.r = r;
  out.g = g;
  out.b = b;
  out.glowR = out.glowG = out.glowB = 0;
  out.gloss = gloss;
}

/** Distance along a vertical face (or the roof's edge), metres. */
export function alongFace(hit: Hit): number {
  return hit.face === Face.left || hit.face === Face.right ? hit.lz : hit.lx;
}

/** One colour with slight soiling. */
export function plain(color: Color, gloss = 0): Paint {
  return (hit, out) => {
    const tone = 1 + 0.22 * fractal3(hit.x, hit.y, hit.z, 0.9, 2, hit.pixel);
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone, gloss);
  };
}

/** One colour that shines by itself at night. */
export function lamp(color: Color, glow: Color): Paint {
  return (hit, out) => {
    matte(out, color[0], color[1], color[2]);
    out.glowR = glow[0] * hit.night;
    out.glowG = glow[1] * hit.night;
    out.glowB = glow[2] * hit.night;
  };
}

/** Leaves: clumps and tips in light and shade. Turns the normal about, so that the sun catches single tufts. */
export function leaves(color: Color, autumn = 0): Paint {
  return (hit, out) => {
    const { x, y, z, pixel } = hit;
    const clumps = fractal3(x, y, z, 1, 2, pixel);
    const tips = fractal3(z, x, y, 0.26, 2, pixel);
    const tone = Math.max(0.12, 1 + 0.6 * clumps + 1.2 * tips);
    const hue = autumn * (0.6 + noise2(x * 0.9, y * 0.9 + z));
    matte(
      out,
      color[0] * tone * (1 + hue),
      color[1] * tone * (1 - 0.1 * hue),
      color[2] * tone * (1 - 0.3 * hue),
    );
    const rough = resolved(0.5, pixel);
    if (rough > 0) {
      const nx = hit.nx + 0.9 * rough * noise2(y * 2.7 + x, z * 2.7);
      const ny = hit.ny + 0.9 * rough * tips + 0.25;
      const nz = hit.nz + 0.9 * rough * noise2(x * 2.7, y * 2.7 - z);
      const k = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz);
      hit.nx = nx * k;
      hit.ny = ny * k;
      hit.nz = nz * k;
    }
  };
}

export function bark(color: Color): Paint {
  return (hit, out) => {
    const tone = 1 + 0.6 * fractal3(hit.x * 3, hit.y, hit.z * 3, 0.7, 3, hit.pixel * 2);
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone);
  };
}

/** Courses of brick or stone of the given size, metres. */
export function masonry(color: Color, joint: Color, width: number, height: number, seed: number): Paint {
  return (hit, out) => {
    const u = alongFace(hit) + seed;
    const v = hit.y;
    const foot = Math.max(hit.pixel, hit.slanted * 0.5);
    const row = Math.floor(v / height);
    const shift = u + (row & 1) * width * 0.5;
    const lines = Math.max(
      stripes(shift, width, 0.03 + 0.04 * width, hit.slanted),
      stripes(v, height, 0.02 + 0.06 * height, hit.pixel),
    );
    const stone = cellHash(Math.floor(shift / width), row) * resolved(height * 2, foot);
    const coping = hit.face === Face.top ? 1.3 : 1;
    const tone =
      coping * (1 + 0.3 * stone + 0.35 * fractal2(u, v, 3.5, 3, foot) + 0.25 * fractal2(u, v, 0.4, 2, foot));
    matte(
      out,
      (color[0] + (joint[0] - color[0]) * lines) * tone,
      (color[1] + (joint[1] - color[1]) * lines) * tone,
      (color[2] + (joint[2] - color[2]) * lines) * tone,
    );
  };
}

/** Upright boards with dark gaps. */
export function boards(color: Color, period: number, gap: number, seed: number): Paint {
  return (hit, out) => {
    const u = alongFace(hit) + seed;
    const open = stripes(u, period, gap, hit.slanted);
    const rail = Math.max(band(hit.y, 0.35, 0.47, hit.pixel), band(hit.y, 1.1, 1.22, hit.pixel));
    const tone =
      (1 + 0.3 * cellHash(Math.floor(u / period), 9) * resolved(period, hit.slanted)) *
      (1 + 0.3 * fractal2(u * 3, hit.y, 1.2, 3, hit.pixel * 3)) *
      (1 - 0.82 * open * (1 - 0.7 * rail));
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone);
  };
}

/** Wire mesh or railings before something darker. */
export function railing(color: Color, behind: Color, period: number, seed: number): Paint {
  return (hit, out) => {
    const u = alongFace(hit) + seed;
    const bars = Math.max(
      stripes(u, period, period * 0.28, hit.slanted),
      stripes(hit.y + 0.07, 0.52, 0.1, hit.pixel),
      stripes(u, 2.4, 0.12, hit.slanted),
    );
    const back = 1 + 0.6 * fractal2(u, hit.y, 0.9, 3, hit.pixel);
    matte(
      out,
      behind[0] * back + (color[0] - behind[0] * back) * bars,
      behind[1] * back + (color[1] - behind[1] * back) * bars,
      behind[2] * back + (color[2] - behind[2] * back) * bars,
    );
  };
}

export function tiles(color: Color, seed: number): Paint {
  return (hit, out) => {
    const u = hit.lz + hit.lx * 0.3 + seed;
    const rows = stripes(hit.y, 0.34, 0.09, hit.pixel);
    const foot = Math.max(hit.pixel, hit.slanted * 0.5);
    const tone =
      (1 - 0.4 * rows) *
      (1 + 0.3 * fractal2(u, hit.y, 4, 3, foot) + 0.3 * fractal2(u, hit.y * 2, 0.6, 2, foot));
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone);
  };
}

/** Cloth: folds and two tones. */
export function cloth(color: Color): Paint {
  return (hit, out) => {
    const tone = 1 + 0.35 * fractal3(hit.lx * 2, hit.ly, hit.lz * 2, 0.5, 2, hit.pixel);
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone);
  };
}

/** A sign's face, drawn in half extents (u, v) of the plate; the back is bare metal. */
export function signFace(
  face: (u: number, v: number, foot: number, out: Surface) => void,
  halfWidth: number,
): Paint {
  return (hit, out) => {
    if (hit.face === Face.back) {
      matte(out, 0.3, 0.31, 0.33);
      return;
    }
    // Seen from the front, local x runs to the left.
    face(-hit.lx / halfWidth, hit.ly / halfWidth, hit.pixel / halfWidth, out);
    // Signs are retro-reflective: they stand out in the beam of headlights.
    out.glowR = 0.1 * hit.night * out.r;
    out.glowG = 0.1 * hit.night * out.g;
    out.glowB = 0.1 * hit.night * out.b;
  };
}
