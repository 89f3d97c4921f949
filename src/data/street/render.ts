// The renderer. Each picture takes four geometry passes, one per sample of a 2x2 pattern; samples of a pixel that
// met the same face share one evaluation of paint and light (textures are band-limited to a pixel, so only edges
// need more). Where truth is wanted, a pass through the pixel centres gives depth and labels.
import { threefry2x32 } from '../../gpu/threefry.ts';
import { City } from '../classes.ts';
import type { DepthMap, Intrinsics, LabelMap, RgbImage } from '../types.ts';
import { type Camera, cameraAt } from './camera.ts';
import { footprints, GROUND, GroundFace, inPicture, Samples, SKY, shadows } from './cast.ts';
import type { Glow, Stage } from './kit.ts';
import { type Light, type Look, lightOf } from './light.ts';
import type { Plan } from './plan.ts';
import type { World } from './scene.ts';
import { type Point, Shader } from './shade.ts';
import { View } from './view.ts';
import { stageAt } from './world.ts';

export interface Rendered {
  image: RgbImage;
  /** Present when truth was asked for. */
  label?: LabelMap;
  depth?: DepthMap;
  camera: Camera;
}

/** Sample offsets in pixels. */
const OFFSETS = [
  [-0.25, -0.25],
  [0.25, 0.25],
  [0.25, -0.25],
  [-0.25, 0.25],
] as const;
/** Shadows are looked up for the first two samples, a diagonal; the others take the value of their column. */
const SHADOWED = [0, 1, 1, 0] as const;

const GROUND_LABEL = [City.road, City.sidewalk, City.terrain];

/** Renders frames of one size; buffers are kept from frame to frame. */
export class Renderer {
  private readonly samples: Samples[];
  private readonly centres: Samples;
  /** Exposed colour, linear, `[height, width, 3]`. */
  private readonly film: Float32Array;

  constructor(private readonly k: Intrinsics) {
    this.samples = OFFSETS.map(([u, v]) => new Samples(k, u, v));
    this.centres = new Samples(k, 0, 0);
    this.film = new Float32Array(k.width * k.height * 3);
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
    this.samples.forEach((pass, i) => {
      pass.cast(world.plan, camera, visible);
      if (SHADOWED[i] !== i) return;
      pass.locate(camera);
      pass.castShadows(casters, light);
      pass.darkenContacts(contacts);
    });
    this.expose(new Shader(this.k, world, camera, light), stage, light);
    if (light.night) this.addGlows(view, stage.glows);
    const image = { width, height, data: this.develop(world, frame, light) };
    if (!truth) return { image, camera };
    this.centres.cast(world.plan, camera, visible);
    this.centres.locate(camera);
    return { image, camera, ...this.truth(world.plan, stage) };
  }

  private truth(plan: Plan, stage: Stage): { label: LabelMap; depth: DepthMap } {
    const { width, height } = this.k;
    const { t, what, face, where } = this.centres;
    const n = width * height;
    const label = { width, height, data: new Uint8Array(n) };
    const depth = { width, height, data: new Float32Array(n) };
    for (let i = 0; i < n; i++) {
      if (what[i] === SKY) {
        label.data[i] = City.sky;
        continue;
      }
      depth.data[i] = t[i];
      if (what[i] !== GROUND) label.data[i] = stage.solids[what[i]].label;
      // The face of a kerb stone belongs to the pavement.
      else if (face[i] === GroundFace.kerb) label.data[i] = City.sidewalk;
      else label.data[i] = GROUND_LABEL[plan.groundAt(where[3 * i], where[3 * i + 2])];
    }
    return { label, depth };
  }

