/** Base of every error the device layer throws; `exitCode` is what the command line ends with. */
export class GpuError extends Error {
  override name = 'GpuError';
  readonly exitCode: number = 1;
}

/** No WebGPU adapter could be had. The message lists what was tried and why each was rejected. */
export class NoAdapterError extends GpuError {
  override name = 'NoAdapterError';
  override readonly exitCode = 3;
}

/** A kernel's WGSL was refused. The message shows the line of our source with a caret. */
export class KernelCompileError extends GpuError {
  override name = 'KernelCompileError';
}

/** The implementation refused a call: a bug in a kernel's bindings, sizes or grid. */
export class ValidationError extends GpuError {
  override name = 'ValidationError';
}

/** More memory asked for than a limit allows or the adapter has. */
export class OutOfMemoryError extends GpuError {
  override name = 'OutOfMemoryError';
}

/** The device is gone; nothing computed after the loss may be used. */
export class DeviceLostError extends GpuError {
  override name = 'DeviceLostError';
  override readonly exitCode = 5;
}

/** A pin that names no variant. */
export class PinError extends GpuError {
  override name = 'PinError';
  override readonly exitCode = 2;
}

/** Renders a compiler message as `where: text`, the source line, and a caret under the fault. */
export function caret(source: string, line: number, column: number, where: string, text: string): string {
  const shown = source.split('\n')[line - 1] ?? '';
  return `${where}:${line}:${column}: ${text}\n  ${shown}\n  ${' '.repeat(Math.max(0, column - 1))}^`;
}
