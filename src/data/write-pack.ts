import { encodePng } from './codecs.ts';
import { NO_VAL } from './splits.ts';
import { DataError, type Dataset, type DepthMap, type Frame, type Split } from './types.ts';

/** Depth is stored in 1/256 m in 16 bits. */
const STEPS_PER_METRE = 256;
const MAX_STEPS = 65535;
/** A pack says which frames are neighbours by time and sequence; where only the fact is known, frames are this far apart. */
const SECONDS = 0.1;

/** Stores one file of the pack; folders of `path` are made as needed. */
export type Save = (path: string, bytes: Uint8Array | string) => void | Promise<void>;

/**
 * Writes a data set as a pack, one folder per split, that `pack:` gives back: PNG images, labels, depth (values beyond
 * 255 m become 0, no measurement), poses and intrinsics.
 * @param done is told after each frame how many of how many are written
 */
export async function writePack(
  dataset: Dataset,
  save: Save,
  done: (written: number, of: number) => void = () => {},
): Promise<void> {
  const splits: [string, Split][] = [['train', dataset.train]];
  if (dataset.val !== dataset.train) splits.push(['val', dataset.val]);
  if (dataset.unlabelled !== dataset.train) splits.push(['unlabelled', dataset.unlabelled]);
  if (dataset.test) splits.push(['test', dataset.test]);
  const total = splits.reduce((n, [, split]) => n + split.length, 0);
  let written = 0;
  for (const [name, split] of splits) {
    const frames: { id: string; sequence: string; time_s: number }[] = [];
    const poses: string[] = [];
    const taken = new Set<string>();
    let sequence = 0;
    let place = 0;
    for (let i = 0; i < split.length; i++) {
      const follows = i > 0 && (split.neighbours(i)?.[0] === i - 1 || split.neighbours(i - 1)?.[1] === i);
      if (i > 0 && !follows) sequence += 1;
      place = follows ? place + 1 : 0;
      const id = fileId(split.id(i), i, taken);
      frames.push({ id, sequence: String(sequence), time_s: Number((place * SECONDS).toFixed(3)) });
      const frame = await split.load(i);
      await save(`${name}/image/${id}.png`, encodePng(frame.image));
      if (split.hasLabels) await save(`${name}/label/${id}.png`, encodePng(present(frame, 'label', id)));
      if (split.hasDepth)
        await save(`${name}/depth/${id}.png`, encodePng(toSteps(present(frame, 'depth', id))));
      if (split.hasPoses) poses.push(present(frame, 'pose', id).slice(0, 12).join(' '));
      done(++written, total);
    }
    if (split.hasPoses) await save(`${name}/poses.txt`, `${poses.join('\n')}\n`);
    const manifest = {
      // `pack:` adds it anew.
      name: dataset.title.replace(NO_VAL, ''),
      kind: split.hasLabels ? 'semantic-segmentation' : 'unlabelled-images',
      width: dataset.width,
      height: dataset.height,
      image: 'image/<id>.png',
      ...(split.hasLabels && { label: 'label/<id>.png', void: 255, classes: dataset.classes }),
      ...(split.hasDepth && { depth: { file: 'depth/<id>.png' } }),
      ...(split.hasPoses && { poses: 'poses.txt' }),
      ...(split.intrinsics && { intrinsics: split.intrinsics }),
      frames,
    };
    await save(`${name}/manifest.json`, `${JSON.stringify(manifest, null, 1)}\n`);
  }
}

/** `pack:` takes ids of up to 200 characters; what is added to tell ids apart must fit too. */
const LONGEST_ID = 150;

/** Ids become file names: without what file names may not have, none twice, none empty. @param index tells apart what would be alike. */
function fileId(id: string, index: number, taken: Set<string>): string {
  const safe =
    id
      .replace(/[^\w+-]+/g, '_')
      .replace(/^[+-]+/, '')
      .slice(0, LONGEST_ID) || 'frame';
  let found = safe;
  // On some disks a.png and A.png are one file.
  for (let more = index; taken.has(found.toLowerCase()); more++) found = `${safe}-${more}`;
  taken.add(found.toLowerCase());
  return found;
}

function present<K extends keyof Frame>(frame: Frame, key: K, id: string): NonNullable<Frame[K]> {
  const value = frame[key];
  if (value === undefined)
    throw new DataError(`frame ${id}: no ${key}, though its split has one for every frame`);
  return value as NonNullable<Frame[K]>;
}

function toSteps(depth: DepthMap): { width: number; height: number; data: Uint16Array } {
  const data = Uint16Array.from(depth.data, (metres) => {
    const steps = Math.round(metres * STEPS_PER_METRE);
    return steps > MAX_STEPS ? 0 : steps;
  });
  return { width: depth.width, height: depth.height, data };
}
