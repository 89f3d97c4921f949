// Cityscapes (Cordts et al., CVPR 2016) in the layout of its archives:
//   leftImg8bit/{train,val}/CITY/CITY_SEQ_FRAME_leftImg8bit.png
//   gtFine/{train,val}/CITY/CITY_SEQ_FRAME_gtFine_labelIds.png
//   camera/{train,val}/CITY/CITY_SEQ_FRAME_camera.json                       (optional: intrinsics)
//   leftImg8bit_sequence/{train,val}/CITY/CITY_SEQ_FRAME_leftImg8bit.png     (optional: the frames around each image)
import * as z from 'zod';
import { cityscapesClasses, cityscapesLabelIdToTrainId } from './classes.ts';
import { imageSize } from './codecs.ts';
import {
  assemble,
  checkWorkingSize,
  FileSplit,
  type FrameFiles,
  type Opened,
  type ReadOptions,
} from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { parseJson } from './json.ts';
import { DataError, type Dataset, type Intrinsics } from './types.ts';

/** Size that the camera files are for, whatever size the images have been scaled to. */
const FULL = { width: 2048, height: 1024 };
const IMAGE_NAME = /^(\w[\w-]*_\d+)_(\d+)_leftImg8bit\.png$/;
// Not the stray files that unpacking or a file manager leaves beside the cities.
const CITY = /^[\w-]+$/;

const cameraSchema = z.object({
  intrinsic: z.object({
    fx: z.number().positive(),
    fy: z.number().positive(),
    u0: z.number(),
    v0: z.number(),
  }),
});

/**
 * Opens Cityscapes with its 19 classes (label ids mapped to train ids). Training and validation are its own splits of
 * finely labelled images; the training frames are the unlabelled split too. With `leftImg8bit_sequence`, `neighbours`
 * gives the video frames at t - 1 and t + 1: context frames, whose indices lie past `length`. Intrinsics are those of
 * the split's first camera file (cars and cities differ by up to about 3 %), null without one.
 * @throws DataError on an empty split, naming the folder and what was looked for, and on a bad camera file
 */
export async function openCityscapes(
  files: FileSource,
  spec: string,
  options: ReadOptions = {},
): Promise<Dataset> {
  return assemble(spec, await readCityscapes(files, options));
}

/** What `openCityscapes` opens, with the problems listed in place of the first one thrown. */
export async function readCityscapes(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  checkWorkingSize(options);
  let size = { width: options.width ?? 0, height: options.height ?? 0 };
  const opened: Opened = {
    title: 'Cityscapes',
    classes: cityscapesClasses,
    ...size,
    splits: {},
    problems: [],
  };
  for (const name of ['train', 'val'] as const) {
    try {
      const { frames, context, intrinsics } = await listSplit(files, name);
      if (size.width === 0)
        size = imageSize(await files.read(frames[0].image), fileName(files, frames[0].image));
      opened.splits[name] = new FileSplit({
        files,
        frames,
        context,
        classes: cityscapesClasses,
        labelTable: cityscapesLabelIdToTrainId,
        intrinsics,
        ...size,
      });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      opened.problems.push(error.message);
    }
  }
  return { ...opened, ...size };
}

async function listSplit(files: FileSource, split: string) {
  const folder = `leftImg8bit/${split}`;
  const frames: FrameFiles[] = [];
  const around: { frame: FrameFiles; before: FrameFiles; after: FrameFiles }[] = [];
  for (const city of (await files.exists(folder)) ? await files.list(folder) : []) {
    if (!CITY.test(city)) continue;
    const sequence = `leftImg8bit_sequence/${split}/${city}`;
    const inSequence = new Set((await files.exists(sequence)) ? await files.list(sequence) : []);
    for (const name of await files.list(`${folder}/${city}`)) {
      const match = IMAGE_NAME.exec(name);
      if (!match) continue;
      const [, run, number] = match;
      const id = `${run}_${number}`;
      const frame: FrameFiles = {
        id,
        image: `${folder}/${city}/${name}`,
        label: `gtFine/${split}/${city}/${id}_gtFine_labelIds.png`,
      };
      frames.push(frame);
      const [before, after] = [-1, 1].map((step): FrameFiles => {
        const other = `${run}_${String(Number(number) + step).padStart(number.length, '0')}`;
        return { id: other, image: `${sequence}/${other}_leftImg8bit.png` };
      });
      if ([before, after].every((one) => inSequence.has(`${one.id}_leftImg8bit.png`)))
        around.push({ frame, before, after });
    }
  }
  if (frames.length === 0)
    throw new DataError(`${fileName(files, folder)}: no frames: looked for CITY/*_leftImg8bit.png`);
  around.forEach(({ frame }, i) => {
    frame.neighbours = [frames.length + 2 * i, frames.length + 2 * i + 1];
  });
  const context = around.flatMap(({ before, after }) => [before, after]);
  return { frames, context, intrinsics: await readCamera(files, split, frames[0]) };
}

async function readCamera(files: FileSource, split: string, frame: FrameFiles): Promise<Intrinsics | null> {
  const city = frame.image.split('/')[2];
  const path = `camera/${split}/${city}/${frame.id}_camera.json`;
  if (!(await files.exists(path))) return null;
  const file = fileName(files, path);
  const parsed = cameraSchema.safeParse(parseJson(await files.read(path), file));
  if (!parsed.success) {
    const { path: key, message } = parsed.error.issues[0];
    throw new DataError(`${file}: ${key.join('.')}: ${message}`);
  }
  const { fx, fy, u0, v0 } = parsed.data.intrinsic;
  return { ...FULL, fx, fy, cx: u0, cy: v0 };
}
