// The renderer: for every sample the nearest surface along its ray (all solids, each within its screen rectangle,
// against a depth buffer), then shadows, then paint and light. The ray is scaled so that its parameter t is z-depth.
//
// Each picture takes four colour passes, one per sample of a 2x2 pattern, and, where truth is wanted, one pass
// through the pixel centres that gives depth and labels and no colour.
import { threefry2x32 } from '../../gpu/threefry.ts';
import { City } from '../classes.ts';
import type { DepthMap, Intrinsics, LabelMap, RgbImage } from '../types.ts';
import { type Camera, cameraAt } from './camera.ts';
import { GroundFace, paintGround } from './ground-paint.ts';
import type { Glow, Stage } from './kit.ts';
import { type Light, type Look, lightOf, skyColor } from './light.ts';
import { Ground, KERB, type Plan } from './plan.ts';
import { Face, type Hit, hitSolid, ray, Shape, type Solid, type Surface } from './solids.ts';
import { type Bounds, View } from './view.ts';
import { stageAt, type World } from './world.ts';

export interface Rendered {
  image: RgbImage;
  /** Present when truth was asked for. */
  label?: LabelMap;
  depth?: DepthMap;
  camera: Camera;
}

const SKY = -1;
const GROUND = -2;
/** Ground farther than this is horizon, metres. */
const FAR = 1500;
const SAMPLES = [
  [-0.25, -0.25],
  [0.25, -0.25],
  [-0.25, 0.25],
  [0.25, 0.25],
] as const;
/** Shadows of things farther away than this do not show, metres. */
const SHADOW_RANGE = 80;
const CONTACT = 0.5;

const GROUND_LABEL = [City.road, City.sidewalk, City.terrain];

/** A solid with its screen rectangle. */
interface Visible {
  solid: Solid;
  index: number;
  bounds: Bounds;
}

const newBounds = (): Bounds => ({ x0: 0, y0: 0, x1: 0, y1: 0, near: 0 });

/** Renders frames of one size; buffers are kept from frame to frame. */
export class Renderer {
  private readonly k: Intrinsics;
  /** z-depth, what was hit (index of the solid, SKY or GROUND) and which face, per sample of one pass. */
  private readonly t: Float64Array;
  private readonly what: Int32Array;
  private readonly face: Uint8Array;
  /** World position per sample, [height, width, 3]. */
  private readonly where: Float64Array;
  /** Share of direct sun and of ambient light that arrives. */
  private readonly sunlit: Float32Array;
  private readonly open: Float32Array;
  private readonly sum: Float32Array;
  private readonly hit: Hit = {
    ...{ x: 0, y: 0, z: 0, lx: 0, ly: 0, lz: 0, nx: 0, ny: 0, nz: 0 },
    ...{ face: 0, pixel: 0, slanted: 0, night: 0 },
  };
  private readonly surface: Surface = { r: 0, g: 0, b: 0, glowR: 0, glowG: 0, glowB: 0, gloss: 0 };
  private readonly rgb = new Float64Array(3);

  constructor(intrinsics: Intrinsics) {
    this.k = intrinsics;
    const n = intrinsics.width * intrinsics.height;
    this.t = new Float64Array(n);
    this.what = new Int32Array(n);
    this.face = new Uint8Array(n);
    this.where = new Float64Array(n * 3);
    this.sunlit = new Float32Array(n);
    this.open = new Float32Array(n);
    this.sum = new Float32Array(n * 3);
  }

  render(world: World, frame: number, look: Look, truth: boolean): Rendered {
    const { width, height } = this.k;
    const camera = cameraAt(world.plan, world.drive, frame);
    const view = new View(camera, this.k);
    const light = lightOf(world.weather, look);
    const stage = stageAt(world, frame);
    const visible = inPicture(view, stage.solids);
    const casters = light.hasShadows ? shadows(view, stage.solids, light) : [];
    const contacts = footprints(view, stage.solids);

    this.sum.fill(0);
    for (const [u, v] of SAMPLES) {
      this.cast(world.plan, camera, visible, u, v);
      this.locate(camera, u, v);
      this.sunlit.fill(1);
      this.open.fill(1);
      this.castShadows(casters, light);
      this.darkenContacts(contacts);
      this.shade(world, camera, stage.solids, light, u, v);
    }
    // Lamps are hidden by what the last pass saw.
    if (light.night) this.addGlows(view, stage.glows);
    const image = { width, height, data: this.develop(world, frame, light) };
    if (!truth) return { image, camera };

    this.cast(world.plan, camera, visible, 0, 0);
    this.locate(camera, 0, 0);
    return { image, camera, ...this.truth(world.plan, stage) };
  }

