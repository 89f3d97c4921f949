import { useDevice } from '../../autograd/tensor.ts';
import { UsageError } from '../../cli/usage.ts';
import { useFolders } from '../../data/open.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { openGpu } from '../../gpu/open.ts';
import { type ArchivedRun, unpackRun } from '../../train/run-archive.ts';
import { Moved, tell } from '../rpc.ts';
import { openChosen } from './folder-files.ts';
import { Turns } from './gate.ts';
import type { ChosenFolder, Prepared, RunRequest, TrainApi, TrainEvents } from './protocol.ts';
import { configOf, requestOf } from './request.ts';
import { TrainingRun } from './run.ts';

let gpu: Gpu | null = null;
let run: TrainingRun | null = null;
/** Of what replaces the run. */
const turns = new Turns();

/** The device, a new one after a loss. */
async function device(): Promise<Gpu> {
  if (gpu) return gpu;
  const opened = (await openGpu()).gpu;
  opened.device.lost.then(() => {
    if (gpu === opened) gpu = null;
  });
  useDevice(opened);
  gpu = opened;
  return opened;
}

async function begin(
  request: RunRequest,
  from: { archive: ArchivedRun; name: string } | null,
  folders: ChosenFolder[],
): Promise<Prepared> {
  const config = configOf(request);
  const before = run;
  run = null;
  await before?.close();
  if (before?.failed) {
    // What an error left behind goes with its device.
    gpu?.close();
    gpu = null;
  }
  useFolders(async (folder) => openChosen(folders, folder));
  run = await TrainingRun.open(await device(), request, config, from, (...what) =>
    tell<TrainEvents, (typeof what)[0]>(...what),
  );
  return run.prepared();
}

function current(): TrainingRun {
  if (run) return run;
  throw new UsageError('there is no run; choose a recipe first');
}

/** What a worker does for the section `train`. */
export const trainApi: TrainApi = {
  prepare: (request, folders) => turns.during(() => begin(request, null, folders)),
  load: (bytes, name, folders) =>
    turns.during(async () => {
      const archive = await unpackRun(bytes, name);
      return begin(requestOf(archive.config, name), { archive, name }, folders);
    }),
  run: (steps) => current().run(steps),
  pause: () => current().pause(),
  galleries: () => current().galleries(),
  evaluate: () => current().evaluate(),
  checkpoint: async () => {
    const file = await current().checkpoint();
    return new Moved(file, [file.bytes.buffer]);
  },
};
