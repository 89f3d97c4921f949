// Trees, bushes and hedges.
import { City } from '../classes.ts';
import { type Kit, srgb } from './kit.ts';
import { bark, leaves } from './paints.ts';
import type { Dice } from './random.ts';

const LEAVES = [0x4c6234, 0x5b713c, 0x3f5532, 0x677443, 0x496140, 0x757a46];
const BARK = [0x5a4a3a, 0x6b5d4c, 0x453a30, 0x7b7060];

/** A broad-leaved tree: a trunk and a crown of overlapping leafy shells; `size` is the full height, metres. */
export function tree(kit: Kit, dice: Dice, size: number, slender: boolean): void {
  const paint = leaves(
    srgb(dice.pick(LEAVES)),
    dice.chance(0.2) ? dice.range(0.4, 1.1) : dice.range(0, 0.15),
  );
  const trunk = slender ? 0.18 * size : dice.range(0.28, 0.36) * size;
  const girth = 0.08 + 0.017 * size;
  kit.post(City.vegetation, bark(srgb(dice.pick(BARK))), [0, 0, 0], girth, trunk + 0.2 * size);
  const crown = size - trunk;
  const spread = crown * (slender ? 0.34 : dice.range(0.72, 0.95));
  kit.ellipsoid(
    City.vegetation,
    paint,
    [0, trunk + 0.08 * crown, 0],
    [spread * 0.86, crown * 0.86, spread * 0.86],
    0.18,
  );
  const tufts = slender ? 3 : 6;
  const first = dice.range(0, Math.PI * 2);
  for (let i = 0; i < tufts; i++) {
    const angle = first + (i * 2 * Math.PI) / tufts + dice.range(-0.3, 0.3);
    const out = spread * dice.range(0.24, 0.38);
    const wide = spread * dice.range(0.42, 0.6);
    const high = crown * dice.range(0.36, 0.55);
    const y = trunk + dice.range(0, 0.95) * (crown - high);
    const at = [Math.cos(angle) * out, y, Math.sin(angle) * out] as const;
    // The crown's own shadow covers most of a tuft's.
    kit.ellipsoid(City.vegetation, paint, at, [wide, high, wide], 0.34).castsShadow = false;
  }
}

/** A conifer: shells that narrow towards the top. */
export function conifer(kit: Kit, dice: Dice, size: number): void {
  const paint = leaves(srgb(dice.pick([0x2f4a30, 0x35523a, 0x3d5a34])));
  kit.post(City.vegetation, bark(srgb(BARK[2])), [0, 0, 0], 0.14, size * 0.3);
  const rings = 4;
  for (let i = 0; i < rings; i++) {
    const wide = size * 0.42 * (1 - (0.75 * i) / rings);
    kit.ellipsoid(City.vegetation, paint, [0, size * (0.08 + 0.2 * i), 0], [wide, size * 0.36, wide], 0.22);
  }
}

export function bush(kit: Kit, dice: Dice, size: number): void {
  const paint = leaves(srgb(dice.pick(LEAVES)), dice.range(0, 0.3));
  for (let i = 0; i < 2; i++) {
    const wide = size * dice.range(0.9, 1.4);
    const at = dice.range(-0.4, 0.4) * size;
    kit.ellipsoid(
      City.vegetation,
      paint,
      [0.2 * at, -0.15 * size, at],
      [wide, size * dice.range(0.9, 1.15), wide],
      0.12,
    );
  }
}

/** A clipped hedge along z. */
export function hedge(kit: Kit, dice: Dice, length: number, height: number): void {
  kit.box(City.vegetation, leaves(srgb(dice.pick(LEAVES))), [0, 0, 0], [0.8, height, length]);
}
