// Cars, vans, trucks, buses and trams. Local z points forward, the origin is on the road under the middle.
import { City } from '../classes.ts';
import { type Kit, scaled, srgb } from './kit.ts';
import { band, fractal2, stripes } from './noise.ts';
import { matte, plain } from './paints.ts';
import type { Dice } from './random.ts';
import { type Color, type Hit, type Paint, rgb, type Surface } from './solids.ts';

const CAR_COLORS = [
  0xe8e8e6, 0xdadcde, 0x16181b, 0x22262b, 0x8f9499, 0x6c7278, 0xb4b8bb, 0x1d3a6e, 0x2c5c9c, 0x9c1b1b,
  0xb3261e, 0x2f4a36, 0xc7b89a, 0xd98a1e, 0x5a1f2a, 0x4fa0b8,
];

const RUBBER = srgb(0x1c1c1e);
const RIM = srgb(0x9a9da1);

export interface CarStyle {
  color: Color;
  length: number;
  width: number;
  height: number;
  kind: 'hatch' | 'sedan' | 'estate' | 'van';
}

export function drawCar(dice: Dice): CarStyle {
  const kind = dice.weighted({ hatch: 4, sedan: 3, estate: 3, van: 1.2 });
  const size = {
    hatch: [3.9, 1.7, 1.48],
    sedan: [4.6, 1.78, 1.44],
    estate: [4.6, 1.82, 1.6],
    van: [5, 1.95, 2.1],
  };
  const [length, width, height] = size[kind];
  const stretch = dice.range(0.95, 1.06);
  return {
    color: srgb(dice.pick(CAR_COLORS)),
    length: length * stretch,
    width,
    height: height * dice.range(0.97, 1.04),
    kind,
  };
}

/** A car; `lit` cars drive and show their lamps at night. */
export function car(kit: Kit, style: CarStyle, lit: boolean, label: number = City.car): void {
  const { length: l, width: w, height: h, kind } = style;
  const f = l / 2;
  const belt = kind === 'van' ? 1.05 : 0.62 * h;
  const axle = 0.31 * l;
  const radius = kind === 'van' ? 0.34 : 0.31;
  const lower: [number, number][] = [
    [-f + 0.08, 0.24],
    [f - 0.08, 0.24],
    [f, 0.42],
    [f - 0.04, 0.7 * belt],
    [f - 0.3, 0.8 * belt],
    [0.22 * l, belt],
    [-f + 0.1, belt + 0.03],
    [-f, 0.7 * belt],
    [-f, 0.42],
  ];
  kit.prism(label, carBody(style, belt, axle, radius, lit), lower, w, 0.06);
  const rear = kind === 'sedan' ? -0.36 * l : -f + 0.12;
  const rearTop = kind === 'sedan' ? -0.2 * l : kind === 'hatch' ? -f + 0.5 : -f + 0.28;
  const cabin: [number, number][] = [
    [rear, belt - 0.02],
    [kind === 'van' ? 0.4 * l : 0.24 * l, belt - 0.02],
    [kind === 'van' ? 0.26 * l : 0.07 * l, h - 0.05],
    [-0.04 * l, h],
    [rearTop, h - 0.06],
  ];
  kit.prism(label, cabinPaint(style, belt), cabin, w * 0.96, 0.22);
  for (const z of [-axle, axle])
    for (const x of [-1, 1])
      kit.wheel(label, tyre(radius), [x * (w / 2 - 0.1), 0, z], radius, 0.22).castsShadow = false;
  if (lit) lamps(kit, w / 2 - 0.25, 0.62 * belt, f);
}

function lamps(kit: Kit, x: number, y: number, front: number): void {
  for (const side of [-1, 1]) {
    kit.glow([side * x, y, front + 0.06], rgb(1, 0.95, 0.82), 0.55, true);
    kit.at(side * x, -front - 0.06, Math.PI).glow([0, y + 0.12, 0], rgb(0.75, 0.05, 0.03), 0.22, true);
  }
}

