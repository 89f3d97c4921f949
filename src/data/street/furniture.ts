// Poles, lamps, signs, traffic lights, fences, walls and the small things on a pavement.
import { City, VOID } from '../classes.ts';
import { type Kit, scaled, srgb } from './kit.ts';
import { band, fractal2 } from './noise.ts';
import { boards, lamp, masonry, plain, railing, signFace } from './paints.ts';
import type { Dice } from './random.ts';
import { Outline, rgb, type Surface } from './solids.ts';

const METAL = srgb(0x6f7478);
const DARK_METAL = srgb(0x33383c);

export const LAMP_HEIGHT = 6.4;
export const LAMP_REACH = 1.7;

/** A street lamp whose arm reaches along +x. Its light is at (LAMP_REACH, LAMP_HEIGHT). */
export function streetLamp(kit: Kit, dark: boolean): void {
  const paint = plain(dark ? DARK_METAL : METAL);
  kit.post(City.pole, paint, [0, 0, 0], 0.085, LAMP_HEIGHT);
  kit.post(City.pole, paint, [0, 0, 0], 0.13, 1.1).castsShadow = false;
  kit.box(City.pole, paint, [LAMP_REACH / 2, LAMP_HEIGHT - 0.08, 0], [LAMP_REACH, 0.1, 0.1]);
  kit.box(City.pole, lamp(METAL, rgb(6, 4.3, 2.2)), [LAMP_REACH, LAMP_HEIGHT - 0.2, 0], [0.6, 0.13, 0.26]);
  kit.glow([LAMP_REACH, LAMP_HEIGHT - 0.25, 0], rgb(1, 0.72, 0.36), 1);
}

export function plainPole(kit: Kit, height: number, radius: number): void {
  kit.post(City.pole, plain(METAL), [0, 0, 0], radius, height);
}

function set(out: Surface, r: number, g: number, b: number): void {
  out.r = r;
  out.g = g;
  out.b = b;
  out.glowR = out.glowG = out.glowB = 0;
  out.gloss = 0;
}

const mix = (out: Surface, r: number, g: number, b: number, share: number) => {
  out.r += (r - out.r) * share;
  out.g += (g - out.g) * share;
  out.b += (b - out.b) * share;
};

/** A traffic sign on its pole, facing +z. */
export function trafficSign(kit: Kit, dice: Dice): void {
  const kind = dice.weighted({ limit: 3, warning: 3, priority: 2, stop: 1, blue: 3, parking: 3, guide: 1.5 });
  const base = kind === 'guide' ? 2.4 : dice.range(2, 2.4);
  const post = (h: number, x = 0) => kit.post(City.pole, plain(METAL), [x, 0, -0.06], 0.045, h);
  const put = (
    w: number,
    h: number,
    outline: number,
    face: (u: number, v: number, foot: number, out: Surface) => void,
  ) => kit.plate(City.trafficSign, signFace(face, w / 2), [0, base, 0], [w, h], outline);
  switch (kind) {
    case 'limit':
      post(base + 0.7);
      put(0.72, 0.72, Outline.disc, (u, v, foot, out) => {
        const r = Math.hypot(u, v);
        set(out, 0.62, 0.03, 0.03);
        mix(out, 0.85, 0.85, 0.83, band(r, -1, 0.74, foot));
        mix(
          out,
          0.03,
          0.03,
          0.03,
          band(Math.abs(Math.abs(u) - 0.28), -1, 0.14, foot) * band(v, -0.35, 0.35, foot),
        );
      });
      break;
    case 'warning':
      post(base + 0.8);
      put(0.95, 0.85, Outline.triangle, (u, v, foot, out) => {
        set(out, 0.62, 0.03, 0.03);
        const inside = Math.min(0.5 * (0.86 - v) - Math.abs(u), v + 0.66);
        mix(out, 0.85, 0.85, 0.83, band(inside, 0.02, 9, foot));
        mix(out, 0.03, 0.03, 0.03, band(Math.abs(u), -1, 0.1, foot) * band(v, -0.5, 0.15, foot));
      });
      break;
    case 'priority':
      post(base + 0.75);
      put(0.8, 0.8, Outline.diamond, (u, v, foot, out) => {
        set(out, 0.82, 0.82, 0.8);
        mix(out, 0.78, 0.52, 0.02, band(Math.abs(u) + Math.abs(v), -1, 0.66, foot));
      });
      break;
    case 'stop':
      post(base + 0.75);
      put(0.8, 0.8, Outline.octagon, (u, v, foot, out) => {
        set(out, 0.6, 0.025, 0.03);
        mix(
          out,
          0.85,
          0.85,
          0.83,
          band(Math.abs(v), -1, 0.22, foot) * band(Math.abs(u), -1, 0.75, foot) * 0.85,
        );
      });
      break;
    case 'blue':
      post(base + 0.7);
      put(0.7, 0.7, Outline.disc, (u, v, foot, out) => {
        set(out, 0.02, 0.1, 0.42);
        mix(out, 0.82, 0.82, 0.82, band(Math.abs(u + v * 0.3), -1, 0.16, foot) * band(v, -0.6, 0.55, foot));
        mix(out, 0.82, 0.82, 0.82, band(Math.hypot(u, v), 0.9, 2, foot));
      });
      break;
    case 'parking':
      post(base + 0.7);
      put(0.62, 0.62, Outline.rectangle, (u, v, foot, out) => {
        set(out, 0.02, 0.1, 0.45);
        mix(out, 0.85, 0.85, 0.85, band(u, -0.45, -0.15, foot) * band(v, -0.7, 0.7, foot));
        mix(out, 0.85, 0.85, 0.85, band(Math.hypot(u + 0.1, v - 0.3), 0.18, 0.45, foot));
      });
      break;
    default:
      post(base + 1, -0.7);
      post(base + 1, 0.7);
      put(2, 1, Outline.rectangle, (u, v, foot, out) => {
        set(out, 0.75, 0.5, 0.03);
        const lines = band(Math.abs(Math.abs(v) - 0.22), -1, 0.09, foot) * band(u, -0.75, 0.5, foot);
        mix(out, 0.03, 0.03, 0.03, lines * (0.75 + 0.4 * fractal2(u * 4, v, 0.5, 1, foot)));
        mix(out, 0.03, 0.03, 0.03, band(Math.abs(u), 0.94, 2, foot));
      });
  }
}

