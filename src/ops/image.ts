import { ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';

/** One number for both axes, or [along H, along W]. */
export type Pair = number | readonly [number, number];

/** Sizes of an f32 image tensor [N,H,W,C]. */
export function imageShape(op: string, x: Tensor): { n: number; h: number; w: number; c: number } {
  if (x.dtype !== 'f32') throw new ShapeError(`${op}: needs f32, got ${x.dtype}`);
  if (x.shape.length !== 4) throw new ShapeError(`${op}: needs [N,H,W,C], got ${shapeText(x.shape)}`);
  const [n, h, w, c] = x.shape;
  if (h < 1 || w < 1) throw new ShapeError(`${op}: ${shapeText(x.shape)} has images without pixels`);
  return { n, h, w, c };
}

/** Both numbers of a pair, whole and not below `least`. */
export function pairOf(op: string, name: string, value: Pair, least: number): readonly [number, number] {
  const both = typeof value === 'number' ? ([value, value] as const) : value;
  if (both.length !== 2 || both.some((v) => !Number.isInteger(v) || v < least)) {
    throw new ShapeError(`${op}: ${name} must be whole numbers from ${least} on, got ${value}`);
  }
  return both;
}
