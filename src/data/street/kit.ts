// Building blocks placed in the frame of one object (a car, a tree, a house): sizes are full sizes in metres, a
// position is the middle of the base, z points where the object faces.
import {
  type Color,
  NO_PLANES,
  Outline,
  type Paint,
  rgb,
  Shape,
  type ShapeKind,
  type Solid,
} from './solids.ts';

/** A lamp that shines at night: a small bright spot with a halo. */
export interface Glow {
  x: number;
  y: number;
  z: number;
  color: Color;
  /** Radius of the halo, metres. */
  size: number;
  /** Direction in which it shines, or zero for all around. */
  towardX: number;
  towardZ: number;
}

/** Everything that has been built. */
export interface Stage {
  solids: Solid[];
  glows: Glow[];
}

type Triple = readonly [number, number, number];

/** Linear RGB of an sRGB colour 0xRRGGBB. */
export function srgb(hex: number): Color {
  const linear = (byte: number) => {
    const v = byte / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  };
  return rgb(linear((hex >> 16) & 255), linear((hex >> 8) & 255), linear(hex & 255));
}

export const scaled = (c: Color, by: number): Color => c.map((v) => v * by);

export class Kit {
  private readonly cos: number;
  private readonly sin: number;

  /** Origin on the ground at (x, z), base height y, heading `yaw` (0 = along z, positive towards x). */
  constructor(
    private readonly stage: Stage,
    private readonly x: number,
    private readonly z: number,
    private readonly yaw: number,
    private readonly y = 0,
  ) {
    this.cos = Math.cos(yaw);
    this.sin = Math.sin(yaw);
  }

  /** A kit at a local position, turned by `yaw` against this one. */
  at(x: number, z: number, yaw = 0, y = 0): Kit {
    return new Kit(this.stage, this.worldX(x, z), this.worldZ(x, z), this.yaw + yaw, this.y + y);
  }

  private worldX(x: number, z: number) {
    return this.x + x * this.cos + z * this.sin;
  }

  private worldZ(x: number, z: number) {
    return this.z - x * this.sin + z * this.cos;
  }

  private add(shape: ShapeKind, label: number, paint: Paint, at: Triple, half: Triple): Solid {
    const solid: Solid = {
      shape,
      label,
      paint,
      x: this.worldX(at[0], at[2]),
      y: this.y + at[1],
      z: this.worldZ(at[0], at[2]),
      cos: this.cos,
      sin: this.sin,
      hx: half[0],
      hy: half[1],
      hz: half[2],
      planes: NO_PLANES,
      cut: 0,
      castsShadow: true,
    };
    this.stage.solids.push(solid);
    return solid;
  }

  /** Box of full size [width, height, length]. */
  box(label: number, paint: Paint, [x, y, z]: Triple, [w, h, l]: Triple): Solid {
    return this.add(Shape.box, label, paint, [x, y + h / 2, z], [w / 2, h / 2, l / 2]);
  }

  /** Ellipsoid; `cut` > 0 makes it a leafy shell with about that share of gaps. */
  ellipsoid(label: number, paint: Paint, [x, y, z]: Triple, [w, h, l]: Triple, cut = 0): Solid {
    const shape = cut > 0 ? Shape.foliage : Shape.ellipsoid;
    const solid = this.add(shape, label, paint, [x, y + h / 2, z], [w / 2, h / 2, l / 2]);
    solid.cut = cut;
    return solid;
  }

  /** Upright cylinder. */
  post(label: number, paint: Paint, [x, y, z]: Triple, radius: number, height: number): Solid {
    return this.add(Shape.cylinder, label, paint, [x, y + height / 2, z], [radius, height / 2, radius]);
  }

  /** Wheel with its axle across; `hole` is the radius of the opening as a share. */
  wheel(label: number, paint: Paint, [x, y, z]: Triple, radius: number, width: number, hole = 0): Solid {
    const solid = this.add(Shape.wheel, label, paint, [x, y + radius, z], [width / 2, radius, radius]);
    solid.cut = hole;
    return solid;
  }

  /** Flat plate that faces both ways along z. */
  plate(
    label: number,
    paint: Paint,
    [x, y, z]: Triple,
    [w, h]: readonly [number, number],
    outline: number = Outline.rectangle,
  ): Solid {
    const solid = this.add(Shape.plate, label, paint, [x, y + h / 2, z], [w / 2, h / 2, 0.01]);
    solid.cut = outline;
    return solid;
  }

  /**
   * A convex outline [z, y] (counter-clockwise seen from the right, heights above the kit's base) drawn out across
   * to the full `width`; the sides lean inwards by `taper` metres per metre of height above the lowest point.
   */
  prism(
    label: number,
    paint: Paint,
    outline: readonly (readonly [number, number])[],
    width: number,
    taper = 0,
    [x, z]: readonly [number, number] = [0, 0],
  ): Solid {
    const ys = outline.map((p) => p[1]);
    const zs = outline.map((p) => p[0]);
    const bottom = Math.min(...ys);
    const middleY = (bottom + Math.max(...ys)) / 2;
    const middleZ = (Math.min(...zs) + Math.max(...zs)) / 2;
    const rows: number[] = [];
    outline.forEach(([z0, y0], i) => {
      const [z1, y1] = outline[(i + 1) % outline.length];
      const length = Math.hypot(z1 - z0, y1 - y0);
      const nz = (y1 - y0) / length;
      const ny = -(z1 - z0) / length;
      rows.push(0, ny, nz, ny * (y0 - middleY) + nz * (z0 - middleZ));
    });
    const norm = Math.hypot(1, taper);
    const reach = (width / 2 + taper * (bottom - middleY)) / norm;
    rows.push(1 / norm, taper / norm, 0, reach, -1 / norm, taper / norm, 0, reach);
    const solid = this.add(
      Shape.convex,
      label,
      paint,
      [x, middleY, z + middleZ],
      [width / 2, middleY - bottom, Math.max(...zs) - middleZ],
    );
    solid.planes = Float64Array.from(rows);
    return solid;
  }

  /** A lamp seen at night; `directed` lamps are seen only from the side they face (along z). */
  glow([x, y, z]: Triple, color: Color, size: number, directed = false): void {
    this.stage.glows.push({
      x: this.worldX(x, z),
      y: this.y + y,
      z: this.worldZ(x, z),
      color,
      size,
      towardX: directed ? this.sin : 0,
      towardZ: directed ? this.cos : 0,
    });
  }
}
