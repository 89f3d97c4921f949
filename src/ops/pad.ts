import * as kernels from '../../kernels/pad.ts';
import { record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { imageShape } from './image.ts';

/**
 * x with `pad` pixels of its mirror image on each side of H and W; the border pixel is not repeated.
 * @param x [N,H,W,C], f32
 * @param pad pixels, less than H and W
 * @returns [N,H + 2 pad,W + 2 pad,C]
 * @throws ShapeError for other shapes and pads.
 * Source: torch.nn.ReflectionPad2d.
 */
export function reflectionPad2d(x: Tensor, pad: number): Tensor {
  const shape = imageShape('reflectionPad2d', x);
  if (!Number.isInteger(pad) || pad < 0 || pad >= shape.h || pad >= shape.w) {
    throw new ShapeError(
      `reflectionPad2d: pad ${pad} of ${shapeText(x.shape)} must be whole and less than H and W`,
    );
  }
  return reflect(x, { ...shape, pad });
}

function reflect(x: Tensor, p: kernels.ReflectParams): Tensor {
  const y = empty([p.n, p.h + 2 * p.pad, p.w + 2 * p.pad, p.c], 'f32', x.device);
  launch(kernels.reflect, p, { x, y });
  return record('reflectionPad2d', [x], y, (g) => [reflectAdjoint(g, p)]);
}

function reflectAdjoint(g: Tensor, p: kernels.ReflectParams): Tensor {
  const dx = empty([p.n, p.h, p.w, p.c], 'f32', g.device);
  launch(kernels.reflectAdjoint, p, { g, dx });
  return record('reflectionPad2dAdjoint', [g], dx, (c) => [reflect(c, p)]);
}
