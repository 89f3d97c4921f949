// Resizing with pixel centres at integers (align_corners false): output pixel x covers
// [x, x + 1) * W_in / W_out - 0.5 of the input, and intrinsics follow the same rule.
import type { DepthMap, Intrinsics, LabelMap, RgbImage } from './types.ts';

interface Taps {
  first: Int32Array;
  count: number;
  weights: Float64Array;
}

/** Triangle filter, widened by the factor of reduction so that each input pixel counts. */
function triangleTaps(from: number, to: number): Taps {
  const step = from / to;
  const radius = Math.max(1, step);
  const count = Math.ceil(2 * radius) + 1;
  const first = new Int32Array(to);
  const weights = new Float64Array(to * count);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * step - 0.5;
    const low = Math.max(0, Math.ceil(centre - radius));
    const high = Math.min(from - 1, Math.floor(centre + radius));
    let sum = 0;
    for (let j = low; j <= high; j++) sum += weights[i * count + j - low] = 1 - Math.abs(j - centre) / radius;
    for (let j = low; j <= high; j++) weights[i * count + j - low] /= sum;
    first[i] = low;
  }
  return { first, count, weights };
}

/**
 * Image at another size, `[H, W, 3]`: bilinear when growing, an antialiased triangle filter when shrinking (each axis
 * on its own). At its own size the image itself is returned.
 */
export function resizeImage(image: RgbImage, width: number, height: number): RgbImage {
  const { width: fromWidth, height: fromHeight, data: from } = image;
  if (width === fromWidth && height === fromHeight) return image;
  const across = triangleTaps(fromWidth, width);
  const down = triangleTaps(fromHeight, height);
  const rows = new Float32Array(fromHeight * width * 3);
  for (let y = 0; y < fromHeight; y++) {
    for (let x = 0; x < width; x++) {
      let r = 0;
      let g = 0;
      let b = 0;
      for (let t = 0; t < across.count; t++) {
        const weight = across.weights[x * across.count + t];
        if (weight === 0) continue;
        const at = 3 * (y * fromWidth + across.first[x] + t);
        r += weight * from[at];
        g += weight * from[at + 1];
        b += weight * from[at + 2];
      }
      const to = 3 * (y * width + x);
      rows[to] = r;
      rows[to + 1] = g;
      rows[to + 2] = b;
    }
  }
  const data = new Uint8Array(width * height * 3);
  const line = new Float64Array(3 * width);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let t = 0; t < down.count; t++) {
      const weight = down.weights[y * down.count + t];
      if (weight === 0) continue;
      const at = 3 * width * (down.first[y] + t);
      for (let i = 0; i < line.length; i++) line[i] += weight * rows[at + i];
    }
    for (let i = 0; i < line.length; i++) data[3 * width * y + i] = Math.round(line[i]);
  }
  return { width, height, data };
}

function nearest(
  from: Uint8Array | Float32Array,
  fromWidth: number,
  fromHeight: number,
  to: Uint8Array | Float32Array,
  width: number,
  height: number,
) {
  for (let y = 0; y < height; y++) {
    const row = fromWidth * Math.floor(((y + 0.5) * fromHeight) / height);
    for (let x = 0; x < width; x++)
      to[y * width + x] = from[row + Math.floor(((x + 0.5) * fromWidth) / width)];
  }
}

/** Class ids at another size by the nearest pixel, so no id appears that was not there. */
export function resizeLabel(label: LabelMap, width: number, height: number): LabelMap {
  if (width === label.width && height === label.height) return label;
  const data = new Uint8Array(width * height);
  nearest(label.data, label.width, label.height, data, width, height);
  return { width, height, data };
}

/** Depth in metres at another size by the nearest pixel: averages across an edge, or with 0 = none, are no depth. */
export function resizeDepth(depth: DepthMap, width: number, height: number): DepthMap {
  if (width === depth.width && height === depth.height) return depth;
  const data = new Float32Array(width * height);
  nearest(depth.data, depth.width, depth.height, data, width, height);
  return { width, height, data };
}

/** The same camera at another image size. The image's edge, not its corner pixel's centre, keeps its place. */
export function scaleIntrinsics(intrinsics: Intrinsics, width: number, height: number): Intrinsics {
  const sx = width / intrinsics.width;
  const sy = height / intrinsics.height;
  return {
    width,
    height,
    fx: intrinsics.fx * sx,
    fy: intrinsics.fy * sy,
    cx: (intrinsics.cx + 0.5) * sx - 0.5,
    cy: (intrinsics.cy + 0.5) * sy - 0.5,
  };
}
