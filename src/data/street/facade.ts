// Fronts of buildings: walls of plaster, brick or glass with rows of windows, shop fronts and cornices.

import { srgb } from './kit.ts';
import { band, cellHash, fractal2, resolved, stripes } from './noise.ts';
import { matte } from './paints.ts';
import type { Dice } from './random.ts';
import { type Color, Face, type Hit, type Paint, type Surface } from './solids.ts';

export interface FacadeStyle {
  wall: Color;
  trim: Color;
  accent: Color;
  brick: boolean;
  shop: boolean;
  shutters: boolean;
  floorHeight: number;
  bay: number;
  /** Share of a bay and of a floor that is window. */
  windowWidth: number;
  windowHeight: number;
  height: number;
  seed: number;
}

const PLASTER = [
  0xd8c9a8, 0xc9b48a, 0xe0d6c4, 0xb9a08a, 0xc98f6b, 0xbfc4c4, 0xd9b38c, 0xa8a39a, 0xe4dccb, 0x9fae9b,
  0xc7a3a0,
];
const BRICK = [0x8a4a38, 0x9c5a44, 0x7a4436, 0xa8755a, 0x6e5044];
const MODERN = [0x9aa0a4, 0x7d848a, 0xb8b6b0, 0x8d8f8c];
const ACCENT = [0x8c2f2a, 0x2e5d4b, 0x2f4f7f, 0x6a4a2c, 0x20242c, 0xb0892f, 0x7a2e52];

export function drawFacade(dice: Dice, floors: number, house: boolean): FacadeStyle {
  const kind = dice.weighted({ plaster: 6, brick: 3, modern: house ? 0 : 1.5 });
  const floorHeight = house ? dice.range(2.7, 2.9) : dice.range(3, 3.7);
  return {
    wall: srgb(dice.pick(kind === 'plaster' ? PLASTER : kind === 'brick' ? BRICK : MODERN)),
    trim: srgb(dice.pick([0xe8e4da, 0xd5cdbd, 0x9a948a, 0xf0eee8])),
    accent: srgb(dice.pick(ACCENT)),
    brick: kind === 'brick',
    shop: !house && kind !== 'modern' && dice.chance(0.5),
    shutters: kind === 'plaster' && dice.chance(0.3),
    floorHeight,
    bay: kind === 'modern' ? dice.range(1.4, 2) : dice.range(2, 3.2),
    windowWidth: kind === 'modern' ? dice.range(0.7, 0.86) : dice.range(0.38, 0.52),
    windowHeight: kind === 'modern' ? dice.range(0.5, 0.66) : dice.range(0.45, 0.6),
    height: floors * floorHeight + dice.range(0.5, 0.9),
    seed: dice.int(0, 255),
  };
}

/** `width` and `length` are the full sizes of the box across and along the street. */
export function facade(style: FacadeStyle, width: number, length: number): Paint {
  return (hit, out) => {
    if (hit.face === Face.top || hit.face === Face.bottom) {
      const tone = 0.16 * (1 + 0.3 * fractal2(hit.x, hit.z, 2, 2, hit.pixel));
      matte(out, tone, tone, tone);
      return;
    }
    const street = hit.face === Face.left || hit.face === Face.right;
    const u = street ? hit.lz + length / 2 : hit.lx + width / 2;
    front(style, hit, u, street ? length : width, street, out);
  };
}

