// Houses and blocks of flats. Local z runs along the street, the street lies on the side of -x.
import { City } from '../classes.ts';
import { drawFacade, facade } from './facade.ts';
import { type Kit, srgb } from './kit.ts';
import { plain, tiles } from './paints.ts';
import type { Dice } from './random.ts';

const TILES = [0x8a4632, 0x9c5238, 0x6b4038, 0x54504e, 0x6a6664, 0x7a5844];

/** A building with its street front at x = 0, `length` along the street. `towards` is -1 or 1: where the street lies. */
export function building(
  kit: Kit,
  dice: Dice,
  length: number,
  floors: number,
  house: boolean,
  towards: number,
): void {
  const style = drawFacade(dice, floors, house);
  const depth = house ? dice.range(8, 10) : dice.range(11, 15);
  const middle = (-towards * depth) / 2;
  kit.box(City.building, facade(style, depth, length), [middle, 0, 0], [depth, style.height, length]);
  const roof = house || (floors <= 5 && dice.chance(0.6));
  if (roof) {
    const rise = depth * dice.range(0.22, 0.42);
    const paint = tiles(srgb(dice.pick(TILES)), dice.range(0, 80));
    const eaves = 0.35;
    kit.at(middle, 0, Math.PI / 2).prism(
      City.building,
      paint,
      [
        [-depth / 2 - eaves, style.height],
        [depth / 2 + eaves, style.height],
        [0.2, style.height + rise],
        [-0.2, style.height + rise],
      ],
      length + (house ? 0.5 : 0),
    );
    const chimneys = dice.int(0, 2);
    for (let i = 0; i < chimneys; i++) {
      const z = dice.range(-0.4, 0.4) * length;
      kit.box(
        City.building,
        plain(srgb(0x7a4a3c)),
        [middle, style.height + rise * 0.5, z],
        [0.7, rise * 0.5 + 1, 0.9],
      );
    }
  } else if (dice.chance(0.5)) {
    kit.box(
      City.building,
      plain(srgb(0x8c8a86)),
      [middle, style.height, dice.range(-0.3, 0.3) * length],
      [depth * 0.5, 2.4, 4],
    );
  }
  if (!house && dice.chance(0.45)) balconies(kit, dice, style.floorHeight, floors, length, towards);
  if (style.shop && dice.chance(0.6)) awnings(kit, dice, style.floorHeight, length, towards);
}

/** Slabs with a parapet, one above the other: they give a flat front some depth. */
function balconies(
  kit: Kit,
  dice: Dice,
  floorHeight: number,
  floors: number,
  length: number,
  towards: number,
): void {
  const slab = plain(srgb(0xb8b4aa));
  const front = plain(srgb(dice.pick([0x4a4e52, 0xd8d4c8, 0x7a8a90])));
  const columns = Math.max(1, Math.round(length / 9));
  for (let c = 0; c < columns; c++) {
    const z = ((c + 0.5) / columns - 0.5) * length;
    for (let floor = 1; floor < floors; floor++) {
      const y = floor * floorHeight + 0.15;
      kit.box(City.building, slab, [towards * 0.6, y, z], [1.2, 0.18, 2.8]);
      kit.box(City.building, front, [towards * 1.15, y + 0.18, z], [0.08, 0.9, 2.8]).castsShadow = false;
    }
  }
}

function awnings(kit: Kit, dice: Dice, floorHeight: number, length: number, towards: number): void {
  const paint = plain(srgb(dice.pick([0xb03a2e, 0x2f6b4a, 0xd9c9a0, 0x2f4f8f, 0xc87a2c])));
  const shops = Math.max(1, Math.round(length / 4.2));
  const unit = length / shops;
  for (let i = 0; i < shops; i++) {
    if (dice.chance(0.5)) continue;
    const z = (i + 0.5 - shops / 2) * unit;
    const y = floorHeight - 0.45;
    kit.at(towards * 0.7, z, towards > 0 ? Math.PI / 2 : -Math.PI / 2).prism(
      City.building,
      paint,
      [
        [-0.7, y],
        [0.7, y - 0.4],
        [0.7, y - 0.25],
        [-0.7, y + 0.5],
      ],
      unit - 0.6,
    );
  }
}
