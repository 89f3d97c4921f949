// A thread that loads: opens the data sets that it is asked about, and makes samples of their frames.
import { parentPort } from 'node:worker_threads';
import { type FrameRef, samplesHere } from './batch.ts';
import type { Job, Reply } from './loader-protocol.ts';
import { openDataset } from './open.ts';
import { relabelled } from './relabel.ts';
import { DataError, type Dataset, type Origin, type RgbImage } from './types.ts';

/** By spec and options, for as long as the thread lives. */
const datasets = new Map<string, Promise<Dataset>>();

function open({ spec, options }: Origin): Promise<Dataset> {
  const key = JSON.stringify([spec, options]);
  let dataset = datasets.get(key);
  if (!dataset) datasets.set(key, (dataset = openDataset(spec, options)));
  return dataset;
}

/** @throws DataError where the frame is not, or no longer, what the thread that asks has found there */
async function refOf({ origin, index, frame }: Job): Promise<FrameRef> {
  const own = (await open(origin))[origin.split];
  let here: string | undefined;
  try {
    here = own?.id(index);
  } catch {
    // There are fewer frames now.
  }
  if (!own || here !== frame)
    throw new DataError(
      `${origin.spec}: changed while it was in use: frame ${index} of ${origin.split} was ${frame} and is ${here ?? 'missing'}. ` +
        'Leave the data as they are until the command is done',
    );
  return { split: origin.relabel ? relabelled(own, origin.relabel) : own, index };
}

/** Copies, to be given away: a reader may keep what it has read. */
const copies = (images: readonly RgbImage[]): RgbImage[] =>
  images.map((image) => ({ ...image, data: image.data.slice() }));

const buffers = (images: readonly RgbImage[]) => images.map(({ data }) => data.buffer as ArrayBuffer);

async function answer(job: Job): Promise<void> {
  const say = (reply: Reply, moved: ArrayBuffer[] = []) => parentPort!.postMessage(reply, moved);
  try {
    const ref = await refOf(job);
    if (job.kind === 'labelled') {
      const sample = await samplesHere.labelled(ref, job.options);
      const [image] = copies([sample.image]);
      say({ id: job.id, sample: { ...sample, image } }, buffers([image]));
    } else {
      const sample = await samplesHere.video(ref, job.options);
      const images = copies(sample.images);
      say({ id: job.id, sample: { ...sample, images } }, buffers(images));
    }
  } catch (error) {
    const { message, stack } = error as Error;
    say({ id: job.id, message, stack, data: error instanceof DataError });
  }
}

parentPort!.on('message', answer);