function tyre(radius: number): Paint {
  return (hit, out) => {
    const r = Math.hypot(hit.ly, hit.lz) / radius;
    const rim = hit.face === 1 ? band(r, -1, 0.62, hit.pixel / radius) : 0;
    const spokes = 0.6 + 0.4 * Math.cos(Math.atan2(hit.ly, hit.lz) * 5);
    const tone = rim * spokes;
    matte(
      out,
      RUBBER[0] + (RIM[0] - RUBBER[0]) * tone,
      RUBBER[1] + (RIM[1] - RUBBER[1]) * tone,
      RUBBER[2] + (RIM[2] - RUBBER[2]) * tone,
    );
  };
}

function tint(out: Surface, r: number, g: number, b: number, share: number): void {
  out.r += (r - out.r) * share;
  out.g += (g - out.g) * share;
  out.b += (b - out.b) * share;
}

function carBody(style: CarStyle, belt: number, axle: number, radius: number, lit: boolean): Paint {
  const { color, length, width } = style;
  const front = length / 2 - 0.18;
  return (hit, out) => {
    const y = hit.y;
    const x = Math.abs(hit.lx);
    const z = hit.lz;
    const p = hit.pixel;
    const dirt = 1 + 0.1 * fractal2(z, y, 1.2, 2, p) - 0.25 * band(y, -1, 0.36, p);
    matte(out, color[0] * dirt, color[1] * dirt, color[2] * dirt, 0.18);
    const sill = band(y, -1, 0.33, p);
    tint(out, 0.02, 0.02, 0.022, sill);
    const half = width / 2;
    if (z > front) {
      const lampShare = band(x, half - 0.45, half - 0.1, p) * band(y, 0.55 * belt, 0.75 * belt, p);
      tint(out, 0.75, 0.78, 0.8, lampShare);
      tint(out, 0.025, 0.025, 0.03, band(x, -1, half - 0.5, p) * band(y, 0.42, 0.68 * belt, p));
      tint(out, 0.7, 0.7, 0.68, band(x, -1, 0.26, p) * band(y, 0.4, 0.5, p));
      if (lit) glow(out, hit, 2.2, 2, 1.6, lampShare);
    } else if (z < -front) {
      const lampShare = band(x, half - 0.36, half - 0.05, p) * band(y, 0.64 * belt, 0.92 * belt, p);
      tint(out, 0.3, 0.012, 0.012, lampShare);
      tint(out, 0.65, 0.65, 0.55, band(x, -1, 0.26, p) * band(y, 0.5, 0.62, p));
      tint(out, 0.03, 0.03, 0.03, band(y, 0.3, 0.42, p));
      if (lit) glow(out, hit, 0.75, 0.04, 0.03, lampShare);
    } else if (x > half - 0.16) {
      const seams = Math.max(band(z, 0.2 * length - 0.02, 0.2 * length + 0.02, p), band(z, -0.06, -0.02, p));
      tint(out, 0.03, 0.03, 0.03, 0.7 * seams);
      const dy = y - radius;
      const dz = Math.abs(z) - axle;
      tint(out, 0.012, 0.012, 0.012, band(Math.sqrt(dy * dy + dz * dz), -1, radius + 0.07, p));
      tint(out, 0.03, 0.03, 0.03, 0.5 * band(y, 0.66 * belt, 0.7 * belt, p));
    }
  };
}

function glow(out: Surface, hit: Hit, r: number, g: number, b: number, share: number): void {
  out.glowR = r * share * hit.night;
  out.glowG = g * share * hit.night;
  out.glowB = b * share * hit.night;
}

