// A training step recorded once: its launches with pipelines and bind groups, and its tensors in buffers that are shared
// by all whose lives do not overlap.

import { layOut, padded } from './block.ts';
import type { Storage } from './device.ts';
import { GpuError } from './errors.ts';
import {
  type Block,
  bufferIn,
  type GpuStorage,
  offsetOf,
  partsOf,
  rejectAliases,
  resourceOf,
} from './gpu-storage.ts';
import type { Kernel, Params } from './kernel.ts';
import { bindGroup, type Compiled, type Launch } from './pipelines.ts';
import type { BufferPool } from './pool.ts';

export type Words = Float32Array | Int32Array | Uint32Array;

/** A dispatch, ready to be encoded. */
export interface Dispatch {
  launch: Launch;
  group: GPUBindGroup;
  kernel: string;
  params: Params;
  /** Bytes of the tensors that live then. */
  live: number;
}

/** Dispatches of a recording that follow one another. */
export interface Stretch {
  recording: Recording;
  first: number;
  end: number;
}

/** What a step launches, bound to its buffers. */
export interface Recording {
  dispatches: readonly Dispatch[];
  /**
   * What a replay takes of each dispatch. Since the last replay all of it has left the processor's caches: three numbers or references that lie
   * beside those of the neighbours take a twentieth to a tenth less of the host's time than an object each.
   */
  replayed: {
    compiled: readonly Compiled[];
    groups: readonly GPUBindGroup[];
    grids: readonly number[];
  };
  /** Where the tensors that the step returns lie, and their bytes. */
  outputs: readonly { buffer: GPUBuffer; offset: number; bytes: number }[];
  /** Everything else that the launches use and that came from outside: it must be neither freed nor moved. */
  outside: readonly { storage: GpuStorage; buffer: GPUBuffer }[];
  /** What belongs to the recording alone. */
  buffers: readonly GPUBuffer[];
}

/** Bytes of a tensor, and the first and the last launch that use it. */
export interface Life {
  bytes: number;
  first: number;
  last: number;
}

/**
 * Shares buffers among tensors, at most one living in each at a time. Largest first, each into the smallest buffer that is free
 * during its life: "Greedy by Size" of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020,
 * section 4.3. Two tensors of one launch never share, so nothing is read and written through the same buffer.
 * @returns the buffers' bytes, and for each life the index of its buffer.
 */
export function planBuffers(lives: readonly Life[]): { sizes: number[]; placed: number[] } {
  const sizes: number[] = [];
  const tenants: Life[][] = [];
  const placed = new Array<number>(lives.length);
  const order = lives.map((_, i) => i).sort((a, b) => lives[b].bytes - lives[a].bytes || a - b);
  for (const i of order) {
    const { bytes, first, last } = lives[i];
    let best = -1;
    for (let k = 0; k < sizes.length; k++) {
      const free = tenants[k].every((other) => other.last < first || last < other.first);
      if (free && (best < 0 || sizes[k] < sizes[best])) best = k;
    }
    if (best < 0) {
      best = sizes.push(bytes) - 1;
      tenants.push([]);
    }
    tenants[best].push(lives[i]);
    placed[i] = best;
  }
  return { sizes, placed };
}

const bytesOf = ({ length }: Storage): number => Math.max(16, Math.ceil(length / 4) * 16);

/** Notes what a step asks of the device. Its tensors get buffers when it is over. */
export class Recorder {
  readonly #made = new Set<GpuStorage>();
  readonly #written = new Map<GpuStorage, Words>();
  readonly #launches: { launch: Launch; kernel: Kernel; params: Params; storages: readonly GpuStorage[] }[] =
    [];

  made(storage: GpuStorage): void {
    this.#made.add(storage);
  }

  has(storage: GpuStorage): boolean {
    return this.#made.has(storage);
  }

