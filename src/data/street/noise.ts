// Band-limited procedural texture. Every function takes the footprint of a pixel in the units of its argument and
// leaves out what is finer, so that textures fade to their mean with distance instead of flickering.
import { threefry2x32 } from '../../gpu/threefry.ts';

const lattice = (() => {
  const table = new Float32Array(65536);
  for (let i = 0; i < table.length; i += 4) {
    const [a, b] = threefry2x32(0x57ee7, 0, i, 0);
    table[i] = (a & 0xffff) / 32767.5 - 1;
    table[i + 1] = (a >>> 16) / 32767.5 - 1;
    table[i + 2] = (b & 0xffff) / 32767.5 - 1;
    table[i + 3] = (b >>> 16) / 32767.5 - 1;
  }
  return table;
})();

/** A fixed random number in [-1, 1] for an integer cell; repeats every 256 cells. */
export const cellHash = (i: number, j: number): number => lattice[(i & 255) | ((j & 255) << 8)];

/** Value noise in [-1, 1] with lattice spacing 1. */
export function noise2(u: number, v: number): number {
  const iu = Math.floor(u);
  const iv = Math.floor(v);
  let fu = u - iu;
  let fv = v - iv;
  fu = fu * fu * (3 - 2 * fu);
  fv = fv * fv * (3 - 2 * fv);
  const a = iu & 255;
  const b = (iu + 1) & 255;
  const row0 = (iv & 255) << 8;
  const row1 = ((iv + 1) & 255) << 8;
  const top = lattice[a | row0] + (lattice[b | row0] - lattice[a | row0]) * fu;
  const low = lattice[a | row1] + (lattice[b | row1] - lattice[a | row1]) * fu;
  return top + (low - top) * fv;
}

/** Value noise in [-1, 1] with lattice spacing 1 in three dimensions. */
export function noise3(x: number, y: number, z: number): number {
  const iz = Math.floor(z);
  let f = z - iz;
  f = f * f * (3 - 2 * f);
  // Layers of the lattice are the same table at unrelated offsets.
  const near = noise2(x + iz * 37.0 + (iz & 7) * 11, y + iz * 91.0);
  const far = noise2(x + (iz + 1) * 37.0 + ((iz + 1) & 7) * 11, y + (iz + 1) * 91.0);
  return near + (far - near) * f;
}

/** How much of a wavelength survives a pixel footprint: 1 when resolved, 0 from half a wavelength on. */
export function resolved(wavelength: number, footprint: number): number {
  const share = 1.6 - (2.4 * footprint) / wavelength;
  return share < 0 ? 0 : Math.min(share, 1);
}

/** Octaves of 2-D value noise from `wavelength` downwards, each half as long and 0.6 as strong; roughly [-1, 1]. */
export function fractal2(
  u: number,
  v: number,
  wavelength: number,
  octaves: number,
  footprint: number,
): number {
  let sum = 0;
  let strength = 0.6;
  for (let o = 0; o < octaves; o++) {
    const keep = resolved(wavelength, footprint);
    if (keep === 0) break;
    const k = 1 / wavelength;
    sum += strength * keep * noise2(u * k + o * 17.3, v * k + o * 5.7);
    strength *= 0.6;
    wavelength *= 0.5;
  }
  return sum;
}

/** As `fractal2`, in three dimensions. */
export function fractal3(
  x: number,
  y: number,
  z: number,
  wavelength: number,
  octaves: number,
  footprint: number,
): number {
  let sum = 0;
  let strength = 0.6;
  for (let o = 0; o < octaves; o++) {
    const keep = resolved(wavelength, footprint);
    if (keep === 0) break;
    const k = 1 / wavelength;
    sum += strength * keep * noise3(x * k + o * 17.3, y * k + o * 5.7, z * k + o * 9.1);
    strength *= 0.6;
    wavelength *= 0.5;
  }
  return sum;
}

/** Coverage in [0, 1] of a pixel of width `footprint` at x by the interval [low, high]. */
export function band(x: number, low: number, high: number, footprint: number): number {
  const half = footprint * 0.5 + 1e-4;
  const from = Math.max(x - half, low);
  const to = Math.min(x + half, high);
  return to > from ? (to - from) / (2 * half) : 0;
}

/** Coverage in [0, 1] of a pixel by stripes `[k period, k period + on]`, k integer: an exactly box-filtered pulse train. */
export function stripes(x: number, period: number, on: number, footprint: number): number {
  const half = footprint * 0.5 + 1e-4;
  return (stripeIntegral(x + half, period, on) - stripeIntegral(x - half, period, on)) / (2 * half);
}

function stripeIntegral(x: number, period: number, on: number): number {
  const k = Math.floor(x / period);
  const rest = x - k * period;
  return k * on + Math.min(rest, on);
}
