// Puts one world together: a street, what stands along it, what moves on it, and its weather.
import { City } from '../classes.ts';
import { building } from './buildings.ts';
import { type Drive, drawDrive } from './camera.ts';
import {
  bin,
  bollard,
  fence,
  LAMP_HEIGHT,
  LAMP_REACH,
  plainPole,
  streetLamp,
  trafficLight,
  trafficSign,
  wall,
} from './furniture.ts';
import { bush, conifer, hedge, tree } from './greenery.ts';
import { drawGroundLook, type GroundLook } from './ground-paint.ts';
import { Kit, type Stage, srgb } from './kit.ts';
import { drawWeather, type Weather } from './light.ts';
import { bicycle, drawPerson, person, rider } from './people.ts';
import { KERB, Plan, type Side } from './plan.ts';
import { Dice } from './random.ts';
import { bus, car, drawCar, truck } from './vehicles.ts';

/** Something that moves: built anew in every frame at its place. */
interface Actor {
  z: number;
  d: number;
  /** Metres per frame along and across the street. */
  speed: number;
  drift: number;
  /** Heading against the street's, radians. */
  yaw: number;
  y: number;
  build: (kit: Kit, frame: number) => void;
}

export interface World {
  plan: Plan;
  drive: Drive;
  weather: Weather;
  ground: GroundLook;
  fixed: Stage;
  actors: Actor[];
  /** Street lamps: where their light is. */
  lamps: { x: number; y: number; z: number }[];
  seed: number;
  stream: number;
}

/** How far the street is built up beyond the last camera position, metres. */
const VIEW = 170;

/** Streams of one world: `stream` must be a multiple of 16. */
const Topic = {
  plan: 0,
  drive: 1,
  weather: 2,
  plots: 3,
  furniture: 4,
  parking: 5,
  people: 6,
  traffic: 7,
} as const;

/** The world of one snippet; `stream` names it, and worlds of different streams have nothing in common. */
export function buildWorld(seed: number, stream: number, frames: number): World {
  const dice = (topic: keyof typeof Topic) => new Dice(seed, stream + Topic[topic]);
  const weatherDice = dice('weather');
  const planDice = dice('plan');
  const length = Math.ceil(1.05 * frames) + VIEW;
  const plan = new Plan(planDice, length);
  const world: World = {
    plan,
    drive: drawDrive(dice('drive'), plan),
    weather: drawWeather(weatherDice),
    ground: drawGroundLook(weatherDice),
    fixed: { solids: [], glows: [] },
    actors: [],
    lamps: [],
    seed,
    stream,
  };
  const plots = dice('plots');
  for (const side of [-1, 1]) layPlots(world, plots, side);
  layHorizon(world, plots);
  const furniture = dice('furniture');
  for (const side of [-1, 1]) furnish(world, furniture, side);
  const parking = dice('parking');
  for (const side of [-1, 1]) park(world, parking, side);
  populate(world, dice('people'));
  drawTraffic(world, dice('traffic'));
  return world;
}

/** Everything there is in one frame. */
export function stageAt(world: World, frame: number): Stage {
  const stage: Stage = { solids: world.fixed.solids.slice(), glows: world.fixed.glows.slice() };
  for (const actor of world.actors) {
    const place = world.plan.place(actor.z + actor.speed * frame, actor.d + actor.drift * frame);
    actor.build(new Kit(stage, place.x, place.z, place.yaw + actor.yaw, actor.y), frame);
  }
  return stage;
}

const sideOf = (plan: Plan, side: number): Side => (side < 0 ? plan.left : plan.right);

/** A kit on the pavement or a plot at (z, distance from the centre line), turned against the street by `yaw`. */
function kitAt(world: World, z: number, d: number, yaw = 0, y = KERB): Kit {
  const place = world.plan.place(z, d);
  return new Kit(world.fixed, place.x, place.z, place.yaw + yaw, y);
}

type PlotKind = 'block' | 'house' | 'park' | 'walled' | 'fenced';

const PLOTS: Record<Plan['character'], Record<PlotKind, number>> = {
  city: { block: 9, house: 0, park: 0.7, walled: 1, fenced: 1 },
  suburb: { block: 0.3, house: 7, park: 1.2, walled: 1.2, fenced: 1.4 },
  park: { block: 1.5, house: 1, park: 5, walled: 1.5, fenced: 1 },
  mixed: { block: 4, house: 3, park: 1.2, walled: 1.2, fenced: 1.2 },
};

function layPlots(world: World, dice: Dice, side: number): void {
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
function layHorizon(world: World, dice: Dice): void {
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

function furnish(world: World, dice: Dice, side: number): void {
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

  for (let z = 6 + dice.range(0, 8); z < plan.length; z += dice.range(9, 24)) {
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
  for (let z = 5 + dice.range(0, 20); z < plan.length; z += dice.range(14, 60)) {
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

function park(world: World, dice: Dice, side: number): void {
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

function populate(world: World, dice: Dice): void {
  const { plan } = world;
  const count = dice.int(plan.character === 'city' ? 6 : 3, plan.character === 'city' ? 16 : 8);
  for (let i = 0; i < count; i++) {
    const side = dice.chance(0.5) ? 1 : -1;
    const s = sideOf(plan, side);
    // More people near the camera, where they are large enough to be seen.
    const z = 7 + 60 * dice.next() ** 1.5;
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

function drawTraffic(world: World, dice: Dice): void {
  const { plan, drive } = world;
  const moving = (z: number, lane: number, speed: number) => {
    const d = (lane > 0 ? 1 : -1) * (Math.abs(lane) - 0.5) * plan.laneWidth;
    const kind = dice.weighted({
      car: 20,
      truck: 1.6,
      bus: 1.5,
      tram: plan.lanesPerWay === 2 ? 3 : 0.3,
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
  for (let lane = 1; lane <= plan.lanesPerWay; lane++) {
    const own = Math.abs((lane - 0.5) * plan.laneWidth - drive.lane) < 1;
    // Oncoming.
    for (let z = dice.range(6, 50); z < 120; z += dice.range(16, 60))
      if (dice.chance(0.6)) moving(z + 12, -lane, dice.range(0.5, 1.1));
    // Same way. Whoever drives ahead of the camera is at least about as fast, so that the gap stays open.
    for (let z = own ? dice.range(13, 70) : dice.range(4, 40); z < 110; z += dice.range(20, 60))
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
