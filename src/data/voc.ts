// PASCAL VOC 2012 segmentation (Everingham et al., IJCV 2010) in the layout of its archive, `VOCdevkit/VOC2012`:
//   JPEGImages/NAME.jpg
//   SegmentationClass/NAME.png                      (palette PNG: index = class id, 255 = border and difficult)
//   ImageSets/Segmentation/{train,val}.txt          (a NAME a line)
import { pascalColour } from './classes.ts';
import type { Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { openSplits, type SplitFiles } from './splits.ts';
import { DataError } from './types.ts';

/** The 21 classes of PASCAL VOC in the order of their ids. */
export const vocClasses = [
  ...['background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow'],
  ...[
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
  ],
].map((name, id) => ({ id, name, color: pascalColour(id) }));

/** Reads PASCAL VOC with its own training and validation lists. Images differ in size; all come at the working size. */
export async function readVoc(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  return openSplits(
    files,
    options,
    'PASCAL VOC',
    { classes: vocClasses },
    {
      train: () => listed(files, 'train'),
      val: () => listed(files, 'val'),
    },
  );
}

async function listed(files: FileSource, split: string): Promise<SplitFiles> {
  const path = `ImageSets/Segmentation/${split}.txt`;
  const lines = new TextDecoder().decode(await files.read(path)).split('\n');
  const problems: string[] = [];
  const frames = lines.flatMap((line, i) => {
    const id = line.trim();
    if (id === '') return [];
    if (!/^\w[\w-]*$/.test(id)) {
      problems.push(
        `${fileName(files, path)}:${i + 1}: expected the name of an image, such as 2007_000032; found ${JSON.stringify(id.slice(0, 80))}`,
      );
      return [];
    }
    return [{ id, image: `JPEGImages/${id}.jpg`, label: `SegmentationClass/${id}.png` }];
  });
  if (frames.length + problems.length === 0) throw new DataError(`${fileName(files, path)}: lists no images`);
  return { frames, problems };
}
