// What stands between the lanes and the plots: lamps, trees, signs, lights, bicycles and parked cars.
import { City } from '../classes.ts';
import {
  bin,
  bollard,
  LAMP_HEIGHT,
  LAMP_REACH,
  plainPole,
  streetLamp,
  trafficLight,
  trafficSign,
} from './furniture.ts';
import { tree } from './greenery.ts';
import { srgb } from './kit.ts';
import { bicycle } from './people.ts';
import { KERB } from './plan.ts';
import type { Dice } from './random.ts';
import { kitAt, sideOf, type World } from './scene.ts';
import { bus, car, drawCar, truck } from './vehicles.ts';

/** Furnishes the pavement of one side. */
export function furnish(world: World, dice: Dice, side: number): void {
  const { plan } = world;
  const s = sideOf(plan, side);
  const kerbside = s.kerb + 0.5;
  // Kits face the oncoming traffic of their side of the road; the camera drives on the right.
  const facing = (towardsCamera: boolean) => (towardsCamera ? Math.PI : 0);

  const spacing = dice.range(22, 30);
  const dark = dice.chance(0.5);
  for (let z = -16 + (side > 0 ? 0 : spacing / 2); z < plan.length; z += spacing) {
    const at = plan.isClear(z, 0.5) ? z : z + 8;
    const kit = kitAt(world, at, side * kerbside, side > 0 ? Math.PI : 0);
    streetLamp(kit, dark);
    const light = plan.place(at, side * (kerbside - LAMP_REACH));
    world.lamps.push({ x: light.x, y: LAMP_HEIGHT + KERB - 0.3, z: light.z });
  }

  const treeAt = s.verge > s.kerb ? (s.kerb + s.verge) / 2 : s.kerb + 0.75;
  if (dice.chance(s.verge > s.kerb ? 0.85 : 0.4)) {
    const step = dice.range(7, 13);
    const size = dice.range(5.5, 9.5);
    for (let z = -14 + dice.range(0, step); z < plan.length; z += step * dice.range(0.85, 1.2)) {
      const clearOfLamp = world.lamps.every((l) => Math.abs(l.z - z) > 2.2);
      if (plan.isClear(z, 1.5) && clearOfLamp && dice.chance(0.85))
        tree(kitAt(world, z, side * treeAt, dice.range(0, 6)), dice, size * dice.range(0.85, 1.15), false);
    }
  }

  for (let z = 6 + dice.range(0, 8); z < plan.length; z += dice.range(12, 34)) {
    const kit = kitAt(
      world,
      z,
      side * (s.kerb + 0.4),
      facing(side > 0 || dice.chance(0.4)) + dice.range(-0.12, 0.12),
    );
    if (dice.chance(0.75)) trafficSign(kit, dice);
    else plainPole(kit, dice.range(3, 7), 0.06);
  }
  for (let z = 4 + dice.range(0, 12); z < plan.length; z += dice.range(14, 40))
    if (plan.isClear(z, 0)) bin(kitAt(world, z, side * (s.pavement - 0.5)), dice);
  if (dice.chance(0.35)) {
    const from = dice.range(5, 40);
    for (let i = 0; i < 6; i++)
      if (plan.isClear(from + 1.6 * i, 0)) bollard(kitAt(world, from + 1.6 * i, side * (s.kerb + 0.3)));
  }
  for (let z = 5 + dice.range(0, 60); z < plan.length; z += dice.range(30, 90)) {
    const wall = dice.chance(0.5);
    const count = dice.int(1, 4);
    for (let i = 0; i < count; i++) {
      if (!plan.isClear(z + 0.7 * i, 0)) continue;
      const kit = kitAt(
        world,
        z + 0.7 * i,
        side * (wall ? s.pavement - 0.9 : s.kerb + 0.9),
        Math.PI / 2 + dice.range(-0.3, 0.3),
      );
      bicycle(kit, srgb(dice.pick([0x1c2a4a, 0x7a1f1f, 0x2f5a3a, 0x222222, 0xb0b4b8])), false);
    }
  }

  const j = plan.junction;
  if (j?.hasLights) {
    const state = dice.pick([0, 0, 1, 2, 2]);
    const [near, far] = plan.zebras;
    if (side > 0) {
      trafficLight(
        kitAt(world, near - 2.2, s.kerb + 0.6, Math.PI),
        state,
        dice.chance(0.6) ? s.kerb * 0.7 : 0,
      );
      trafficLight(kitAt(world, far + 1.9, s.kerb + 0.6, Math.PI), state, 0);
    } else {
      trafficLight(kitAt(world, near - 1.9, -s.kerb - 0.6, Math.PI), state, 0);
      trafficLight(kitAt(world, far + 2.2, -s.kerb - 0.6, 0), state, dice.chance(0.5) ? s.kerb * 0.7 : 0);
    }
  }
}

/** Parks cars along one side, where there is a strip for it. */
export function park(world: World, dice: Dice, side: number): void {
  const { plan } = world;
  const s = sideOf(plan, side);
  if (s.kerb <= s.lanes) return;
  const density = dice.range(0.35, 0.9);
  const d = (s.lanes + s.kerb) / 2;
  const yaw = side > 0 ? 0 : Math.PI;
  for (let z = -16; z < plan.length; ) {
    const kind = dice.weighted({ car: 30, motorcycle: 1.4, truck: 0.7, bus: 0.3 });
    const long = kind === 'bus' ? 11.5 : kind === 'truck' ? 8.5 : kind === 'car' ? 4.8 : 1.4;
    const middle = z + long / 2;
    if (plan.isClear(middle, long / 2 + 0.5) && dice.chance(density)) {
      const kit = kitAt(
        world,
        middle,
        side * (d + dice.range(-0.12, 0.12)),
        yaw + dice.range(-0.03, 0.03),
        0,
      );
      if (kind === 'car') car(kit, drawCar(dice), false);
      else if (kind === 'truck') truck(kit, dice, false);
      else if (kind === 'bus') bus(kit, dice, City.bus, 1);
      else
        for (let i = 0; i < 2; i++)
          bicycle(
            kit.at(0, 0.9 * i, Math.PI / 2 + 0.3),
            srgb(dice.pick([0x8a1c1c, 0x222428, 0x24427a])),
            true,
          );
    }
    z += long + dice.range(0.6, 1.6);
  }
}