  private truth(plan: Plan, stage: Stage): { label: LabelMap; depth: DepthMap } {
    const { width, height } = this.k;
    const n = width * height;
    const label = { width, height, data: new Uint8Array(n) };
    const depth = { width, height, data: new Float32Array(n) };
    for (let i = 0; i < n; i++) {
      const what = this.what[i];
      if (what === SKY) {
        label.data[i] = City.sky;
        continue;
      }
      depth.data[i] = this.t[i];
      if (what === GROUND) {
        // The face of a kerb stone belongs to the pavement.
        label.data[i] =
          this.face[i] === GroundFace.kerb
            ? City.sidewalk
            : GROUND_LABEL[plan.groundAt(this.where[3 * i], this.where[3 * i + 2])];
      } else label.data[i] = stage.solids[what].label;
    }
    return { label, depth };
  }

  /** Fills t, what and face for the rays at (u, v) off the pixel centres. */
  private cast(plan: Plan, camera: Camera, visible: readonly Visible[], u: number, v: number): void {
    const { k, t, what, face } = this;
    const { width, height } = k;
    for (let y = 0, i = 0; y < height; y++) {
      const b = (y + v - k.cy) / k.fy;
      for (let x = 0; x < width; x++, i++) {
        const a = (x + u - k.cx) / k.fx;
        const dx = camera.forward[0] + a * camera.right[0] - b * camera.up[0];
        const dy = camera.forward[1] + a * camera.right[1] - b * camera.up[1];
        const dz = camera.forward[2] + a * camera.right[2] - b * camera.up[2];
        t[i] = Infinity;
        what[i] = SKY;
        if (dy < 0) this.castGround(plan, camera, i, dx, dy, dz);
      }
    }
    for (const { solid: s, index, bounds } of visible) {
      // Ray origin and direction in the frame of the solid; directions change linearly over the picture.
      const rx = camera.x - s.x;
      const rz = camera.z - s.z;
      ray[0] = rx * s.cos - rz * s.sin;
      ray[1] = camera.y - s.y;
      ray[2] = rx * s.sin + rz * s.cos;
      const { forward: f, right: r, up: w } = camera;
      const fx = f[0] * s.cos - f[2] * s.sin;
      const fz = f[0] * s.sin + f[2] * s.cos;
      const ax = r[0] * s.cos - r[2] * s.sin;
      const az = r[0] * s.sin + r[2] * s.cos;
      const bx = w[0] * s.cos - w[2] * s.sin;
      const bz = w[0] * s.sin + w[2] * s.cos;
      for (let y = bounds.y0; y < bounds.y1; y++) {
        const b = (y + v - k.cy) / k.fy;
        for (let x = bounds.x0, i = y * width + x; x < bounds.x1; x++, i++) {
          if (t[i] <= bounds.near) continue;
          const a = (x + u - k.cx) / k.fx;
          ray[3] = fx + a * ax - b * bx;
          ray[4] = f[1] + a * r[1] - b * w[1];
          ray[5] = fz + a * az - b * bz;
          ray[6] = t[i];
          if (hitSolid(s)) {
            t[i] = ray[6];
            what[i] = index;
            face[i] = ray[7];
          }
        }
      }
    }
  }

