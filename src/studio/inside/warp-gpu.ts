// One frame of a video painted with the colours of the next one, through a depth and a pose that need not be right.
import { upload } from '../../autograd/program.ts';
import { valueAndGrad } from '../../autograd/tape.ts';
import { type Tensor, tensor } from '../../autograd/tensor.ts';
import { imageTensor } from '../../data/batch.ts';
import type { RgbImage } from '../../data/types.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../../geometry/camera.ts';
import { affine, mul, reciprocal } from '../../ops/elementwise.ts';
import { backproject, composeProjection, poseMatrix, projectGrid } from '../../ops/geometry.ts';
import { photometricError } from '../../ops/photometric.ts';
import { mean } from '../../ops/reduce.ts';
import { pixelProjection, synthesizeViews } from '../../ops/reprojection.ts';
import { sum } from '../../ops/sum.ts';
import { sceneCamera, sceneFrame } from './frames.ts';
import { type Computed, compute } from './gpu.ts';
import { HEIGHT, WIDTH } from './scenes.ts';

/** Axis-angle in radians, then the translation in metres: from the target camera to that of the source. */
export type Pose = readonly [number, number, number, number, number, number];

export interface WarpRequest {
  scene: number;
  /** What is multiplied by `factor`: the true depth, or one depth for all pixels. */
  depth: 'true' | 'plane';
  factor: number;
  /** Metres. */
  plane: number;
  pose: Pose;
}

export interface Warp
  extends Computed<
    | 'loss'
    | 'warped'
    | 'error'
    | 'depth'
    | 'points'
    | 'grid'
    | 'dDepth'
    | 'dFactor'
    | 'dRotation'
    | 'dTranslation'
  > {
  target: RgbImage;
  source: RgbImage;
  truth: Pose;
  /** Losses with the right depth and pose, and without any motion. */
  right: number;
  still: number;
}

/** Metres at disparity 1 and 0. */
const RANGE = { minDepth: 0.1, maxDepth: 1000 };
/** Metres, for the sky: a third of the farthest, so that no factor leads beyond that. */
const SKY = 330;
const STILL: Pose = [0, 0, 0, 0, 0, 0];

interface Scene {
  target: RgbImage;
  source: RgbImage;
  depth: Float32Array;
  truth: Pose;
  right: number;
  still: number;
}

/** Axis-angle and translation of the transform from one camera to another, both camera-to-world, row-major. */
export function relativePose(from: Float64Array, to: Float64Array): Pose {
  const column = (m: Float64Array, j: number) => [m[j], m[4 + j], m[8 + j]];
  const dot = (a: number[], b: number[]) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const axes = [0, 1, 2];
  const r = axes.map((i) => axes.map((j) => dot(column(to, i), column(from, j))));
  const between = axes.map((i) => column(from, 3)[i] - column(to, 3)[i]);
  const t = axes.map((i) => dot(column(to, i), between));
  const skew = [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]];
  const sine = Math.hypot(...skew) / 2;
  const angle = Math.atan2(sine, (r[0][0] + r[1][1] + r[2][2] - 1) / 2);
  const scale = sine > 1e-12 ? angle / sine / 2 : 0.5;
  return [scale * skew[0], scale * skew[1], scale * skew[2], t[0], t[1], t[2]];
}

const image = (one: RgbImage): Tensor => upload(imageTensor([one]));

function warpOnce(scene: Omit<Scene, 'right' | 'still'>, base: Float32Array, factor: number, pose: Pose) {
  const { K, inverseK } = upload({
    K: intrinsicsMatrix([sceneCamera()]),
    inverseK: inverseIntrinsics([sceneCamera()]),
  });
  const [target, source] = [image(scene.target), image(scene.source)];
  const shape = tensor(base, [1, HEIGHT, WIDTH, 1]);
  const depth = affine(shape, factor, 0);
  const rotation = tensor(pose.slice(0, 3), [1, 3]);
  const translation = tensor(pose.slice(3), [1, 3]);
  const least = 1 / RANGE.maxDepth;
  const slope = 1 / RANGE.minDepth - least;
  let seen: { warped: Tensor; error: Tensor } | null = null;
  const [loss, [dDepth, dRotation, dTranslation]] = valueAndGrad(() => {
    const disparity = affine(reciprocal(depth), 1 / slope, -least / slope);
    const projection = pixelProjection(K, inverseK, poseMatrix(rotation, translation));
    const warped = synthesizeViews(source, disparity, projection, RANGE);
    const error = photometricError(warped, target);
    seen = { warped, error };
    return mean(error);
  }, [depth, rotation, translation]);
  return {
    loss,
    ...seen!,
    depth,
    points: backproject(depth, inverseK),
    grid: projectGrid(depth, inverseK, composeProjection(K, poseMatrix(rotation, translation))),
    dDepth,
    dFactor: sum(mul(dDepth, shape)),
    dRotation,
    dTranslation,
  };
}

const scenes = new Map<number, Promise<Scene>>();

async function loadScene(scene: number): Promise<Scene> {
  const [target, source] = [await sceneFrame(scene), await sceneFrame(scene, 1)];
  const depth = target.depth!.data.map((z) => (z > 0 ? z : SKY));
  const truth = relativePose(target.pose!, source.pose!);
  const known = { target: target.image, source: source.image, depth, truth };
  const lossOf = async (pose: Pose) =>
    (await compute(() => ({ loss: warpOnce(known, depth, 1, pose).loss }))).values.loss[0];
  return { ...known, right: await lossOf(truth), still: await lossOf(STILL) };
}

export async function warp({ scene, depth, factor, plane, pose }: WarpRequest): Promise<Warp> {
  let loading = scenes.get(scene);
  if (!loading) {
    scenes.set(scene, (loading = loadScene(scene)));
    loading.catch(() => scenes.delete(scene));
  }
  const known = await loading;
  const base = depth === 'true' ? known.depth : new Float32Array(WIDTH * HEIGHT).fill(plane);
  const { target, source, truth, right, still } = known;
  return {
    ...(await compute(() => warpOnce(known, base, factor, pose))),
    target,
    source,
    truth,
    right,
    still,
  };
}
