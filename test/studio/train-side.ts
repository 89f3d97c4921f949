// Runs in a page: a worker of the studio, driven from a test. Bytes travel as base64.
import { Remote } from '../../src/studio/rpc.ts';
import type { ChosenFolder, RunRequest, TrainApi, TrainEvents } from '../../src/studio/train/protocol.ts';

export type TrainEvent = {
  [K in keyof TrainEvents]: { event: K; detail: TrainEvents[K] };
}[keyof TrainEvents];

/** A folder with its files as base64. */
export interface SentFolder {
  name: string;
  files: Record<string, string>;
}

const toBytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toText = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};

const chosen = ({ name, files }: SentFolder): ChosenFolder => ({
  name,
  files: Object.entries(files).map(([path, text]) => {
    const file = new File([toBytes(text) as BlobPart], path.split('/').at(-1)!);
    return { path, file };
  }),
});

let worker: Remote<TrainApi, TrainEvents>;
const heard: TrainEvent[] = [];
let news = () => {};

export function start(): void {
  worker = new Remote('train', () => {});
  for (const event of ['step', 'state', 'note', 'failed', 'saved'] as const) {
    worker.on(event, (detail) => {
      if (typeof detail === 'object' && 'bytes' in detail) {
        saved = detail.bytes;
        detail = { ...detail, bytes: new Uint8Array() };
      }
      heard.push({ event, detail } as TrainEvent);
      news();
    });
  }
}

const named = <T>(answer: Promise<T>): Promise<T | { error: string }> =>
  answer.catch(({ name, message }: Error) => ({ error: `${name}: ${message}` }));

export const prepare = (request: RunRequest, folders: SentFolder[] = []) =>
  named(worker.call('prepare', request, folders.map(chosen)));
export const load = (file: string, name: string, folders: SentFolder[] = []) =>
  named(worker.call('load', toBytes(file), name, folders.map(chosen)));
export const galleries = () => named(worker.call('galleries'));
export const evaluate = () => named(worker.call('evaluate'));
export const checkpoint = async () => {
  const { bytes, ...rest } = await worker.call('checkpoint');
  return { ...rest, file: toText(bytes) };
};
export const run = (steps: number | null) => named(worker.call('run', steps));
export const pause = () => named(worker.call('pause'));

/** The file of the last `saved`, as `checkpoint` gives one. */
let saved: Uint8Array | null = null;
export const savedFile = () => saved && toText(saved);

/** Waits until training stands, and gives everything that was told since the last call. */
export async function stand(): Promise<TrainEvent[]> {
  const stands = () => heard.some(({ event, detail }) => event === 'state' && !detail.running);
  while (!stands()) {
    await new Promise<void>((resolve) => {
      news = resolve;
    });
  }
  return heard.splice(0);
}
