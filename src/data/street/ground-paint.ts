// The look of the ground: asphalt with markings, parking strips, kerbs, slabs and grass.
import { band, cellHash, fractal2, noise2, resolved, stripes } from './noise.ts';
import { Ground, type GroundKind, type Plan } from './plan.ts';
import type { Dice } from './random.ts';
import type { Hit, Surface } from './solids.ts';

export interface GroundLook {
  asphalt: number;
  warmth: number;
  slabs: number;
  slabSize: number;
  grass: readonly [number, number, number];
  seed: number;
}

export function drawGroundLook(dice: Dice): GroundLook {
  const dry = dice.next();
  return {
    asphalt: dice.range(0.075, 0.16),
    warmth: dice.range(-0.04, 0.06),
    slabs: dice.range(0.22, 0.38),
    slabSize: dice.range(0.6, 1.3),
    grass: [0.065 + 0.05 * dry, 0.115 + 0.015 * dry, 0.03 + 0.02 * dry],
    seed: dice.range(0, 200),
  };
}

/** Paints the point of `hit`, which lies on ground of the given kind. */
export function paintGround(plan: Plan, look: GroundLook, kind: GroundKind, hit: Hit, out: Surface): void {
  out.glowR = out.glowG = out.glowB = 0;
  out.gloss = 0;
  if (kind === Ground.road) asphalt(plan, look, hit, out);
  else if (kind === Ground.grass) grass(look, hit, out);
  else pavement(plan, look, hit, out);
}

function asphalt(plan: Plan, look: GroundLook, hit: Hit, out: Surface): void {
  const { x, z, pixel, slanted } = hit;
  const d = plan.d;
  const a = Math.abs(d);
  const side = plan.side(d);
  // Seen at a grazing angle a pixel is long and narrow; half its length keeps contrast without much flicker.
  const foot = Math.max(pixel, slanted * 0.4);
  const s = look.seed;
  let tone =
    look.asphalt * (1 + 0.3 * fractal2(x + s, z, 7, 3, foot) + 0.4 * fractal2(x, z + s, 0.8, 3, foot));

  const j = plan.junction;
  const crossing = j !== null && Math.abs(z - j.z) < j.halfWidth + 0.6;
  const onLanes = a < side.lanes;

  if (onLanes && !crossing) {
    const inLane = (a % plan.laneWidth) / plan.laneWidth;
    tone *= 1 - 0.13 * Math.cos(4 * Math.PI * (inLane - 0.25)) * resolved(plan.laneWidth, pixel * 2);
    // Repairs: rectangles of newer or older asphalt, one cell in three.
    const cell = Math.floor(z / 9);
    const lane = Math.floor(d / plan.laneWidth);
    const kind = cellHash(cell + 7 + Math.floor(s), lane * 5 + 3);
    if (kind > 0.25 || kind < -0.75) {
      const start = 9 * cell + 1 + 2 * (1 + cellHash(cell, lane + 40));
      const inset = 0.15 + 0.5 * (1 + cellHash(cell, lane + 80));
      const from = inset / plan.laneWidth;
      const cover =
        band(z, start, start + 2 + 3 * kind * kind, slanted) *
        band(inLane, from, 0.97, pixel / plan.laneWidth);
      tone *= 1 + cover * (kind > 0.6 ? -0.42 : kind > 0 ? 0.4 : -0.3);
    }
    const cover = cellHash(Math.floor(z / 14), 200 + lane);
    if (cover > 0.2) {
      const dz = z - 14 * Math.floor(z / 14) - 7 - 5 * cover;
      const dx = (inLane - 0.5) * plan.laneWidth;
      const r = Math.sqrt(dx * dx + dz * dz);
      tone *= 1 - 0.55 * band(r, -1, 0.34, foot) + 0.5 * band(r, 0.34, 0.42, foot);
    }
  }
  if (pixel < 0.08) {
    // Cracks: level lines of noise, in patches.
    const patch = Math.max(0, noise2(x * 0.12, z * 0.12 + s));
    const crack = Math.abs(noise2(x * 0.9 + s, z * 0.6));
    tone *= 1 - 0.35 * patch * band(crack, -1, 0.025, foot * 0.8);
  }

  let r = tone * (1 + look.warmth);
  let g = tone;
  let b = tone * (1 - look.warmth);

  const parking = !onLanes && a < side.kerb && !crossing;
  if (parking && plan.cobbledParking) {
    const joint = Math.max(stripes(z, 0.45, 0.07, slanted), stripes(d, 0.3, 0.05, pixel));
    const stone =
      0.2 * (1 + 0.35 * cellHash(Math.floor(z / 0.45), Math.floor(d / 0.3)) * resolved(0.45, foot));
    const t = (stone * (1 - 0.5 * joint) * tone) / look.asphalt;
    r = t * 1.05;
    g = t;
    b = t * 0.95;
  }
  if (!crossing && a > side.kerb - 0.32 && a < side.kerb + 0.1) {
    const gutter = 0.24 * (1 - 0.4 * stripes(z, 1, 0.06, slanted)) * (tone / look.asphalt);
    r = g = b = gutter;
  }

  const paint =
    markings(plan, hit, a, d, parking, crossing) * (0.86 + 0.3 * fractal2(x, z + 3 * s, 0.7, 2, foot));
  if (paint > 0) {
    r += (0.62 - r) * paint;
    g += (0.62 - g) * paint;
    b += (0.6 - b) * paint;
  }
  out.r = r;
  out.g = g;
  out.b = b;
  out.gloss = 0.06;
}

