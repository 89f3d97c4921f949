// Colour of one point: its paint, the light that reaches it, what it mirrors, and the haze in front of it.
import type { Intrinsics } from '../types.ts';
import type { Camera } from './camera.ts';
import { GroundFace } from './cast.ts';
import { paintGround } from './ground-paint.ts';
import { type Light, skyColor } from './light.ts';
import { Ground, type Plan } from './plan.ts';
import type { World } from './scene.ts';
import { Face, type Hit, Shape, type Solid, type Surface } from './solids.ts';

/** What the caster knows about a point: see `Samples`. `solid` null is the ground. */
export interface Point {
  solid: Solid | null;
  face: number;
  /** z-depth, metres, and the ray's place on the picture plane in focal lengths. */
  z: number;
  a: number;
  b: number;
  sunlit: number;
  open: number;
}

/** Height of the headlights below the camera, metres. */
const BEAM_DROP = 0.7;
/** Lamps farther along the street than this do not count, metres. */
const LAMP_REACH = 34;

/**
 * The point being shaded and what its paint answered: one of each for all shaders, so that the paints always see
 * objects of one hidden class. The fractions make V8 store doubles from the start.
 */
const hit: Hit = {
  ...{ x: 0.5, y: 0.5, z: 0.5, lx: 0.5, ly: 0.5, lz: 0.5, nx: 0.5, ny: 0.5, nz: 0.5 },
  ...{ face: 0, pixel: 0.5, slanted: 0.5, night: 0 },
};
const surface: Surface = { r: 0.5, g: 0.5, b: 0.5, glowR: 0.5, glowG: 0.5, glowB: 0.5, gloss: 0.5 };

export class Shader {
  /** Linear colour of the last point. */
  readonly rgb = new Float64Array(3);
  /** Light that arrives, linear RGB, and light mirrored from lamps. */
  private readonly arriving = new Float64Array(3);
  private readonly mirrored = new Float64Array(3);
  /** Unit direction of the ray. */
  private readonly look = new Float64Array(3);

  constructor(
    private readonly k: Intrinsics,
    private readonly world: World,
    private readonly camera: Camera,
    private readonly light: Light,
  ) {
    hit.night = light.night ? 1 : 0;
  }

  /** Sets `look` and returns the length of the ray per metre of z-depth. */
  private aim({ a, b }: Point): number {
    const { forward: f, right: r, up: w } = this.camera;
    const length = Math.sqrt(1 + a * a + b * b);
    for (let i = 0; i < 3; i++) this.look[i] = (f[i] + a * r[i] - b * w[i]) / length;
    return length;
  }

  sky(point: Point): void {
    this.aim(point);
    skyColor(this.light, this.look[0], this.look[1], this.look[2], 1 / this.k.fx, this.rgb);
  }

