import { NoAdapterError } from './errors.ts';
import { Gpu } from './gpu.ts';

export interface OpenedGpu {
  gpu: Gpu;
  /** What was tried, in order, and why it was or was not taken. */
  tried: string[];
}

const inBrowser = () =>
  typeof navigator !== 'undefined' && 'gpu' in navigator && typeof document !== 'undefined';
const inWorker = () =>
  typeof navigator !== 'undefined' && 'gpu' in navigator && 'importScripts' in globalThis;

/**
 * Opens the machine's GPU, or the software adapter where there is none; `gpu.adapter.software` says which.
 * @throws NoAdapterError with everything that was tried.
 */
export async function openGpu(): Promise<OpenedGpu> {
  let adapter: GPUAdapter | null;
  let tried: string[];
  if (inBrowser() || inWorker()) {
    adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    tried = [adapter ? 'navigator.gpu: taken' : 'navigator.gpu: no adapter'];
  } else {
    ({ adapter, tried } = await (await import('./node-adapter.ts')).findAdapter());
  }
  if (!adapter) {
    throw new NoAdapterError(
      `no WebGPU adapter. Tried: ${tried.join('; ')}. Install a Vulkan driver for the GPU, or run on Linux x64 with ` +
        'the packages of package-lock.json installed (`npm ci`), which bring a software adapter.',
    );
  }
  const { info, limits } = adapter;
  const device = await adapter.requestDevice({
    label: 'warpmix',
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
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
  return { gpu: new Gpu(device, { vendor, architecture, description, software }), tried };
}
