import type { Params } from './kernel.ts';

/** Time of one dispatch, from timestamp queries. */
export interface DispatchTime {
  kernel: string;
  variant: string;
  params: Params;
  /** Bytes handed out when it was asked for; of a replayed one, those of the tensors that live then. */
  live: number;
  /** Milliseconds on the adapter's own clock. */
  start: number;
  ms: number;
}

/** Two timestamps each; a query set holds at most 4096 (WebGPU, GPUQuerySetDescriptor). */
const DISPATCHES_PER_SET = 2048;

/** Timestamps of dispatches that have a pass each. */
export class Profile {
  readonly #device: GPUDevice;
  readonly #rows: Omit<DispatchTime, 'start' | 'ms'>[] = [];
  readonly #sets: GPUQuerySet[] = [];
  readonly #owned: { destroy(): void }[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Where the pass of the next dispatch writes its times. */
  next(row: Omit<DispatchTime, 'start' | 'ms'>): GPUComputePassTimestampWrites {
    const at = this.#rows.length % DISPATCHES_PER_SET;
    if (at === 0) {
      const count = 2 * DISPATCHES_PER_SET;
      const set = this.#device.createQuerySet({ label: 'profile', type: 'timestamp', count });
      this.#sets.push(set);
      this.#owned.push(set);
    }
    this.#rows.push(row);
    return {
      querySet: this.#sets.at(-1)!,
      beginningOfPassWriteIndex: 2 * at,
      endOfPassWriteIndex: 2 * at + 1,
    };
  }

  /** Adds the copy of all timestamps to what is encoded; `times` reads the buffer once it is mapped. */
  resolve(encoder: GPUCommandEncoder): GPUBuffer {
    const size = 16 * Math.max(1, this.#rows.length);
    const resolved = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#owned.push(resolved);
    const staging = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    this.#sets.forEach((set, i) => {
      const first = i * DISPATCHES_PER_SET;
      const count = 2 * Math.min(DISPATCHES_PER_SET, this.#rows.length - first);
      encoder.resolveQuerySet(set, 0, count, resolved, 16 * first);
    });
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    return staging;
  }

  /**
   * Dawn takes the first timestamp of a pass when the queue reaches it (VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT), which may be while
   * the dispatch before still runs, and the second when everything before it has ended
   * (https://dawn.googlesource.com/dawn/+/refs/heads/main/src/dawn/native/vulkan/CommandBufferVk.cpp, RecordComputePass). So
   * a dispatch counts from the end of the one before; where two overlap, the sum of their times is what both took.
   */
  times(staging: GPUBuffer): DispatchTime[] {
    const ticks = new BigInt64Array(staging.getMappedRange().slice(0));
    for (const one of [staging, ...this.#owned]) one.destroy();
    return this.#rows.map((row, i) => {
      const [begin, end] = [ticks[2 * i], ticks[2 * i + 1]];
      const start = i > 0 && ticks[2 * i - 1] > begin ? ticks[2 * i - 1] : begin;
      return { ...row, start: Number(start) / 1e6, ms: Number(end - start) / 1e6 };
    });
  }
}
