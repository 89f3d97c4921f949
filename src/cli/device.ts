import { availableParallelism } from 'node:os';
import { useDevice } from '../autograd/tensor.ts';
import { samplesHere, useSamples } from '../data/batch.ts';
import { Loaders } from '../data/loaders.ts';
import { PinError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { available, MATRICES, type Variant } from '../gpu/kernel.ts';
import { releaseInstances } from '../gpu/node-adapter.ts';
import { openGpu } from '../gpu/open.ts';
import { kernelList } from './kernel-list.ts';
import { errColors, note } from './output.ts';
import { didYouMean } from './usage.ts';

/** @throws PinError where a pin of WARPMIX_VARIANTS names no kernel, or none of its variants */
function checkPins(pinned: ReadonlyMap<string, string>): void {
  for (const [name, variant] of pinned) {
    const entry = kernelList.find(({ kernel }) => kernel.name === name);
    const names = (entry?.kernel.variants ?? []).map((one) => one.name);
    if (names.includes(variant)) continue;
    const known = kernelList.map(({ kernel }) => kernel.name);
    throw new PinError(
      entry
        ? `WARPMIX_VARIANTS: ${name} has no variant '${variant}'; it has ${names.join(', ')}`
        : `WARPMIX_VARIANTS: no kernel '${name}'${didYouMean(name, known)}; 'warpmix kernels' lists them`,
    );
  }
}

/** Where to read on about features that Dawn offers only where they are asked for. */
const askedFor = ({ needs }: Variant<never>) =>
  needs && needs in MATRICES ? ' (docs/inspecting.md#subgroup-matrices)' : '';

/**
 * Runs `work` with the machine's GPU as current device and closes it afterwards, so that the process can end.
 * A software adapter is announced on stderr, and so are pinned variants.
 * @throws NoAdapterError, PinError
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
  // A software adapter computes on the cores that would load.
  const loaders = gpu.adapter.software ? null : new Loaders(availableParallelism());
  if (loaders) useSamples(loaders);
  try {
    checkPins(gpu.pinned);
    if (gpu.pinned.size > 0) {
      note(`pinned by WARPMIX_VARIANTS: ${[...gpu.pinned].map((pair) => pair.join('=')).join(', ')}`);
      for (const { kernel } of kernelList) {
        const variant = kernel.variants.find(({ name }) => name === gpu.pinned.get(kernel.name));
        if (variant && !available(variant, gpu.adapter)) {
          note(
            `${kernel.name}=${variant.name} needs ${variant.needs}, which this adapter does not offer: the rule chooses${askedFor(variant)}`,
          );
        }
      }
    }
    return await work(gpu);
  } finally {
    useSamples(samplesHere);
    await loaders?.end();
    gpu.close();
    releaseInstances();
  }
}
