// Pictures of what a trained model sees, for the report: a few fixed frames, chosen evenly over the split.
import { type Uploaded, upload } from '../autograd/program.ts';
import { noGrad } from '../autograd/tape.ts';
import { step, type Tensor, tensor } from '../autograd/tensor.ts';
import { allFrames, type FrameRef, imageTensor, videoBatch, videoFrames } from '../data/batch.ts';
import type { ClassInfo, RgbImage, Split } from '../data/types.ts';
import type { Numbers } from '../gpu/kernel.ts';
import type { Mix, SelectionMethod } from '../methods/choices.ts';
import { type CrossDomainPhase, pairInputs } from '../methods/crossDomain.ts';
import {
  type DepthNetworks,
  type DepthOptions,
  eachError,
  identityError,
  predictPoses,
  videoInputs,
  viewsOf,
  warpNeighbours,
} from '../methods/depth.ts';
import type { Mixture } from '../methods/mixing.ts';
import type { GrowingSelection } from '../methods/selectionPhase.ts';
import { type Mixable, mixedInputs } from '../methods/threeWays.ts';
import type { DepthModel, SegmentationModel } from '../models/models.ts';
import { slice } from '../ops/movement.ts';
import { fixedStatistics } from '../ops/norm.ts';
import { argmax, mean } from '../ops/reduce.ts';
import { minPhotometricError } from '../ops/reprojection.ts';
import { CAPTIONS } from './captions.ts';
import {
  confidencePicture,
  disparityPicture,
  errorPicture,
  greyPicture,
  grid,
  inverseDepth,
  labelPicture,
  maskPicture,
  rgbPicture,
} from './pictures.ts';
import type { Gallery, PanelValues } from './plan.ts';
import { reasonText } from './selecting.ts';

/** `count` entries of a list, evenly spread. */
const spread = <T>(list: readonly T[], count: number): T[] =>
  Array.from(
    { length: Math.min(count, list.length) },
    (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)],
  );

async function readAll<K extends string>(tensors: Record<K, Tensor>): Promise<Record<K, Numbers>> {
  const entries = Object.entries(tensors) as [K, Tensor][];
  const read: Partial<Record<K, Numbers>> = {};
  for (const [name, one] of entries) {
    read[name] = await one.data();
    one.dispose();
  }
  return read as Record<K, Numbers>;
}

const panel = (
  title: string,
  kind: keyof typeof CAPTIONS,
  image: RgbImage,
  shows?: PanelValues['kind'],
  data?: ArrayLike<number>,
): Gallery['panels'][number] => ({
  title,
  caption: CAPTIONS[kind],
  image,
  ...(shows && data && { values: { kind: shows, data } }),
});

/** The part of a batch that belongs to its first image. */
const first = (values: Numbers, size: number): Numbers => values.slice(0, size);

/** Disparity beside the true one, and what view synthesis makes of the neighbours. */
export async function depthGalleries(
  model: DepthNetworks,
  split: Split,
  options: Pick<DepthOptions, 'minDepth' | 'maxDepth' | 'reprojection'>,
): Promise<Gallery[]> {
  const averages = options.reprojection === 'average';
  const refs: FrameRef[] = split.intrinsics ? videoFrames(allFrames(split)) : [];
  const galleries: Gallery[] = [];
  for (const ref of spread(refs, 4)) {
    const { image, depth } = await ref.split.load(ref.index);
    const { width, height } = image;
    const measured = depth && inverseDepth(depth.data);
    const host = await videoBatch([ref], { seed: 0, step: 0, augment: null });
    const seen = await readAll(
      step(() =>
        noGrad(() => {
          const video = upload(videoInputs(host));
          const [view] = viewsOf(video, 0);
          const [disparity] = model.disparities(view.target, false);
          const poses = predictPoses(model, video.frames, false);
          const identity = identityError(view, tensor([0, 0], [2], 'u32'));
          const warped = warpNeighbours(disparity, view, poses, options);
          const { error: least, winner } = minPhotometricError(warped, view.target, identity);
          const error = averages ? mean(eachError(warped, view.target), [0]) : least;
          const before = slice(warped, [0, 0, 0, 0], [1, height, width, 3]);
          return { disparity, before, error, winner };
        }),
      ),
    );
    const used = Uint8Array.from(seen.winner, (w) => (w < 2 ? 1 : 0));
    galleries.push({
      title: `Depth: ${ref.split.id(ref.index)}`,
      panels: [
        panel('input', 'image', image),
        panel(
          'disparity',
          'disparity',
          disparityPicture(seen.disparity, width, height),
          'disparity',
          seen.disparity,
        ),
        ...(measured
          ? [
              {
                title: 'true disparity',
                caption: 'Measured inverse depth, in the same colours.',
                image: disparityPicture(measured, width, height),
                values: { kind: 'disparity' as const, data: measured },
              },
            ]
          : []),
        panel('frame before, warped', 'warped', rgbPicture(seen.before, width, height)),
        panel(
          'photometric error',
          averages ? 'meanPhotometricError' : 'photometricError',
          greyPicture(seen.error, width, height, 0, 0.4),
          'error',
          seen.error,
        ),
        panel(
          'automask',
          averages ? 'unusedAutomask' : 'automask',
          maskPicture(used, width, height),
          'mask',
          used,
        ),
      ],
    });
  }
  return galleries;
}

