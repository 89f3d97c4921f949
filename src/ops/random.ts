import * as kernels from '../../kernels/random.ts';
import { empty, launch, type Shape, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import type { Element, Kernel } from '../gpu/kernel.ts';

function draw(kernel: Kernel<kernels.RandomParams>, dtype: Element, shape: Shape, key: Tensor, use: number) {
  if (key.dtype !== 'u32' || key.size !== 2) {
    throw new ShapeError(
      `${kernel.name}: key is ${key.dtype} ${shapeText(key.shape)}, expected u32 [2] (seed, step)`,
    );
  }
  if (!Number.isInteger(use) || use < 0 || use > 0xffffffff)
    throw new ShapeError(`${kernel.name}: use is ${use}, expected an integer in [0, 2^32)`);
  const y = empty(shape, dtype, key.device);
  launch(kernel, { n: y.size, stream: use }, { key, y });
  return y;
}

/**
 * Random 32-bit words. Element i is a pure function of (seed, step, use, i), the same bits on every device.
 * @param key u32 [2]: seed and step. A loop keeps one such tensor and writes the step into it.
 * @param use tells apart the places that draw in one step; a constant of the caller.
 * @returns u32.
 * @throws ShapeError.
 */
export const randomBits = (shape: Shape, key: Tensor, use: number): Tensor =>
  draw(kernels.randomBits, 'u32', shape, key, use);

/**
 * Random numbers in [0, 1) with 24 bits; element i is `threefry2x32(seed, step, i, use)[0] >>> 8`, over 2^24, of
 * src/gpu/threefry.ts, to the last bit.
 * @param key u32 [2]: seed and step.
 * @param use tells apart the places that draw in one step.
 * @throws ShapeError.
 */
export const randomUniform = (shape: Shape, key: Tensor, use: number): Tensor =>
  draw(kernels.randomUniform, 'f32', shape, key, use);

/**
 * Random numbers of the standard normal distribution, |y| < 5.4. The last bits depend on the device's logarithm.
 * @param key u32 [2]: seed and step.
 * @param use tells apart the places that draw in one step.
 * @throws ShapeError.
 */
export const randomNormal = (shape: Shape, key: Tensor, use: number): Tensor =>
  draw(kernels.randomNormal, 'f32', shape, key, use);
