// A plain folder of images and, where there are, labels:
//   images/NAME.png or .jpg       (or the images directly in the folder)
//   labels/NAME.png               (optional; 8-bit grey or palette: value = class id, 255 = void)
//   classes.txt                   (with labels: the name of a class a line, in the order of the ids)
// or train/, val/, unlabelled/ and test/, each with images and labels like that, and one classes.txt beside them.
import { pascalColour, VOID } from './classes.ts';
import { ANY_ID, type Opened, type ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { MAX_PROBLEMS, noting } from './problems.ts';
import { imageFrames, openSplits, pairedFrames, type SplitFiles } from './splits.ts';
import { type ClassInfo, DataError, SPLIT_NAMES, type SplitName } from './types.ts';

const CLASSES = 'classes.txt';

/** Reads a plain folder. All but `train/` may be missing; the colours are PASCAL VOC's. */
export async function readFolder(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const problems: string[] = [];
  const names: [SplitName, string][] = [];
  if (await files.exists('train')) {
    for (const name of SPLIT_NAMES)
      if (await noting(problems, () => files.exists(name))) names.push([name, `${name}/`]);
  } else names.push(['train', '']);

  const labelled = await Promise.all(
    names.map(([, folder]) => noting(problems, () => files.exists(`${folder}labels`))),
  );
  const classes = labelled.includes(true) ? await noting(problems, () => readClasses(files)) : [];
  const labels = { classes: classes ?? [], table: classes ? undefined : ANY_ID };
  const lists = Object.fromEntries(names.map(([name, folder]) => [name, () => listPart(files, folder)]));
  return openSplits(files, options, files.root, labels, lists, problems);
}

async function readClasses(files: FileSource): Promise<ClassInfo[]> {
  const bytes = await files.read(CLASSES);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DataError(`${fileName(files, CLASSES)}: is not UTF-8; save it as plain text in UTF-8`);
  }
  // Lines count from the file's first, so only its end is trimmed.
  const names = text
    .trimEnd()
    .split(/\r\n?|\n/)
    .map((line) => line.trim());
  const complaint = (line: number, found: string | number) =>
    `${fileName(files, CLASSES)}:${line}: expected 1 to ${VOID} different names, one a line; found ${JSON.stringify(found)}`;
  const wrong = names
    .slice(0, VOID)
    .flatMap((name, i) => (name === '' || names.indexOf(name) < i ? [complaint(i + 1, name)] : []))
    .slice(0, MAX_PROBLEMS);
  if (names.length > VOID) wrong.push(complaint(VOID + 1, names.length));
  if (wrong.length > 0) throw new DataError(wrong.join('\n'));
  return names.map((name, id) => ({ id, name, color: pascalColour(id) }));
}

async function listPart(files: FileSource, folder: string): Promise<SplitFiles> {
  const images = (await files.exists(`${folder}images`))
    ? `${folder}images`
    : folder.replace(/\/$/, '') || '.';
  if (await files.exists(`${folder}labels`)) return pairedFrames(files, images, `${folder}labels`);
  const problems: string[] = [];
  return { frames: await imageFrames(files, images, problems), problems };
}
