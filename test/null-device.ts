import { create } from 'webgpu';

/** Dawn's instance must outlive its devices. */
let nothing: GPU | null = null;

/** A device that has every feature and runs nothing: it compiles the WGSL that no adapter at hand can run. */
export async function nullDevice(): Promise<GPUDevice> {
  nothing ??= create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = (await nothing.requestAdapter())!;
  const features = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'] as GPUFeatureName[];
  return adapter.requestDevice({ requiredFeatures: features });
}
