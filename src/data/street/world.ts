// Puts one world together: a street, what stands along it, what moves on it, and its weather.
import { drawDrive, MAX_SPEED } from './camera.ts';
import { drawGroundLook } from './ground-paint.ts';
import { Kit, type Stage } from './kit.ts';
import { drawWeather } from './light.ts';
import { Plan } from './plan.ts';
import { layHorizon, layPlots } from './plots.ts';
import { Dice } from './random.ts';
import { furnish, park } from './roadside.ts';
import type { World } from './scene.ts';
import { drawTraffic, populate } from './traffic.ts';

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
  const plan = new Plan(dice('plan'), MAX_SPEED * frames);
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
