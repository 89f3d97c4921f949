// Sky, sun, street lamps and weather, and the two looks of the same world.
import { fractal2 } from './noise.ts';
import type { Dice } from './random.ts';
import { type Color, rgb } from './solids.ts';

export type Look = 'clean' | 'night';

export interface Weather {
  kind: 'sunny' | 'overcast' | 'wet' | 'hazy';
  sunAzimuth: number;
  sunElevation: number;
  /** 0 clear to 1 covered. */
  clouds: number;
  warmth: number;
  seed: number;
}

export function drawWeather(dice: Dice): Weather {
  const kind = dice.weighted({ sunny: 5, overcast: 3, wet: 1.3, hazy: 1.2 });
  return {
    kind,
    sunAzimuth: dice.range(0, 2 * Math.PI),
    sunElevation: dice.range(0.42, 1.1),
    clouds: kind === 'sunny' ? dice.range(0.15, 0.55) : 1,
    warmth: dice.range(-0.06, 0.1),
    seed: dice.range(0, 200),
  };
}

/** Linear light of one world in one look. */
export class Light {
  night = false;
  /** Unit vector to the sun. */
  sunX = 0.5;
  sunY = 0.5;
  sunZ = 0.5;
  sun = rgb(0, 0, 0);
  hasShadows = false;
  fromAbove = rgb(0, 0, 0);
  fromBelow = rgb(0, 0, 0);
  zenith = rgb(0, 0, 0);
  horizon = rgb(0, 0, 0);
  cloud = rgb(0, 0, 0);
  /** 0 clear to 1 covered. */
  clouds = 0.5;
  cloudSeed = 0.5;
  haze = rgb(0, 0, 0);
  /** Distance at which the haze hides two thirds, metres. */
  hazeLength = 0.5;
  /** 0 dry to 1: how much the road mirrors. */
  wet = 0.5;
  /** Intensity of street lamps and of the camera car's headlights. */
  lamps = 0.5;
  headlights = 0.5;
  exposure = 0.5;
  /** Standard deviation of sensor noise, in 8-bit steps. */
  noise = 0.5;

  constructor(values: Light) {
    Object.assign(this, values);
  }
}

const times = (c: Color, k: number): Color => c.map((v) => v * k);

/** The light of a world in a look. */
export function lightOf(weather: Weather, look: Look): Light {
  return new Light(lightValues(weather, look));
}

function lightValues(weather: Weather, look: Look): Light {
  const { sunAzimuth: a, sunElevation: e, kind } = weather;
  const common = {
    sunX: Math.sin(a) * Math.cos(e),
    sunY: Math.sin(e),
    sunZ: Math.cos(a) * Math.cos(e),
    clouds: weather.clouds,
    cloudSeed: weather.seed,
    wet: kind === 'wet' ? 1 : 0,
  };
  if (look === 'night') {
    const hazy = kind === 'hazy' || kind === 'wet';
    return {
      ...common,
      night: true,
      sun: rgb(0, 0, 0),
      hasShadows: false,
      fromAbove: rgb(0.03, 0.036, 0.062),
      fromBelow: rgb(0.024, 0.02, 0.017),
      zenith: rgb(0.006, 0.009, 0.022),
      horizon: rgb(0.042, 0.034, 0.038),
      cloud: rgb(0.032, 0.027, 0.03),
      haze: rgb(0.035, 0.03, 0.034),
      hazeLength: hazy ? 130 : 320,
      lamps: 26,
      headlights: 30,
      exposure: 1.1,
      noise: 3.2,
    };
  }
  const warm = rgb(1 + weather.warmth, 1, 1 - weather.warmth);
  if (kind === 'sunny') {
    // A low sun is dimmer and yellower.
    const low = Math.min(1, 0.55 + 0.6 * Math.sin(e));
    return {
      ...common,
      night: false,
      sun: rgb(2.5 * low * warm[0], 2.35 * low * low, 2.1 * low * low * low),
      hasShadows: true,
      fromAbove: times(rgb(0.62, 0.72, 0.9), 0.85),
      fromBelow: times(rgb(0.4, 0.37, 0.33), 0.85),
      zenith: rgb(0.16, 0.34, 0.74),
      horizon: rgb(0.66, 0.78, 0.92),
      cloud: rgb(1.15, 1.13, 1.1),
      haze: rgb(0.62, 0.7, 0.8),
      hazeLength: 600,
      lamps: 0,
      headlights: 0,
      exposure: 0.62,
      noise: 0.8,
    };
  }
  const dull = kind === 'wet' ? 0.82 : 1;
  const grey = rgb(0.86 * warm[0] * dull, 0.88 * dull, 0.92 * warm[2] * dull);
  return {
    ...common,
    night: false,
    // Through thin cloud the sun still models shapes, without an edge to its shadows.
    sun: kind === 'hazy' ? rgb(0.95, 0.88, 0.74) : rgb(0.32, 0.32, 0.32),
    hasShadows: kind === 'hazy',
    fromAbove: times(grey, 1.45),
    fromBelow: times(grey, 0.62),
    zenith: times(grey, 0.8),
    horizon: times(grey, 1.02),
    cloud: times(grey, 1.12),
    haze: times(grey, 0.9),
    hazeLength: kind === 'hazy' ? 150 : kind === 'wet' ? 260 : 450,
    lamps: 0,
    headlights: 0,
    exposure: 0.6,
    noise: 1,
  };
}

/** Colour of the sky in a unit direction; `foot` is the angle of a pixel, radians. */
export function skyColor(
  light: Light,
  dx: number,
  dy: number,
  dz: number,
  foot: number,
  out: Float64Array,
): void {
  const up = Math.max(dy, 0);
  const fade = Math.exp(-up * 3.2);
  let r = light.zenith[0] + (light.horizon[0] - light.zenith[0]) * fade;
  let g = light.zenith[1] + (light.horizon[1] - light.zenith[1]) * fade;
  let b = light.zenith[2] + (light.horizon[2] - light.zenith[2]) * fade;
  // Clouds lie on a plane overhead.
  const k = 1 / (up + 0.12);
  const u = dx * k + light.cloudSeed;
  const v = dz * k;
  const field = 0.5 + 0.55 * fractal2(u, v, 1.4, 4, foot * k * k * 0.5);
  const covered = light.clouds >= 1;
  const cover = covered ? field : smooth((field - 1 + light.clouds) / 0.35);
  const share = cover * Math.min(1, up * 9 + 0.1) * (covered ? 0.75 : 0.9);
  const shade = covered ? 0.7 + 0.45 * field : 1 - 0.3 * smooth((field - 0.55) * 2.5);
  r += (light.cloud[0] * shade - r) * share;
  g += (light.cloud[1] * shade - g) * share;
  b += (light.cloud[2] * shade - b) * share;
  if (!light.night && light.hasShadows) {
    const towards = dx * light.sunX + dy * light.sunY + dz * light.sunZ;
    if (towards > 0) {
      const glare = 0.5 * towards ** 8 + 3 * towards ** 300;
      r += glare * light.sun[0] * 0.25;
      g += glare * light.sun[1] * 0.24;
      b += glare * light.sun[2] * 0.2;
    }
  }
  out[0] = r;
  out[1] = g;
  out[2] = b;
}

function smooth(t: number): number {
  const c = t < 0 ? 0 : Math.min(t, 1);
  return c * c * (3 - 2 * c);
}