function front(style: FacadeStyle, hit: Hit, u: number, extent: number, street: boolean, out: Surface): void {
  const v = hit.y;
  const fu = hit.slanted;
  const fv = hit.pixel;
  const foot = Math.max(fv, fu * 0.5);
  const shopTop = style.shop && street ? style.floorHeight + 0.25 : 0;

  // Wall.
  let tone =
    1 +
    0.2 * fractal2(u + style.seed, v, 5, 3, foot) +
    0.12 * fractal2(u * 2.5, v * 0.5 + style.seed, 1.1, 2, foot) -
    0.2 * band(v, -1, 0.55, fv) -
    0.12 / (1 + v * v);
  let r = style.wall[0];
  let g = style.wall[1];
  let b = style.wall[2];
  if (style.brick) {
    const row = Math.floor(v / 0.16);
    const shift = u + (row & 1) * 0.2;
    const joint = Math.max(stripes(v, 0.16, 0.035, fv), stripes(shift, 0.4, 0.04, fu));
    tone *=
      1 +
      0.35 * cellHash(Math.floor(shift / 0.4), row) * resolved(0.3, foot) +
      0.5 * joint * resolved(0.3, fv);
  }
  // String courses between floors and the cornice.
  const course = Math.max(
    band(v, style.height - 0.45, style.height + 1, fv),
    v > 1 ? 0.75 * stripes(v - style.floorHeight + 0.1, style.floorHeight, 0.2, fv) : 0,
  );
  r = (r + (style.trim[0] - r) * course) * tone;
  g = (g + (style.trim[1] - g) * course) * tone;
  b = (b + (style.trim[2] - b) * course) * tone;
  matte(out, r, g, b);

  if (v < shopTop) {
    shopFront(style, hit, u, extent, out);
    return;
  }
  if (v > style.height - 0.5) return;

  // Windows. Side walls have few: every third bay.
  const bays = Math.max(1, Math.round((extent - 0.8) / style.bay));
  const bay = (extent - 0.8) / bays;
  const inBays = u - 0.4;
  const column = Math.floor(inBays / bay);
  const floor = Math.floor(v / style.floorHeight);
  if (column < 0 || column >= bays || (!street && (column + style.seed) % 3 !== 0)) return;
  const cu = inBays - (column + 0.5) * bay;
  const cv = v - floor * style.floorHeight - style.floorHeight * 0.55;
  const halfW = (style.windowWidth * bay) / 2;
  let halfH = (style.windowHeight * style.floorHeight) / 2;
  let low = -halfH;
  if (floor === 0 && street && (column + style.seed) % 4 === 1) {
    // A door.
    low = -style.floorHeight * 0.55;
    halfH *= 0.8;
  }
  const frame = band(cu, -halfW - 0.14, halfW + 0.14, fu) * band(cv, low - 0.16, halfH + 0.14, fv);
  const glass = band(cu, -halfW, halfW, fu) * band(cv, low, halfH, fv);
  if (style.shutters) {
    const leaf =
      (band(cu, -halfW * 1.95, -halfW, fu) + band(cu, halfW, halfW * 1.95, fu)) * band(cv, low, halfH, fv);
    blend(out, style.accent[0], style.accent[1], style.accent[2], leaf * 0.9);
  }
  blend(out, style.trim[0], style.trim[1], style.trim[2], frame * 0.85);
  if (glass <= 0) return;
  const fate = cellHash(column + style.seed, floor * 7 + (street ? 3 : 90));
  const bars = Math.max(band(cu, -0.05, 0.05, fu), band(cv, halfH * 0.35, halfH * 0.35 + 0.08, fv));
  const curtain = fate > 0.3 ? band(Math.abs(cu), halfW * 0.55, halfW, fu) : 0;
  const pane = 0.03 + 0.05 * Math.abs(fate) + 0.28 * curtain;
  blend(out, pane, pane * 1.05, pane * 1.15, glass);
  blend(out, style.trim[0] * 0.8, style.trim[1] * 0.8, style.trim[2] * 0.8, glass * bars * 0.8);
  out.gloss = 0.55 * glass * (1 - bars) * (1 - curtain);
  if (hit.night > 0 && fate < -0.28) {
    const strength =
      glass * (1 - 0.7 * bars) * (0.5 + Math.abs(fate)) * (0.8 + 0.25 * cellHash(column, floor));
    out.glowR = 0.62 * strength;
    out.glowG = 0.42 * strength;
    out.glowB = (fate < -0.8 ? 0.42 : 0.17) * strength;
  }
}

function shopFront(style: FacadeStyle, hit: Hit, u: number, extent: number, out: Surface): void {
  const v = hit.y;
  const fu = hit.slanted;
  const fv = hit.pixel;
  const top = style.floorHeight + 0.25;
  const unit = extent / Math.max(1, Math.round(extent / 4.2));
  const shop = Math.floor(u / unit);
  const cu = u - shop * unit;
  const fate = cellHash(shop + style.seed, 33);
  blend(out, style.accent[0] * 0.6, style.accent[1] * 0.6, style.accent[2] * 0.6, 0.65);
  const glass = band(cu, 0.3, unit - 0.3, fu) * band(v, fate > 0.4 ? 0.1 : 0.55, top - 0.95, fv);
  const bars = stripes(cu - 0.3, (unit - 0.6) / 3, 0.1, fu);
  // Goods behind the glass: blocks of colour at a fixed place.
  const goods = 0.5 + 0.5 * fractal2(u * 1.5 + style.seed, v * 1.5, 1.2, 2, Math.max(fu * 0.5, fv));
  blend(out, 0.05 + 0.22 * goods, 0.05 + 0.16 * goods, 0.06 + 0.13 * goods, glass * (1 - 0.8 * bars));
  out.gloss = 0.35 * glass * (1 - bars);
  const board = band(v, top - 0.75, top - 0.12, fv) * band(cu, 0.15, unit - 0.15, fu);
  const hue = cellHash(shop, style.seed + 5);
  const br = fate > 0 ? 0.5 : 0.08 + 0.3 * Math.abs(hue);
  const bg = fate > 0 ? 0.12 + 0.3 * Math.abs(hue) : 0.16;
  const bb = fate > 0 ? 0.1 : 0.25 + 0.25 * hue;
  blend(out, br, bg, bb, board);
  const letters =
    band(v, top - 0.58, top - 0.3, fv) *
    band(cu, unit * 0.2, unit * 0.8, fu) *
    stripes(cu + 0.06 * cellHash(Math.floor(cu * 4), shop), 0.34, 0.2, fu);
  blend(out, 0.8, 0.78, 0.7, letters * 0.9);
  if (hit.night > 0) {
    const lit = fate > -0.4 ? 0.5 : 0.06;
    out.glowR = (glass * (1 - 0.8 * bars) * (0.5 + goods) + 0.5 * board * br + 0.7 * letters) * lit;
    out.glowG =
      (glass * (1 - 0.8 * bars) * (0.4 + 0.8 * goods) + 0.5 * board * bg + 0.66 * letters) * lit * 0.85;
    out.glowB =
      (glass * (1 - 0.8 * bars) * (0.3 + 0.5 * goods) + 0.5 * board * bb + 0.55 * letters) * lit * 0.7;
  }
}

function blend(out: Surface, r: number, g: number, b: number, share: number): void {
  out.r += (r - out.r) * share;
  out.g += (g - out.g) * share;
  out.b += (b - out.b) * share;
}
