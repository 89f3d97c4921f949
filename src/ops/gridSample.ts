import * as kernels from '../../kernels/gridSample.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, type Shape, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';

/** What lies outside the image. */
export type GridPadding = (typeof kernels.PADDINGS)[number];

export interface GridSampleOptions {
  /** `border` repeats the edge pixels, `zeros` samples 0, `reflection` mirrors at the border. */
  padding: GridPadding;
  /**
   * True: -1 and 1 are the centres of the first and last pixel. False: they are the outer edges of those pixels.
   */
  alignCorners: boolean;
}

function paramsOf(image: Shape, grid: Tensor, options: GridSampleOptions): kernels.GridSampleParams {
  const [n, ih, iw, c] = image;
  const [, h, w] = grid.shape;
  const padding = kernels.PADDINGS.indexOf(options.padding);
  if (padding < 0)
    throw new ShapeError(`gridSample: padding '${options.padding}', expected ${kernels.PADDINGS.join(', ')}`);
  return { n, h, w, ih, iw, c, padding, align: options.alignCorners ? 1 : 0 };
}

/**
 * Bilinear samples of an image at given places, as PyTorch's `grid_sample(mode='bilinear')`.
 *
 * The gradient to the grid is zero along an axis where `border` clamped the place. The gradient to the image can be
 * differentiated again; the gradient to the grid cannot.
 * @param x image [N,H,W,C], f32.
 * @param grid [N,h,w,2], f32: (x, y), both -1..1 over the image.
 * @returns [N,h,w,C].
 * @throws ShapeError when the shapes do not fit.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions): Tensor {
  if (x.shape.length !== 4 || x.size === 0 || x.dtype !== 'f32')
    throw new ShapeError(`gridSample: image ${shapeText(x.shape)} ${x.dtype}, expected [N,H,W,C] f32`);
  if (
    grid.shape.length !== 4 ||
    grid.shape[3] !== 2 ||
    grid.shape[0] !== x.shape[0] ||
    grid.dtype !== 'f32'
  ) {
    throw new ShapeError(
      `gridSample: grid ${shapeText(grid.shape)} ${grid.dtype}, expected [${x.shape[0]},h,w,2] f32`,
    );
  }
  const p = paramsOf(x.shape, grid, options);
  const y = empty([p.n, p.h, p.w, p.c], 'f32', x.device);
  launch(kernels.gridSample, p, { x, grid, y });
  return record('gridSample', [x, grid], y, (g, [needX, needGrid]) => [
    needX ? gradImage(g, grid, x.shape, options) : null,
    needGrid ? gradGrid(x, grid, g, options) : null,
  ]);
}

function gradGrid(x: Tensor, grid: Tensor, g: Tensor, options: GridSampleOptions): Tensor {
  const dgrid = empty(grid.shape, 'f32', x.device);
  launch(kernels.gridSampleGradGrid, paramsOf(x.shape, grid, options), { x, grid, g, dgrid });
  return firstOrderOnly('gridSampleGradGrid', [x, grid, g], dgrid);
}

/** Adjoint of sampling: linear in g, and with <c, adjoint(g)> = <gridSample(c), g> its own gradients are at hand. */
function gradImage(g: Tensor, grid: Tensor, image: Shape, options: GridSampleOptions): Tensor {
  const p = paramsOf(image, grid, options);
  const [boxes, blocks] = [kernels.TILE, kernels.BLOCK].map((tile) => {
    const made = empty([p.n, kernels.tilesOf(p, tile), 4], 'i32', g.device);
    launch(kernels.gridSampleBoxes, { ...p, tile }, { grid, boxes: made });
    return made;
  });
  const dx = empty(image, 'f32', g.device);
  launch(kernels.gridSampleGradImage, p, { g, grid, boxes, blocks, dx });
  return record('gridSampleGradImage', [g, grid], dx, (c, [needG, needGrid]) => [
    needG ? gridSample(c, grid, options) : null,
    needGrid ? gradGrid(c, grid, g, options) : null,
  ]);
}
