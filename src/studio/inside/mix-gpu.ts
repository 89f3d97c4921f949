// Two frames mixed by their depth, and by the two masks that ask for none. True disparity stands for a network's, truth for labels.
import { upload } from '../../autograd/program.ts';
import { type Tensor, tensor } from '../../autograd/tensor.ts';
import { imageTensor } from '../../data/batch.ts';
import { cityscapesClasses } from '../../data/classes.ts';
import { inverseDepth } from '../../data/paint.ts';
import type { Mix } from '../../methods/choices.ts';
import { maskChance, mixMask, mixture } from '../../methods/mixing.ts';
import { normalizeDisparity, oneHot } from '../../ops/depthmix.ts';
import { mul } from '../../ops/elementwise.ts';
import { slice } from '../../ops/movement.ts';
import { mean } from '../../ops/reduce.ts';
import { sceneFrame } from './frames.ts';
import { type Computed, compute } from './gpu.ts';
import { HEIGHT, WIDTH } from './scenes.ts';

export interface MixRequest {
  first: number;
  second: number;
  /** In units of the disparities, which are scaled to [0, 1]. */
  margin: number;
  /** Of what chance decides of ClassMix and CutMix. */
  seed: number;
}

/** Both images of the pair, [2, height, width] and a channel axis; what ClassMix and CutMix make of the first one. */
export type Mixed = Computed<
  | 'images'
  | 'truth'
  | 'disparity'
  | 'mask'
  | 'mixed'
  | 'label'
  | 'share'
  | 'both'
  | 'classMask'
  | 'classMixed'
  | 'classShare'
  | 'cutMask'
  | 'cutMixed'
  | 'cutShare'
>;

const SIZE = { n: 2, height: HEIGHT, width: WIDTH };

export async function mix({ first, second, margin, seed }: MixRequest): Promise<Mixed> {
  const frames = [await sceneFrame(first), await sceneFrame(second)];
  const joined = <T>(part: (frame: (typeof frames)[number]) => ArrayLike<T>) =>
    frames.flatMap((frame) => Array.from(part(frame)));
  const classes = cityscapesClasses.length;
  return compute(() => {
    const images = upload(imageTensor(frames.map(({ image }) => image)));
    const truth = tensor(
      joined((frame) => frame.label!.data),
      [2, HEIGHT, WIDTH],
      'i32',
    );
    const raw = tensor(
      joined((frame) => inverseDepth(frame.depth!.data)),
      [2, HEIGHT, WIDTH, 1],
    );
    const known = oneHot(truth, classes, { ignore: 255 });
    const made = (how: Mix) => {
      const chance = upload(maskChance(how, SIZE, classes, seed, 0)) as Tensor[];
      const mask = mixMask(how, () => raw, known, chance, margin);
      return { ...mixture(mask, images, known, 1), share: mean(mask, [1, 2, 3]) };
    };
    const [byDepth, byClass, byBox] = [made('depthmix'), made('classmix'), made('cutmix')];
    const half = (image: number) => slice(byDepth.mask, [image, 0, 0, 0], [image + 1, HEIGHT, WIDTH, 1]);
    return {
      images,
      truth,
      disparity: normalizeDisparity(raw),
      mask: byDepth.mask,
      mixed: byDepth.images,
      label: byDepth.label,
      share: byDepth.share,
      both: mean(mul(half(0), half(1))),
      classMask: byClass.mask,
      classMixed: byClass.images,
      classShare: byClass.share,
      cutMask: byBox.mask,
      cutMixed: byBox.images,
      cutShare: byBox.share,
    };
  });
}
