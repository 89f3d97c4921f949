// People on foot, on bicycles and on motorcycles. Local z points where they go.
import { City } from '../classes.ts';
import { type Kit, srgb } from './kit.ts';
import { cloth, plain } from './paints.ts';
import type { Dice } from './random.ts';
import type { Color, Paint, Solid } from './solids.ts';

const CLOTHES = [
  0x1f2430, 0x2d3f63, 0x5b2a2a, 0x7d1f24, 0x2e4a35, 0xc9c3b5, 0x8a6d4b, 0x40444a, 0xd8d8d4, 0xb5482f,
  0x3f6e8c, 0xc9a227, 0x56406b, 0x14161a,
];
const SKIN = [0xe3b899, 0xc98f6b, 0x8d5a3c, 0x5a3825, 0xf0cdb2];
const HAIR = [0x1a1512, 0x3b2718, 0x6b4a2a, 0x9a7b45, 0x8a8884];

export interface PersonStyle {
  top: Color;
  trousers: Color;
  skin: Color;
  hair: Color;
  height: number;
  bag: boolean;
}

export function drawPerson(dice: Dice): PersonStyle {
  return {
    top: srgb(dice.pick(CLOTHES)),
    trousers: srgb(dice.pick(CLOTHES)),
    skin: srgb(dice.pick(SKIN)),
    hair: srgb(dice.pick(HAIR)),
    height: dice.chance(0.12) ? dice.range(1.1, 1.4) : dice.range(1.58, 1.9),
    bag: dice.chance(0.3),
  };
}

/** Someone standing or walking; `stride` in [-1, 1] is how far the right leg is ahead. */
export function person(kit: Kit, style: PersonStyle, stride: number, label: number = City.person): void {
  const s = style.height / 1.75;
  const leg = cloth(style.trousers);
  const top = cloth(style.top);
  for (const side of [-1, 1]) {
    const ahead = 0.24 * s * stride * side;
    limb(kit, label, leg, side * 0.1 * s, 0, ahead, 0.86 * s, 0.02 * s, 0.15 * s, 0.17 * s);
    limb(
      kit,
      label,
      top,
      side * 0.27 * s,
      0.78 * s,
      -ahead * 0.8,
      0.62 * s,
      -0.02 * s,
      0.11 * s,
      0.12 * s,
    ).castsShadow = false;
  }
  kit.ellipsoid(label, top, [0, 0.78 * s, 0], [0.46 * s, 0.74 * s, 0.3 * s]);
  head(kit, label, style, 1.46 * s, 0, s);
  if (style.bag) kit.box(label, plain(style.hair), [0, 0.98 * s, -0.22 * s], [0.3 * s, 0.42 * s, 0.18 * s]);
}

/** A leg or an arm: leans from `foot` (z at its lower end) to z = 0 at its upper end. */
function limb(
  kit: Kit,
  label: number,
  paint: Paint,
  x: number,
  y: number,
  foot: number,
  length: number,
  bend: number,
  width: number,
  depth: number,
): Solid {
  const h = depth / 2;
  return kit.prism(
    label,
    paint,
    [
      [foot - h * 0.8, y],
      [foot + h * 0.8, y],
      [bend + h, y + length],
      [bend - h, y + length],
    ],
    width,
    0,
    [x, 0],
  );
}

function head(kit: Kit, label: number, style: PersonStyle, y: number, z: number, s: number): void {
  kit.ellipsoid(label, plain(style.skin), [0, y, z + 0.02 * s], [0.19 * s, 0.26 * s, 0.21 * s]);
  kit.ellipsoid(label, plain(style.hair), [0, y + 0.1 * s, z - 0.02 * s], [0.21 * s, 0.19 * s, 0.23 * s]);
}

/** A bicycle (or, with `motor`, a motorcycle) without anyone on it. */
export function bicycle(kit: Kit, color: Color, motor: boolean): void {
  const label = motor ? City.motorcycle : City.bicycle;
  const paint = plain(color, 0.1);
  const dark = plain(srgb(0x1b1c1e));
  const radius = motor ? 0.31 : 0.34;
  const reach = motor ? 0.68 : 0.52;
  for (const z of [-reach, reach])
    kit.wheel(label, dark, [0, 0, z], radius, motor ? 0.15 : 0.05, motor ? 0.4 : 0.78);
  const t = motor ? 0.22 : 0.05;
  const bar = (z0: number, y0: number, z1: number, y1: number, thick: number) => {
    const nz = y1 - y0;
    const ny = z0 - z1;
    const k = thick / 2 / Math.hypot(nz, ny);
    kit.prism(
      label,
      paint,
      [
        [z0 - nz * k, y0 - ny * k],
        [z0 + nz * k, y0 + ny * k],
        [z1 + nz * k, y1 + ny * k],
        [z1 - nz * k, y1 - ny * k],
      ],
      t,
    );
  };
  if (motor) {
    kit.ellipsoid(label, paint, [0, 0.5, 0.1], [0.34, 0.45, 0.85]);
    kit.box(label, dark, [0, 0.25, 0], [0.3, 0.4, 0.55]);
    kit.ellipsoid(label, dark, [0, 0.68, -0.42], [0.28, 0.2, 0.75]);
    kit.box(label, paint, [0, 0.7, 0.6], [0.3, 0.35, 0.16]);
  } else {
    bar(0, radius, -reach, radius, 0.06);
    bar(0, radius, 0.42, 0.78, 0.06);
    bar(0, radius, -0.16, 0.92, 0.06);
    bar(-0.12, 0.8, 0.42, 0.8, 0.06);
    bar(reach, radius, 0.4, 0.98, 0.06);
    kit.box(label, dark, [0, 0.92, -0.2], [0.13, 0.08, 0.26]);
  }
  kit.box(label, dark, [0, motor ? 1.02 : 0.98, motor ? 0.48 : 0.4], [0.58, 0.06, 0.07]);
}

/** A two-wheeler with its rider. */
export function rider(kit: Kit, style: PersonStyle, color: Color, motor: boolean, pedal: number): void {
  bicycle(kit, color, motor);
  const s = style.height / 1.75;
  const top = cloth(style.top);
  const leg = cloth(style.trousers);
  const seat = motor ? 0.82 : 0.95;
  for (const side of [-1, 1]) {
    const foot = motor ? -0.05 : 0.12 * pedal * side;
    const y = motor ? 0.3 : 0.32 + 0.12 * Math.abs(pedal) * (side > 0 ? 1 : 0);
    limb(kit.at(0, 0.1), City.rider, leg, side * 0.15, y, foot, seat + 0.05 - y, -0.2, 0.15, 0.18);
    limb(kit.at(0, 0.3), City.rider, top, side * 0.22, seat + 0.1, 0.1, 0.42 * s, -0.24, 0.1, 0.12);
  }
  kit.ellipsoid(City.rider, top, [0, seat - 0.06, -0.04], [0.42 * s, 0.68 * s, 0.34 * s]);
  head(kit, City.rider, motor ? { ...style, skin: color, hair: color } : style, seat + 0.56 * s, 0.08, s);
}