/** Share of white paint in [0, 1]. */
function markings(plan: Plan, hit: Hit, a: number, d: number, parking: boolean, crossing: boolean): number {
  const { z, pixel, slanted } = hit;
  const side = plan.side(d);
  for (const zebra of plan.zebras) {
    const along = Math.abs(z - zebra);
    if (along < 1.6 + slanted) {
      return a < side.kerb - 0.3 ? band(z, zebra - 1.5, zebra + 1.5, slanted) * stripes(d, 1, 0.5, pixel) : 0;
    }
    if (along < 3.2) {
      // Stop line on the lanes that lead to the crossing.
      const towards = d > 0 ? zebra - z : z - zebra;
      return a > 0.15 && a < side.lanes - 0.1 ? band(towards, 2.2, 2.75, slanted) : 0;
    }
  }
  if (crossing) return 0;
  if (parking)
    return 0.8 * stripes(z + 1.5, 5.6, 0.14, slanted) * band(a, side.lanes, side.kerb - 0.35, pixel);
  let paint = 0;
  if (plan.lanesPerWay === 1) {
    paint = band(a, -0.08, 0.08, pixel) * stripes(z, 6, 3, slanted);
  } else {
    paint = band(a, 0.09, 0.24, pixel);
    paint = Math.max(
      paint,
      band(a, plan.laneWidth - 0.08, plan.laneWidth + 0.08, pixel) * stripes(z, 8, 3.5, slanted),
    );
  }
  const edge = side.kerb > side.lanes ? stripes(z, 2, 1, slanted) : 1;
  const edgeAt = side.kerb > side.lanes ? side.lanes : side.kerb - 0.5;
  return Math.max(paint, 0.9 * edge * band(a, edgeAt - 0.07, edgeAt + 0.07, pixel));
}

function pavement(plan: Plan, look: GroundLook, hit: Hit, out: Surface): void {
  const { x, z, pixel, slanted } = hit;
  const d = plan.d;
  const a = Math.abs(d);
  const side = plan.side(d);
  const foot = Math.max(pixel, slanted * 0.4);
  const uneven = 1 + 0.24 * fractal2(x + look.seed, z, 5, 3, foot) + 0.2 * fractal2(x, z, 0.5, 2, foot);
  let tone: number;
  if (hit.face === 2 || a < side.kerb + 0.22) {
    // Granite kerb stones.
    tone = 0.42 * (1 - 0.45 * stripes(z, 1, 0.05, slanted)) * (hit.face === 2 ? 0.72 : 1);
  } else {
    const size = look.slabSize;
    const row = Math.floor(a / size);
    const shift = z + (row & 1) * size * 0.5;
    const joint = Math.max(stripes(shift, size, 0.05, slanted), stripes(a, size, 0.05, pixel));
    const slab = cellHash(Math.floor(shift / size), row + (d > 0 ? 50 : 0)) * resolved(size, foot);
    tone = look.slabs * (1 - 0.4 * joint) * (1 + 0.22 * slab);
    // A darker course of setts at both edges, as along most European pavements.
    if (a < side.verge + 0.55 || a > side.pavement - 0.35) tone *= 0.68;
  }
  tone *= uneven;
  out.r = tone * 1.04;
  out.g = tone;
  out.b = tone * 0.94;
  out.gloss = 0.03;
}

function grass(look: GroundLook, hit: Hit, out: Surface): void {
  const { x, z, pixel, slanted } = hit;
  const foot = Math.max(pixel, slanted * 0.4);
  const large = fractal2(x + look.seed, z, 6, 3, foot);
  const fine = fractal2(x, z - look.seed, 0.6, 3, foot);
  const tone = 1 + 0.4 * large + 0.55 * fine;
  const dry = 0.5 + 0.5 * fractal2(x - 50, z, 9, 2, foot);
  out.r = look.grass[0] * tone * (0.8 + 0.7 * dry);
  out.g = look.grass[1] * tone;
  out.b = look.grass[2] * tone;
}