function cabinPaint(style: CarStyle, belt: number): Paint {
  const { color, height, length } = style;
  const rise = height - belt;
  return (hit, out) => {
    const p = hit.pixel;
    const up = (hit.y - belt) / rise;
    matte(out, color[0], color[1], color[2], 0.2);
    const side = Math.abs(hit.lz) < length && hit.face >= 5;
    let glass = band(up, 0.1, 0.86, p / rise);
    if (side) {
      const z = hit.lz;
      const pillars = Math.max(
        stripes(z + 0.05, 1.05, 0.09, p),
        style.kind === 'van' ? band(z, -9, 0, p) : 0,
      );
      glass *= 1 - pillars;
    } else {
      // Roof, screen and rear window: the roof is what faces up.
      const roof = hit.ny > 0.93 ? 1 : 0;
      const corner = band(Math.abs(hit.lx), style.width / 2 - 0.2 * up - 0.14, 9, p);
      glass = (1 - roof) * (1 - corner) * band(up, 0.06, 0.9, p / rise);
      if (style.kind === 'van' && hit.lz < 0) glass *= band(up, 0.25, 0.8, p / rise);
    }
    tint(out, 0.022, 0.026, 0.03, glass);
    out.gloss = 0.2 + 0.5 * glass;
  };
}

/** A box on wheels with a cab: label truck. */
export function truck(kit: Kit, dice: Dice, lit: boolean): void {
  const cab = plain(srgb(dice.pick(CAR_COLORS)), 0.15);
  const w = 2.3;
  const long = dice.range(4.6, 6.5);
  const front = long / 2 + 1.3;
  kit.prism(
    City.truck,
    truckCab(cab, front),
    [
      [front - 1.9, 0.5],
      [front, 0.5],
      [front, 1.35],
      [front - 0.3, 2.5],
      [front - 1.9, 2.6],
    ],
    w,
    0.02,
  );
  kit.box(
    City.truck,
    panels(srgb(dice.pick([0xe6e4de, 0xd0d4d8, 0x3f5f8f, 0xc8b040, 0x8a2f2a, 0x4d6a4d])), dice.range(0, 50)),
    [0, 0.95, -0.7],
    [w + 0.1, dice.range(1.9, 2.5), long],
  );
  kit.box(City.truck, plain(srgb(0x25272a)), [0, 0.5, -0.4], [w - 0.5, 0.45, long + 0.8]);
  for (const z of [-long / 2 + 0.4, -long / 2 + 1.5, front - 1.1])
    for (const x of [-1, 1]) kit.wheel(City.truck, tyre(0.48), [x * (w / 2 - 0.16), 0, z], 0.48, 0.3);
  if (lit) lamps(kit, 0.9, 0.8, front);
}

function truckCab(base: Paint, front: number): Paint {
  return (hit, out) => {
    base(hit, out);
    const p = hit.pixel;
    const upright = hit.nz * hit.nz + hit.nx * hit.nx > 0.3;
    const glass =
      band(hit.y, 1.45, 2.25, p) *
      (upright ? 1 : 0) *
      (hit.face >= 5 ? stripes(hit.lz - front, 2.1, 1.1, p) : 1);
    tint(out, 0.025, 0.03, 0.035, glass);
    tint(out, 0.04, 0.04, 0.04, band(hit.y, 0, 0.72, p));
    out.gloss = 0.1 + 0.45 * glass;
  };
}

function panels(color: Color, seed: number): Paint {
  return (hit, out) => {
    const p = hit.pixel;
    const tone =
      (1 + 0.15 * fractal2(hit.lz + seed, hit.y, 1.6, 3, p)) * (1 - 0.25 * stripes(hit.lz, 0.9, 0.06, p));
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone);
    const mark = band(hit.y, 1.9, 2.5, p) * band(hit.lz, -1.4, 1.2, p);
    tint(out, 0.1, 0.14, 0.3, mark * (hit.face < 2 ? 0.85 : 0));
    if (hit.face === 4) {
      tint(out, 0.05, 0.05, 0.05, band(Math.abs(hit.lx), -1, 0.03, p));
      const lampShare = band(Math.abs(hit.lx), 0.8, 1.1, p) * band(hit.y, 0.95, 1.15, p);
      tint(out, 0.5, 0.03, 0.03, lampShare);
      glow(out, hit, 0.6, 0.04, 0.03, lampShare);
    }
  };
}

