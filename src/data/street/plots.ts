// The plots along the street: blocks, houses, parks, walled and fenced ground, and what closes the view.
import { building } from './buildings.ts';
import { fence, wall } from './furniture.ts';
import { bush, conifer, hedge, tree } from './greenery.ts';
import type { Kit } from './kit.ts';
import type { Plan } from './plan.ts';
import type { Dice } from './random.ts';
import { kitAt, sideOf, type World } from './scene.ts';

type PlotKind = 'block' | 'house' | 'park' | 'walled' | 'fenced';

const PLOTS: Record<Plan['character'], Record<PlotKind, number>> = {
  city: { block: 9, house: 0, park: 0.7, walled: 1, fenced: 1 },
  suburb: { block: 0.3, house: 7, park: 1.2, walled: 1.2, fenced: 1.4 },
  park: { block: 1.5, house: 1, park: 5, walled: 1.5, fenced: 1 },
  mixed: { block: 4, house: 3, park: 1.2, walled: 1.2, fenced: 1.2 },
};

/** Fills one side of the street with plots. */
export function layPlots(world: World, dice: Dice, side: number): void {
  const { plan } = world;
  const edge = sideOf(plan, side).pavement;
  // Where there is a park, the other side of the street is often built up.
  const weights = PLOTS[plan.character === 'park' && side < 0 ? 'mixed' : plan.character];
  let z = -20;
  while (z < plan.length) {
    const kind = dice.weighted(weights);
    let length =
      kind === 'block' ? dice.range(10, 20) : kind === 'house' ? dice.range(12, 17) : dice.range(12, 26);
    const j = plan.junction;
    const gap = j ? j.halfWidth + 2.6 : 0;
    if (j && z < j.z && z + length > j.z - gap) length = Math.max(0, j.z - gap - z);
    if (length >= 5) plot(world, dice, kind, side, z, length, edge);
    z += length;
    if (j && Math.abs(z - (j.z - gap)) < 5) {
      // Behind the mouth of a side road its far end must not be empty.
      sideRoad(world, dice, side, j.z, gap, edge);
      z = j.z + gap;
    }
  }
}

function plot(
  world: World,
  dice: Dice,
  kind: PlotKind,
  side: number,
  z: number,
  length: number,
  edge: number,
): void {
  const at = (along: number, out: number, yaw = 0) => kitAt(world, along, side * (edge + out), yaw);
  const middle = z + length / 2;
  if (kind === 'block') {
    building(at(middle, dice.range(0, 0.3)), dice, length + 0.2, dice.int(2, 6), false, -side);
    return;
  }
  // Straight boundaries are cut short enough to follow the bend.
  const along = (build: (kit: Kit, part: number) => void, out: number) => {
    const parts = Math.ceil(length / 7);
    for (let i = 0; i < parts; i++) build(at(z + ((i + 0.5) * length) / parts, out), length / parts + 0.05);
  };
  const greens = (count: number, from: number, to: number) => {
    for (let i = 0; i < count; i++) {
      const kit = at(z + dice.range(0.08, 0.92) * length, dice.range(from, to), dice.range(0, 6));
      if (dice.chance(0.18)) conifer(kit, dice, dice.range(5, 10));
      else if (dice.chance(0.25)) bush(kit, dice, dice.range(0.9, 1.8));
      else tree(kit, dice, dice.range(5, 11), dice.chance(0.12));
    }
  };
  if (kind === 'house') {
    world.plan.sowGrass(side, z, z + length);
    const setback = dice.range(3.5, 6.5);
    building(at(middle, setback), dice, length - dice.range(2.5, 5), dice.int(2, 3), true, -side);
    const border = dice.weighted({ hedge: 3, fence: 3, wall: 2, open: 1 });
    const height = dice.range(0.9, 1.5);
    const fenceKind = dice.pick(['boards', 'pickets', 'rails'] as const);
    if (border === 'hedge') along((kit, part) => hedge(kit, dice, part, height + 0.2), 0.5);
    if (border === 'fence') along((kit, part) => fence(kit, dice, part, fenceKind, height), 0.2);
    if (border === 'wall') along((kit, part) => wall(kit, dice, part, height), 0.25);
    greens(dice.int(1, 2), 1.5, setback - 0.8);
    greens(2, setback + 11, setback + 18);
    return;
  }
  const backdrop = () => {
    const set = dice.range(15, 22);
    if (dice.chance(0.55))
      building(at(middle, set), dice, length * 0.85, dice.int(2, 5), dice.chance(0.4), -side);
    else greens(4, set - 3, set + 6);
  };
  if (kind === 'park') {
    world.plan.sowGrass(side, z, z + length);
    const border = dice.weighted({ open: 3, rails: 2, hedge: 2, wall: 1.5 });
    if (border === 'rails') along((kit, part) => fence(kit, dice, part, 'rails', 1.3), 0.15);
    if (border === 'hedge') along((kit, part) => hedge(kit, dice, part, 1.1), 0.5);
    if (border === 'wall') along((kit, part) => wall(kit, dice, part, 0.9), 0.25);
    greens(Math.ceil(length / 5), 2, 12);
    backdrop();
    return;
  }
  const high = dice.range(1.8, 2.8);
  if (kind === 'walled') along((kit, part) => wall(kit, dice, part, high), 0.25);
  else {
    const fenceKind = dice.pick(['boards', 'rails'] as const);
    along((kit, part) => fence(kit, dice, part, fenceKind, high), 0.15);
  }
  if (dice.chance(0.6)) world.plan.sowGrass(side, z, z + length);
  greens(Math.ceil(length / 7), 2, 8);
  backdrop();
}

function sideRoad(world: World, dice: Dice, side: number, z: number, gap: number, edge: number): void {
  for (const across of [-1, 1]) {
    const kit = kitAt(world, z + across * (gap + 6), side * (edge + 16));
    building(kit.at(0, 0), dice, 12, dice.int(2, 4), dice.chance(0.4), -side);
  }
  building(kitAt(world, z, side * (edge + 48)), dice, 26, dice.int(2, 5), false, -side);
  tree(kitAt(world, z + gap - 1, side * (edge + 34)), dice, 8, false);
}

/** Closes the view where the street leaves the built-up stretch. */
export function layHorizon(world: World, dice: Dice): void {
  const { plan } = world;
  for (let d = -72; d <= 72; d += 12) {
    const near = kitAt(
      world,
      plan.length + dice.range(4, 16),
      d + dice.range(-3, 3),
      dice.range(-0.2, 0.2) - Math.PI / 2,
    );
    if (dice.chance(0.5)) building(near, dice, 13, dice.int(2, 5), dice.chance(0.3), -1);
    else tree(near, dice, dice.range(8, 13), false);
    const far = kitAt(world, plan.length + 60, d * 2, -Math.PI / 2);
    building(far, dice, 24, dice.int(3, 8), false, -1);
  }
}
