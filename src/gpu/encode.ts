// Commands, as a GPU takes them.
import type { Compiled } from './pipelines.ts';
import type { Profile } from './profile.ts';
import type { Dispatch, Stretch, Words } from './recording.ts';

/** What has been asked of the device and not been encoded yet, in order. */
export type Command =
  | Dispatch
  | Stretch
  | { buffer: GPUBuffer; offset: number; words: Words }
  | { from: GPUBuffer; fromOffset: number; to: GPUBuffer; toOffset: number; bytes: number };

/** @param set the pipeline that the pass has; the one that it has afterwards is returned. */
function dispatch(
  pass: GPUComputePassEncoder,
  set: GPUComputePipeline | null,
  compiled: Compiled,
  group: GPUBindGroup,
  x: number,
  y: number,
): GPUComputePipeline {
  const pipeline = compiled.pipeline!;
  if (pipeline !== set) pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  // An argument left out is a twentieth of the host's time for a dispatch under Node.
  if (y === 1) pass.dispatchWorkgroups(x);
  else pass.dispatchWorkgroups(x, y);
  return pipeline;
}

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
    if (profile) {
      const timed =
        'recording' in command ? command.recording.dispatches.slice(command.first, command.end) : [command];
      for (const { launch, group, kernel, params, live } of timed) {
        pass?.end();
        const variant = launch.label.split('/')[1];
        pass = encoder.beginComputePass({
          timestampWrites: profile.next({ kernel, variant, params, live }),
        });
        dispatch(pass, null, launch.compiled, group, ...launch.grid);
      }
      continue;
    }
    if (!pass) {
      pass = encoder.beginComputePass();
      pipeline = null;
    }
    if ('recording' in command) {
      const { compiled, groups, grids } = command.recording.replayed;
      for (let i = command.first; i < command.end; i++) {
        pipeline = dispatch(pass, pipeline, compiled[i], groups[i], grids[2 * i], grids[2 * i + 1]);
      }
      continue;
    }
    const { launch, group } = command;
    pipeline = dispatch(pass, pipeline, launch.compiled, group, ...launch.grid);
  }
  pass?.end();
  return encoder;
}
