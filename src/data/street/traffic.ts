// Who moves: people on the pavements and crossings, cars, trams and riders.
import { City } from '../classes.ts';
import { srgb } from './kit.ts';
import { drawPerson, person, rider } from './people.ts';
import { KERB } from './plan.ts';
import { Dice } from './random.ts';
import { sideOf, type World } from './scene.ts';
import { bus, car, drawCar, truck } from './vehicles.ts';

/** Puts people on foot into the world. */
export function populate(world: World, dice: Dice): void {
  const { plan } = world;
  const stretch = 1 + plan.travel / 60;
  const count = Math.round(stretch * (plan.character === 'city' ? dice.int(6, 15) : dice.int(2, 8)));
  for (let i = 0; i < count; i++) {
    const side = dice.chance(0.5) ? 1 : -1;
    const s = sideOf(plan, side);
    // More people near the camera, where they are large enough to be seen.
    const z = 7 + (60 + plan.travel) * dice.next() ** 1.5;
    const d = side * dice.range(s.verge + 0.5, s.pavement - 0.4);
    const style = drawPerson(dice);
    const stands = dice.chance(0.2);
    const way = dice.chance(0.5) ? 1 : -1;
    const pace = stands ? 0 : dice.range(0.1, 0.16);
    const phase = dice.range(0, 6.28);
    const pairs = dice.chance(0.25) ? 2 : 1;
    for (let k = 0; k < pairs; k++) {
      const look = k === 0 ? style : drawPerson(dice);
      world.actors.push({
        z,
        d: d + 0.6 * k,
        speed: way * pace,
        drift: 0,
        yaw: stands ? dice.range(0, 6.28) : way > 0 ? 0 : Math.PI,
        y: KERB,
        build: (kit, frame) => person(kit, look, stands ? 0.1 : Math.sin(phase + k + frame * 1.15)),
      });
    }
  }
  // Someone on a zebra crossing.
  for (const zebra of plan.zebras) {
    if (!dice.chance(0.5)) continue;
    const style = drawPerson(dice);
    const way = dice.chance(0.5) ? 1 : -1;
    world.actors.push({
      z: zebra + dice.range(-1, 1),
      d: dice.range(-plan.left.kerb, plan.right.kerb) * 0.9,
      speed: 0,
      drift: way * 0.12,
      yaw: (way * Math.PI) / 2,
      y: 0,
      build: (kit, frame) => person(kit, style, Math.sin(frame * 1.15)),
    });
  }
}

/** Puts moving vehicles and riders into the world. */
export function drawTraffic(world: World, dice: Dice): void {
  const { plan, drive } = world;
  const moving = (z: number, lane: number, speed: number) => {
    const d = (lane > 0 ? 1 : -1) * (Math.abs(lane) - 0.5) * plan.laneWidth;
    const kind = dice.weighted({
      car: 20,
      truck: 1.6,
      bus: 1.5,
      tram: plan.lanesPerWay === 2 ? 1.5 : 0.3,
      motorcycle: 1.6,
    });
    const yaw = lane > 0 ? 0 : Math.PI;
    const place = { z, d, speed: lane > 0 ? speed : -speed, drift: 0, yaw, y: 0 };
    if (kind === 'car') {
      const style = drawCar(dice);
      world.actors.push({ ...place, build: (kit) => car(kit, style, true) });
    } else if (kind === 'motorcycle') {
      const style = drawPerson(dice);
      const color = srgb(dice.pick([0x8a1c1c, 0x1c1e22, 0x24427a, 0xd0d0d0]));
      world.actors.push({ ...place, build: (kit) => rider(kit, style, color, true, 0) });
    } else {
      // Large vehicles draw their own dice: the same ones in every frame.
      const stream = Math.floor(dice.range(0, 2 ** 31));
      world.actors.push({
        ...place,
        build: (kit) => {
          const own = new Dice(world.seed ^ 0x5bd1e995, stream);
          if (kind === 'truck') truck(kit, own, true);
          else bus(kit, own, kind === 'bus' ? City.bus : City.train, kind === 'bus' ? 1 : 3);
        },
      });
    }
  };
  const far = Math.min(110 + 2 * plan.travel, plan.length - 5);
  for (let lane = 1; lane <= plan.lanesPerWay; lane++) {
    const own = Math.abs((lane - 0.5) * plan.laneWidth - drive.lane) < 1;
    // Oncoming.
    for (let z = dice.range(6, 50); z < far; z += dice.range(16, 60))
      if (dice.chance(0.6)) moving(z + 12, -lane, dice.range(0.5, 1.1));
    // Same way. Whoever drives ahead of the camera is at least about as fast, so that the gap stays open.
    for (let z = own ? dice.range(13, 70) : dice.range(4, 40); z < far; z += dice.range(20, 60))
      if (dice.chance(own ? 0.5 : 0.6)) moving(z + 4, lane, drive.speed * dice.range(own ? 0.97 : 0.8, 1.2));
  }
  const riders = dice.weighted({ none: 0.45, one: 0.4, two: 0.15 });
  for (let i = 0; i < (riders === 'none' ? 0 : riders === 'one' ? 1 : 2); i++) {
    const side = dice.chance(0.7) ? 1 : -1;
    const style = drawPerson(dice);
    const color = srgb(dice.pick([0x24427a, 0x8a1c1c, 0x2a2c30, 0x3f7a4a, 0xd8d8d4]));
    const phase = dice.range(0, 6);
    world.actors.push({
      z: dice.range(8, 32),
      d: side * (sideOf(plan, side).lanes - 0.55),
      speed: side * dice.range(0.35, 0.6),
      drift: 0,
      yaw: side > 0 ? 0 : Math.PI,
      y: 0,
      build: (kit, frame) => rider(kit, style, color, false, Math.sin(phase + frame)),
    });
  }
}