  surfaceAt(point: Point): void {
    const { light, world, rgb, look, camera } = this;
    const { solid, z } = point;
    const distance = z * this.aim(point);
    hit.x = camera.x + distance * look[0];
    hit.y = camera.y + distance * look[1];
    hit.z = camera.z + distance * look[2];
    hit.face = point.face;
    hit.pixel = (0.9 * z) / this.k.fx;
    if (solid) solidNormal(solid, hit);
    else groundNormal(world.plan, hit, look[0], look[2]);
    let facing = hit.nx * look[0] + hit.ny * look[1] + hit.nz * look[2];
    if (facing > 0) {
      // The inside of a leafy shell or the back of a plate.
      hit.nx = -hit.nx;
      hit.ny = -hit.ny;
      hit.nz = -hit.nz;
      facing = -facing;
    }
    hit.slanted = hit.pixel / Math.max(0.05, -facing);

    let gloss = 0;
    let dark = 1;
    if (solid) {
      solid.paint(hit, surface);
      gloss = surface.gloss;
    } else {
      const found = world.plan.groundAt(hit.x, hit.z);
      const kind = hit.face === GroundFace.kerb ? Ground.pavement : found;
      paintGround(world.plan, world.ground, kind, hit, surface);
      gloss = surface.gloss;
      if (light.wet > 0) {
        dark = 0.6;
        gloss = hit.face === GroundFace.low ? 0.42 : 0.25;
      }
    }
    // Walls are darker towards the ground.
    const open = solid ? point.open * (1 - 0.3 / (1 + 4 * hit.y * hit.y)) : point.open;
    this.receive(open, point.sunlit);
    if (light.night) {
      const wetGloss = solid === null && light.wet > 0 ? gloss : 0;
      this.receiveLamps(open, facing, wetGloss);
      this.receiveHeadlights();
    }
    const arriving = this.arriving;
    const mirrored = this.mirrored;
    rgb[0] = surface.r * dark * arriving[0] + surface.glowR + mirrored[0];
    rgb[1] = surface.g * dark * arriving[1] + surface.glowG + mirrored[1];
    rgb[2] = surface.b * dark * arriving[2] + surface.glowB + mirrored[2];
    if (gloss > 0) this.mirrorSky(gloss * open, facing);

    const clear = Math.exp(-distance / light.hazeLength);
    for (let c = 0; c < 3; c++) rgb[c] = light.haze[c] + (rgb[c] - light.haze[c]) * clear;
  }

  /** Sky, ground and sun. */
  private receive(open: number, sunlit: number): void {
    const light = this.light;
    const arriving = this.arriving;
    const above = (0.5 + 0.5 * hit.ny) * open;
    const below = (0.5 - 0.5 * hit.ny) * open;
    const cos = hit.nx * light.sunX + hit.ny * light.sunY + hit.nz * light.sunZ;
    const sun = cos > 0 ? cos * sunlit : 0;
    for (let c = 0; c < 3; c++) {
      arriving[c] = light.fromAbove[c] * above + light.fromBelow[c] * below + light.sun[c] * sun;
      this.mirrored[c] = 0;
    }
  }

  /** Street lamps; on wet ground also their long reflections. */
  private receiveLamps(open: number, facing: number, wetGloss: number): void {
    const { light, arriving, mirrored, look } = this;
    for (const lamp of this.world.lamps) {
      const lz = lamp.z - hit.z;
      if (lz > LAMP_REACH || lz < -LAMP_REACH) continue;
      const lx = lamp.x - hit.x;
      const ly = lamp.y - hit.y;
      const r2 = lx * lx + ly * ly + lz * lz + 0.3;
      const r = Math.sqrt(r2);
      // Fades out towards the reach, so that no edge shows.
      const near = 1 - (lz * lz) / (LAMP_REACH * LAMP_REACH);
      const down = (ly / r) * near * near;
      if (down < 0.05) continue;
      const towards = (hit.nx * lx + hit.ny * ly + hit.nz * lz) / r;
      if (towards > -0.12) {
        const e = (light.lamps * (0.12 + towards) * down * open) / r2;
        arriving[0] += 1.1 * e;
        arriving[1] += 0.78 * e;
        arriving[2] += 0.42 * e;
      }
      if (wetGloss === 0) continue;
      const along = lx * look[0] + ly * look[1] + lz * look[2];
      const mirror = (along - 2 * facing * towards * r) / r;
      if (mirror < 0.8) continue;
      const s = (mirror - 0.8) * 5;
      const streak = 0.3 * s * s * s * s * wetGloss * near;
      mirrored[0] += streak;
      mirrored[1] += 0.7 * streak;
      mirrored[2] += 0.36 * streak;
    }
  }

