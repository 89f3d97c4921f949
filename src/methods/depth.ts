// Self-supervised depth from video: Godard et al., "Digging into self-supervised monocular depth estimation", ICCV 2019
// (Monodepth2). Depth of a frame and its motion to the neighbours are right when the neighbours, warped through them,
// look like the frame.
import { HostTensor, type Uploaded } from '../autograd/program.ts';
import { noGrad, valueAndGrad } from '../autograd/tape.ts';
import { ShapeError, type Tensor } from '../autograd/tensor.ts';
import { type FrameRef, pickFrames, type VideoBatch, videoBatch } from '../data/batch.ts';
import { scaleIntrinsics } from '../data/resize.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../geometry/camera.ts';
import type { DepthModel } from '../models/models.ts';
import { colorJitter } from '../ops/colorJitter.ts';
import { add, affine } from '../ops/elementwise.ts';
import { poseMatrix } from '../ops/geometry.ts';
import { concat, reshape, slice } from '../ops/movement.ts';
import { adaptiveAvgPool2d } from '../ops/pool.ts';
import { randomNormal } from '../ops/random.ts';
import { mean } from '../ops/reduce.ts';
import { minPhotometricError, pixelProjection, synthesizeViews } from '../ops/reprojection.ts';
import { resizeBilinear } from '../ops/resize.ts';
import { edgeAwareSmoothness } from '../ops/smoothness.ts';
import { Adam } from '../optim/optimizer.ts';
import { polynomial, type Schedule, stepDecay } from '../optim/schedule.ts';
import type { Phase } from './phase.ts';

export interface DepthOptions {
  steps: number;
  batch: number;
  lr: number;
  /** Train on squares of the images in place of whole ones. */
  crop: boolean;
  /** Metres at disparity 1 and 0, up to the scale that video leaves open. */
  minDepth: number;
  maxDepth: number;
  /** Weight of the smoothness at full resolution; scale s has half of it s times. */
  smoothness: number;
  /**
   * Where the photometric error of a coarse disparity is taken. `full`: at the images' size (Monodepth2, section 3.3). `own`: at
   * the disparity's size, with images averaged down to it (Zhou et al., CVPR 2017), where a motion of many pixels is one of few.
   */
  resolution: 'full' | 'own';
  /**
   * What a pixel's error is. `minimum`: the least of both warped and both unwarped neighbours (Monodepth2, section 3.2 and 3.3),
   * which leaves out what is occluded and what moves with the camera. `average`: the mean of both warped neighbours (Zhou et al.).
   * Then every pixel tells both motions that they are wrong, far ones too, where an unwarped neighbour often fits well enough.
   */
  reprojection: 'minimum' | 'average';
  /** Learning rate: a tenth for the last quarter (`step`, Monodepth2), or falling evenly to zero (`linear`). */
  decay: 'step' | 'linear';
}

/** Frames, their neighbours and their cameras at one size. */
export interface VideoView {
  target: Tensor;
  /** [2N,H,W,3]: the frames before, then the frames after. */
  neighbours: Tensor;
  K: Tensor;
  inverseK: Tensor;
}

/** What the depth loss asks of a `DepthModel`. */
export type DepthNetworks = Pick<DepthModel, 'disparities' | 'pose'>;

/** How many times the size may be halved, counted from none: the decoder has no more disparities. */
const SCALES = [0, 1, 2, 3];

/** A video batch on the device. */
export type VideoTensors = Uploaded<ReturnType<typeof videoInputs>>;

/** What a step needs of a batch: its frames, [3N,H,W,3] in [0, 1], and its cameras at each scale. */
export function videoInputs({ n, height, width, frames, cameras }: Omit<VideoBatch, 'jitter'>) {
  const scaled = (scale: number) =>
    cameras.map((one) => scaleIntrinsics(one, width / 2 ** scale, height / 2 ** scale));
  return {
    frames: new HostTensor(frames, [3 * n, height, width, 3], 'unorm8'),
    cameras: SCALES.map((scale) => ({
      K: intrinsicsMatrix(scaled(scale)),
      inverseK: inverseIntrinsics(scaled(scale)),
    })),
  };
}

/** What `colorJitter` takes for each sample, [N,7,4]; steps that change no bit where there is no jitter. */
export function jitterSteps(jitter: VideoBatch['jitter']) {
  const none = [1, 0, 0, 0];
  const three = (steps: number[][]) => [...steps, none, none, none].slice(0, 3);
  const samples = jitter.map((one) => {
    if (!one) return Array<number[]>(7).fill(none);
    const steps = one.order.map((step) => {
      const f = one[step];
      return {
        brightness: [f, 0, 0, 0],
        contrast: [f, 1 - f, 0, 0],
        saturation: [f, 0, 1 - f, 0],
        hue: [1, 0, 0, f],
      }[step];
    });
    const hue = one.order.indexOf('hue');
    return [...three(steps.slice(0, hue)), steps[hue], ...three(steps.slice(hue + 1))];
  });
  const before = samples.map((rows) => {
    const contrast = rows.findIndex(([, b]) => b !== 0);
    return rows.map((row, at) => (contrast >= 0 && at >= contrast ? none : row));
  });
  const tensorOf = (rows: number[][][]) => new HostTensor(rows.flat(2), [jitter.length, 7, 4]);
  return { steps: tensorOf(samples), before: tensorOf(before) };
}

