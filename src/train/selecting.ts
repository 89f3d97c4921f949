// Choosing the images to annotate, as a part of a run and on its own.
import type { FrameRef } from '../data/batch.ts';
import type { SelectionMethod } from '../methods/choices.ts';
import {
  type Choice,
  depthStudent,
  GrowingSelection,
  segmentationStudent,
} from '../methods/selectionPhase.ts';
import type { DepthModel } from '../models/models.ts';
import type { Config } from './config.ts';

/**
 * A selection with the student that its method needs.
 * @param depth for the methods that look at depth. @param classes for `entropy`.
 */
export function selectionBy(
  method: SelectionMethod,
  refs: readonly FrameRef[],
  budget: number,
  config: Config,
  depth: DepthModel | null,
  classes: number,
): GrowingSelection {
  const { model, seed } = config;
  const student =
    method === 'entropy'
      ? segmentationStudent(model, classes, config.segmentation, seed)
      : method === 'uncertainty' || method === 'both'
        ? depthStudent(depth!, model, config.depth.lr, seed)
        : null;
  return new GrowingSelection(method, refs, budget, config.selection, seed, depth, student);
}

/** One line: why an image was chosen. @param refs what was chosen from. */
export function reasonText(
  { distance, nearest, uncertainty }: Choice,
  method: SelectionMethod,
  refs: readonly FrameRef[],
): string {
  const name = ({ split, index }: FrameRef) => split.id(index);
  const kind = method === 'entropy' ? 'entropy' : 'disagreement about depth';
  const parts = [
    ...(distance !== null && nearest !== null
      ? [`${distance.toFixed(2)} from the nearest chosen before, ${name(refs[nearest])}`]
      : []),
    ...(uncertainty !== null ? [`${kind} ${uncertainty.toFixed(4)}`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : 'by chance';
}
