import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { upload } from '../../autograd/program.ts';
import { noGrad } from '../../autograd/tape.ts';
import { step } from '../../autograd/tensor.ts';
import { imageTensor } from '../../data/batch.ts';
import { decodeImage, encodePng } from '../../data/codecs.ts';
import { workingSize } from '../../data/open.ts';
import { resizeImage, resizeLabel } from '../../data/resize.ts';
import { DataError, type RgbImage } from '../../data/types.ts';
import { argmax } from '../../ops/reduce.ts';
import { expectFolder, makeFolder, writeWhole } from '../../train/durable.ts';
import { disparityPicture, overlayPicture } from '../../train/pictures.ts';
import type { Plan } from '../../train/plan.ts';
import { withGpu } from '../device.ts';
import { note, print, printJson } from '../output.ts';
import { openToPredict } from '../trained.ts';

const args = {
  run: { type: 'string', description: "folder that 'train' wrote", valueHint: 'DIR', required: true },
  input: {
    type: 'string',
    description: 'a PNG or JPEG image, or a folder of them',
    valueHint: 'PATH',
    required: true,
  },
  out: { type: 'string', description: 'folder for the results', valueHint: 'DIR', required: true },
  json: { type: 'boolean', description: 'one JSON line per image on stdout' },
} as const satisfies ArgsDef;

function imagesAt(path: string): string[] {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch {
    throw new DataError(`--input ${path}: there is no such file or folder`);
  }
  if (!folder) return [path];
  const files = readdirSync(path)
    .filter((name) => /\.(png|jpe?g)$/i.test(name) && statSync(join(path, name)).isFile())
    .sort();
  if (files.length === 0) throw new DataError(`--input ${path}: holds no .png, .jpg or .jpeg file`);
  return files.map((name) => join(path, name));
}

/** What the results of each image are called: its name without the ending, where that tells it from the others. */
function stemsOf(files: readonly string[]): string[] {
  let stems = files.map((file) => basename(file, extname(file)));
  // Again, as a whole name can be another's stem: a.jpg beside a.jpg.png.
  while (new Set(stems).size < stems.length) {
    const twice = stems.map((stem) => stems.indexOf(stem) !== stems.lastIndexOf(stem));
    stems = stems.map((stem, i) => (twice[i] ? basename(files[i]) : stem));
  }
  return stems;
}

function readImage(file: string): RgbImage {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new DataError(`${file}: cannot be read: ${(error as Error).message}`);
  }
  return decodeImage(bytes, file);
}

interface Predicted {
  label?: Uint8Array;
  disparity?: Float32Array;
}

/** Runs the networks at the working size. */
async function predictOne(plan: Plan, image: RgbImage): Promise<Predicted> {
  const parts = step(() =>
    noGrad(() => {
      const { logits, disparity } = plan.predict(upload(imageTensor([image])));
      return { ...(logits && { label: argmax(logits, 3) }), ...(disparity && { disparity }) };
    }),
  );
  const found: Predicted = {};
  if (parts.label) found.label = Uint8Array.from(await parts.label.data());
  if (parts.disparity) found.disparity = Float32Array.from(await parts.disparity.data());
  for (const one of Object.values(parts)) one.dispose();
  return found;
}

export const predict = defineCommand({
  meta: { description: 'label, overlay and disparity pictures of new images' },
  args,
  run: ({ args }) =>
    withGpu(async (gpu) => {
      const files = imagesAt(args.input);
      const stems = stemsOf(files);
      expectFolder(args.out);
      const plan = await openToPredict(gpu, args.run);
      const bad: string[] = [];
      for (const [i, file] of files.entries()) {
        let image: RgbImage;
        try {
          image = readImage(file);
        } catch (error) {
          if (files.length === 1) throw error;
          bad.push(file);
          note(`skipped: ${(error as Error).message}`);
          continue;
        }
        makeFolder(args.out);
        const { width, height } = workingSize(image.width, image.height, plan.pixels);
        const { label, disparity } = await predictOne(plan, resizeImage(image, width, height));
        const stem = join(args.out, stems[i]);
        const written: string[] = [];
        const write = (suffix: string, bytes: Uint8Array) => {
          writeWhole(`${stem}-${suffix}.png`, bytes);
          written.push(`${stem}-${suffix}.png`);
        };
        if (label) {
          const full = resizeLabel({ width, height, data: label }, image.width, image.height);
          write('label', encodePng(full));
          write('overlay', encodePng(overlayPicture(image, full.data, plan.classes, 0.5)));
        }
        if (disparity) {
          const picture = disparityPicture(disparity, width, height);
          write('disparity', encodePng(resizeImage(picture, image.width, image.height)));
        }
        if (args.json) printJson({ input: file, written });
        else print(`${file}: ${written.join(', ')}`);
      }
      if (bad.length > 0)
        throw new DataError(
          `--input ${args.input}: ${bad.length} of ${files.length} images could not be read`,
        );
    }),
});
