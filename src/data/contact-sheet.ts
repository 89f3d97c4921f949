// One picture that shows a data set at a glance: image, labels and depth side by side.
import { disparityPicture, grid, inverseDepth, overlayPicture, paint, row, upscale } from './paint.ts';
import { resizeImage } from './resize.ts';
import type { ClassInfo, Frame, RgbImage } from './types.ts';

const PANEL_GAP = 1;
const OPACITY = 0.7;
/** Small frames are enlarged by a whole factor until the longer side of a panel is about this long, pixels. */
const PANEL_SIDE = 256;
/** Large ones are made smaller until it is at most this long. */
const MOST_SIDE = 512;

/**
 * Lays frames out in `columns` columns, each as image | labels over the image | disparity. Panels that no frame
 * has (no labels, no depth) are left out. Frames must share one size; small ones are enlarged by an integer factor, large ones made
 * smaller.
 */
export function contactSheet(frames: Frame[], classes: readonly ClassInfo[], columns: number): RgbImage {
  const hasLabel = frames.some((f) => f.label);
  const hasDepth = frames.some((f) => f.depth);
  const cells = frames.map(({ image, label, depth }) => {
    const { width, height } = image;
    const panels = [image];
    if (hasLabel) panels.push(label ? overlayPicture(image, label.data, classes, OPACITY) : image);
    if (hasDepth)
      panels.push(
        depth
          ? disparityPicture(inverseDepth(depth.data), width, height)
          : paint(width, height, () => [0, 0, 0]),
      );
    const longer = Math.max(width, height);
    const shrunk = (side: number) => Math.max(1, Math.round((side * MOST_SIDE) / longer));
    return row(
      panels.map((panel) =>
        longer > MOST_SIDE
          ? resizeImage(panel, shrunk(width), shrunk(height))
          : upscale(panel, Math.max(1, Math.floor(PANEL_SIDE / longer))),
      ),
      PANEL_GAP,
    );
  });
  const perRow = Math.max(1, columns);
  const rows = Array.from({ length: Math.ceil(cells.length / perRow) }, (_, k) =>
    cells.slice(k * perRow, (k + 1) * perRow),
  );
  return grid(rows);
}
