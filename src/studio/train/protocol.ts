// What the page of a run and its worker say to each other. The run itself is in the worker.
import type { PresetName } from '../../train/config.ts';
import type { StepReport } from '../../train/loop.ts';
import type { Gallery, Outcome } from '../../train/plan.ts';
import type { Moved } from '../rpc.ts';

/** What a run is made of, and all that an address holds of it. */
export interface RunRequest {
  recipe: string;
  preset: PresetName;
  /** `street[:VARIANT]`, or `READER:NAME` where NAME is that of a folder of `files`. */
  data: string;
  /** Null: all. */
  labels: number | null;
  seed: number;
  /** Of the last phase; null: as the preset says. */
  steps: number | null;
  /** Further settings, `a.b=1`. */
  set: string[];
}

/** A folder that the user chose; paths are relative to it. */
export interface ChosenFolder {
  name: string;
  files: { path: string; file: File }[];
}

/** A run that is ready to go on from step `start`. */
export interface Prepared {
  request: RunRequest;
  /** One sentence: what is trained, on what. */
  about: string;
  classes: { name: string; color: readonly [number, number, number] }[];
  phases: { name: string; steps: number }[];
  /** The whole configuration, as config.json has it. */
  config: unknown;
  start: number;
  total: number;
  /** Terms of the steps up to `start`, for the curves of a run that was taken up again. */
  history: { phase: string; step: number; terms: Record<string, number> }[];
  /** The same run in a terminal. */
  command: string;
}

export interface Memory {
  live: number;
  peak: number;
  reserved: number;
}

/** What was seen of a run, and after which step: the one that was being made when it was asked for is over by then. */
export interface Looked<T> {
  step: number;
  seen: T;
}

export type TrainApi = {
  /** Builds the run; what was there before is let go. @throws by name ConfigError, DataError, UsageError */
  prepare(request: RunRequest, folders: ChosenFolder[]): Promise<Prepared>;
  /**
   * The same from a file that `checkpoint` made, here or in another page, or from a zipped run folder.
   * @throws DataError naming the damaged part
   */
  load(bytes: Uint8Array, name: string, folders: ChosenFolder[]): Promise<Prepared>;
  /**
   * Goes on for some steps, or with null to the end, and returns at once; `state` and `step` tell the rest. Where training has ended
   * it does nothing.
   */
  run(steps: number | null): void;
  /** Stops after the step that is being made. */
  pause(): void;
  /** Pictures of what the networks see now. Waits for the step that is being made. */
  galleries(): Promise<Looked<Gallery[]>>;
  /** Scores on the evaluation split now. Waits likewise. */
  evaluate(): Promise<Looked<Outcome>>;
  /** The run up to here as one file, which `warpmix train --resume FILE` takes too. */
  checkpoint(): Promise<Moved<{ bytes: Uint8Array; step: number; name: string }>>;
};

export type TrainEvents = {
  step: StepReport & {
    memory: Memory;
    /**
     * Milliseconds that the device was busy, of the third step of a phase and of every 50th; null for others, and where there are
     * no timestamps.
     */
    gpuMs: number | null;
  };
  /** `running` until the step that is being made has ended. */
  state: { running: boolean; step: number; done: boolean };
  note: string;
  /**
   * Training ended with an error: `load` of a file, or `prepare`, begins again, on a new device where this one was lost.
   * `step` is that of the last `saved`, or of the file that was loaded; 0: there is none.
   */
  failed: { name: string; message: string; step: number };
  /**
   * The run up to here, for when it or this worker is lost: at every checkpoint of the settings, after a minute without one, and at
   * the end.
   */
  saved: { bytes: Uint8Array; step: number; name: string };
};
