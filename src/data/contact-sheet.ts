// One picture that shows a data set at a glance: image, labels and depth side by side.
import { magma } from './colormap.ts';
import type { ClassInfo, Frame, RgbImage } from './types.ts';

const GAP = 2;
const PANEL_GAP = 1;
const BACKGROUND = 24;
/** Small frames are enlarged (nearest neighbour, integer factor) until a panel is about this wide. */
const PANEL_WIDTH = 256;

/** Blend of image and class colours; void pixels keep the image, darkened. */
function overlay(frame: Frame, classes: readonly ClassInfo[]): Uint8Array {
  const out = frame.image.data.slice();
  const label = frame.label;
  if (!label) return out;
  for (let i = 0; i < label.data.length; i++) {
    const color = classes[label.data[i]]?.color;
    for (let c = 0; c < 3; c++) {
      out[i * 3 + c] = color ? 0.3 * out[i * 3 + c] + 0.7 * color[c] : 0.3 * out[i * 3 + c];
    }
  }
  return out;
}

/** Disparity in magma, scaled to its 95th percentile; black where depth was not measured. */
function depthPicture(frame: Frame): Uint8Array {
  const out = new Uint8Array(frame.image.data.length);
  const depth = frame.depth?.data;
  if (!depth) return out;
  const measured = depth.filter((z) => z > 0).sort();
  const near = measured.length > 0 ? measured[Math.floor(measured.length * 0.05)] : 1;
  for (let i = 0; i < depth.length; i++) if (depth[i] > 0) out.set(magma(near / depth[i]), i * 3);
  return out;
}

/**
 * Lays frames out in `columns` columns, each as image | labels over the image | disparity. Panels that no frame
 * has (no labels, no depth) are left out. Frames must share one size; small ones are enlarged by an integer factor.
 */
export function contactSheet(frames: Frame[], classes: readonly ClassInfo[], columns: number): RgbImage {
  if (frames.length === 0) return { width: 0, height: 0, data: new Uint8Array(0) };
  const { width: w, height: h } = frames[0].image;
  const scale = Math.max(1, Math.floor(PANEL_WIDTH / w));
  const hasLabel = frames.some((f) => f.label);
  const hasDepth = frames.some((f) => f.depth);
  const panels = 1 + Number(hasLabel) + Number(hasDepth);
  const perRow = Math.max(1, Math.min(columns, frames.length));
  const cellWidth = panels * w * scale + (panels - 1) * PANEL_GAP;
  const width = perRow * (cellWidth + GAP) - GAP;
  const height = Math.ceil(frames.length / perRow) * (h * scale + GAP) - GAP;
  const data = new Uint8Array(width * height * 3).fill(BACKGROUND);

  frames.forEach((frame, index) => {
    const pictures = [frame.image.data];
    if (hasLabel) pictures.push(overlay(frame, classes));
    if (hasDepth) pictures.push(depthPicture(frame));
    const top = Math.floor(index / perRow) * (h * scale + GAP);
    const left = (index % perRow) * (cellWidth + GAP);
    pictures.forEach((picture, panel) => {
      const x0 = left + panel * (w * scale + PANEL_GAP);
      for (let y = 0; y < h * scale; y++) {
        const from = Math.floor(y / scale) * w;
        let to = ((top + y) * width + x0) * 3;
        for (let x = 0; x < w * scale; x++) {
          const source = (from + Math.floor(x / scale)) * 3;
          data[to++] = picture[source];
          data[to++] = picture[source + 1];
          data[to++] = picture[source + 2];
        }
      }
    });
  });
  return { width, height, data };
}
