// Small data packs: a folder with a `manifest.json` (images) or an `intrinsics.json` (video) and the files it names.
import * as z from 'zod/mini';
import { pascalColour, VOID } from './classes.ts';
import { decodeDepth16 } from './codecs.ts';
import {
  ANY_ID,
  type DepthFile,
  FileSplit,
  type FrameFiles,
  type Opened,
  type ReadOptions,
} from './file-split.ts';
import { type FileSource, fileName, isInside } from './files.ts';
import { checkSize, MAX_SIDE } from './image-limits.ts';
import { parseJson, shown } from './json.ts';
import { readDepthArray } from './npy.ts';
import { readPoses } from './poses.ts';
import { MAX_PROBLEMS, noting } from './problems.ts';
import { firstSize } from './splits.ts';
import {
  type ClassInfo,
  DataError,
  type DepthMap,
  type Intrinsics,
  SPLIT_NAMES,
  type SplitName,
} from './types.ts';

const MAX_FRAMES = 1_000_000;
/** A manifest of some bytes may state a million frames; where more than this have no file they are not listed one by one. */
const MAX_MISSING = 1000;
/** Frames further apart than this are no neighbours: view synthesis needs nearly the same view. */
const MAX_GAP_SECONDS = 0.2;

const side = z.int().check(z.minimum(1), z.maximum(MAX_SIDE));
const positive = z.number().check(z.positive());
const inside = z
  .string()
  .check(z.maxLength(500), z.refine(isInside, 'expected a path that stays under the folder'));
