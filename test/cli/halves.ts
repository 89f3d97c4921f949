// A data set and networks that train in a second.
import { encodePng } from '../../src/data/codecs.ts';
import { folderOf } from '../data/fixtures.ts';

export const SIZE = 64;
export const NAMES = ['a', 'b', 'c', 'd'];

export const image = (shift: number) =>
  encodePng({
    width: SIZE,
    height: SIZE,
    data: Uint8Array.from(
      { length: SIZE * SIZE * 3 },
      (_, i) => (i * 7 + shift * 31 + Math.floor(i / 600) * 40) % 256,
    ),
  });
export const label = (value: (x: number, y: number) => number, size = SIZE) =>
  encodePng({
    width: size,
    height: size,
    data: Uint8Array.from({ length: size * size }, (_, i) => value(i % size, Math.floor(i / size))),
  });
export const halves = (_: number, y: number) => (y < SIZE / 2 ? 0 : 1);

/** A pack of four labelled images with two classes, and changes to its files. */
export function pack(changes: Record<string, Uint8Array | null> = {}) {
  const files: Record<string, Uint8Array | object> = {
    'manifest.json': {
      name: 'two halves',
      kind: 'semantic-segmentation',
      width: SIZE,
      height: SIZE,
      image: 'image/<id>.png',
      label: 'label/<id>.png',
      void: 255,
      classes: [
        { id: 0, name: 'above', color: [10, 20, 200] },
        { id: 1, name: 'below', color: [200, 20, 10] },
      ],
      frames: NAMES,
    },
  };
  NAMES.forEach((name, i) => {
    files[`image/${name}.png`] = image(i);
    files[`label/${name}.png`] = label(halves);
  });
  for (const [path, bytes] of Object.entries(changes)) {
    if (bytes) files[path] = bytes;
    else delete files[path];
  }
  return folderOf(files);
}

/** Options of `train`. */
export const SMALL = [
  '--set',
  'pixels=4096',
  '--set',
  'model.encoder.widths=[4,4,8,8,8]',
  '--set',
  'model.decoder.widths=[4,4,4,8,8]',
];
