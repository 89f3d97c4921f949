// How fast a kernel was, and how much of the adapter's limits that is.
import type { Kernel, Params } from '../src/gpu/kernel.ts';
import type { Limits } from './limits.ts';

/** Rate and share of the limit: the time that arithmetic or memory would take at least, over the time it took. */
export function rated(kernel: Kernel, params: Params, ms: number, { gflops, gbps }: Limits) {
  const { flops, bytes } = kernel.cost(params);
  const [arithmetic, memory] = [flops / gflops / 1e6, bytes / gbps / 1e6];
  return {
    gflops: flops / ms / 1e6,
    gbps: bytes / ms / 1e6,
    bound: arithmetic > memory ? 'arithmetic' : 'memory',
    share: Math.max(arithmetic, memory) / ms,
  };
}

/** `n=2 h=64 w=128 c=16`: the first parameters that are neither zero nor one. */
export const shortParams = (params: Params): string =>
  Object.entries(params)
    .filter(([, value]) => value !== 0 && value !== 1)
    .slice(0, 11)
    .map(([name, value]) => `${name}=${Number.isSafeInteger(value) ? value : value.toPrecision(3)}`)
    .join(' ');
