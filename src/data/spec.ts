// What a data spec may say. Apart from the readers: a form of the studio takes specs without them.
import { nearestName } from './nearest.ts';
import { DataError } from './types.ts';

/** The readers of folders by their name in a spec. */
export const READERS = [
  'pack',
  'folder',
  'cityscapes',
  'gta5',
  'synthia',
  'camvid',
  'kitti',
  'mapillary',
  'voc',
] as const;

/** Looks of the street world. */
export const streetVariants = ['clean', 'night'] as const;

/** The specs there are, in words. */
export const SPECS = `street[:VARIANT] or NAME:DIR, where NAME is one of ${READERS.join(', ')}`;

/** Parts of a data spec `NAME` or `NAME:REST`. */
export interface DataSpec {
  /** `street`, or one of `READERS`. */
  reader: string;
  /** Variant of the street world, or folder; '' when not given. */
  rest: string;
}

/** @throws DataError on a name that has no reader, with the nearest name that has one, and on a missing folder */
export function parseSpec(spec: string): DataSpec {
  const colon = spec.indexOf(':');
  const reader = colon < 0 ? spec : spec.slice(0, colon);
  const rest = colon < 0 ? '' : spec.slice(colon + 1);
  const quoted = JSON.stringify(spec);
  const names = ['street', ...READERS] as string[];
  if (!names.includes(reader)) {
    const near = nearestName(reader, names);
    throw new DataError(
      `data ${quoted}: no such reader${near ? ` (did you mean ${near}?)` : ''}; these work: ${SPECS}`,
    );
  }
  if (reader !== 'street' && rest === '')
    throw new DataError(`data ${quoted}: no folder; expected ${reader}:DIR`);
  return { reader, rest };
}
