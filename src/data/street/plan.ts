// The street seen from above: a bending centre line, its cross-section, junction and crossings. A place is named by
// z (metres along the world's forward axis) and d (metres to the right of the centre line).
import type { Dice } from './random.ts';

/** Height of pavements over the road, metres. */
export const KERB = 0.12;

export const Ground = { road: 0, pavement: 1, grass: 2 } as const;
export type GroundKind = (typeof Ground)[keyof typeof Ground];

/** One side of the street: distances from the centre line, metres. */
export interface Side {
  /** Where the lanes end and the parking strip begins; equals `kerb` where nobody parks. */
  lanes: number;
  kerb: number;
  /** Grass strip between kerb and pavement ends here; equals `kerb` where there is none. */
  verge: number;
  /** Outer edge of the pavement: plots begin here. */
  pavement: number;
}

/** A side road that crosses at right angles. */
export interface Junction {
  z: number;
  halfWidth: number;
  hasLights: boolean;
}

export type Character = 'city' | 'suburb' | 'park' | 'mixed';

/** Pavement that follows a side road around the corner, metres. */
export const CORNER = 2.5;

/** The street is laid out from here behind the origin to here beyond its built-up length, metres. */
const BEHIND = 24;
const BEYOND = 100;
const STEP = 0.25;

export class Plan {
  readonly character: Character;
  readonly laneWidth: number;
  readonly lanesPerWay: number;
  readonly left: Side;
  readonly right: Side;
  readonly junction: Junction | null;
  /** Middles of the zebra crossings. */
  readonly zebras: number[] = [];
  readonly cobbledParking: boolean;
  /** Distance from the centre line found by the last `groundAt`. */
  d = 0;
  private readonly grassLots: [Uint8Array, Uint8Array];
  /** x and slope of the centre line every `STEP` metres from `-BEHIND`; in between they are interpolated. */
  private readonly line: Float64Array;
  private readonly slopes: Float64Array;

  /** How far ahead of the camera's last position the street is built up, metres. */
  static readonly view = 170;
  /** Built-up length, metres from the first camera position. */
  readonly length: number;

  /** A street for a drive of `travel` metres. */
  constructor(
    dice: Dice,
    readonly travel: number,
  ) {
    const length = Math.ceil(travel) + Plan.view;
    this.length = length;
    this.character = dice.weighted({ city: 4, suburb: 2.5, park: 1.5, mixed: 3 });
    this.laneWidth = dice.range(3, 3.5);
    this.lanesPerWay = dice.chance(this.character === 'suburb' ? 0 : 0.25) ? 2 : 1;
    this.cobbledParking = dice.chance(0.5);
    const side = (): Side => {
      const lanes = this.laneWidth * this.lanesPerWay;
      const kerb = lanes + (dice.chance(0.55) ? 2.1 : 0);
      const verge = kerb + (dice.chance(this.character === 'city' ? 0.2 : 0.5) ? dice.range(1.2, 2.4) : 0);
      return { lanes, kerb, verge, pavement: verge + dice.range(2.5, 4.6) };
    };
    this.left = side();
    this.right = side();
    // Curvature stays below 1/90 m: gentle enough that a camera following it turns about half a degree a frame.
    const wave = (wavelength: number, curvature: number) => {
      const k = (2 * Math.PI) / wavelength;
      return { amplitude: (curvature / (k * k)) * dice.range(0.2, 1), k, phase: dice.range(0, 2 * Math.PI) };
    };
    const waves = [wave(dice.range(220, 400), 1 / 180), wave(dice.range(110, 200), 1 / 180)];
    const points = Math.ceil((BEHIND + length + BEYOND) / STEP) + 1;
    this.line = new Float64Array(points);
    this.slopes = new Float64Array(points);
    for (let i = 0; i < points; i++) {
      for (const { amplitude, k, phase } of waves) {
        const angle = k * (i * STEP - BEHIND) + phase;
        this.line[i] += amplitude * Math.sin(angle);
        this.slopes[i] += amplitude * k * Math.cos(angle);
      }
    }
    this.junction = dice.chance(0.55)
      ? { z: dice.range(24, 60), halfWidth: dice.range(3.2, 4.5), hasLights: dice.chance(0.7) }
      : null;
    if (this.junction) {
      const { z, halfWidth } = this.junction;
      this.zebras.push(z - halfWidth - CORNER - 1.6, z + halfWidth + CORNER + 1.6);
    } else if (dice.chance(0.4)) this.zebras.push(dice.range(14, 45));
    this.grassLots = [new Uint8Array(length + BEHIND), new Uint8Array(length + BEHIND)];
  }

  /** The side a signed distance lies on. */
  side(d: number): Side {
    return d < 0 ? this.left : this.right;
  }

  /** x of the centre line; straight on beyond both ends. */
  centre(z: number): number {
    const at = (z + BEHIND) / STEP;
    const i = Math.max(0, Math.min(this.line.length - 2, Math.floor(at)));
    return this.line[i] + (at - i) * (this.line[i + 1] - this.line[i]);
  }

  private slope(z: number): number {
    const at = Math.max(0, Math.min(this.slopes.length - 1.001, (z + BEHIND) / STEP));
    const i = Math.floor(at);
    return this.slopes[i] + (at - i) * (this.slopes[i + 1] - this.slopes[i]);
  }

  /** Heading of the street, radians from the z axis towards x. */
  heading(z: number): number {
    return Math.atan(this.slope(z));
  }

  /** World position at distance d to the right of the centre line, on its normal at z. */
  place(z: number, d: number): { x: number; z: number; yaw: number } {
    const yaw = this.heading(z);
    return { x: this.centre(z) + d * Math.cos(yaw), z: z - d * Math.sin(yaw), yaw };
  }

  /** Plots on one side (-1 or 1) from z0 to z1 stand in grass instead of paving. */
  sowGrass(side: number, z0: number, z1: number): void {
    const from = Math.max(0, Math.round(z0 + BEHIND));
    this.grassLots[side < 0 ? 0 : 1].fill(1, from, Math.max(from, Math.round(z1 + BEHIND)));
  }

  /** Does a plot or a parked car at z keep clear of the junction and the crossings by `margin` metres? */
  isClear(z: number, margin: number): boolean {
    const j = this.junction;
    if (j && Math.abs(z - j.z) < j.halfWidth + CORNER + margin) return false;
    return this.zebras.every((zebra) => Math.abs(z - zebra) > 1.6 + margin);
  }

  /** What lies at a point of the ground. Leaves the distance from the centre line in `d`. */
  groundAt(x: number, z: number): GroundKind {
    const slope = this.slope(z);
    const d = (x - this.centre(z)) / Math.sqrt(1 + slope * slope);
    this.d = d;
    const side = d < 0 ? this.left : this.right;
    const a = Math.abs(d);
    if (a < side.kerb) return Ground.road;
    const j = this.junction;
    if (j) {
      const along = Math.abs(z - j.z);
      if (along < j.halfWidth) return Ground.road;
      if (along < j.halfWidth + CORNER) return Ground.pavement;
    }
    if (a < side.verge) return Ground.grass;
    if (a < side.pavement) return Ground.pavement;
    const lot = Math.floor(z) + BEHIND;
    const lots = d < 0 ? this.grassLots[0] : this.grassLots[1];
    return lot < 0 || lot >= lots.length || lots[lot] || a > side.pavement + 22
      ? Ground.grass
      : Ground.pavement;
  }
}
