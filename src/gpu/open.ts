import { NoAdapterError } from './errors.ts';
import { Gpu } from './gpu.ts';
import { MATRICES } from './kernel.ts';

export interface OpenedGpu {
  gpu: Gpu;
  /** What was tried, in order, and why it was or was not taken. */
  tried: string[];
}

const inBrowser = () =>
  typeof navigator !== 'undefined' && 'gpu' in navigator && typeof document !== 'undefined';
const inWorker = () =>
  typeof navigator !== 'undefined' && 'gpu' in navigator && 'importScripts' in globalThis;

// Not in WebGPU yet, hence not in its types.
const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
type MatrixInfo = GPUAdapterInfo & {
  subgroupMatrixConfigs?: Iterable<
    Record<'M' | 'N' | 'K', number> & Record<'componentType' | 'resultComponentType', string>
  >;
};

/** True for a device whose subgroups always have these lanes, and these matrices. An adapter lists matrices also where a device may not use them. */
const offers = (device: GPUDevice, info: MatrixInfo, { size, lanes }: { size: number; lanes: number }) =>
  [MATRIX_FEATURE, 'shader-f16'].every((name) => device.features.has(name)) &&
  info.subgroupMinSize === lanes &&
  info.subgroupMaxSize === lanes &&
  [...(info.subgroupMatrixConfigs ?? [])].some(
    ({ M, N, K, componentType, resultComponentType }) =>
      `${M} ${N} ${K} ${componentType} ${resultComponentType}` === `${size} ${size} ${size} f16 f32`,
  );

/** @param tried what was tried, in order, and why it was not taken */
export const noAdapter = (tried: readonly string[]): NoAdapterError =>
  new NoAdapterError(
    `no WebGPU adapter. Tried:\n${tried.map((line) => `  ${line}\n`).join('')}` +
      'Install a Vulkan driver for the GPU, or run on Linux x64 with the packages of package-lock.json installed (`npm ci`), ' +
      'which bring a software adapter.',
  );

/**
 * Opens the machine's GPU, or the software adapter where there is none; `gpu.adapter.software` says which.
 * @throws NoAdapterError with everything that was tried.
 */
export async function openGpu(): Promise<OpenedGpu> {
  let adapter: GPUAdapter | null;
  let tried: string[];
  let pinned: ReadonlyMap<string, string> | undefined;
  let instructionCache: number | undefined;
  if (inBrowser() || inWorker()) {
    adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    tried = [adapter ? 'navigator.gpu: taken' : 'navigator.gpu: no adapter'];
  } else {
    const node = await import('./node-adapter.ts');
    pinned = node.pinnedVariants();
    instructionCache = node.instructionCache();
    ({ adapter, tried } = await node.findAdapter());
  }
  if (!adapter) throw noAdapter(tried);
  const { info, limits } = adapter;
  const wanted: GPUFeatureName[] = ['timestamp-query', 'subgroups', 'shader-f16', MATRIX_FEATURE];
  const device = await adapter.requestDevice({
    label: 'warpmix',
    requiredFeatures: wanted.filter((name) => adapter.features.has(name)),
    // Everything else stays at the defaults that every WebGPU adapter has; only sizes grow with the adapter.
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    },
  });
  const software =
    info.isFallbackAdapter ??
    /swiftshader|llvmpipe|lavapipe/i.test(`${info.architecture} ${info.description}`);
  const { vendor, architecture, description } = info;
  const features = {
    subgroups: device.features.has('subgroups'),
    f16: device.features.has('shader-f16'),
    matrix16: offers(device, info, MATRICES.matrix16),
    matrix8: offers(device, info, MATRICES.matrix8),
  };
  return {
    gpu: new Gpu(
      device,
      { vendor, architecture, description, software, instructionCache, ...features },
      pinned,
    ),
    tried,
  };
}
