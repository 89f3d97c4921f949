// What a world consists of, and how its builders place things along the street.
import type { Drive } from './camera.ts';
import type { GroundLook } from './ground-paint.ts';
import { Kit, type Stage } from './kit.ts';
import type { Weather } from './light.ts';
import { KERB, type Plan, type Side } from './plan.ts';

/** Something that moves: built anew in every frame at its place. */
export interface Actor {
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

/** The side of the street with sign -1 (left) or 1. */
export const sideOf = (plan: Plan, side: number): Side => (side < 0 ? plan.left : plan.right);

/** A kit on the pavement or a plot at (z, distance from the centre line), turned against the street by `yaw`. */
export function kitAt(world: World, z: number, d: number, yaw = 0, y = KERB): Kit {
  const place = world.plan.place(z, d);
  return new Kit(world.fixed, place.x, place.z, place.yaw + yaw, y);
}