  /** Road at height 0, everything else at the height of the kerb, with an upright kerb face between. */
  private castGround(plan: Plan, camera: Camera, i: number, dx: number, dy: number, dz: number): void {
    const high = (KERB - camera.y) / dy;
    if (high > FAR) return;
    this.what[i] = GROUND;
    const raised = (t: number) => plan.groundAt(camera.x + t * dx, camera.z + t * dz) !== Ground.road;
    if (raised(high)) {
      this.t[i] = high;
      this.face[i] = GroundFace.raised;
      return;
    }
    let low = -camera.y / dy;
    if (!raised(low)) {
      this.t[i] = low;
      this.face[i] = GroundFace.low;
      return;
    }
    // The ray enters the kerb between the two heights: bisect to where the road ends.
    let clear = high;
    for (let step = 0; step < 24; step++) {
      const middle = (clear + low) / 2;
      if (raised(middle)) low = middle;
      else clear = middle;
    }
    this.t[i] = clear;
    this.face[i] = GroundFace.kerb;
  }

  /** Fills `where` with the world positions of what the last `cast` met. */
  private locate(camera: Camera, u: number, v: number): void {
    const { k, t, where } = this;
    for (let y = 0, i = 0; y < k.height; y++) {
      const b = (y + v - k.cy) / k.fy;
      for (let x = 0; x < k.width; x++, i++) {
        const a = (x + u - k.cx) / k.fx;
        const z = t[i];
        where[3 * i] = camera.x + z * (camera.forward[0] + a * camera.right[0] - b * camera.up[0]);
        where[3 * i + 1] = camera.y + z * (camera.forward[1] + a * camera.right[1] - b * camera.up[1]);
        where[3 * i + 2] = camera.z + z * (camera.forward[2] + a * camera.right[2] - b * camera.up[2]);
      }
    }
  }

  private castShadows(casters: readonly Visible[], light: Light): void {
    const { where, sunlit, what, t } = this;
    for (const { solid: s, index, bounds } of casters) {
      ray[3] = light.sunX * s.cos - light.sunZ * s.sin;
      ray[4] = light.sunY;
      ray[5] = light.sunX * s.sin + light.sunZ * s.cos;
      // Light gets through leaves.
      const left = s.shape === Shape.foliage ? 0.42 : 0;
      for (let y = bounds.y0; y < bounds.y1; y++) {
        for (let x = bounds.x0, i = y * this.k.width + x; x < bounds.x1; x++, i++) {
          if (what[i] === SKY || what[i] === index || sunlit[i] < 0.05 || t[i] < bounds.near) continue;
          const rx = where[3 * i] - s.x;
          const rz = where[3 * i + 2] - s.z;
          ray[0] = rx * s.cos - rz * s.sin;
          ray[1] = where[3 * i + 1] - s.y;
          ray[2] = rx * s.sin + rz * s.cos;
          ray[6] = 200;
          if (hitSolid(s)) sunlit[i] *= left;
        }
      }
    }
  }

  /** Ground close to and under things sees less of the sky. */
  private darkenContacts(contacts: readonly Visible[]): void {
    const { where, open, what } = this;
    for (const { solid: s, bounds } of contacts) {
      for (let y = bounds.y0; y < bounds.y1; y++) {
        for (let x = bounds.x0, i = y * this.k.width + x; x < bounds.x1; x++, i++) {
          if (what[i] !== GROUND) continue;
          const rx = where[3 * i] - s.x;
          const rz = where[3 * i + 2] - s.z;
          const ox = Math.max(0, Math.abs(rx * s.cos - rz * s.sin) - s.hx);
          const oz = Math.max(0, Math.abs(rx * s.sin + rz * s.cos) - s.hz);
          const away = Math.sqrt(ox * ox + oz * oz) / CONTACT;
          if (away < 1) open[i] = Math.min(open[i], 1 - 0.72 * (1 - away) * (1 - away));
        }
      }
    }
  }

