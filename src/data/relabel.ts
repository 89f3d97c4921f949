// Labels of one data set in the classes of another, for training on both.
import {
  camvidClasses,
  cityscapesClasses,
  cityscapesToCamvid,
  synthia13Classes,
  synthia16Classes,
  VOID,
} from './classes.ts';
import { type ClassInfo, DataError, type Dataset, type Split } from './types.ts';

const names = (classes: readonly ClassInfo[]) => classes.map((one) => one.name).join(', ');

const sameNames = (a: readonly ClassInfo[], b: readonly ClassInfo[]) =>
  a.length === b.length && a.every(({ name }, i) => name === b[i].name);
// Lists in which a name means what it means in Cityscapes.
const ofCityscapes = (classes: readonly ClassInfo[]) =>
  [cityscapesClasses, synthia16Classes, synthia13Classes].some((list) => sameNames(classes, list));
const idIn = (classes: readonly ClassInfo[], name: string) =>
  classes.find((one) => one.name === name)?.id ?? VOID;

/**
 * For each class of `from` the id in `to`, or 255 where `to` has none. Classes of the same names in the same order keep
 * their ids. Cityscapes' 19 and SYNTHIA's 16 and 13 become each other by name, and CamVid's 11 by `cityscapesToCamvid`.
 * Null for all others.
 */
export function classMap(from: readonly ClassInfo[], to: readonly ClassInfo[]): readonly number[] | null {
  if (sameNames(from, to)) return from.map(({ id }) => id);
  if (!ofCityscapes(from)) return null;
  if (ofCityscapes(to)) return from.map(({ name }) => idIn(to, name));
  if (!sameNames(to, camvidClasses)) return null;
  return from.map(({ name }) => cityscapesToCamvid[idIn(cityscapesClasses, name)]);
}

/** The same frames with each label's id replaced by its entry in `map`; void stays void. */
export function relabelled(split: Split, map: readonly number[]): Split {
  return {
    length: split.length,
    hasLabels: split.hasLabels,
    hasDepth: split.hasDepth,
    hasPoses: split.hasPoses,
    intrinsics: split.intrinsics,
    together: split.together,
    ...(split.origin && !split.origin.relabel && { origin: { ...split.origin, relabel: map } }),
    id: (index) => split.id(index),
    neighbours: (index) => split.neighbours(index),
    async load(index) {
      const frame = await split.load(index);
      const { label } = frame;
      // A copy: readers share their frames.
      return label ? { ...frame, label: { ...label, data: label.data.map((id) => map[id] ?? VOID) } } : frame;
    },
  };
}

/**
 * The labelled training frames of `source` in the classes of `target`.
 * @throws DataError when the source has no labels, or classes that are not known to be the target's
 */
export function sourceFrames(source: Dataset, target: Dataset): Split {
  if (!source.train.hasLabels) {
    throw new DataError(
      `${source.spec}: has no labels; the source of a domain adaptation needs them on every image. 'street' has them`,
    );
  }
  const map = classMap(source.classes, target.classes);
  if (!map) {
    throw new DataError(
      `source ${source.spec} has the classes ${names(source.classes)}; ${target.spec} has ${names(target.classes)}. Expected the same ` +
        "classes in the same order, or Cityscapes' 19, SYNTHIA's 16 or 13 and CamVid's 11 with their usual names",
    );
  }
  return relabelled(source.train, map);
}