  /** Fills `film`: shades every group of samples of a pixel that met the same face, at the group's middle. */
  private expose(shader: Shader, stage: Stage, light: Light): void {
    const { k, samples } = this;
    const film = this.film;
    const what = samples.map((pass) => pass.what);
    const face = samples.map((pass) => pass.face);
    const point: Point = { solid: null, face: 0, z: 0, a: 0, b: 0, sunlit: 1, open: 1 };
    const all = (1 << samples.length) - 1;
    film.fill(0);
    for (let y = 0, i = 0; y < k.height; y++) {
      for (let x = 0; x < k.width; x++, i++) {
        for (let left = all, first = 0; left !== 0; first++) {
          if (!(left & (1 << first))) continue;
          let members = 0;
          let u = 0;
          let v = 0;
          let inverse = 0;
          let sunlit = 0;
          let open = 0;
          for (let m = first; m < samples.length; m++) {
            if (what[m][i] !== what[first][i] || face[m][i] !== face[first][i]) continue;
            left &= ~(1 << m);
            members++;
            u += samples[m].u;
            v += samples[m].v;
            inverse += 1 / samples[m].t[i];
            sunlit += samples[SHADOWED[m]].sunlit[i];
            open += samples[SHADOWED[m]].open[i];
          }
          point.a = (x + u / members - k.cx) / k.fx;
          point.b = (y + v / members - k.cy) / k.fy;
          const hit = what[first][i];
          if (hit === SKY) shader.sky(point);
          else {
            // On a plane inverse depth is linear over the picture, so its mean is exact at the middle.
            point.z = members / inverse;
            point.solid = hit === GROUND ? null : stage.solids[hit];
            point.face = face[first][i];
            point.sunlit = sunlit / members;
            point.open = open / members;
            shader.surfaceAt(point);
          }
          const weight = members / samples.length;
          for (let c = 0; c < 3; c++) film[3 * i + c] += weight * filmCurve(light.exposure * shader.rgb[c]);
        }
      }
    }
  }

  /** Halos of lamps that are in the picture and not hidden. */
  private addGlows(view: View, glows: readonly Glow[]): void {
    const k = this.k;
    const film = this.film;
    const { t } = this.samples[0];
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
      const strength = 0.8 * facing * Math.min(1, (glow.size * k.fx) / z / radius + 0.25);
      const reach = Math.ceil(radius * 2.5);
      for (let py = Math.max(0, y - reach); py <= Math.min(k.height - 1, y + reach); py++) {
        for (let px = Math.max(0, x - reach); px <= Math.min(k.width - 1, x + reach); px++) {
          const d2 = ((px - u) ** 2 + (py - v) ** 2) / (radius * radius);
          if (d2 > 6.25) continue;
          const w = strength * (0.75 * Math.exp(-2.5 * d2) + 0.1 * (1 - d2 / 6.25) ** 3);
          const i = 3 * (py * k.width + px);
          film[i] += glow.color[0] * w;
          film[i + 1] += glow.color[1] * w;
          film[i + 2] += glow.color[2] * w;
        }
      }
    }
  }

  /** Vignetting, sRGB and sensor noise, which is a pure function of world, frame and pixel. */
  private develop(world: World, frame: number, light: Light): Uint8Array {
    const k = this.k;
    const film = this.film;
    const data = new Uint8Array(film.length);
    const scale = (light.noise * Math.sqrt(1.5)) / 0xffff;
    for (let y = 0, i = 0; y < k.height; y++) {
      const b = (y - k.cy) / k.fx;
      for (let x = 0; x < k.width; x++, i += 3) {
        const a = (x - k.cx) / k.fx;
        const corner = 1 - 0.22 * (a * a + b * b);
        const [n0, n1] = threefry2x32(world.seed, world.stream + 15, i, frame);
        // Differences of two uniform numbers: a triangular distribution.
        const noise0 = (n0 & 0xffff) - (n0 >>> 16);
        const noise1 = (n1 & 0xffff) - (n1 >>> 16);
        data[i] = encode(film[i] * corner, noise0 * scale);
        data[i + 1] = encode(film[i + 1] * corner, noise1 * scale);
        data[i + 2] = encode(film[i + 2] * corner, (noise0 + noise1) * 0.7 * scale);
      }
    }
    return data;
  }
}

/** Narkowicz's fit of the ACES curve: a slight toe, soft highlights, and no exponential. */
function filmCurve(x: number): number {
  return (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14);
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