  /** Adds the tone-mapped colour of every sample to `sum`. */
  private shade(
    world: World,
    camera: Camera,
    solids: readonly Solid[],
    light: Light,
    u: number,
    v: number,
  ): void {
    const { k, hit, surface, what, where, t, rgb } = this;
    const beamX = camera.x - 0.7 * camera.up[0];
    const beamY = camera.y - 0.7;
    const beamZ = camera.z - 0.7 * camera.up[2];
    hit.night = light.night ? 1 : 0;
    for (let y = 0, i = 0; y < k.height; y++) {
      const b = (y + v - k.cy) / k.fy;
      for (let x = 0; x < k.width; x++, i++) {
        const a = (x + u - k.cx) / k.fx;
        let dx = camera.forward[0] + a * camera.right[0] - b * camera.up[0];
        let dy = camera.forward[1] + a * camera.right[1] - b * camera.up[1];
        let dz = camera.forward[2] + a * camera.right[2] - b * camera.up[2];
        const z = t[i];
        const length = Math.sqrt(1 + a * a + b * b);
        hit.x = where[3 * i];
        hit.y = where[3 * i + 1];
        hit.z = where[3 * i + 2];
        dx /= length;
        dy /= length;
        dz /= length;
        if (what[i] === SKY) {
          skyColor(light, dx, dy, dz, 1 / k.fx, rgb);
          this.expose(i, light);
          continue;
        }
        hit.face = this.face[i];
        hit.pixel = (0.8 * z) / k.fx;
        const solid = what[i] === GROUND ? null : solids[what[i]];
        if (solid) solidNormal(solid, hit);
        else groundNormal(world.plan, hit, dx, dz);
        let facing = hit.nx * dx + hit.ny * dy + hit.nz * dz;
        if (facing > 0) {
          // The inside of a leafy shell or the back of a plate.
          hit.nx = -hit.nx;
          hit.ny = -hit.ny;
          hit.nz = -hit.nz;
          facing = -facing;
        }
        hit.slanted = hit.pixel / Math.max(0.05, -facing);
        if (solid) solid.paint(hit, surface);
        else {
          const kind = world.plan.groundAt(hit.x, hit.z);
          paintGround(
            world.plan,
            world.ground,
            hit.face === GroundFace.kerb ? Ground.pavement : kind,
            hit,
            surface,
          );
        }

        // Light that arrives.
        const { nx, ny, nz } = hit;
        const solidAo = solid ? 1 - 0.3 * Math.exp(-hit.y * 2.2) : 1;
        const open = this.open[i] * solidAo;
        const above = (0.5 + 0.5 * ny) * open;
        const below = (0.5 - 0.5 * ny) * open;
        const cos = nx * light.sunX + ny * light.sunY + nz * light.sunZ;
        const sun = cos > 0 ? cos * this.sunlit[i] : 0;
        let er = light.fromAbove[0] * above + light.fromBelow[0] * below + light.sun[0] * sun;
        let eg = light.fromAbove[1] * above + light.fromBelow[1] * below + light.sun[1] * sun;
        let eb = light.fromAbove[2] * above + light.fromBelow[2] * below + light.sun[2] * sun;

        const onRoad = solid === null && hit.face === GroundFace.low;
        let gloss = surface.gloss;
        let dark = 1;
        if (light.wet > 0 && solid === null) {
          dark = 0.62;
          gloss = onRoad ? 0.75 : 0.4;
        }
        let shineR = 0;
        let shineG = 0;
        let shineB = 0;
        if (light.night) {
          const rx = dx - 2 * facing * nx;
          const ry = dy - 2 * facing * ny;
          const rz = dz - 2 * facing * nz;
          for (const l of world.lamps) {
            const lz = l.z - hit.z;
            if (lz > 34 || lz < -34) continue;
            const lx = l.x - hit.x;
            const ly = l.y - hit.y;
            const r2 = lx * lx + ly * ly + lz * lz + 0.3;
            const r1 = Math.sqrt(r2);
            const down = ly / r1;
            if (down < 0.05) continue;
            const towards = (nx * lx + ny * ly + nz * lz) / r1;
            const e = (light.lamps * Math.max(0, 0.12 + towards) * down) / r2;
            er += e * 1.1 * open;
            eg += e * 0.78 * open;
            eb += e * 0.42 * open;
            if (light.wet > 0 && solid === null) {
              const mirror = (rx * lx + ry * ly + rz * lz) / r1;
              if (mirror > 0.8) {
                const s = (mirror - 0.8) * 5;
                const streak = 0.5 * s * s * s * s * gloss * (1 - down);
                shineR += streak;
                shineG += 0.7 * streak;
                shineB += 0.36 * streak;
              }
            }
          }
          const bx = hit.x - beamX;
          const by = hit.y - beamY;
          const bz = hit.z - beamZ;
          const ahead = camera.forward[0] * bx + camera.forward[1] * by + camera.forward[2] * bz;
          if (ahead > 0.5) {
            const across = (camera.right[0] * bx + camera.right[2] * bz) / ahead;
            const rise = by / ahead;
            // Dipped beam: wide, with a soft upper edge.
            const lobe = Math.exp(-across * across * 9) / (1 + Math.exp((rise - 0.015) * 60));
            const r2 = bx * bx + by * by + bz * bz;
            const towards = -(nx * bx + ny * by + nz * bz) / Math.sqrt(r2);
            const e = (light.headlights * lobe * Math.max(0, 0.1 + towards)) / (6 + 0.55 * r2);
            er += e;
            eg += e * 0.93;
            eb += e * 0.8;
          }
        }

        let r = surface.r * dark * er + surface.glowR + shineR;
        let g = surface.g * dark * eg + surface.glowG + shineG;
        let bl = surface.b * dark * eb + surface.glowB + shineB;
        if (gloss > 0) {
          // What a glossy surface mirrors: sky above, street below, by Schlick's approximation.
          const up = dy - 2 * facing * ny;
          const grazing = 1 + facing;
          const g2 = grazing * grazing;
          const share = gloss * (0.06 + 0.94 * g2 * g2 * grazing) * (solid ? open : this.open[i]);
          const mix = up > 0 ? Math.exp(-up * 3) : 1;
          const dim = up > 0.02 ? 1 : 0.35;
          r += (dim * (light.zenith[0] + (light.horizon[0] - light.zenith[0]) * mix) - r) * share;
          g += (dim * (light.zenith[1] + (light.horizon[1] - light.zenith[1]) * mix) - g) * share;
          bl += (dim * (light.zenith[2] + (light.horizon[2] - light.zenith[2]) * mix) - bl) * share;
        }
        const clear = Math.exp((-z * length) / light.hazeLength);
        rgb[0] = light.haze[0] + (r - light.haze[0]) * clear;
        rgb[1] = light.haze[1] + (g - light.haze[1]) * clear;
        rgb[2] = light.haze[2] + (bl - light.haze[2]) * clear;
        this.expose(i, light);
      }
    }
  }

