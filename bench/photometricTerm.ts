// The photometric term of one scale by single kernels, which is the reference, and by the fused ones of training.
import { upload } from '../src/autograd/program.ts';
import { type Tensor, tensor } from '../src/autograd/tensor.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../src/geometry/camera.ts';
import { dispToDepth, viewSynthesis } from '../src/geometry/viewSynthesis.ts';
import { minReprojection, photometricError } from '../src/ops/photometric.ts';
import { mean } from '../src/ops/reduce.ts';
import { minPhotometricError, pixelProjection, synthesizeViews } from '../src/ops/reprojection.ts';
import { filler } from './measure.ts';

const range = { minDepth: 0.5, maxDepth: 20 };

/**
 * The term twice, on the same made-up numbers, on the current device: two views of `n` frames of `height` by `width` pixels, with a loss and
 * what it is differentiated by. And `source`, a view of each frame, `frame`, both [n,height,width,3] in [0, 1], and the warp between them.
 * Source: Monodepth2 trainer.py, generate_images_pred and compute_losses.
 */
export function photometricTerm(n: number, height: number, width: number) {
  const cameras = new Array(n).fill({ fx: 0.58 * width, fy: 0.58 * width, cx: width / 2, cy: height / 2 });
  const [K, inverseK] = [upload(intrinsicsMatrix(cameras)), upload(inverseIntrinsics(cameras))];
  const unit = (length: number) => filler(length).map((v) => v + 0.5);
  const image = (count: number) => tensor(unit(count * height * width * 3), [count, height, width, 3]);
  const map = (value: (row: number, noise: number) => number) =>
    tensor(
      unit(n * height * width).map((noise, i) => value((Math.floor(i / width) % height) / height, noise)),
      [n, height, width, 1],
    );
  const motions = filler(32 * n).map((v, k) => 0.02 * v + ((k % 16) % 5 === 0 ? 1 : 0));
  const [sources, frame, bound] = [image(2 * n), image(n), map((_, noise) => 0.2 + 0.4 * noise)];
  // As smooth as a road: how long the image's gradient takes depends on how far neighbours land apart.
  const disparity = map((row, noise) => 0.1 + 0.4 * row + 0.01 * noise);
  const poses = tensor(motions, [2 * n, 4, 4]);
  const values = unit(2 * n * height * width * 3);
  const half = values.length / 2;
  const halves = [0, 1].map((s) => ({
    source: tensor(values.subarray(s * half, (s + 1) * half), [n, height, width, 3]),
    pose: tensor(motions.subarray(s * n * 16, (s + 1) * n * 16), [n, 4, 4]),
  }));
  const depthOf = () => dispToDepth(disparity, range.minDepth, range.maxDepth);
  const single = () => {
    const depth = depthOf();
    const errors = halves.map(({ source, pose }) =>
      photometricError(viewSynthesis(source, depth, K, inverseK, pose), frame),
    );
    return mean(minReprojection([...errors, bound]).error);
  };
  const fused = () => {
    const warped = synthesizeViews(sources, disparity, pixelProjection(K, inverseK, poses), range);
    return mean(minPhotometricError(warped, frame, bound).error);
  };
  const [{ source, pose }] = halves;
  return {
    single: { loss: single, wrt: [disparity, ...halves.map((half) => half.pose)] },
    fused: { loss: fused, wrt: [disparity, poses] },
    source,
    frame,
    warp: (image: Tensor) => viewSynthesis(image, depthOf(), K, inverseK, pose),
  };
}