/**
 * Frames of a video batch that follow one another.
 * @param frames [3N,H,W,3]: those before, those of the samples, those after.
 * @param first,count in units of N.
 */
export function takeFrames(frames: Tensor, first: number, count: number): Tensor {
  const [all, ...image] = frames.shape;
  const n = all / 3;
  return slice(frames, [first * n, 0, 0, 0], [(first + count) * n, ...image]);
}

/** The frames of the samples themselves, [N,H,W,3]. */
export const targetOf = (frames: Tensor): Tensor => takeFrames(frames, 1, 1);

/**
 * The frames as they are, at half the size and so on: images averaged down, cameras scaled with them.
 * @param halvings 0 to 3.
 * @throws ShapeError where halving leaves a remainder.
 */
export function viewsOf({ frames, cameras }: VideoTensors, halvings: number): VideoView[] {
  const [all, ...image] = frames.shape;
  const moments = [3, all / 3, ...image];
  const outer = slice(reshape(frames, moments), [0, 0, 0, 0, 0], moments, [2, 1, 1, 1, 1]);
  const neighbours = reshape(outer, [(2 * all) / 3, ...image]);
  const views = [{ target: targetOf(frames), neighbours, ...cameras[0] }];
  for (const camera of cameras.slice(1, 1 + halvings)) {
    const finer = views[views.length - 1];
    const [, height, width] = finer.target.shape;
    if (height % 2 !== 0 || width % 2 !== 0)
      throw new ShapeError(`viewsOf: ${height} x ${width} cannot be halved`);
    const half = (image: Tensor) => noGrad(() => adaptiveAvgPool2d(image, [height / 2, width / 2]));
    views.push({ target: half(finer.target), neighbours: half(finer.neighbours), ...camera });
  }
  return views;
}

/**
 * Transforms from the target camera to the cameras before, then to those after: [2N,4,4]. The network always sees pairs in
 * temporal order; the motion of the earlier pair is inverted.
 * @param seen [3N,H,W,3], in the order of `VideoBatch.frames`.
 */
export function predictPoses(model: Pick<DepthNetworks, 'pose'>, seen: Tensor, training: boolean): Tensor {
  const n = seen.shape[0] / 3;
  const { axisAngle, translation } = model.pose.apply(
    takeFrames(seen, 0, 2),
    takeFrames(seen, 1, 2),
    training,
  );
  const half = (x: Tensor, first: number) => slice(x, [first, 0], [first + n, 3]);
  return concat(
    [
      poseMatrix(half(axisAngle, 0), half(translation, 0), { invert: true }),
      poseMatrix(half(axisAngle, n), half(translation, n), { invert: false }),
    ],
    0,
  );
}

/**
 * Both neighbours warped into the target through one disparity map, [2N,H,W,3]. Disparity, not depth, is brought to the view's
 * size (Monodepth2 trainer.py, generate_images_pred, and issue 164).
 * @param poses see `predictPoses`.
 */
export function warpNeighbours(
  disparity: Tensor,
  view: VideoView,
  poses: Tensor,
  range: Pick<DepthOptions, 'minDepth' | 'maxDepth'>,
): Tensor {
  const [, height, width] = view.target.shape;
  const same = disparity.shape[1] === height && disparity.shape[2] === width;
  const full = same ? disparity : resizeBilinear(disparity, [height, width], { alignCorners: false });
  return synthesizeViews(view.neighbours, full, pixelProjection(view.K, view.inverseK, poses), range);
}

/**
 * The lesser error of the two unwarped neighbours, [N,H,W,1], with a trace of noise that breaks ties with a warped one
 * (Monodepth2, trainer.py).
 */
export function identityError(view: VideoView, key: Tensor): Tensor {
  return noGrad(() => {
    const { error } = minPhotometricError(view.neighbours, view.target);
    return add(error, affine(randomNormal(error.shape, key, 0), 1e-5, 0));
  });
}

/** Photometric error of each warped neighbour by itself, [2N,H,W,1]: the target stands beside both. */
export const eachError = (warped: Tensor, target: Tensor): Tensor =>
  minPhotometricError(warped, concat([target, target], 0)).error;

/**
 * Mean over scales of photometric error plus smoothness.
 * @param disparities of the target as a network sees it, one map for each scale, finest first.
 * @param seen the frames as the networks see them: those of `video`, recoloured or not.
 * @param key the step's random key.
 */