// A template such as `image/<id>.jpg` or `image/%06d.jpg`; remarks may follow it after a space or comma.
const template = z
  .pipe(
    z.string().check(z.maxLength(1000)),
    z.transform((text: string) => text.split(/[\s,;]/)[0].replace(/^left\|right\//, 'left/')),
  )
  .check(
    z.refine(
      // `<id>file:/x` is a path until the id stands in it.
      (path) => path !== '' && isInside(path) && isInside(fill(path, 'x')),
      'expected a path that stays under the folder',
    ),
  );
const frameId = z
  .string()
  .check(
    z.maxLength(200),
    z.regex(/^\w(?:[\w+-]|\.(?!\.))*$/, 'expected letters, digits, _ + - and single dots'),
  );
const camera = z.object({
  width: side,
  height: side,
  fx: positive,
  fy: positive,
  cx: z.number(),
  cy: z.number(),
});
const byte = z.int().check(z.minimum(0), z.maximum(255));
const fileEntry = z.object({ file: template });

/** A list that is left at its twentieth bad entry: zod's own would describe each of a million. */
function list<T>(entry: z.ZodMiniType<T>, most: number) {
  return z.pipe(
    z.unknown(),
    z.transform((value, context): T[] => {
      if (!Array.isArray(value) || value.length > most) {
        context.issues.push({
          code: 'custom',
          message: `Invalid input: expected a list of at most ${most}`,
          input: value,
        });
        return z.NEVER;
      }
      const entries: T[] = [];
      let bad = 0;
      for (let i = 0; i < value.length && bad < MAX_PROBLEMS; i++) {
        const parsed = entry.safeParse(value[i]);
        if (parsed.success) entries.push(parsed.data);
        else {
          bad += 1;
          for (const issue of parsed.error.issues)
            context.issues.push({ ...issue, path: [i, ...issue.path] } as z.core.$ZodRawIssue);
        }
      }
      return entries;
    }),
  );
}

const manifestSchema = z.object({
  name: z.string().check(z.maxLength(500)),
  kind: z.enum([
    'semantic-segmentation',
    'unlabelled-images',
    'stereo-pair',
    'monocular-video',
    'stereo-video',
  ]),
  width: z.optional(side),
  height: z.optional(side),
  image: z.optional(template),
  label: z.nullish(template),
  void: z.optional(z.literal(VOID)),
  classes: z.optional(
    list(
      z.object({
        id: byte,
        name: z.string().check(z.maxLength(100)),
        color: z.optional(z.tuple([byte, byte, byte])),
      }),
      VOID,
    ),
  ),
  frames: z.optional(
    z.union([
      z.int().check(z.minimum(0), z.maximum(MAX_FRAMES)),
      list(
        z.union([
          frameId,
          z.object({
            id: frameId,
            sequence: z.optional(z.string()),
            time_s: z.optional(z.number()),
            depth: z.optional(inside),
          }),
        ]),
        MAX_FRAMES,
      ),
    ]),
  ),
  adjacent: z.optional(z.boolean()),
  intrinsics: z.nullish(z.union([camera, z.object({ assumed: camera })])),
  baseline_m: z.optional(positive),
  poses: z.nullish(z.string()),
  depth: z.nullish(z.union([fileEntry, z.string()])),
  disparity: z.nullish(fileEntry),
});

type Manifest = z.infer<typeof manifestSchema>;
type Issue = z.core.$ZodIssue;

/** A frame as a manifest lists it. */
interface Entry {
  id: string;
  sequence?: string;
  time_s?: number;
  depth?: string;
}

/** One folder with one manifest. */
interface Part {
  manifest: Manifest;
  frames: FrameFiles[];
  /** Null when the manifest has no sound list. */
  classes: readonly ClassInfo[] | null;
  labelled: boolean;
  camera: Intrinsics | null;
  cameraAssumed: boolean;
}

/**
 * Reads a pack. A folder that holds `train/` and `val/` gives the one to training and the other to evaluation, and
 * `unlabelled/`, where there is one, to the unlabelled split; otherwise the training frames stand in for the missing
 * splits; `test/` gives the test split. Of stereo data the left image is used; a disparity becomes depth
 * (fx * baseline / d) where the baseline is known. Frames come out at the working size, by default the stored size (of
 * the first frame where they differ); the aspect is not kept. Where the manifest gives only an assumed camera, that is
 * used and the title says so. Everything wrong with a manifest is a problem that names file, key and value; so is an empty split.
 */
export async function readPack(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const problems: string[] = [];
  const parts: Partial<Record<SplitName, Part>> = {};
  const folders: [SplitName, string][] = [];
  if (await files.exists('train')) {
    for (const name of SPLIT_NAMES)
      if (await noting(problems, () => files.exists(name))) folders.push([name, `${name}/`]);
  } else folders.push(['train', '']);

  for (const [name, folder] of folders) {
    const part = await noting(problems, () => readPart(files, folder, problems));
    if (part) parts[name] = part;
  }

  const { train } = parts;
  for (const name of ['val', 'test'] as const) {
    const part = parts[name];
    if (!train?.labelled || !part?.labelled || !train.classes || !part.classes) continue;
    const [trained, evaluated] = [names(train.classes), names(part.classes)];
    if (JSON.stringify(trained) !== JSON.stringify(evaluated)) {
      problems.push(
        `${files.root}: train and ${name} list other classes: ${trained.join(', ')} and ${evaluated.join(', ')}`,
      );
    }
  }
  const found = Object.values(parts);
  const classes = found.find((part) => part.labelled && part.classes)?.classes ?? [];
  let size = { width: options.width ?? 0, height: options.height ?? 0 };
  if (options.width === undefined && found.length > 0)
    size = (await noting(problems, () => storedSize(files, found[0], problems))) ?? size;

  const opened: Opened = { title: title(parts), classes, ...size, splits: {}, problems, unpaired: [] };
  for (const [name, part] of Object.entries(parts) as [SplitName, Part][]) {
    opened.splits[name] = new FileSplit({
      files,
      frames: part.frames,
      labels: { classes, table: part.classes ? undefined : ANY_ID },
      intrinsics: part.camera,
      ...size,
    });
  }
  return opened;
}

const names = (classes: readonly ClassInfo[]) => classes.map((one) => one.name);

function title(parts: Partial<Record<SplitName, Part>>): string {
  const { train, val } = parts;
  const notes = [
    train && !val && train.labelled ? 'no evaluation split: evaluated on its training frames' : '',
    train?.cameraAssumed ? 'camera assumed' : '',
  ].filter((note) => note !== '');
  return (train?.manifest.name ?? '') + (notes.length > 0 ? ` (${notes.join('; ')})` : '');
}

async function storedSize(
  files: FileSource,
  part: Part,
  problems: string[],
): Promise<{ width: number; height: number } | undefined> {
  const { width, height } = part.manifest;
  if (width !== undefined && height !== undefined) {
    checkSize(width, height, files.root);
    return { width, height };
  }
  if (part.camera) return { width: part.camera.width, height: part.camera.height };
  return firstSize(files, part.frames, problems);
}

async function readPart(files: FileSource, folder: string, problems: string[]): Promise<Part | undefined> {
  let path = `${folder}manifest.json`;
  if (!(await files.exists(path))) path = `${folder}intrinsics.json`;
  if (!(await files.exists(path))) {
    const here = (await files.list(folder === '' ? '.' : folder)).slice(0, 20).join(', ');
    throw new DataError(
      `${fileName(files, folder)}: no pack: looked for manifest.json, intrinsics.json${folder === '' ? ' and train/' : ''}; found ${here || 'nothing'}`,
    );
  }
  const file = fileName(files, path);
  const parsed = parseManifest(await files.read(path), file, problems);
  if (!parsed) return undefined;
  const { manifest, wrong } = parsed;

  const labelled = manifest.kind === 'semantic-segmentation';
  if (labelled && !manifest.label && !wrong.has('label'))
    problems.push(`${file}: label: missing; expected a path such as label/<id>.png`);
  const classes = wrong.has('classes') ? null : readClasses(manifest, labelled, file, problems);

  const assumed =
    manifest.intrinsics && 'assumed' in manifest.intrinsics ? manifest.intrinsics.assumed : null;
  const known = manifest.intrinsics && 'fx' in manifest.intrinsics ? manifest.intrinsics : null;
  const camera = known ?? assumed;
  // Without one of these it is not known which files belong to the pack.
  const unknown = ['kind', 'image', 'frames'].some((key) => wrong.has(key));
  const frames = unknown ? [] : await listFrames(files, folder, file, manifest, camera, problems);
  return { manifest, frames, classes, labelled, camera, cameraAssumed: assumed !== null };
}

function readClasses(
  manifest: Manifest,
  labelled: boolean,
  file: string,
  problems: string[],
): ClassInfo[] | null {
  const { classes = [] } = manifest;
  const wrong = classes.flatMap(({ id }, i) =>
    id === i ? [] : [`${file}: classes.${i}.id: ${id}; expected ${i}, its place in the list`],
  );
  if (labelled && classes.length === 0) wrong.push(`${file}: classes: missing or empty, with labels given`);
  problems.push(...wrong.slice(0, MAX_PROBLEMS));
  if (wrong.length > 0) return null;
  return classes.map(({ name, color }, id) => ({ id, name, color: color ?? pascalColour(id) }));
}

async function listFrames(
  files: FileSource,
  folder: string,
  file: string,
  manifest: Manifest,
  camera: Intrinsics | null,
  problems: string[],
): Promise<FrameFiles[]> {
  const pair = manifest.kind === 'stereo-pair';
  const image = pair ? 'left.jpg' : (manifest.image ?? 'image/<id>.jpg');
  const listed = pair ? ['left'] : (manifest.frames ?? []);
  const count = typeof listed === 'number' ? listed : listed.length;
  if (count === 0) {
    problems.push(`${file}: frames: empty; expected at least one frame`);
    return [];
  }
  const entries: Entry[] =
    typeof listed === 'number'
      ? ((await noting(problems, () => numberedFrames(files, folder + image, listed))) ?? [])
      : listed.map((one) => (typeof one === 'string' ? { id: one } : one));
  const ids = new Set(entries.map((one) => one.id));
  if (count > 1 && !/<id>|%0\dd/.test(image))
    problems.push(`${file}: image: ${JSON.stringify(image)} names one file for ${count} frames`);
  if (ids.size < entries.length) problems.push(`${file}: frames: an id is listed twice`);

  const label = manifest.kind === 'semantic-segmentation' ? manifest.label : null;
  const depthOf = depthFiles(manifest, folder, camera);
  const poses = manifest.poses?.startsWith('poses.txt')
    ? await readPoses(files, `${folder}poses.txt`, problems, count)
    : undefined;
  if (poses && poses.length !== count)
    problems.push(`${fileName(files, `${folder}poses.txt`)}: ${poses.length} poses for ${count} frames`);
  return entries.map((entry, i) => ({
    id: entry.id,
    image: folder + fill(image, entry.id),
    label: label ? folder + fill(label, entry.id) : undefined,
    depth: entry.depth ? depthFile(folder + entry.depth) : depthOf?.(entry.id),
    pose: poses?.[i],
    stored: camera ?? undefined,
    neighbours:
      i > 0 && i + 1 < entries.length && near(entries[i - 1], entries[i]) && near(entries[i], entries[i + 1])
        ? ([i - 1, i + 1] as const)
        : undefined,
  }));

  function near(a: Entry, b: Entry): boolean {
    if (manifest.adjacent !== undefined) return manifest.adjacent;
    if (a.time_s === undefined || b.time_s === undefined || a.sequence !== b.sequence) return false;
    return b.time_s > a.time_s && b.time_s - a.time_s <= MAX_GAP_SECONDS;
  }
}

/** Depth in a 16-bit PNG, or in an array of numbers. */
const depthFile = (path: string): DepthFile => ({
  path,
  decode: /\.np[yz]$/.test(path) ? readDepthArray : decodeDepth16,
});

function depthFiles(
  manifest: Manifest,
  folder: string,
  camera: Intrinsics | null,
): ((id: string) => DepthFile) | null {
  const { depth, disparity, baseline_m: baseline } = manifest;
  if (depth && typeof depth === 'object') return (id) => depthFile(folder + fill(depth.file, id));
  if (!disparity || !camera || baseline === undefined) return null;
  const decode = (bytes: Uint8Array, name: string): DepthMap => {
    const map = decodeDepth16(bytes, name);
    return { ...map, data: map.data.map((d) => (d > 0 ? (camera.fx * baseline) / d : 0)) };
  };
  return (id) => ({ path: folder + fill(disparity.file, id), decode });
}

const fill = (path: string, id: string) => path.replace(/<id>|%0\dd/, id);

/**
 * Frames of a template such as `image/%04d.jpg`: `count` numbers on from the first that has a file. With `<id>` they
 * start at 0.
 */
async function numberedFrames(files: FileSource, path: string, count: number): Promise<Entry[]> {
  const before = path.slice(0, path.search(/<id>|%0\dd|$/));
  const folder = before.slice(0, before.lastIndexOf('/') + 1) || '.';
  const names = await files.list(folder);
  if (count > names.length + MAX_MISSING)
    throw new DataError(`${fileName(files, folder)}: ${names.length} files for ${count} frames`);
  const [, start, digits, end] = /^(.*?)%0(\d)d(.*)$/.exec(path) ?? [];
  if (digits === undefined) return Array.from({ length: count }, (_, i) => ({ id: String(i) }));
  const prefix = start.slice(start.lastIndexOf('/') + 1);
  const number = (name: string) => name.slice(prefix.length, name.length - end.length);
  // By value: names sort as text, and 10 comes before 2 where numbers outgrow their padding.
  const numbers = names
    .filter((name) => name.startsWith(prefix) && name.endsWith(end) && /^\d+$/.test(number(name)))
    .map((name) => Number(number(name)));
  const from = numbers.length > 0 ? numbers.reduce((a, b) => Math.min(a, b)) : 0;
  return Array.from({ length: count }, (_, i) => ({ id: String(from + i).padStart(Number(digits), '0') }));
}

/**
 * A manifest, and the fields that are wrong and were left out of it. Undefined when it is no object at all.
 * @throws DataError when the file is no JSON
 */
function parseManifest(
  bytes: Uint8Array,
  file: string,
  problems: string[],
): { manifest: Manifest; wrong: ReadonlySet<PropertyKey> } | undefined {
  const json = parseJson(bytes, file);
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return { manifest: parsed.data, wrong: new Set() };
  const lines = parsed.error.issues.slice(0, MAX_PROBLEMS).map((issue) => {
    const { path, message } = deepest(issue);
    const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], json);
    return `${file}: ${path.join('.') || '(all)'}: ${message}; found ${shown(value)}`;
  });
  problems.push(...lines);
  if (parsed.error.issues.some(({ path }) => path.length === 0)) return undefined;
  const wrong = new Set(parsed.error.issues.map(({ path }) => path[0]));
  const right = Object.entries(json as object).filter(([key]) => !wrong.has(key));
  const rest = { name: '', kind: 'unlabelled-images', ...Object.fromEntries(right) };
  return { manifest: manifestSchema.parse(rest), wrong };
}

/** Of a value that fits none of several forms, the complaint of the form that got furthest. */
function deepest(issue: Issue): { path: PropertyKey[]; message: string } {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0)
    return { path: issue.path, message: issue.message };
  const branches = issue.errors.map((branch) => deepest(branch[0]));
  const longest = Math.max(...branches.map((branch) => branch.path.length));
  const best = branches.filter((branch) => branch.path.length === longest);
  return {
    path: [...issue.path, ...best[0].path],
    message: [...new Set(best.map((branch) => branch.message))].join(', or '),
  };
}
