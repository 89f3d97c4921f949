import * as kernels from '../../kernels/opticalFlow.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';

/** Added to the mean squared gradients. Where the picture is flatter than 0.01 per pixel, the answer tends to no motion. */
const RIDGE = 1e-4;
/** Pixels. A gradient says nothing about motions much larger than the texture that it is taken from. */
const LIMIT = 2;

/**
 * Motion of the picture from one image to the next, one vector per cell, by least squares over 3 x 3 cells. Good for motions
 * up to about a pixel; clamped to two. Not differentiable: a constant to gradients.
 * @param earlier,later [N,H,W,C] in [0, 1].
 * @param cell its side in pixels; H and W are multiples of it.
 * @returns [N,H/cell,W/cell,2]: pixels to the right, pixels down.
 * Source: Lucas and Kanade, "An iterative image registration technique", IJCAI 1981; one iteration, both images treated alike.
 */
export function opticalFlow(earlier: Tensor, later: Tensor, cell: number): Tensor {
  const [n, h, w, c] = earlier.shape;
  if (earlier.shape.length !== 4 || c < 1 || earlier.dtype !== 'f32') {
    throw new ShapeError(
      `opticalFlow: earlier ${shapeText(earlier.shape)} ${earlier.dtype}, expected [N,H,W,C] f32 with C >= 1`,
    );
  }
  if (shapeText(later.shape) !== shapeText(earlier.shape) || later.dtype !== 'f32') {
    throw new ShapeError(
      `opticalFlow: later ${shapeText(later.shape)} ${later.dtype}, expected ${shapeText(earlier.shape)} f32`,
    );
  }
  if (!Number.isInteger(cell) || cell < 1 || h % cell !== 0 || w % cell !== 0) {
    throw new ShapeError(`opticalFlow: cells of ${cell} pixels in ${h} x ${w}; expected a divisor of both`);
  }
  const [rows, cols] = [h / cell, w / cell];
  const m = empty([n, rows, cols, 5], 'f32', earlier.device);
  launch(kernels.flowMoments, { n, h, w, c, cell }, { a: earlier, b: later, m });
  const flow = empty([n, rows, cols, 2], 'f32', earlier.device);
  launch(kernels.solveFlow, { n, rows, cols, ridge: RIDGE, limit: LIMIT }, { m, flow });
  return flow;
}
