// What the thread that trains and the threads that load say to each other.
import type { LabelledOptions, VideoOptions } from './batch.ts';
import type { Origin } from './types.ts';

/** A sample to make of the frame with this index, which is to have this id: what a folder holds may have changed since it was first read. */
export type Job = { id: number; origin: Origin; index: number; frame: string } & (
  | { kind: 'labelled'; options: LabelledOptions }
  | { kind: 'video'; options: VideoOptions }
);

/** The sample, or why there is none; `data` where the data are at fault. */
export type Reply =
  | { id: number; sample: unknown }
  | { id: number; message: string; stack?: string; data: boolean };
