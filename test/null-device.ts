import { create } from 'webgpu';

/** Dawn's instance must outlive its devices. */
let nothing: GPU | null = null;

/** A device that has every feature and runs nothing: it compiles the WGSL that no adapter at hand can run. */
export async function nullDevice(): Promise<GPUDevice> {
  nothing ??= create(['backend=null']);
  const adapter = (await nothing.requestAdapter())!;
  return adapter.requestDevice({ requiredFeatures: ['subgroups', 'shader-f16'] });
}
