import { useDevice } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { releaseInstances } from '../gpu/node-adapter.ts';
import { openGpu } from '../gpu/open.ts';
import { errColors, note } from './output.ts';

/**
 * Runs `work` with the machine's GPU as current device and closes it afterwards, so that the process can end.
 * A software adapter is announced on stderr.
 * @throws NoAdapterError
 */
export async function withGpu<T>(work: (gpu: Gpu) => Promise<T>): Promise<T> {
  const { gpu } = await openGpu();
  useDevice(gpu);
  if (gpu.adapter.software) {
    const { vendor, architecture } = gpu.adapter;
    note(
      errColors.yellow(`no GPU: running on the software adapter ${vendor}/${architecture}, which is slow`),
    );
  }
  try {
    return await work(gpu);
  } finally {
    gpu.close();
    releaseInstances();
  }
}