const SIGNAL = [rgb(1.6, 0.06, 0.04), rgb(1.5, 0.75, 0.05), rgb(0.08, 1.3, 0.5)];

/** A traffic light that faces +z; `state` 0 red, 1 amber, 2 green. `arm` > 0 hangs a second one over the road, which lies at +x. */
export function trafficLight(kit: Kit, state: number, arm: number): void {
  const paint = plain(DARK_METAL);
  const top = arm > 0 ? 5.6 : 3.4;
  kit.post(City.pole, paint, [0, 0, -0.2], 0.08, top);
  head(kit, 0, 2.3, state);
  if (arm > 0) {
    kit.box(City.pole, paint, [arm / 2, top - 0.12, -0.2], [arm, 0.12, 0.12]);
    head(kit, arm, top - 0.75, state);
  }
}

function head(kit: Kit, x: number, y: number, state: number): void {
  const glow = SIGNAL[state];
  const at = y + 0.83 - 0.32 * state;
  const housing = kit.box(
    City.trafficLight,
    (hit, out) => {
      set(out, 0.012, 0.014, 0.014);
      if (hit.face !== 5) return;
      for (let i = 0; i < 3; i++) {
        const dy = hit.y - (middle + 0.32 * (1 - i));
        const share = band(Math.hypot(hit.lx, dy), -1, 0.125, hit.pixel);
        const c = SIGNAL[i];
        const k = i === state ? 0.6 : 0.05;
        mix(out, c[0] * k, c[1] * k, c[2] * k, share);
        if (i === state) {
          // Signals shine by day as well.
          out.glowR += share * c[0] * (0.5 + 0.5 * hit.night);
          out.glowG += share * c[1] * (0.5 + 0.5 * hit.night);
          out.glowB += share * c[2] * (0.5 + 0.5 * hit.night);
        }
      }
    },
    [x, y, 0],
    [0.38, 1.02, 0.28],
  );
  const middle = housing.y;
  kit.glow([x, at, 0.16], scaled(glow, 0.5), 0.35, true);
}

/** A fence along z. */
export function fence(
  kit: Kit,
  dice: Dice,
  length: number,
  kind: 'boards' | 'pickets' | 'rails',
  height: number,
): void {
  const seed = dice.range(0, 40);
  const wood = srgb(dice.pick([0x8a6a48, 0x6b5138, 0xa08a6c, 0x9aa09a]));
  const paint =
    kind === 'boards'
      ? boards(wood, 0.3, 0.04, seed)
      : kind === 'pickets'
        ? boards(srgb(dice.pick([0xe6e2d8, 0x8a6a48, 0x5e7a5c])), 0.34, 0.15, seed)
        : railing(srgb(dice.pick([0x2c3a34, 0x8b9094, 0x3a3f44])), rgb(0.06, 0.08, 0.04), 0.3, seed);
  kit.box(City.fence, paint, [0, 0, 0], [0.06, height, length]);
  for (let z = -length / 2; z < length / 2; z += 2.5)
    kit.box(
      City.fence,
      plain(kind === 'rails' ? DARK_METAL : wood),
      [0, 0, z],
      [0.12, height + 0.08, 0.12],
    ).castsShadow = false;
}

/** A free-standing wall along z with a coping. */
export function wall(kit: Kit, dice: Dice, length: number, height: number): void {
  const seed = dice.range(0, 60);
  const paint = dice.chance(0.5)
    ? masonry(srgb(dice.pick([0x8a4a38, 0x9c6a50, 0x7a5040])), srgb(0xb8b0a4), 0.42, 0.16, seed)
    : masonry(srgb(dice.pick([0x9a948a, 0xb0a898, 0x85827c])), srgb(0x6a665f), 0.8, 0.4, seed);
  kit.box(City.wall, paint, [0, 0, 0], [0.3, height, length]);
  kit.box(City.wall, plain(srgb(0xa8a49a)), [0, height, 0], [0.42, 0.1, length]).castsShadow = false;
}

/** A litter bin or a switch box: of no class. */
export function bin(kit: Kit, dice: Dice): void {
  if (dice.chance(0.5))
    kit.post(VOID, plain(srgb(dice.pick([0x3f5a44, 0x5a5f63, 0xb8642c]))), [0, 0, 0], 0.24, 0.85);
  else kit.box(VOID, plain(srgb(dice.pick([0x7d847d, 0x9a9c94]))), [0, 0, 0], [0.5, 1.15, 1]);
}

export function bollard(kit: Kit): void {
  kit.post(City.pole, plain(DARK_METAL), [0, 0, 0], 0.07, 0.9);
}