  /**
   * Plans tensors of the step side by side: whatever writes them writes them there. Numbers from the host stay in their own
   * buffer, and what is written by a launch that reads another of `storages` stays apart from it.
   * @param most words of a block.
   */
  colocate(storages: readonly GpuStorage[], most: number): void {
    const wanted = new Set(storages.filter((storage) => !this.#written.has(storage)));
    for (const { kernel, storages: bound } of this.#launches) {
      const mine = bound.map((storage) => wanted.has(storage));
      if (!kernel.bindings.some(({ access }, i) => access === 'read' && mine[i])) continue;
      kernel.bindings.forEach(({ access }, i) => {
        if (access !== 'read') wanted.delete(bound[i]);
      });
    }
    for (const { members, length } of layOut([...wanted], most)) {
      const block: Block = { buffer: null, length, users: members.length };
      for (const { storage, at } of members) storage.place = { block, at };
    }
  }

  /** Numbers from the host: the same in every replay, so they are written once, into a buffer that nothing else uses. */
  write(storage: GpuStorage, words: Words, at: number): void {
    const what = `${storage.length} ${storage.type}`;
    if (!this.#made.has(storage)) {
      throw new GpuError(
        `a recorded step writes ${what} from the host into a tensor from outside; every replay would write the same. ` +
          'Write them before the step, or make them one of its inputs',
      );
    }
    if (at > 0 || words.length !== storage.length) {
      throw new GpuError(`a recorded step writes a part of ${what} from the host; write all of them at once`);
    }
    if (storage.place || this.#launches.some(({ storages }) => storages.includes(storage))) {
      throw new GpuError(
        `a recorded step writes ${what} from the host into a tensor that it has used before`,
      );
    }
    this.#written.set(storage, words);
  }

  run(launch: Launch, kernel: Kernel, params: Params, storages: readonly GpuStorage[]): void {
    kernel.bindings.forEach(({ name, access }, i) => {
      if (access !== 'read' && this.#written.has(storages[i])) {
        throw new GpuError(
          `${kernel.name}: '${name}' is written and holds numbers from the host, which a recorded step writes only once`,
        );
      }
    });
    this.#launches.push({ launch, kernel, params, storages });
  }

  /** Makes buffers and bind groups. */
  finish(device: GPUDevice, pool: BufferPool, outputs: readonly GpuStorage[]): Recording {
    for (const storage of this.#made) {
      if (!storage.freed && !outputs.includes(storage)) {
        throw new GpuError(
          `a tensor of ${storage.length} ${storage.type} outlives the recorded step that made it; make it outside, or return it`,
        );
      }
    }
    for (const { kernel, storages } of this.#launches) rejectAliases(kernel, storages);
    const kept = pool.memory().live;
    const buffers: GPUBuffer[] = [];
    const own = (bytes: number, what: string, usage?: number) => {
      buffers.push(pool.own(bytes, what, usage));
      return buffers.at(-1)!;
    };
    /** What each tensor of the step, or the block that it lies in, gets. */
    const bufferOf = new Map<GpuStorage | Block, GPUBuffer>();
    const homeOf = (storage: GpuStorage) => storage.place?.block ?? storage;
    let written = 0;
    for (const [storage, words] of this.#written) {
      const buffer = own(bytesOf(storage), 'numbers from the host');
      device.queue.writeBuffer(buffer, 0, words);
      bufferOf.set(storage, buffer);
      written += buffer.size;
    }
    const { lives, outside } = this.#lives(outputs);
    const homes = new Map<GpuStorage | Block, Life>();
    for (const [storage, { bytes, first, last }] of lives) {
      const home = homes.get(homeOf(storage));
      if (home) {
        home.first = Math.min(home.first, first);
        home.last = Math.max(home.last, last);
      } else
        homes.set(homeOf(storage), {
          bytes: storage.place ? 4 * storage.place.block.length : bytes,
          first,
          last,
        });
    }
    const { sizes, placed } = planBuffers([...homes.values()]);
    const shared = sizes.map((bytes) => own(bytes, 'tensors of a recorded step'));
    for (const [i, home] of [...homes.keys()].entries()) bufferOf.set(home, shared[placed[i]]);
    const used = (storage: GpuStorage) => bufferOf.get(homeOf(storage)) ?? bufferIn(storage)!;

    const uniformOf = this.#uniforms(device, own);

    const live = new Array<number>(this.#launches.length + 2).fill(0);
    for (const { bytes, first, last } of lives.values()) {
      live[first] += bytes;
      live[last + 1] -= bytes;
    }
    let now = kept + written;
    const dispatches = this.#launches.map(({ launch, kernel, params, storages }, i): Dispatch => {
      now += live[i];
      const group = bindGroup(
        device,
        launch,
        uniformOf(launch),
        storages.map((storage) => resourceOf(storage, used(storage))),
      );
      return { launch, group, kernel: kernel.name, params, live: now };
    });
    return {
      dispatches,
      replayed: {
        compiled: dispatches.map(({ launch }) => launch.compiled),
        groups: dispatches.map(({ group }) => group),
        grids: dispatches.flatMap(({ launch }) => launch.grid),
      },
      outputs: outputs.map((storage) => ({
        buffer: used(storage),
        offset: offsetOf(storage),
        bytes: 4 * storage.length,
      })),
      outside: outside.map((storage) => ({ storage, buffer: bufferIn(storage)! })),
      buffers,
    };
  }

  /**
   * Where the uniform struct of each launch lies: all in one buffer. With a buffer for each, encoding looks at hundreds of them that have
   * left the processor's caches since the last replay, which is a sixteenth of the host's time for a dispatch.
   */
  #uniforms(
    device: GPUDevice,
    own: (bytes: number, what: string, usage: number) => GPUBuffer,
  ): (launch: Launch) => GPUBufferBinding | null {
    const places = new Map<ArrayBuffer, number>();
    let words = 0;
    for (const { launch } of this.#launches) {
      if (!launch.values || places.has(launch.values)) continue;
      places.set(launch.values, 4 * words);
      words += padded(launch.values.byteLength / 4);
    }
    if (words === 0) return () => null;
    const bytes = new Uint8Array(4 * words);
    for (const [values, at] of places) bytes.set(new Uint8Array(values), at);
    const buffer = own(bytes.length, 'parameters of a recorded step', GPUBufferUsage.UNIFORM);
    device.queue.writeBuffer(buffer, 0, bytes);
    return ({ values }) => values && { buffer, offset: places.get(values)!, size: values.byteLength };
  }

  /** From the first to the last launch that uses a tensor. What spans others uses those. */
  #lives(outputs: readonly GpuStorage[]): { lives: Map<GpuStorage, Life>; outside: GpuStorage[] } {
    const lives = new Map<GpuStorage, Life>();
    const outside = new Set<GpuStorage>();
    const use = (storage: GpuStorage, at: number) => {
      const life = lives.get(storage);
      if (life) life.last = at;
      else if (!this.#made.has(storage)) outside.add(storage);
      else if (!this.#written.has(storage))
        lives.set(storage, { bytes: bytesOf(storage), first: at, last: at });
    };
    this.#launches.forEach(({ storages }, i) => {
      for (const storage of storages.flatMap(partsOf)) use(storage, i);
    });
    for (const storage of outputs) use(storage, this.#launches.length);
    return { lives, outside: [...outside] };
  }
}