export function selfSupervisedLoss(
  disparities: readonly Tensor[],
  model: Pick<DepthNetworks, 'pose'>,
  video: VideoTensors,
  seen: Tensor,
  key: Tensor,
  options: DepthOptions,
): { loss: Tensor; photometric: Tensor; smoothness: Tensor } {
  const poses = predictPoses(model, seen, true);
  const scales = disparities.map(({ shape }) => Math.round(Math.log2(seen.shape[1] / shape[1])));
  const views = viewsOf(video, Math.max(...scales));
  const own = options.resolution === 'own';
  const automask = options.reprojection === 'minimum';
  const still = automask && !own ? identityError(views[0], key) : null;
  let photometric: Tensor | null = null;
  let smoothness: Tensor | null = null;
  disparities.forEach((disparity, i) => {
    const scale = scales[i];
    const view = views[own ? scale : 0];
    const warped = warpNeighbours(disparity, view, poses, options);
    const error = automask
      ? minPhotometricError(warped, view.target, still ?? identityError(view, key)).error
      : eachError(warped, view.target);
    const term = mean(error);
    const edges = edgeAwareSmoothness(disparity, views[scale].target);
    const smooth = affine(edges, options.smoothness / 2 ** scale, 0);
    photometric = photometric ? add(photometric, term) : term;
    smoothness = smoothness ? add(smoothness, smooth) : smooth;
  });
  const share = (x: Tensor | null) => affine(x!, 1 / disparities.length, 0);
  const terms = { photometric: share(photometric), smoothness: share(smoothness) };
  return { loss: add(terms.photometric, terms.smoothness), ...terms };
}

/** The same of a depth network and the pose network beside it. */
export const depthLoss = (
  model: DepthNetworks,
  video: VideoTensors,
  seen: Tensor,
  key: Tensor,
  options: DepthOptions,
) => selfSupervisedLoss(model.disparities(targetOf(seen), true), model, video, seen, key, options);

type DepthInputs = ReturnType<typeof depthInputs>;

/** @param key the step's random key. */
const depthInputs = (batch: VideoBatch, key: readonly [number, number]) => ({
  video: videoInputs(batch),
  jitter: jitterSteps(batch.jitter),
  key: new HostTensor(key, [2], 'u32'),
});

/** A stretch of depth training: what is updated by which loss. */
export interface DepthStage {
  name: string;
  steps: number;
  lr: number;
  params: readonly Tensor[];
  /** @returns terms to log, `loss` among them: the one that is minimised. */
  loss(video: VideoTensors, seen: Tensor, key: Tensor): Record<'loss', Tensor> & Record<string, Tensor>;
  begin?(): Promise<void>;
}

/** Trains depth and pose on the frames of `refs`, all of which have neighbours and a known camera. */
export class DepthPhase implements Phase<VideoBatch, DepthInputs> {
  readonly name: string;
  readonly steps: number;
  readonly imagesPerStep: number;
  readonly optimizer: Adam;
  readonly #refs: readonly FrameRef[];
  readonly #stage: DepthStage;
  readonly #schedule: Schedule;
  readonly #crop: boolean;
  readonly #seed: number;

  /** @param stage by default Monodepth2's only one: everything is trained. */
  constructor(
    model: DepthModel,
    refs: readonly FrameRef[],
    options: DepthOptions,
    seed: number,
    stage: DepthStage = {
      name: 'depth',
      steps: options.steps,
      lr: options.lr,
      params: Object.values(model.parameters()),
      loss: (video, seen, key) => depthLoss(model, video, seen, key, options),
    },
  ) {
    this.#refs = refs;
    this.#stage = stage;
    this.#schedule =
      options.decay === 'linear'
        ? polynomial(stage.steps, 1)
        : stepDecay([Math.floor(0.75 * stage.steps)], 0.1);
    this.#seed = seed;
    this.name = stage.name;
    this.steps = stage.steps;
    this.imagesPerStep = options.batch;
    this.#crop = options.crop;
    this.optimizer = new Adam([{ params: stage.params, lr: stage.lr }]);
  }

  async begin(): Promise<void> {
    await this.#stage.begin?.();
  }

  load(step: number): Promise<VideoBatch> {
    const refs = pickFrames(this.#refs, this.imagesPerStep, this.#seed, 1, step);
    const augment = { recolour: true, crop: this.#crop };
    return videoBatch(refs, { seed: this.#seed, step, augment });
  }

  inputs(batch: VideoBatch, step: number): DepthInputs {
    this.optimizer.advance(this.#schedule(step));
    return depthInputs(batch, [this.#seed, step]);
  }

  train({ video, jitter, key }: Uploaded<DepthInputs>): Record<string, Tensor> {
    const seen = colorJitter(video.frames, jitter);
    let terms: ReturnType<DepthStage['loss']> | null = null;
    const [, gradients] = valueAndGrad(() => {
      terms = this.#stage.loss(video, seen, key);
      return terms.loss;
    }, this.optimizer.params);
    this.optimizer.apply(gradients);
    return { ...terms! };
  }
}
