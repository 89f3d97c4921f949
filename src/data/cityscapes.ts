// Cityscapes (Cordts et al., CVPR 2016) in the layout of its archives:
//   leftImg8bit/{train,val,train_extra}/CITY/CITY_SEQ_FRAME_leftImg8bit.png      (train_extra optional: unlabelled)
//   gtFine/{train,val}/CITY/CITY_SEQ_FRAME_gtFine_labelIds.png
//   camera/{train,val,train_extra}/CITY/CITY_SEQ_FRAME_camera.json           (optional: intrinsics)
//   leftImg8bit_sequence/{train,val}/CITY/CITY_SEQ_FRAME_leftImg8bit.png     (optional: the frames around each image)
//   disparity/{train,val,train_extra}/CITY/CITY_SEQ_FRAME_disparity.png      (optional: depth, with the camera files)
import * as z from 'zod/mini';
import { cityscapesClasses, cityscapesLabelIdToTrainId } from './classes.ts';
import { decodeDepth16 } from './codecs.ts';
import type { DepthFile, FrameFiles, Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { readJson } from './json.ts';
import { noting } from './problems.ts';
import { namesIn, openSplits, type SplitFiles, unpairedLabel } from './splits.ts';
import type { Intrinsics } from './types.ts';

/** Size that the camera files are for, whatever size the images have been scaled to. */
const FULL = { width: 2048, height: 1024 };
const IMAGE_NAME = /^(\w[\w-]*_\d+)_(\d+)_leftImg8bit\.png$/;
/** The split whose images have coarse labels alone, which are not read. */
const EXTRA = 'train_extra';
/** Black as published, and without disparity; its owners say to leave it out. */
const BLACK = 'troisdorf_000000_000073';
// Not the stray files that unpacking or a file manager leaves beside the cities.
const CITY = /^[\w-]+$/;

const cameraSchema = z.object({
  intrinsic: z.object({
    fx: z.number().check(z.positive()),
    fy: z.number().check(z.positive()),
    u0: z.number(),
    v0: z.number(),
  }),
  extrinsic: z.object({ baseline: z.number().check(z.positive()) }),
});

/**
 * Reads Cityscapes with its 19 classes (label ids mapped to train ids). Training and validation are its own splits of
 * finely labelled images; `train_extra` is the unlabelled split, without it the training frames are. With
 * `leftImg8bit_sequence`, `neighbours` gives the video frames at t - 1 and t + 1: context frames, whose indices lie past
 * `length`. Intrinsics are those of the split's first camera file (cars and cities differ by up to about 3 %), null without one.
 * Depth comes from the disparity archive and each image's own camera file.
 */
export async function readCityscapes(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const labels = { classes: cityscapesClasses, table: cityscapesLabelIdToTrainId };
  const problems: string[] = [];
  const extra = await noting(problems, () => files.exists(`leftImg8bit/${EXTRA}`));
  return openSplits(
    files,
    options,
    'Cityscapes',
    labels,
    {
      train: () => listSplit(files, 'train'),
      val: () => listSplit(files, 'val'),
      ...(extra && { unlabelled: () => listSplit(files, EXTRA) }),
    },
    problems,
  );
}

async function listSplit(files: FileSource, split: string): Promise<SplitFiles> {
  const folder = `leftImg8bit/${split}`;
  const frames: FrameFiles[] = [];
  const unpaired: string[] = [];
  const problems: string[] = [];
  const measured = await noting(problems, () => files.exists(`disparity/${split}`));
  const around: { frame: FrameFiles; before: FrameFiles; after: FrameFiles }[] = [];
  for (const city of await namesIn(files, folder, problems)) {
    if (!CITY.test(city)) continue;
    const sequence = `leftImg8bit_sequence/${split}/${city}`;
    const inSequence = await namesIn(files, sequence, problems);
    for (const name of await namesIn(files, `${folder}/${city}`, problems)) {
      const match = IMAGE_NAME.exec(name);
      if (!match) continue;
      const [, run, number] = match;
      const id = `${run}_${number}`;
      if (id === BLACK) continue;
      const frame: FrameFiles = {
        id,
        image: `${folder}/${city}/${name}`,
        label: split === EXTRA ? undefined : `gtFine/${split}/${city}/${id}_gtFine_labelIds.png`,
      };
      frames.push(frame);
      const camera = measured ? await noting(problems, () => readCamera(files, split, frame)) : null;
      // A damaged camera file must not hide a damaged disparity.
      if (camera !== null)
        frame.depth = {
          path: `disparity/${split}/${city}/${id}_disparity.png`,
          decode: disparityDecoder(camera?.focalBaseline ?? 0),
        };
      const [before, after] = [-1, 1].map((step): FrameFiles => {
        const other = `${run}_${String(Number(number) + step).padStart(number.length, '0')}`;
        return { id: other, image: `${sequence}/${other}_leftImg8bit.png` };
      });
      if ([before, after].every((one) => inSequence.has(`${one.id}_leftImg8bit.png`)))
        around.push({ frame, before, after });
    }
  }
  if (frames.length === 0) {
    problems.push(`${fileName(files, folder)}: no frames: looked for CITY/*_leftImg8bit.png`);
    return { frames, problems };
  }
  const labels = `gtFine/${split}`;
  const wanted = new Set(frames.map((frame) => frame.label));
  for (const city of await namesIn(files, labels, unpaired)) {
    if (!CITY.test(city)) continue;
    for (const name of await namesIn(files, `${labels}/${city}`, unpaired))
      if (name.endsWith('_labelIds.png') && !wanted.has(`${labels}/${city}/${name}`))
        unpaired.push(unpairedLabel(files, `${labels}/${city}/${name}`, `${folder}/${city}`));
  }
  around.forEach(({ frame }, i) => {
    frame.neighbours = [frames.length + 2 * i, frames.length + 2 * i + 1];
  });
  const context = around.flatMap(({ before, after }) => [before, after]);
  const camera = await noting(problems, () => readCamera(files, split, frames[0]));
  return { frames, context, intrinsics: camera?.intrinsics ?? null, unpaired, problems };
}

interface Camera {
  intrinsics: Intrinsics;
  /** Pixel-metres: depth = this / disparity. */
  focalBaseline: number;
}

async function readCamera(files: FileSource, split: string, frame: FrameFiles): Promise<Camera | null> {
  const city = frame.image.split('/')[2];
  const path = `camera/${split}/${city}/${frame.id}_camera.json`;
  if (!(await files.exists(path))) return null;
  const { intrinsic, extrinsic } = await readJson(files, path, cameraSchema);
  const { fx, fy, u0, v0 } = intrinsic;
  return { intrinsics: { ...FULL, fx, fy, cx: u0, cy: v0 }, focalBaseline: fx * extrinsic.baseline };
}

/** Depth from a disparity file: 16 bits, p > 0 stands for (p - 1) / 256 pixels of the full width. */
const disparityDecoder =
  (focalBaseline: number): DepthFile['decode'] =>
  (bytes, name) => {
    const map = decodeDepth16(bytes, name);
    return { ...map, data: map.data.map((p) => (p > 1 / 256 ? focalBaseline / (p - 1 / 256) : 0)) };
  };
