// What a training run leaves behind: config.json, log.jsonl, TensorBoard events, checkpoints/, pictures/, summary.json
// and report.html.
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { encodePng } from '../data/codecs.ts';
import { isInside } from '../data/files.ts';
import { DataError, type RgbImage } from '../data/types.ts';
import { cleanCheckpoints, RESUME_WHEN_WRITABLE, writeCheckpoint } from './checkpoint.ts';
import type { TensorGroup } from './checkpoint-format.ts';
import { expectFolder, makeFolder, UNFINISHED, writeWhole } from './durable.ts';
import { CONFIG, LOG } from './run-archive.ts';
import { json, logEvents, logUpTo } from './run-log.ts';
import { fileVersionEvent, imageEvent, scalarsEvent, startEvent } from './tfevents.ts';

const seconds = () => Date.now() / 1000;

/** A file that only grows. What `append` was given is with the operating system when it returns. */
class Journal {
  readonly path: string;
  #handle: number;

  constructor(path: string) {
    this.path = path;
    this.#handle = openSync(path, 'a');
  }

  append(data: Uint8Array | string): void {
    this.#guarded(() => writeFileSync(this.#handle, data));
  }

  /** Waits until everything is on the disk. */
  sync(): void {
    this.#guarded(() => fsyncSync(this.#handle));
  }

  close(): void {
    try {
      this.sync();
    } finally {
      closeSync(this.#handle);
    }
  }

  #guarded(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw new DataError(
        `${this.path}: cannot be written: ${(error as Error).message}. ${RESUME_WHEN_WRITABLE}`,
      );
    }
  }
}

/** The configuration a run was started with; null where there is no run. DataError when it is no JSON object. */
export function readConfig(dir: string): Record<string, unknown> | null {
  const path = join(dir, CONFIG);
  if (!existsSync(path)) return null;
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new DataError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new DataError(`${path}: cannot be read: expected a JSON object, the settings of a run`);
  return config as Record<string, unknown>;
}

/** Whether nothing is there, but for what a crash has left half-written. */
export const holdsNothing = (dir: string): boolean =>
  !existsSync(dir) || readdirSync(dir).every((name) => name.endsWith(UNFINISHED));

function removeUnfinished(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.endsWith(UNFINISHED)) rmSync(join(folder, entry.name), { recursive: true, force: true });
  }
}

export class RunFolder {
  readonly dir: string;
  readonly #config: object;
  #log: Journal;
  readonly #events: Journal;

  private constructor(dir: string, config: object) {
    this.dir = dir;
    this.#config = config;
    this.#log = new Journal(join(dir, LOG));
    // TensorBoard reads the files of a folder in the order of their names.
    const start = Math.floor(seconds());
    const earlier = readdirSync(dir).filter((name) => name.includes('.tfevents.')).length;
    const number = String(earlier).padStart(4, '0');
    this.#events = new Journal(join(dir, `events.out.tfevents.${start}.${number}.warpmix`));
    this.#events.append(fileVersionEvent(seconds()));
  }

  /**
   * Makes the folder of a new run, or with `resume` opens that of an earlier one, and writes config.json. What a crash
   * has left half-written there is removed.
   * @throws DataError when the folder holds something and `resume` is not set, or when it cannot be written
   */
  static create(dir: string, config: object, options: { resume?: boolean } = {}): RunFolder {
    expectFolder(dir);
    if (!options.resume && !holdsNothing(dir))
      throw new DataError(
        `${dir}: holds something already; give the new run another folder with --out, or continue the run that ` +
          'is there with --resume auto',
      );
    try {
      makeFolder(dir);
      removeUnfinished(dir);
      // First, so that a folder that a crash leaves is known as a run.
      writeWhole(join(dir, CONFIG), `${json(config, 2)}\n`);
      for (const name of ['pictures', 'checkpoints']) makeFolder(join(dir, name));
      removeUnfinished(join(dir, 'pictures'));
      cleanCheckpoints(dir);
      const log = join(dir, LOG);
      if (existsSync(log)) writeWhole(log, logUpTo(readFileSync(log, 'utf8')));
      return new RunFolder(dir, config);
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(`${dir}: cannot be written: ${(error as Error).message}`);
    }
  }

  /**
   * Takes the records back to a step, after its checkpoint has been loaded: the log loses the events with a later
   * `step` and the end, which will happen again, and TensorBoard is told to forget them.
   */
  rewind(step: number): void {
    const path = join(this.dir, LOG);
    this.#log.close();
    writeWhole(path, logUpTo(readFileSync(path, 'utf8'), step));
    this.#log = new Journal(path);
    this.#events.append(startEvent(seconds(), step + 1));
  }

  /** The events of log.jsonl up to now. */
  events(): Record<string, unknown>[] {
    return logEvents(readFileSync(join(this.dir, LOG), 'utf8')).map(({ event }) => event);
  }

  /** Appends one line to log.jsonl. A crash of this process does not lose it. */
  log(event: Record<string, unknown>): void {
    this.#log.append(`${json(event)}\n`);
  }

  /** Appends numbers to the TensorBoard events, by tag, such as `{'loss/photometric': 0.1}`. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#events.append(scalarsEvent(seconds(), step, values));
  }

  /**
   * Writes `pictures/NAME.png`; with a step TensorBoard gets the picture too.
   * @param name may hold slashes, such as `val/0003-disparity`
   */
  picture(name: string, image: RgbImage, step?: number): string {
    if (!isInside(name)) throw new DataError(`picture ${JSON.stringify(name)}: the name leaves the folder`);
    const path = join(this.dir, 'pictures', `${name}.png`);
    const png = encodePng(image);
    makeFolder(dirname(path));
    writeWhole(path, png);
    if (step !== undefined) {
      const { width, height } = image;
      this.#events.append(imageEvent(seconds(), step, name, { width, height, png }));
    }
    return path;
  }

  /** See `writeCheckpoint`; `meta` gets the configuration too. The log up to here is on the disk before the checkpoint is. */
  saveCheckpoint(
    step: number,
    groups: Readonly<Record<string, Readonly<TensorGroup>>>,
    meta: Readonly<Record<string, unknown>>,
  ): string {
    this.#log.sync();
    this.#events.sync();
    return writeCheckpoint(this.dir, step, groups, { ...meta, config: this.#config });
  }

  /** Writes summary.json. */
  summary(summary: object): void {
    writeWhole(join(this.dir, 'summary.json'), `${json(summary, 2)}\n`);
  }

  /** Writes report.html. */
  report(html: string): void {
    writeWhole(join(this.dir, 'report.html'), html);
  }

  /** Ends the log and the events; nothing may be written after. */
  close(): void {
    this.#log.close();
    this.#events.close();
  }
}
