import type { Inputs, Program } from '../src/autograd/program.ts';
import { useDevice } from '../src/autograd/tensor.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { openGpu } from '../src/gpu/open.ts';
import { uniform } from '../src/gpu/threefry.ts';

let opened: Promise<Gpu> | null = null;

/** The one device every test shares, as current device. Without an adapter the test that asks fails. */
export async function testGpu(): Promise<Gpu> {
  opened ??= openGpu().then(({ gpu }) => gpu);
  const gpu = await opened;
  useDevice(gpu);
  return gpu;
}

/** What the program returns for these inputs. */
export async function assignAndReplay<In extends Inputs>(program: Program<In>, inputs: In) {
  await program.assign(inputs);
  return program.replay();
}

/** `count` numbers in [low, high), the same for the same stream. */
export const randoms = (count: number, stream: number, low = -1, high = 1): Float64Array =>
  Float64Array.from({ length: count }, (_, k) => Math.fround(low + (high - low) * uniform(20, stream, k)));

/** Largest difference over the largest expected magnitude. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let error = 0;
  let scale = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    error = Math.max(error, difference);
    scale = Math.max(scale, Math.abs(want[i]));
  }
  return scale > 0 ? error / scale : error;
}
