import { DataError } from './types.ts';

/** Larger images are refused before decoding. */
export const MAX_SIDE = 16_384;
export const MAX_PIXELS = 64 * 2 ** 20;

/** @throws DataError on an image without pixels, or with more than `MAX_SIDE` a side or `MAX_PIXELS` in all */
export function checkSize(width: number, height: number, name: string): void {
  if (width < 1 || height < 1) throw new DataError(`${name}: image of ${width}x${height} pixels`);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS)
    throw new DataError(
      `${name}: image of ${width}x${height} pixels; the limit is ${MAX_SIDE} a side and ${MAX_PIXELS} in all`,
    );
}
