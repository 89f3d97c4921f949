// Commands, as a GPU takes them.
import type { Profile } from './profile.ts';
import type { Dispatch, Words } from './recording.ts';

/** What has been asked of the device and not been encoded yet, in order. */
export type Command =
  | Dispatch
  | { buffer: GPUBuffer; offset: number; words: Words }
  | { from: GPUBuffer; fromOffset: number; to: GPUBuffer; toOffset: number; bytes: number };

/**
 * Encodes commands: dispatches in one pass, or in one pass each where they are timed. What a write from the host must not overtake is
 * submitted on the way.
 */
export function encode(
  device: GPUDevice,
  commands: readonly Command[],
  profile: Profile | null,
): GPUCommandEncoder {
  let encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
  let pipeline: GPUComputePipeline | null = null;
  let encoded = false;
  for (const command of commands) {
    if ('words' in command) {
      // Queue writes come before anything encoded but not submitted, which may use this (re-used) buffer.
      if (encoded) {
        pass?.end();
        pass = null;
        device.queue.submit([encoder.finish()]);
        encoder = device.createCommandEncoder();
        encoded = false;
      }
      device.queue.writeBuffer(command.buffer, command.offset, command.words);
      continue;
    }
    encoded = true;
    if ('from' in command) {
      pass?.end();
      pass = null;
      const { from, fromOffset, to, toOffset, bytes } = command;
      encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
      continue;
    }
    const { launch, group } = command;
    if (profile) {
      const { kernel, params, live } = command;
      pass?.end();
      pipeline = null;
      const variant = launch.label.split('/')[1];
      pass = encoder.beginComputePass({
        timestampWrites: profile.next({ kernel, variant, params, live }),
      });
    }
    if (!pass) {
      pass = encoder.beginComputePass();
      pipeline = null;
    }
    if (launch.compiled.pipeline !== pipeline) {
      pipeline = launch.compiled.pipeline!;
      pass.setPipeline(pipeline);
    }
    pass.setBindGroup(0, group);
    // An argument left out is a twentieth of the host's time for a dispatch under Node.
    if (launch.grid[1] === 1) pass.dispatchWorkgroups(launch.grid[0]);
    else pass.dispatchWorkgroups(launch.grid[0], launch.grid[1]);
  }
  pass?.end();
  return encoder;
}
