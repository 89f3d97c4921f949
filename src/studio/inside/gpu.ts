// Runs ops on the worker's device and says which kernels they were.
import { step, type Tensor, useDevice, watchLaunches } from '../../autograd/tensor.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { foldGroups, launchKey, shaderCode } from '../../gpu/kernel.ts';
import { openGpu } from '../../gpu/open.ts';

/** A launch that was made, and its WGSL as the compiler got it. */
export interface Ran {
  kernel: string;
  summary: string;
  formula: string;
  variant: string;
  variantSummary: string;
  params: Record<string, number>;
  /** Values of the `override` constants. */
  constants: Record<string, number>;
  workgroups: number;
  grid: [number, number];
  wgsl: string;
  /** How often it was launched like this. */
  times: number;
}

export interface Computed<K extends string> {
  values: Record<K, Float32Array | Int32Array>;
  ran: Ran[];
}

let opened: Promise<Gpu> | null = null;

/** The worker's device, opened when it is first asked for. @throws NoAdapterError */
export function device(): Promise<Gpu> {
  if (opened) return opened;
  opened = openGpu().then(({ gpu }) => {
    useDevice(gpu);
    return gpu;
  });
  opened.catch(() => {
    opened = null;
  });
  return opened;
}

/**
 * What `work` computes, read back, with the launches that it made. Everything else that it made is freed.
 * @param pins kernel name -> variant name: what must run, where another would by the rule
 */
export async function compute<K extends string>(
  work: () => Record<K, Tensor>,
  pins: Record<string, string> = {},
): Promise<Computed<K>> {
  const gpu = await device();
  const ran = new Map<string, Ran>();
  for (const [kernel, variant] of Object.entries(pins)) gpu.pins.set(kernel, variant);
  let tensors: Record<K, Tensor>;
  try {
    tensors = watchLaunches(
      (kernel, params, _, done) => {
        if (!done) return;
        const variant = gpu.variant(kernel, params);
        const key = `${launchKey(kernel, params)}/${variant.name}`;
        const known = ran.get(key);
        if (known) {
          known.times += 1;
          return;
        }
        const workgroups = variant.workgroups(params);
        ran.set(key, {
          kernel: kernel.name,
          summary: kernel.summary,
          formula: kernel.formula,
          variant: variant.name,
          variantSummary: variant.summary,
          params: { ...params },
          constants: variant.constants?.(params) ?? {},
          workgroups,
          grid: foldGroups(workgroups),
          wgsl: shaderCode(kernel, variant, params),
          times: 1,
        });
      },
      () => step(work),
    );
  } finally {
    for (const kernel of Object.keys(pins)) gpu.pins.delete(kernel);
  }
  const names = Object.keys(tensors) as K[];
  try {
    const read = await Promise.all(names.map((name) => tensors[name].data()));
    const values = Object.fromEntries(names.map((name, i) => [name, read[i]]));
    return { values: values as Computed<K>['values'], ran: [...ran.values()] };
  } finally {
    for (const name of names) tensors[name].dispose();
  }
}
