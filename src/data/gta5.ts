// GTA5, "Playing for Data" (Richter, Vineet, Roth, Koltun, ECCV 2016), in the layout of its archives:
//   images/NNNNN.png
//   labels/NNNNN.png              (palette PNG: index = Cityscapes label id)
import { cityscapesClasses, cityscapesLabelIdToTrainId, VOID } from './classes.ts';
import type { Opened, ReadOptions } from './file-split.ts';
import type { FileSource } from './files.ts';
import { openSplits, pairedFrames } from './splits.ts';

/** Train id for each label id of GTA5: those of Cityscapes, and 34 for the licence plate, which is void. */
export const gta5ToTrainId: readonly number[] = [...cityscapesLabelIdToTrainId, VOID];

/** Reads GTA5 with Cityscapes' 19 classes. All images train, as in work on domain adaptation. */
export async function readGta5(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  return openSplits(
    files,
    options,
    'GTA5',
    { classes: cityscapesClasses, table: gta5ToTrainId },
    {
      train: () => pairedFrames(files, 'images', 'labels'),
    },
  );
}
