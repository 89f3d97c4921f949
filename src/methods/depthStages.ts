// Depth training in two stages, as Three Ways pre-trains (Hoyer et al., CVPR 2021, section 3.1; configs dec5_crop and dec6_crop
// of its repository): first the encoder keeps its values and the rest learns; then everything learns at a low rate, and a
// distance to the features of the initial encoder keeps what it knew. Worth having when the encoder knew something.
import { noGrad } from '../autograd/tape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { FrameRef } from '../data/batch.ts';
import { ResNetEncoder } from '../models/encoder.ts';
import type { DepthModel } from '../models/models.ts';
import { copyState, Initializer } from '../nn/module.ts';
import { add, affine, sub } from '../ops/elementwise.ts';
import { l2Norm } from '../ops/reduce.ts';
import {
  type DepthOptions,
  DepthPhase,
  depthLoss,
  selfSupervisedLoss,
  targetOf,
  type VideoTensors,
} from './depth.ts';

export interface DepthStagesOptions extends DepthOptions {
  /** Steps before the others in which the encoder's parameters stay as they are; 0: none. */
  frozenSteps: number;
  /** Learning rate of those steps. */
  frozenLr: number;
  /** Weight of the feature distance in the other steps; 0: no such loss. */
  featureDistance: number;
}

/**
 * L_F / lambda_F = || f(x) - f_I(x) ||_2: one norm over the whole batch, neither squared nor divided by a count, so that its
 * gradient has length one whatever the size. Zero, with no gradient, where both agree.
 * @param features,initial of one shape, from the encoder and from the one it started as.
 */
export const featureDistance = (features: Tensor, initial: Tensor): Tensor => l2Norm(sub(features, initial));

/**
 * Depth loss plus weighted feature distance of the deepest map, on the images that the networks see.
 * @param initial in evaluation mode, and constant.
 */
export function anchoredDepthLoss(
  model: DepthModel,
  initial: ResNetEncoder,
  video: VideoTensors,
  seen: Tensor,
  key: Tensor,
  options: DepthStagesOptions,
) {
  const image = targetOf(seen);
  const maps = model.encoder.apply(image, true);
  const terms = selfSupervisedLoss(model.decoder.apply(maps, true), model, video, seen, key, options);
  const before = noGrad(() => initial.apply(image, false)[4]);
  const distance = affine(featureDistance(maps[4], before), options.featureDistance, 0);
  return { ...terms, loss: add(terms.loss, distance), featureDistance: distance };
}

export interface DepthStages {
  frozen: DepthPhase | null;
  main: DepthPhase;
  phases: DepthPhase[];
  /** What a checkpoint holds beside the model and the optimiser of `main`. */
  state: Record<string, Record<string, Tensor>>;
}

/** The phases of depth training: one, or two where `frozenSteps` is above 0. */
export function depthStages(
  model: DepthModel,
  refs: readonly FrameRef[],
  options: DepthStagesOptions,
  seed: number,
): DepthStages {
  const learners = Object.entries(model.parameters()).filter(([name]) => !name.startsWith('encoder.'));
  const frozen =
    options.frozenSteps > 0
      ? new DepthPhase(model, refs, options, seed, {
          name: 'depth-frozen',
          steps: options.frozenSteps,
          lr: options.frozenLr,
          params: learners.map(([, x]) => x),
          loss: (video, seen, key) => depthLoss(model, video, seen, key, options),
        })
      : null;
  // Values come from `begin`.
  const initial =
    options.featureDistance > 0 ? new ResNetEncoder(new Initializer(seed), model.encoder.config) : null;
  const main = initial
    ? new DepthPhase(model, refs, options, seed, {
        name: 'depth',
        steps: options.steps,
        lr: options.lr,
        params: Object.values(model.parameters()),
        loss: (video, seen, key) => anchoredDepthLoss(model, initial, video, seen, key, options),
        begin: async () => {
          await copyState(model.encoder.state(), initial.state());
        },
      })
    : new DepthPhase(model, refs, options, seed);
  return {
    frozen,
    main,
    phases: frozen ? [frozen, main] : [main],
    state: {
      ...(frozen && { 'depth-frozen-optimizer': frozen.optimizer.state() }),
      ...(initial && { 'initial-encoder': initial.state() }),
    },
  };
}
