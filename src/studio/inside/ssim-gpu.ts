// Structural similarity of a patch and of what was done to it: every window's statistics, and what the kernel makes of them.
import { C1, C2 } from '../../../kernels/ssim.ts';
import { upload } from '../../autograd/program.ts';
import { type Tensor, tensor } from '../../autograd/tensor.ts';
import { crop } from '../../data/augment.ts';
import { imageTensor } from '../../data/batch.ts';
import { gaussianWeights } from '../../methods/strongAugment.ts';
import { conv2d } from '../../ops/conv2d.ts';
import { abs, add, affine, clamp, mul, square, sub } from '../../ops/elementwise.ts';
import { concat, slice } from '../../ops/movement.ts';
import { reflectionPad2d } from '../../ops/pad.ts';
import { randomNormal } from '../../ops/random.ts';
import { mean } from '../../ops/reduce.ts';
import { ssimError } from '../../ops/ssim.ts';
import { sceneFrame } from './frames.ts';
import { type Computed, compute } from './gpu.ts';
import { PATCH } from './scenes.ts';

export interface SsimRequest {
  scene: number;
  /** Added to all values. */
  brightness: number;
  /** Factor of what differs from the mean. */
  contrast: number;
  /** Standard deviation of what is added to each pixel by itself. */
  noise: number;
  /** Standard deviation of a Gaussian, pixels; 0: none. */
  blur: number;
  /** Pixels to the right. */
  shift: number;
}

/** Maps are [height, width]; `windowsX` and `windowsY` [height, width, 9], the pixels of each window row by row. */
export interface Ssim
  extends Computed<
    | 'x'
    | 'y'
    | 'windowsX'
    | 'windowsY'
    | 'meanX'
    | 'meanY'
    | 'varX'
    | 'varY'
    | 'cov'
    | 'error'
    | 'meanError'
    | 'meanAbs'
  > {
  /** The constants of the formula. */
  c1: number;
  c2: number;
}

/** The nine pixels of the window around each pixel, mirrored at the border: [1,H,W,9]. */
function windows(x: Tensor): Tensor {
  const [n, h, w] = x.shape;
  const padded = reflectionPad2d(x, 1);
  const at = [0, 1, 2].flatMap((j) =>
    [0, 1, 2].map((i) => slice(padded, [0, j, i, 0], [n, j + h, i + w, 1])),
  );
  return concat(at, 3);
}

function blurred(x: Tensor, sigma: number): Tensor {
  const radius = Math.ceil(3 * sigma);
  const weights = gaussianWeights(sigma, radius);
  const rows = conv2d(reflectionPad2d(x, radius), tensor(weights, [1, weights.length, 1, 1]));
  return conv2d(rows, tensor(weights, [weights.length, 1, 1, 1]));
}

export async function ssim(request: SsimRequest): Promise<Ssim> {
  const { brightness, contrast, noise, blur, shift } = request;
  const frame = await sceneFrame(request.scene);
  const { x: left, y: top, width, height } = PATCH;
  const computed = await compute(() => {
    const grey = (from: number) => {
      const patch = crop(frame.image, { x: from, y: top, width, height });
      return mean(upload(imageTensor([patch])), [3], true);
    };
    const x = grey(left);
    let y = shift === 0 ? x : grey(left - shift);
    if (blur > 0) y = blurred(y, blur);
    if (contrast !== 1) {
      const level = mean(y);
      y = add(affine(sub(y, level), contrast, 0), level);
    }
    if (noise > 0) y = add(y, affine(randomNormal(y.shape, tensor([1, 0], [2], 'u32'), 0), noise, 0));
    if (brightness !== 0) y = affine(y, 1, brightness);
    if (y !== x) y = clamp(y, 0, 1);
    const [windowsX, windowsY] = [windows(x), windows(y)];
    const [meanX, meanY] = [mean(windowsX, [3], true), mean(windowsY, [3], true)];
    const [fromX, fromY] = [sub(windowsX, meanX), sub(windowsY, meanY)];
    const error = ssimError(x, y);
    return {
      x,
      y,
      windowsX,
      windowsY,
      meanX,
      meanY,
      varX: mean(square(fromX), [3]),
      varY: mean(square(fromY), [3]),
      cov: mean(mul(fromX, fromY), [3]),
      error,
      meanError: mean(error),
      meanAbs: mean(abs(sub(x, y))),
    };
  });
  return { ...computed, c1: C1, c2: C2 };
}