/** A bus (label bus) or a tram of coupled cars (label train). */
export function bus(kit: Kit, dice: Dice, label: number, cars: number): void {
  const color = srgb(
    label === City.train
      ? dice.pick([0xd9d6cc, 0xc83a2c, 0xd8c23a])
      : dice.pick([0xb8322a, 0xe0b428, 0x2f5f9c, 0xe4e2dc]),
  );
  const band2 = srgb(dice.pick([0xf2f0ea, 0x24364f, 0xb8322a, 0x3a6a3f]));
  const w = 2.5;
  const long = label === City.train ? 9.5 : 11;
  const high = label === City.train ? 3.3 : 2.95;
  for (let i = 0; i < cars; i++) {
    const z = -i * (long + 0.5);
    const part = kit.at(0, z);
    part.box(
      label,
      coach(color, band2, long, w, i === 0, i === cars - 1),
      [0, 0.32, 0],
      [w, high - 0.32, long],
    );
    part.box(label, plain(srgb(0x2a2c2f)), [0, 0.12, 0], [w - 0.3, 0.3, long - 0.6]);
    if (label === City.train && i > 0)
      part.box(label, plain(srgb(0x303236)), [0, 0.5, long / 2 + 0.25], [2, 2.4, 0.5]);
    if (label === City.bus)
      for (const wz of [-long * 0.28, long * 0.3])
        for (const x of [-1, 1]) part.wheel(label, tyre(0.47), [x * (w / 2 - 0.13), 0, wz], 0.47, 0.3);
  }
  lamps(kit, 0.95, 0.75, long / 2);
}

function coach(
  color: Color,
  second: Color,
  length: number,
  width: number,
  first: boolean,
  last: boolean,
): Paint {
  const dark = scaled(color, 0.5);
  return (hit, out) => {
    const p = hit.pixel;
    const tone = 1 + 0.1 * fractal2(hit.lz, hit.y, 1.5, 2, p);
    matte(out, color[0] * tone, color[1] * tone, color[2] * tone, 0.12);
    tint(out, second[0], second[1], second[2], band(hit.y, 1.12, 1.42, p));
    tint(out, dark[0], dark[1], dark[2], band(hit.y, 0, 0.6, p));
    let glass = 0;
    if (hit.face < 2) {
      glass = band(hit.y, 1.42, 2.35, p) * (1 - stripes(hit.lz + length / 2, 1.45, 0.16, p));
      const door = band(hit.lz, length / 2 - 1.9, length / 2 - 0.7, p) * band(hit.y, 0.5, 2.35, p);
      glass = Math.max(glass, door * (1 - stripes(hit.lz, 0.6, 0.08, p)));
    } else if (hit.face >= 4) {
      const end = (hit.face === 5 && first) || (hit.face === 4 && last);
      glass = end ? band(hit.y, 1.25, 2.4, p) * band(Math.abs(hit.lx), -1, width / 2 - 0.14, p) : 0;
      const sign = band(hit.y, 2.48, 2.75, p) * band(Math.abs(hit.lx), -1, 0.8, p);
      tint(out, 0.6, 0.35, 0.05, sign);
      const lampShare =
        band(Math.abs(hit.lx), width / 2 - 0.45, width / 2 - 0.15, p) * band(hit.y, 0.65, 0.9, p);
      if (hit.face === 5) tint(out, 0.75, 0.75, 0.75, lampShare);
      else tint(out, 0.5, 0.03, 0.03, lampShare);
      if (hit.face === 5) glow(out, hit, 2, 1.8, 1.5, lampShare);
      else glow(out, hit, 0.7, 0.04, 0.03, lampShare);
    }
    tint(out, 0.03, 0.034, 0.04, glass);
    out.gloss = 0.12 + 0.45 * glass;
    if (hit.night > 0 && glass > 0) {
      out.glowR = 0.42 * glass;
      out.glowG = 0.38 * glass;
      out.glowB = 0.27 * glass;
    }
  };
}
