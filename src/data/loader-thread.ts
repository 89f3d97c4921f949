// A thread that loads: opens the data sets that it is asked about, and makes samples of their frames.
import { parentPort } from 'node:worker_threads';
import { samplesHere } from './batch.ts';
import type { Job, Reply } from './loader-protocol.ts';
import { openDataset } from './open.ts';
import { relabelled } from './relabel.ts';
import { DataError, type Origin, type Split } from './types.ts';

const splits = new Map<string, Promise<Split>>();

async function open({ spec, options, split, relabel }: Origin): Promise<Split> {
  const own = (await openDataset(spec, options))[split]!;
  return relabel ? relabelled(own, relabel) : own;
}

function splitOf(origin: Origin): Promise<Split> {
  const key = JSON.stringify(origin);
  let split = splits.get(key);
  if (!split) splits.set(key, (split = open(origin)));
  return split;
}

/** Of images, which nobody else holds; labels may be a reader's own. */
const buffers = (images: readonly { data: Float32Array }[]) => [
  ...new Set(images.map(({ data }) => data.buffer as ArrayBuffer)),
];

async function answer(job: Job): Promise<void> {
  const say = (reply: Reply, moved: ArrayBuffer[] = []) => parentPort!.postMessage(reply, moved);
  try {
    const ref = { split: await splitOf(job.origin), index: job.index };
    if (job.kind === 'labelled') {
      const sample = await samplesHere.labelled(ref, job.options);
      say({ id: job.id, sample }, buffers([sample.image]));
    } else {
      const sample = await samplesHere.video(ref, job.options);
      say({ id: job.id, sample }, buffers([...sample.plain, ...sample.seen]));
    }
  } catch (error) {
    const { message, stack } = error as Error;
    const data = error instanceof DataError;
    say({ id: job.id, message: data ? message : (stack ?? message), data });
  }
}

parentPort!.on('message', answer);
