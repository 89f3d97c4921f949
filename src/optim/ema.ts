import * as kernels from '../../kernels/optim.ts';
import { colocate, stretches } from '../autograd/block.ts';
import { launch, ShapeError, shapeText, step, type Tensor } from '../autograd/tensor.ts';

/**
 * Moves a teacher's tensors towards a student's, in place: t = alpha t + (1 - alpha) s. One launch does for all that lie side
 * by side in both, where they come to lie.
 * @param teacher f32 tensors, written in place.
 * @param student f32 tensors of the same shapes and order.
 * @param alpha scalar tensor on the device, so that it can change from step to step; see `emaRamp`.
 * @throws ShapeError.
 */
export function emaUpdate(teacher: readonly Tensor[], student: readonly Tensor[], alpha: Tensor): void {
  if (teacher.length !== student.length) {
    throw new ShapeError(`emaUpdate: ${teacher.length} teacher tensors for ${student.length} of the student`);
  }
  teacher.forEach((average, i) => {
    const x = student[i];
    if (shapeText(average.shape) !== shapeText(x.shape)) {
      throw new ShapeError(
        `emaUpdate: teacher tensor ${i} is ${shapeText(average.shape)}, expected ${shapeText(x.shape)}`,
      );
    }
  });
  if (alpha.size !== 1)
    throw new ShapeError(`emaUpdate: alpha is ${shapeText(alpha.shape)}, expected a scalar`);
  colocate(teacher);
  colocate(student);
  step(() => {
    for (const [average, x] of stretches([teacher, student]))
      launch(kernels.ema, { n: x.size }, { average, x, rate: alpha });
  });
}

/**
 * Averaging rate at an iteration counted from 0: min(1 - 1 / (iteration + 1), max). The first update copies the
 * student, early ones are plain means of all students so far (DACS, "Three Ways").
 */
export const emaRamp = (iteration: number, max = 0.99): number => Math.min(1 - 1 / (iteration + 1), max);