  /** Film curve: linear in the shadows, soft in the highlights. */
  private expose(i: number, light: Light): void {
    const { sum, rgb } = this;
    const e = -light.exposure;
    sum[3 * i] += 1 - Math.exp(e * rgb[0]);
    sum[3 * i + 1] += 1 - Math.exp(e * rgb[1]);
    sum[3 * i + 2] += 1 - Math.exp(e * rgb[2]);
  }

  /** Halos of lamps that are in the picture and not hidden. */
  private addGlows(view: View, glows: readonly Glow[]): void {
    const { k, t, sum } = this;
    const at = new Float64Array(3);
    for (const glow of glows) {
      view.project(glow.x, glow.y, glow.z, at);
      const [u, v, z] = at;
      if (!(z > 1 && z < 160)) continue;
      let facing = 1;
      if (glow.towardX !== 0 || glow.towardZ !== 0) {
        const dx = view.camera.x - glow.x;
        const dz = view.camera.z - glow.z;
        facing = (dx * glow.towardX + dz * glow.towardZ) / Math.hypot(dx, dz);
        if (facing <= 0) continue;
      }
      const x = Math.round(u);
      const y = Math.round(v);
      const inside = x >= 0 && x < k.width && y >= 0 && y < k.height;
      if (!inside || t[y * k.width + x] < z - 0.6) continue;
      const radius = Math.max(0.9, (glow.size * k.fx) / z);
      // A halo no larger than a pixel keeps its energy instead of growing brighter.
      const strength = 3.2 * facing * Math.min(1, (glow.size * k.fx) / z / radius + 0.25);
      const reach = Math.min(Math.ceil(radius * 2.5), 40);
      for (let py = Math.max(0, y - reach); py <= Math.min(k.height - 1, y + reach); py++) {
        for (let px = Math.max(0, x - reach); px <= Math.min(k.width - 1, x + reach); px++) {
          const d2 = ((px - u) ** 2 + (py - v) ** 2) / (radius * radius);
          const w = strength * (0.75 * Math.exp(-2.5 * d2) + 0.13 * Math.exp(-0.6 * d2));
          const i = 3 * (py * k.width + px);
          sum[i] += glow.color[0] * w;
          sum[i + 1] += glow.color[1] * w;
          sum[i + 2] += glow.color[2] * w;
        }
      }
    }
  }

