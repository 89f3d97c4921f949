import { caret, GpuError, KernelCompileError } from './errors.ts';
import type { Element, Kernel, Params } from './kernel.ts';

/** A pipeline, or null while it is being compiled. */
export interface Compiled {
  pipeline: GPUComputePipeline | null;
  layout: GPUBindGroupLayout;
}

/** One way to launch a kernel: pipeline, uniform values and grid. Everything but the buffers. */
export interface Launch {
  label: string;
  compiled: Compiled;
  /** The uniform struct; null for a kernel without parameters. */
  values: ArrayBuffer | null;
  /** Holds `values` where the launch runs by itself; a recording has them in a buffer of its own. */
  uniform: GPUBuffer | null;
  grid: [number, number];
  groups: Map<string, GPUBindGroup>;
}

/** Parameters at binding 0 where a kernel has any, then its bindings in order. */
export function bindGroupLayout<P extends Params>(
  device: GPUDevice,
  kernel: Kernel<P>,
  label: string,
): GPUBindGroupLayout {
  const hasParams = Object.keys(kernel.params).length > 0;
  return device.createBindGroupLayout({
    label,
    entries: [
      ...(hasParams
        ? [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform' as const } }]
        : []),
      ...kernel.bindings.map((binding, i) => ({
        binding: i + 1,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: binding.access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
      })),
    ],
  });
}

export function bindGroup(
  device: GPUDevice,
  launch: Launch,
  uniform: GPUBufferBinding | null,
  resources: readonly GPUBufferBinding[],
): GPUBindGroup {
  const entries: GPUBindGroupEntry[] = resources.map((resource, i) => ({ binding: i + 1, resource }));
  if (uniform) entries.unshift({ binding: 0, resource: uniform });
  return device.createBindGroup({ label: launch.label, layout: launch.compiled.layout, entries });
}

/** @throws KernelCompileError */
export async function compilePipeline(
  device: GPUDevice,
  label: string,
  code: string,
  layout: GPUBindGroupLayout,
  constants: Record<string, number>,
): Promise<GPUComputePipeline> {
  // A faulty shader raises no exception: its message, with the line, comes from the compilation info.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  const scope = device.popErrorScope();
  try {
    return await device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main', constants },
    });
  } catch (error) {
    await scope;
    const { messages } = await module.getCompilationInfo();
    const first = messages.find((m) => m.type === 'error');
    throw new KernelCompileError(
      first
        ? caret(code, first.lineNum, first.linePos, label, first.message)
        : `${label}: ${(error as Error).message}`,
    );
  }
}

/** What whole numbers hold. */
const RANGES = { u32: [0, 2 ** 32 - 1], i32: [-(2 ** 31), 2 ** 31 - 1] } as const;

/** The uniform struct with these values; null for a kernel without parameters. */
export function uniformValues<P extends Params>(
  kernel: Kernel<P>,
  params: P,
  label: string,
): ArrayBuffer | null {
  const fields = Object.entries(kernel.params) as [string, Element][];
  if (fields.length === 0) return null;
  const bytes = new DataView(new ArrayBuffer(Math.ceil(fields.length / 4) * 16));
  fields.forEach(([name, type], i) => {
    const value = params[name];
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new GpuError(`${label}: parameter '${name}' is ${value}, a finite number is needed`);
    }
    if (type === 'f32') {
      bytes.setFloat32(i * 4, value, true);
      return;
    }
    const [least, most] = RANGES[type];
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new GpuError(
        `${label}: parameter '${name}' is ${value}, expected a whole number from ${least} to ${most}`,
      );
    }
    if (type === 'i32') bytes.setInt32(i * 4, value, true);
    else bytes.setUint32(i * 4, value, true);
  });
  return bytes.buffer;
}

/** A buffer for the uniform struct of one launch. */
export function uniformBuffer(device: GPUDevice, values: ArrayBuffer, label: string): GPUBuffer {
  const buffer = device.createBuffer({
    label: `${label} parameters`,
    size: values.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}