/** Prediction beside truth. */
export async function segmentationGalleries(
  model: Pick<SegmentationModel, 'logits'>,
  split: Split,
  classes: readonly ClassInfo[],
): Promise<Gallery[]> {
  const galleries: Gallery[] = [];
  for (const { index } of spread(allFrames(split), 4)) {
    const { image, label } = await split.load(index);
    const { width, height } = image;
    const seen = await readAll(
      step(() => noGrad(() => ({ label: argmax(model.logits(upload(imageTensor([image])), false), 3) }))),
    );
    galleries.push({
      title: `Segmentation: ${split.id(index)}`,
      panels: [
        panel('input', 'image', image),
        panel(
          'prediction',
          'prediction',
          labelPicture(seen.label, width, height, classes),
          'class',
          seen.label,
        ),
        ...(label
          ? [
              panel('truth', 'truth', labelPicture(label.data, width, height, classes), 'class', label.data),
              panel('errors', 'error', errorPicture(seen.label, label.data, width, height, classes)),
            ]
          : []),
      ],
    });
  }
  return galleries;
}

const MIX_NAMES: Record<Mix, string> = {
  depthmix: 'DepthMix',
  classmix: 'ClassMix',
  cutmix: 'CutMix',
  none: 'Not mixed',
};
const MASK_CAPTIONS: Record<Mix, keyof typeof CAPTIONS> = {
  depthmix: 'depthMixMask',
  classmix: 'classMixMask',
  cutmix: 'cutMixMask',
  none: 'noMixMask',
};

/** Two mixtures, as the trained networks make them. */
export async function mixtureGalleries(
  phase: {
    load(step: number): Promise<Mixable>;
    mixture(mixed: Uploaded<ReturnType<typeof mixedInputs>>): Mixture;
  },
  mix: Mix,
  classes: readonly ClassInfo[],
): Promise<Gallery[]> {
  const galleries: Gallery[] = [];
  for (const at of [0, 1]) {
    const batch = await phase.load(at);
    const { width, height, images } = batch.mixed;
    const seen = await readAll(
      step(() =>
        fixedStatistics(() => {
          const { mask, images: mixed, label, confidence } = phase.mixture(upload(mixedInputs(batch)));
          return { mask, mixed, label, confidence };
        }),
      ),
    );
    const pixels = width * height;
    const mask = first(seen.mask, pixels);
    const label = first(seen.label, pixels);
    const confidence = first(seen.confidence, pixels);
    galleries.push({
      title: `${MIX_NAMES[mix]} ${at + 1}`,
      panels: [
        panel('first image', 'mixFirst', { width, height, data: images[0] }),
        panel('second image', 'mixSecond', { width, height, data: images[1] }),
        panel('mask', MASK_CAPTIONS[mix], maskPicture(mask, width, height), 'mask', mask),
        panel('mixture', 'mixture', rgbPicture(first(seen.mixed, 3 * pixels), width, height)),
        panel('pseudo-label', 'mixedLabel', labelPicture(label, width, height, classes), 'class', label),
        panel(
          'confidence',
          'confidence',
          confidencePicture(confidence, width, height),
          'confidence',
          confidence,
        ),
      ],
    });
  }
  return galleries;
}

/** Two mixtures of source and target, as the trained networks make them. */
export async function crossDomainGalleries(
  phase: CrossDomainPhase,
  classes: readonly ClassInfo[],
): Promise<Gallery[]> {
  const galleries: Gallery[] = [];
  for (const at of [0, 1]) {
    const batch = await phase.load(at);
    const { width, height, images } = batch.mixed;
    const seen = await readAll(
      step(() =>
        fixedStatistics(() => {
          const pair = phase.acrossMixture(upload(pairInputs(batch)));
          return { mask: pair.mask, mixed: pair.images, label: pair.label, weight: pair.weight };
        }),
      ),
    );
    const pixels = width * height;
    const mask = first(seen.mask, pixels);
    const label = first(seen.label, pixels);
    const weight = first(seen.weight, pixels);
    galleries.push({
      title: `Cross-Domain DepthMix ${at + 1}`,
      panels: [
        panel('source', 'mixSource', { width, height, data: batch.source.images[0] }),
        panel('target', 'mixTarget', { width, height, data: images[0] }),
        panel('mask', 'crossDomainMask', maskPicture(mask, width, height), 'mask', mask),
        panel('mixture', 'mixture', rgbPicture(first(seen.mixed, 3 * pixels), width, height)),
        panel('label', 'crossDomainLabel', labelPicture(label, width, height, classes), 'class', label),
        panel('weight', 'crossDomainWeight', greyPicture(weight, width, height, 0, 1), 'weight', weight),
      ],
    });
  }
  return galleries;
}

/** The images that were chosen, in the order of choice, above what a depth network sees in them; and why they were chosen. */
export async function selectionGallery(
  selection: GrowingSelection,
  method: SelectionMethod,
  refs: readonly FrameRef[],
  depth: Pick<DepthModel, 'disparities'> | null,
): Promise<Gallery> {
  const panels: Gallery['panels'] = [];
  for (const [k, choice] of (await selection.choices()).entries()) {
    const { split, index } = refs[choice.index];
    const { image } = await split.load(index);
    const seen = depth
      ? await readAll(
          step(() =>
            noGrad(() => ({ disparity: depth.disparities(upload(imageTensor([image])), false)[0] })),
          ),
        )
      : null;
    const below = seen ? [disparityPicture(seen.disparity, image.width, image.height)] : [];
    panels.push({
      title: `${k + 1}. ${split.id(index)}`,
      caption: `${reasonText(choice, method, refs)}.`,
      image: grid([image, ...below].map((one) => [one])),
    });
  }
  return { title: `Chosen by ${method}`, panels };
}
