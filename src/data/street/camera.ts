// The drive: where the camera is in every frame of a snippet.
import type { Intrinsics } from '../types.ts';
import { fractal2 } from './noise.ts';
import type { Plan } from './plan.ts';
import type { Dice } from './random.ts';

/** Camera axes as unit vectors in internal coordinates (y up), and its position. */
export interface Camera {
  x: number;
  y: number;
  z: number;
  right: Float64Array;
  up: Float64Array;
  forward: Float64Array;
}

/** Field of view of 58 degrees across, square pixels, principal point in the middle. */
export function streetIntrinsics(width: number, height: number): Intrinsics {
  const f = 0.9 * width;
  return { width, height, fx: f, fy: f, cx: (width - 1) / 2, cy: (height - 1) / 2 };
}

/** Metres per frame; at ten frames a second 38 km/h. */
export const MAX_SPEED = 1.05;

/** How one snippet is driven. */
export interface Drive {
  /** Metres per frame along z. */
  speed: number;
  /** Distance to the right of the centre line. */
  lane: number;
  height: number;
  pitch: number;
  seed: number;
}

export function drawDrive(dice: Dice, plan: Plan): Drive {
  const lane = plan.laneWidth * (plan.lanesPerWay === 2 && dice.chance(0.5) ? 1.5 : 0.5);
  return {
    speed: dice.range(0.5, MAX_SPEED),
    lane: lane + dice.range(-0.25, 0.25),
    height: dice.range(1.35, 1.65),
    pitch: dice.range(-0.035, -0.005),
    seed: dice.range(0, 200),
  };
}

/** The camera of a frame; a car sways and nods a little. */
export function cameraAt(plan: Plan, drive: Drive, frame: number): Camera {
  const sway = (channel: number, wavelength: number) =>
    fractal2(drive.seed + channel * 13.1, frame, wavelength, 2, 0);
  const place = plan.place(drive.speed * frame, drive.lane + 0.25 * sway(0, 14));
  const yaw = place.yaw + 0.012 * sway(1, 10);
  const pitch = drive.pitch + 0.004 * sway(2, 4);
  const roll = 0.006 * sway(3, 5);
  const cp = Math.cos(pitch);
  const sp = Math.sin(pitch);
  const flatRight = [Math.cos(yaw), 0, -Math.sin(yaw)];
  const flatUp = [-Math.sin(yaw) * sp, cp, -Math.cos(yaw) * sp];
  const turn = (a: number, b: number) => Float64Array.from(flatRight, (r, i) => a * r + b * flatUp[i]);
  return {
    x: place.x,
    y: drive.height + 0.012 * sway(4, 4),
    z: place.z,
    right: turn(Math.cos(roll), Math.sin(roll)),
    up: turn(-Math.sin(roll), Math.cos(roll)),
    forward: Float64Array.of(Math.sin(yaw) * cp, sp, Math.cos(yaw) * cp),
  };
}

/** Camera-to-world, row-major 4x4, in the camera convention: x right, y down, z forward in both frames. */
export function poseMatrix(camera: Camera): Float64Array {
  const { right: r, up: u, forward: f } = camera;
  return Float64Array.of(
    ...[r[0], -u[0], f[0], camera.x],
    ...[-r[1], u[1], -f[1], -camera.y],
    ...[r[2], -u[2], f[2], camera.z],
    ...[0, 0, 0, 1],
  );
}
