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

/** Kernels count positions in units of 1 / (2 out) of a pixel, in i32. */
const MOST_POSITIONS = 2 ** 30;

/** The size [OH, OW] that an image of h x w is brought to. */
export function sizeTo(
  op: string,
  { h, w }: { h: number; w: number },
  size: Pair,
): readonly [number, number] {
  const to = pairOf(op, 'size', size, 1);
  [h, w].forEach((from, axis) => {
    if (from * to[axis] > MOST_POSITIONS) {
      throw new ShapeError(
        `${op}: an axis of ${from} pixels to ${to[axis]}; their product can be 2^30 at most`,
      );
    }
  });
  return to;
}
