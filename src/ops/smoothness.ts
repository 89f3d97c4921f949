import * as kernels from '../../kernels/smoothness.ts';
import { firstOrderOnly, record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { add, div } from './elementwise.ts';
import { mean } from './reduce.ts';
import { sum } from './sum.ts';

/**
 * Edge-aware smoothness of a disparity map: mean |dx d*| e^(-mean_c |dx I|) + mean |dy d*| e^(-mean_c |dy I|), with
 * d* = d / (mean of d over the image + 1e-7). First order only; the image is constant.
 * @param disp [N,h,w,1], h, w >= 2.
 * @param image [N,h,w,C], at the same size.
 * @returns a scalar.
 * Source: Monodepth2 layers.py, get_smooth_loss, and trainer.py.
 */
export function edgeAwareSmoothness(disp: Tensor, image: Tensor): Tensor {
  const [n, h, w, one] = disp.shape;
  if (disp.shape.length !== 4 || one !== 1 || h < 2 || w < 2 || disp.dtype !== 'f32') {
    throw new ShapeError(
      `edgeAwareSmoothness: disp ${shapeText(disp.shape)} ${disp.dtype}, expected [N,h,w,1] f32 with h, w >= 2`,
    );
  }
  const c = image.shape[3];
  if (
    image.shape.length !== 4 ||
    c < 1 ||
    shapeText(image.shape) !== shapeText([n, h, w, c]) ||
    image.dtype !== 'f32'
  ) {
    throw new ShapeError(
      `edgeAwareSmoothness: image ${shapeText(image.shape)} ${image.dtype}, expected [${n},${h},${w},C] f32 with C >= 1`,
    );
  }
  const normalised = div(disp, add(mean(disp, [1, 2, 3], true), 1e-7));
  return sum(weightedDifferences(normalised, image));
}

function weightedDifferences(disp: Tensor, image: Tensor): Tensor {
  const [n, h, w, c] = image.shape;
  const cost = empty([n, h, w], 'f32', disp.device);
  const weights = empty([n, h, w, 2], 'f32', disp.device);
  launch(kernels.smoothness, { n, h, w, c }, { disp, image, cost, weights });
  return record('smoothness', [disp], cost, (g) => {
    const dDisp = empty(disp.shape, 'f32', disp.device);
    launch(kernels.smoothnessGrad, { n, h, w }, { disp, weights, g, dDisp });
    return [firstOrderOnly('smoothnessGrad', [disp, g], dDisp)];
  });
}