  /** Vignetting, sRGB and sensor noise, which is a pure function of world, frame and pixel. */
  private develop(world: World, frame: number, light: Light): Uint8Array {
    const { k, sum } = this;
    const data = new Uint8Array(sum.length);
    const scale = (light.noise * Math.sqrt(1.5)) / 0xffff;
    for (let y = 0, i = 0; y < k.height; y++) {
      const b = (y - k.cy) / k.fx;
      for (let x = 0; x < k.width; x++, i += 3) {
        const a = (x - k.cx) / k.fx;
        const corner = (1 - 0.22 * (a * a + b * b)) / SAMPLES.length;
        const [n0, n1] = threefry2x32(world.seed, world.stream + 15, i, frame);
        // Differences of two uniform numbers: a triangular distribution.
        const noise0 = (n0 & 0xffff) - (n0 >>> 16);
        const noise1 = (n1 & 0xffff) - (n1 >>> 16);
        data[i] = encode(sum[i] * corner, noise0 * scale);
        data[i + 1] = encode(sum[i + 1] * corner, noise1 * scale);
        data[i + 2] = encode(sum[i + 2] * corner, (noise0 + noise1) * 0.7 * scale);
      }
    }
    return data;
  }
}

const GAMMA = (() => {
  const table = new Float32Array(4097);
  for (let i = 0; i <= 4096; i++) {
    const v = i / 4096;
    table[i] = 255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
  }
  return table;
})();

function encode(linear: number, noise: number): number {
  const v = Math.min(Math.max(linear, 0), 0.99999) * 4096;
  const at = Math.floor(v);
  const value = GAMMA[at] + (v - at) * (GAMMA[at + 1] - GAMMA[at]) + noise;
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.round(value);
}

function inPicture(view: View, solids: readonly Solid[]): Visible[] {
  const found: Visible[] = [];
  let bounds = newBounds();
  solids.forEach((solid, index) => {
    if (view.isBehind(solid, 0) || !view.boundsOf(solid, bounds)) return;
    found.push({ solid, index, bounds });
    bounds = newBounds();
  });
  // Front to back, so that what is hidden fails the cheap depth test.
  return found.sort((a, b) => a.bounds.near - b.bounds.near || a.index - b.index);
}

function shadows(view: View, solids: readonly Solid[], light: Light): Visible[] {
  const found: Visible[] = [];
  let bounds = newBounds();
  solids.forEach((solid, index) => {
    if (!solid.castsShadow || Math.hypot(solid.x - view.camera.x, solid.z - view.camera.z) > SHADOW_RANGE)
      return;
    if (!view.boundsOfShadow(solid, light.sunX, light.sunY, light.sunZ, bounds)) return;
    found.push({ solid, index, bounds });
    bounds = newBounds();
  });
  return found;
}

function footprints(view: View, solids: readonly Solid[]): Visible[] {
  const found: Visible[] = [];
  let bounds = newBounds();
  solids.forEach((solid, index) => {
    const slim = solid.hx < 0.12 && solid.hz < 0.12;
    if (slim || solid.shape === Shape.foliage || solid.y - solid.hy > 0.6) return;
    if (Math.hypot(solid.x - view.camera.x, solid.z - view.camera.z) > SHADOW_RANGE) return;
    if (view.isBehind(solid, CONTACT) || !view.boundsOfFootprint(solid, CONTACT, bounds)) return;
    found.push({ solid, index, bounds });
    bounds = newBounds();
  });
  return found;
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