  /** The camera car's own dipped beam: wide, with a soft upper edge. */
  private receiveHeadlights(): void {
    const { light, camera, arriving } = this;
    const x = hit.x - camera.x;
    const y = hit.y - camera.y + BEAM_DROP;
    const z = hit.z - camera.z;
    const ahead = camera.forward[0] * x + camera.forward[2] * z;
    if (ahead < 0.5) return;
    const across = (camera.right[0] * x + camera.right[2] * z) / ahead;
    const lobe = Math.exp(-across * across * 9) / (1 + Math.exp((y / ahead - 0.015) * 60));
    const r2 = x * x + y * y + z * z;
    const towards = -(hit.nx * x + hit.ny * y + hit.nz * z) / Math.sqrt(r2);
    if (towards < -0.1) return;
    const e = (light.headlights * lobe * (0.1 + towards)) / (6 + 0.55 * r2);
    arriving[0] += e;
    arriving[1] += 0.93 * e;
    arriving[2] += 0.8 * e;
  }

  /** What a glossy surface mirrors: sky above, street below, by Schlick's approximation. */
  private mirrorSky(gloss: number, facing: number): void {
    const { light, rgb } = this;
    const up = this.look[1] - 2 * facing * hit.ny;
    const grazing = 1 + facing;
    const squared = grazing * grazing;
    const share = gloss * (0.06 + 0.94 * squared * squared * grazing);
    const low = up > 0 ? Math.exp(-up * 3) : 1;
    const dim = up > 0.02 ? 1 : 0.35;
    for (let c = 0; c < 3; c++) {
      const seen = dim * (light.zenith[c] + (light.horizon[c] - light.zenith[c]) * low);
      rgb[c] += (seen - rgb[c]) * share;
    }
  }
}

/** Sets the local position and the world normal of `hit` on a solid. */
function solidNormal(s: Solid, hit: Hit): void {
  const rx = hit.x - s.x;
  const rz = hit.z - s.z;
  hit.lx = rx * s.cos - rz * s.sin;
  hit.ly = hit.y - s.y;
  hit.lz = rx * s.sin + rz * s.cos;
  let nx = 0;
  let ny = 0;
  let nz = 0;
  switch (s.shape) {
    case Shape.box:
      if (hit.face <= Face.right) nx = hit.face === Face.left ? -1 : 1;
      else if (hit.face <= Face.top) ny = hit.face === Face.bottom ? -1 : 1;
      else nz = hit.face === Face.back ? -1 : 1;
      break;
    case Shape.convex:
      nx = s.planes[4 * hit.face];
      ny = s.planes[4 * hit.face + 1];
      nz = s.planes[4 * hit.face + 2];
      break;
    case Shape.cylinder:
      if (hit.face === 1) ny = hit.ly > 0 ? 1 : -1;
      else {
        nx = hit.lx / s.hx;
        nz = hit.lz / s.hz;
      }
      break;
    case Shape.wheel:
      if (hit.face === 1) nx = hit.lx > 0 ? 1 : -1;
      else {
        ny = hit.ly / s.hy;
        nz = hit.lz / s.hz;
      }
      break;
    case Shape.plate:
      nz = hit.face === Face.back ? -1 : 1;
      break;
    default: {
      nx = hit.lx / (s.hx * s.hx);
      ny = hit.ly / (s.hy * s.hy);
      nz = hit.lz / (s.hz * s.hz);
      const k = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz);
      nx *= k;
      ny *= k;
      nz *= k;
    }
  }
  hit.nx = nx * s.cos + nz * s.sin;
  hit.ny = ny;
  hit.nz = -nx * s.sin + nz * s.cos;
}

function groundNormal(plan: Plan, hit: Hit, dx: number, dz: number): void {
  if (hit.face !== GroundFace.kerb) {
    hit.nx = hit.nz = 0;
    hit.ny = 1;
    return;
  }
  // A kerb runs along the street; seen from the road it faces the viewer.
  const yaw = plan.heading(hit.z);
  const towards = dx * Math.cos(yaw) - dz * Math.sin(yaw) > 0 ? -1 : 1;
  hit.nx = towards * Math.cos(yaw);
  hit.ny = 0;
  hit.nz = -towards * Math.sin(yaw);
}
