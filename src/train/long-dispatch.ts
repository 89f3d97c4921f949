// Dispatches that take too long. A driver's watchdog resets the GPU when one holds it for about two seconds (on Windows
// TdrDelay, https://learn.microsoft.com/windows-hardware/drivers/display/timeout-detection-and-recovery), and the device is lost.
import type { Gpu } from '../gpu/gpu.ts';

/** From here on one is spoken of: far enough below a watchdog's seconds for a GPU that gets warm or is shared. */
const LONG_MS = 250;

/**
 * Runs a step with its dispatches timed, and says which took longest where that was too long. The numbers are those of an untimed
 * step. A software adapter has no watchdog, so nothing is timed there, nor where there are no timestamp queries.
 */
export async function watchLongest<T>(
  gpu: Gpu,
  work: () => Promise<T>,
  say: (line: string) => void,
): Promise<T> {
  if (gpu.adapter.software) return work();
  const results: T[] = [];
  const times = await gpu.profile(async () => {
    results.push(await work());
  });
  if (!times) return work();
  const [longest] = times.sort((a, b) => b.ms - a.ms);
  if (longest && longest.ms > LONG_MS) {
    const params = Object.entries(longest.params).map(([name, value]) => `${name} ${value}`);
    say(
      `one dispatch of ${longest.kernel} (${longest.variant}; ${params.join(', ')}) took ${Math.round(longest.ms)} ms. A driver ` +
        'resets a GPU that one dispatch holds for about two seconds, and training then goes back to its last checkpoint. Lower ' +
        'pixels or the batch (--set).',
    );
  }
  return results[0];
}
