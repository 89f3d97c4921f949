// A plain folder of images and, where there are, labels:
//   images/NAME.png or .jpg       (or the images directly in the folder)
//   labels/NAME.png               (optional; 8-bit grey or palette: value = class id, 255 = void)
//   classes.txt                   (with labels: the name of a class a line, in the order of the ids)
// or train/, val/, unlabelled/ and test/, each with images and labels like that, and one classes.txt beside them.
import { pascalColour, VOID } from './classes.ts';
import { type Opened, type ReadOptions, SPLIT_NAMES, type SplitName } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { noting } from './problems.ts';
import { imageFrames, openSplits, pairedFrames, type SplitFiles } from './splits.ts';
import { type ClassInfo, DataError } from './types.ts';

const CLASSES = 'classes.txt';

/** Reads a plain folder. All but `train/` may be missing; the colours are PASCAL VOC's. */
export async function readFolder(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const names: [SplitName, string][] = [];
  if (await files.exists('train')) {
    for (const name of SPLIT_NAMES) if (await files.exists(name)) names.push([name, `${name}/`]);
  } else names.push(['train', '']);

  const problems: string[] = [];
  const labelled = await Promise.all(names.map(([, folder]) => files.exists(`${folder}labels`)));
  const classes = labelled.includes(true) ? await noting(problems, () => readClasses(files)) : [];
  // Without a list of classes no id can be out of range.
  const table = classes ? undefined : Array.from({ length: VOID }, (_, id) => id);
  const lists = Object.fromEntries(names.map(([name, folder]) => [name, () => listPart(files, folder)]));
  const opened = await openSplits(files, options, files.root, { classes: classes ?? [], table }, lists);
  return { ...opened, problems: [...problems, ...opened.problems] };
}

async function readClasses(files: FileSource): Promise<ClassInfo[]> {
  const names = new TextDecoder()
    .decode(await files.read(CLASSES))
    .trim()
    .split('\n')
    .map((line) => line.trim());
  const wrong = names.findIndex((name, i) => name === '' || names.indexOf(name) < i);
  if (wrong >= 0 || names.length > VOID)
    throw new DataError(
      `${fileName(files, CLASSES)}:${wrong + 1}: expected 1 to ${VOID} different names, one a line; found ${JSON.stringify(names[wrong] ?? names.length)}`,
    );
  return names.map((name, id) => ({ id, name, color: pascalColour(id) }));
}

async function listPart(files: FileSource, folder: string): Promise<SplitFiles> {
  const images = (await files.exists(`${folder}images`))
    ? `${folder}images`
    : folder.replace(/\/$/, '') || '.';
  if (!(await files.exists(`${folder}labels`))) return { frames: await imageFrames(files, images) };
  return pairedFrames(files, images, `${folder}labels`);
}
