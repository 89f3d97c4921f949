// Draws docs/images/overview.png, the picture at the top of the README: two rows of four panels from the street world.
// Depth, poses and labels are the world's own truth; the warp, the errors and the mixture come from the kernels.
//   npx esbuild scripts/overview.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/overview.mjs
//   node dist/overview.mjs [FILE [FRAME PARTNER]]

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { upload } from '../src/autograd/program.ts';
import { noGrad } from '../src/autograd/tape.ts';
import { step, type Tensor, tensor, useDevice } from '../src/autograd/tensor.ts';
import { imageTensor } from '../src/data/batch.ts';
import { encodePng } from '../src/data/codecs.ts';
import { openStreet } from '../src/data/street/index.ts';
import type { Frame } from '../src/data/types.ts';
import { intrinsicsMatrix, inverseIntrinsics } from '../src/geometry/camera.ts';
import { viewSynthesis } from '../src/geometry/viewSynthesis.ts';
import { openGpu } from '../src/gpu/open.ts';
import { depthMixMask, mixWithNext, normalizeDisparity } from '../src/ops/depthmix.ts';
import { minReprojection, photometricError } from '../src/ops/photometric.ts';
import * as pictures from '../src/train/pictures.ts';

const [WIDTH, HEIGHT] = [160, 80];
const FAR = 1000;
const [file = 'docs/images/overview.png', frame = '46', partner = '20'] = process.argv.slice(2);

/** Target camera to source camera, from two camera-to-world matrices: R_s^T R_t and R_s^T (t_t - t_s). */
function relativePose(target: Float64Array, source: Float64Array): number[] {
  const entry = (i: number, j: number) =>
    [0, 1, 2].reduce((sum, k) => {
      const shift = j === 3 ? source[4 * k + 3] : 0;
      return sum + source[4 * k + i] * (target[4 * k + j] - shift);
    }, 0);
  return [0, 1, 2].flatMap((i) => [0, 1, 2, 3].map((j) => entry(i, j))).concat(0, 0, 0, 1);
}

const { val, classes } = openStreet({ width: WIDTH, height: HEIGHT });
const t = Number(frame);
const [before, after] = val.neighbours(t)!;
const [target, previous, next, other] = await Promise.all(
  [t, before, after, Number(partner)].map((i) => val.load(i)),
);

const { gpu } = await openGpu();
useDevice(gpu);
const imageOf = ({ image }: Frame): Tensor => upload(imageTensor([image]));
const both = (values: (frame: Frame) => ArrayLike<number>) =>
  [target, other].flatMap((f) => Array.from(values(f)));
const inverse = ({ depth }: Frame) => pictures.inverseDepth(depth!.data);

const tensors = step(() =>
  noGrad(() => {
    const camera = [val.intrinsics!];
    const depth = tensor(
      target.depth!.data.map((z) => z || FAR),
      [1, HEIGHT, WIDTH, 1],
    );
    const image = imageOf(target);
    const warp = (source: Frame) => {
      const pose = tensor(relativePose(target.pose!, source.pose!), [1, 4, 4]);
      return viewSynthesis(
        imageOf(source),
        depth,
        upload(intrinsicsMatrix(camera)),
        upload(inverseIntrinsics(camera)),
        pose,
      );
    };
    const warped = [warp(previous), warp(next)];
    const errors = [...warped, imageOf(previous), imageOf(next)].map((one) => photometricError(one, image));
    const { error, winner } = minReprojection(errors);
    const shape = [2, HEIGHT, WIDTH, 1];
    const mask = depthMixMask(normalizeDisparity(tensor(both(inverse), shape)), 0.03);
    const images = upload(imageTensor([target.image, other.image]));
    const labels = tensor(
      both((f) => f.label!.data),
      [2, HEIGHT, WIDTH],
      'i32',
    );
    return {
      warped: warped[0],
      error,
      winner,
      mixed: mixWithNext(mask, images),
      mixedLabel: mixWithNext(mask, labels),
    };
  }),
);
const seen = Object.fromEntries(
  await Promise.all(Object.entries(tensors).map(async ([name, one]) => [name, await one.data()] as const)),
);
gpu.close();

// Of the mixtures only the first is shown: the target's nearer pixels over the partner's.
const first = (values: ArrayLike<number>, channels: number) =>
  Array.from(values).slice(0, channels * WIDTH * HEIGHT);
const panels = [
  [
    target.image,
    pictures.disparityPicture(inverse(target), WIDTH, HEIGHT),
    pictures.rgbPicture(seen.warped, WIDTH, HEIGHT),
    pictures.greyPicture(seen.error, WIDTH, HEIGHT, 0, 0.4),
  ],
  [
    pictures.maskPicture(
      Array.from(seen.winner, (w) => (w < 2 ? 1 : 0)),
      WIDTH,
      HEIGHT,
    ),
    other.image,
    pictures.rgbPicture(first(seen.mixed, 3), WIDTH, HEIGHT),
    pictures.labelPicture(first(seen.mixedLabel, 1), WIDTH, HEIGHT, classes),
  ],
];
mkdirSync(dirname(file), { recursive: true });
writeFileSync(
  file,
  encodePng(
    pictures.grid(
      panels.map((row) => row.map((one) => pictures.upscale(one, 2))),
      6,
    ),
  ),
);
process.exit(0);
