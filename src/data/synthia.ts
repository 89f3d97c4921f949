// SYNTHIA-RAND-CITYSCAPES (Ros et al., CVPR 2016) in the layout of its archive, `RAND_CITYSCAPES`:
//   RGB/NNNNNNN.png
//   GT/LABELS/NNNNNNN.png         (16-bit RGB: class, instance, unused)
//   Depth/Depth/NNNNNNN.png       (optional; 16 bits, centimetres, the same in all channels, 65535 = none)
import { synthia16Classes, VOID } from './classes.ts';
import { decodePng } from './codecs.ts';
import type { Opened, ReadOptions } from './file-split.ts';
import type { FileSource } from './files.ts';
import { noting } from './problems.ts';
import { openSplits, pairedFrames } from './splits.ts';
import { DataError, type DepthMap, type LabelMap } from './types.ts';

/** Which of Cityscapes' classes each label id is, after the README of the data set; null = none of them. */
export const synthiaLabels: readonly (string | null)[] = [
  null, // 0 void
  'sky',
  'building',
  'road',
  'sidewalk',
  'fence', // 5
  'vegetation',
  'pole',
  'car',
  'traffic sign',
  'person', // 10
  'bicycle',
  'motorcycle',
  null, // 13 parking slot
  null, // 14 road work
  'traffic light',
  null, // 16 terrain: in no image
  'rider',
  null, // 18 truck: in no image
  'bus',
  null, // 20 train: in no image
  'wall',
  null, // 22 lane marking
];

const table = synthiaLabels.map((name) => synthia16Classes.find((one) => one.name === name)?.id ?? VOID);
const UNMEASURED = 65535;

/** Reads SYNTHIA-RAND-CITYSCAPES with the 16 classes that it shares with Cityscapes. All images train. */
export async function readSynthia(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  return openSplits(
    files,
    options,
    'SYNTHIA-RAND-CITYSCAPES',
    { classes: synthia16Classes, table, decode: decodeClass },
    {
      train: async () => {
        const paired = await pairedFrames(files, 'RGB', 'GT/LABELS');
        const measured = await noting(paired.problems, () => files.exists('Depth/Depth'));
        if (!measured) return paired;
        const depth = (id: string) => ({ path: `Depth/Depth/${id}.png`, decode: decodeCentimetres });
        return { ...paired, frames: paired.frames.map((frame) => ({ ...frame, depth: depth(frame.id) })) };
      },
    },
  );
}

function decodeClass(bytes: Uint8Array, name: string): LabelMap {
  const { width, height, samples } = firstChannel(bytes, name, 'label');
  const bad = samples.findIndex((value) => value >= table.length);
  if (bad >= 0)
    throw new DataError(
      `${name}: pixel (x ${bad % width}, y ${Math.floor(bad / width)}) holds label id ${samples[bad]}; expected 0 to ${table.length - 1}`,
    );
  return { width, height, data: Uint8Array.from(samples) };
}

function decodeCentimetres(bytes: Uint8Array, name: string): DepthMap {
  const { width, height, samples } = firstChannel(bytes, name, 'depth');
  return {
    width,
    height,
    data: Float32Array.from(samples, (value) => (value === UNMEASURED ? 0 : value / 100)),
  };
}

function firstChannel(bytes: Uint8Array, name: string, what: string) {
  const { width, height, channels, depth, data } = decodePng(bytes, name);
  if (depth !== 16)
    throw new DataError(
      `${name}: ${what} PNG of ${depth} bits; expected 16 bits a channel, as SYNTHIA's archive has them`,
    );
  return { width, height, samples: data.filter((_, i) => i % channels === 0) };
}
