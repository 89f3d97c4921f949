import { layOut, spanned } from './block.ts';
import type { Device, MemoryUse, Storage } from './device.ts';
import { type Command, encode } from './encode.ts';
import { DeviceLostError, GpuError, ValidationError } from './errors.ts';
import { type Block, bufferIn, type GpuStorage, offsetOf, rejectAliases, resourceOf } from './gpu-storage.ts';
import {
  type AdapterFacts,
  chooseVariant,
  type Element,
  foldGroups,
  type Kernel,
  launchKey,
  type Numbers,
  type Params,
  shaderCode,
  type Variant,
} from './kernel.ts';
import { patiently } from './patience.ts';
import {
  bindGroup,
  bindGroupLayout,
  type Compiled,
  compilePipeline,
  type Launch,
  uniformBuffer,
  uniformValues,
} from './pipelines.ts';
import { BufferPool } from './pool.ts';
import { type DispatchTime, Profile } from './profile.ts';
import { Recorder, type Recording, type Words } from './recording.ts';

export interface AdapterInfo extends AdapterFacts {
  vendor: string;
  architecture: string;
  description: string;
}

// Beyond this many commands they are encoded and submitted, so that the GPU starts while later ones are still being recorded or encoded. It
// also keeps a submission short: some drivers end one that takes longer than ten seconds, whatever its dispatches take.
const COMMANDS_PER_SUBMIT = 512;
// Launches and bind groups are dropped all at once past these counts: shapes repeat from step to step, so a program
// that reaches them is changing shape all the time and would not profit from finer eviction.
const MAX_LAUNCHES = 8192;
const MAX_BIND_GROUPS = 65536;
/** How long a failed read waits for the news that the device is lost. */
const LOSS_NEWS_MS = 200;

/** @throws GpuError for a tensor of a recorded step, which has no buffer of its own. */
function bufferOf(storage: GpuStorage, what: string): GPUBuffer {
  const buffer = bufferIn(storage);
  if (buffer) return buffer;
  throw new GpuError(
    `${what}: a tensor of ${storage.length} ${storage.type} exists only inside the recorded step that made it`,
  );
}

/** Reads that wait for the same copy to the host. */
interface Reading {
  readonly copies: { buffer: GPUBuffer; offset: number; at: number; bytes: number }[];
  bytes: number;
  /** What is read, in the order of `copies`. */
  readonly done: Promise<ArrayBuffer[]>;
}

/** A WebGPU device with pooled buffers and cached pipelines. Dispatches gather in one compute pass until a read. */
export class Gpu implements Device {
  readonly kind = 'gpu';
  readonly device: GPUDevice;
  readonly adapter: AdapterInfo;
  /** Kernel name -> variant name: what runs wherever it can. */
  readonly pins = new Map<string, string>();
  /** The same for all that this device does; `pins`, which come and go, are stronger. */
  readonly pinned: ReadonlyMap<string, string>;
  /** Launch (`launchKey`) -> variant name, by measurement; a pin is stronger. */
  readonly measured = new Map<string, string>();
  readonly #pool: BufferPool;
  readonly #launches = new Map<string, Launch>();
  readonly #pipelines = new Map<string, Compiled>();
  #compiling = 0;
  #queue: Command[] = [];
  readonly #bufferIds = new WeakMap<GPUBuffer, number>();
  #bindGroups = 0;
  #checks: Promise<void>[] = [];
  #nextId = 1;
  #fault: GpuError | null = null;
  #lost: string | null = null;
  #closed = false;
  #profile: Profile | null = null;
  #recorder: Recorder | null = null;
  #reading: Reading | null = null;
  /** Dispatches recorded since the device was opened. */
  dispatches = 0;

  constructor(device: GPUDevice, adapter: AdapterInfo, pinned: ReadonlyMap<string, string> = new Map()) {
    this.device = device;
    this.adapter = adapter;
    this.pinned = pinned;
    this.#pool = new BufferPool(device, (promise) => this.#check(promise));
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.#fault ??= new ValidationError(error.message);
    });
    device.lost.then((info) => {
      if (!this.#closed) this.#lost = info.message || info.reason || 'unknown reason';
    });
  }

  alloc(length: number, type: Element): GpuStorage {
    this.#alive();
    const buffer = this.#recorder
      ? null
      : this.#pool.take(Math.max(16, length * 4), `a tensor of ${length} ${type}`);
    return this.#made({ id: this.#nextId++, length, type, buffer, place: null, parts: null, freed: false });
  }

  #made(storage: GpuStorage): GpuStorage {
    this.#recorder?.made(storage);
    return storage;
  }

  free(storage: Storage): void {
    const own = storage as GpuStorage;
    if (own.freed) throw new GpuError(`storage ${own.id} of ${own.length} ${own.type} was freed twice`);
    own.freed = true;
    if (own.buffer) this.#pool.give(own.buffer);
    const block = own.place?.block;
    if (block && --block.users === 0 && block.buffer) this.#pool.give(block.buffer);
  }

  /**
   * Tensors of a step that is being recorded cost nothing: they are planned side by side. Others are moved at once, even then. A
   * recording that uses one from before must be made again.
   */
  colocate(storages: readonly Storage[]): void {
    this.#alive();
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    const most = Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / 4);
    const recorder = this.#recorder;
    const outside = (storages as readonly GpuStorage[]).filter((storage) => !recorder?.has(storage));
    recorder?.colocate(
      (storages as readonly GpuStorage[]).filter((storage) => recorder.has(storage)),
      most,
    );
    for (const { members, length } of layOut(outside, most)) {
      const to = this.#pool.take(4 * length, `${members.length} tensors side by side`);
      const block: Block = { buffer: to, length, users: members.length };
      for (const { storage, at } of members) {
        const from = bufferOf(storage, 'colocate');
        this.#queue.push({ from, fromOffset: 0, to, toOffset: 4 * at, bytes: 4 * storage.length });
        this.#pool.give(from);
        storage.buffer = null;
        storage.place = { block, at };
      }
    }
  }

  span(parts: readonly Storage[]): GpuStorage {
    const own = parts as readonly GpuStorage[];
    const [{ place, type }] = own;
    place!.block.users += 1;
    const length = spanned(own);
    return this.#made({ id: this.#nextId++, length, type, buffer: null, place, parts: own, freed: false });
  }

  write(storage: Storage, data: ArrayLike<number>, at = 0): void {
    const { type, length } = storage;
    if (at + data.length > length) {
      throw new GpuError(`write of ${data.length} values at ${at} into a tensor of ${length} ${type}`);
    }
    const Words = type === 'f32' ? Float32Array : type === 'i32' ? Int32Array : Uint32Array;
    if (this.#recorder) {
      this.#recorder.write(storage as GpuStorage, new Words(data), at);
      return;
    }
    const buffer = bufferOf(storage as GpuStorage, 'write');
    const offset = offsetOf(storage as GpuStorage) + 4 * at;
    if (this.#queue.length > 0) this.#queue.push({ buffer, offset, words: new Words(data) });
    else {
      // Nothing waits that the write could overtake.
      const words = data instanceof Words ? data : new Words(data);
      this.device.queue.writeBuffer(buffer, offset, words as Words);
    }
  }

  run<P extends Params>(kernel: Kernel<P>, params: P, buffers: Record<string, Storage>): void {
    this.#alive();
    const launch = this.#launch(kernel, params);
    if (launch.grid[0] === 0) return;
    let key = '';
    const used: GpuStorage[] = [];
    for (const binding of kernel.bindings) {
      const storage = buffers[binding.name] as GpuStorage | undefined;
      if (!storage) throw new GpuError(`${kernel.name}: no buffer for binding '${binding.name}'`);
      if (storage.freed) {
        throw new GpuError(
          `${kernel.name}: the tensor bound to '${binding.name}' was freed; keep it with keep()`,
        );
      }
      if (storage.type !== binding.type) {
        throw new GpuError(
          `${kernel.name}: binding '${binding.name}' is ${binding.type}, the tensor is ${storage.type}`,
        );
      }
      used.push(storage);
      if (!this.#recorder) {
        // The length tells a tensor from what spans it and others.
        const part = storage.place ? `+${storage.place.at}:${storage.length}` : '';
        key += `${this.#bufferId(bufferOf(storage, kernel.name))}${part},`;
      }
    }
    if (this.#recorder) {
      this.#recorder.run(launch, kernel as unknown as Kernel, params, used);
      return;
    }
    let group = launch.groups.get(key);
    if (!group) {
      rejectAliases(kernel as unknown as Kernel, used);
      if (++this.#bindGroups > MAX_BIND_GROUPS) this.#dropBindGroups();
      if (launch.values) launch.uniform ??= uniformBuffer(this.device, launch.values, launch.label);
      group = bindGroup(
        this.device,
        launch,
        launch.uniform && { buffer: launch.uniform },
        used.map((storage) => resourceOf(storage, bufferIn(storage)!)),
      );
      launch.groups.set(key, group);
    }
    const live = this.#profile ? this.#pool.memory().live : 0;
    this.#queue.push({ launch, group, kernel: kernel.name, params, live });
    this.dispatches += 1;
    if (this.#queue.length >= COMMANDS_PER_SUBMIT) this.submit();
  }

  /**
   * Notes what `work` launches and runs none of it. Tensors made inside have no values; those that it returns are the
   * outputs of `replay`. Numbers that it takes from the host stay as they are in every replay.
   * @throws GpuError for a write to a tensor from outside, and for a tensor that outlives `work` and is not returned.
   */
  record(work: () => readonly Storage[]): Recording {
    this.#alive();
    if (this.#recorder) throw new GpuError('record: another step is being recorded');
    const recorder = new Recorder();
    this.#recorder = recorder;
    let outputs: readonly Storage[];
    try {
      outputs = work();
    } finally {
      this.#recorder = null;
    }
    return recorder.finish(this.device, this.#pool, outputs as readonly GpuStorage[]);
  }

  /** Runs a recording. `outputs`: where what it returns is copied to, in the order of `record`. */
  replay(recording: Recording, outputs: readonly Storage[]): void {
    this.#alive();
    for (const { storage, buffer } of recording.outside) {
      const { freed, length, type } = storage;
      if (freed)
        throw new GpuError(`replay: a tensor of ${length} ${type} that the recording uses was freed`);
      if (bufferIn(storage) !== buffer) {
        throw new GpuError(
          `replay: a tensor of ${length} ${type} that the recording uses was moved beside others since, as an optimiser does ` +
            'with its parameters; make the optimiser first, or record again',
        );
      }
    }
    const count = recording.dispatches.length;
    // A software adapter computes on the cores that encode: there a part under way only slows the rest of the encoding down.
    const most = this.adapter.software ? count : COMMANDS_PER_SUBMIT;
    for (let first = 0; first < count; first += most) {
      const end = Math.min(count, first + most);
      this.#queue.push({ recording, first, end });
      if (end < count) this.submit();
    }
    recording.outputs.forEach(({ buffer: from, offset: fromOffset, bytes }, i) => {
      const to = outputs[i] as GpuStorage;
      this.#queue.push({ from, fromOffset, to: bufferOf(to, 'replay'), toOffset: offsetOf(to), bytes });
    });
    this.dispatches += count;
  }

  /** Frees the buffers of a recording, which cannot be replayed afterwards. */
  async forget(recording: Recording): Promise<void> {
    do await this.#compiled();
    while (this.#compiling > 0);
    this.submit();
    for (const buffer of recording.buffers) this.#pool.drop(buffer);
  }

  /** Hands what has been recorded to the GPU; what still waits for a compiler is handed over by the next read. */
  submit(): void {
    if (this.#compiling === 0 && this.#queue.length > 0) this.device.queue.submit([this.#encode().finish()]);
  }

  async read(storage: Storage): Promise<Numbers> {
    this.#alive();
    const { length, type, freed } = storage as GpuStorage;
    const buffer = bufferOf(storage as GpuStorage, 'read');
    const offset = offsetOf(storage as GpuStorage);
    if (freed) throw new GpuError(`read of a freed tensor of ${length} ${type}; keep it with keep()`);
    const bytes = length * 4;
    let together = this.#reading;
    if (!together || together.bytes + bytes > this.device.limits.maxBufferSize) {
      const copies: Reading['copies'] = [];
      together = { copies, bytes: 0, done: this.#readBack(copies) };
      this.#reading = together;
    }
    const index = together.copies.push({ buffer, offset, at: together.bytes, bytes }) - 1;
    together.bytes += bytes;
    const copy = (await together.done)[index];
    return type === 'f32'
      ? new Float32Array(copy)
      : type === 'i32'
        ? new Int32Array(copy)
        : new Uint32Array(copy);
  }

  /** Reads what `copies` lists when everything is compiled; until then more may join. */
  async #readBack(copies: Reading['copies']): Promise<ArrayBuffer[]> {
    try {
      do await this.#compiled();
      while (this.#compiling > 0);
    } finally {
      if (this.#reading?.copies === copies) this.#reading = null;
    }
    const staging = this.device.createBuffer({
      label: 'read-back',
      size: Math.max(
        4,
        copies.reduce((sum, { bytes }) => sum + bytes, 0),
      ),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.#encode();
    for (const { buffer, offset, at, bytes } of copies) {
      if (bytes > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, bytes);
    }
    this.device.queue.submit([encoder.finish()]);
    await this.#map(staging);
    const mapped = staging.getMappedRange();
    const parts = copies.map(({ at, bytes }) => mapped.slice(at, at + bytes));
    staging.destroy();
    await this.settle();
    return parts;
  }

  /** Waits until all submitted work is done and throws what went wrong since the last call, if anything did. */
  async sync(): Promise<void> {
    do await this.#compiled();
    while (this.#compiling > 0);
    this.submit();
    await this.#wait(this.device.queue.onSubmittedWorkDone());
    await this.settle();
  }

  /** Throws the first error that compiling, allocating or submitting has raised. */
  async settle(): Promise<void> {
    const checks = this.#checks;
    this.#checks = [];
    const results = await Promise.allSettled(checks);
    this.#alive();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const fault = this.#fault;
    this.#fault = null;
    if (fault) throw fault;
  }

  memory(): MemoryUse {
    return this.#pool.memory();
  }

  /** Ends the device. The process can exit afterwards. */
  close(): void {
    this.#closed = true;
    this.device.destroy();
  }

  /**
   * Runs `work` with one pass and one pair of timestamps per dispatch and returns the times in order.
   * Null where the adapter has no timestamp queries.
   */
  async profile(work: () => void | Promise<void>): Promise<DispatchTime[] | null> {
    if (!this.device.features.has('timestamp-query')) return null;
    await this.sync();
    const profile = new Profile(this.device);
    this.#profile = profile;
    let encoder: GPUCommandEncoder;
    try {
      await work();
      do await this.#compiled();
      while (this.#compiling > 0);
      encoder = this.#encode();
    } finally {
      this.#profile = null;
    }
    const staging = profile.resolve(encoder);
    this.device.queue.submit([encoder.finish()]);
    await this.#map(staging);
    const times = profile.times(staging);
    await this.settle();
    return times;
  }

  /** The variant that runs with these parameters. */
  variant<P extends Params>(kernel: Kernel<P>, params: P): Variant<P> {
    return chooseVariant(kernel, params, this.adapter, this.#wanted(kernel.name, launchKey(kernel, params)));
  }

  #wanted(kernel: string, launch: string): string | undefined {
    return this.pins.get(kernel) ?? this.pinned.get(kernel) ?? this.measured.get(launch);
  }

  /** Waits for Dawn; see `patiently`. */
  #wait<T>(news: Promise<T>): Promise<T> {
    return this.adapter.software ? patiently(news) : news;
  }

  /**
   * Waits for every pipeline that a recorded command needs. Others may record while it waits, so its callers look again: between
   * their look and their next line nothing runs.
   * @throws what the compiler had to say
   */
  async #compiled(): Promise<void> {
    while (this.#compiling > 0) await this.#wait(Promise.allSettled(this.#checks));
    const results = await this.#wait(Promise.allSettled(this.#checks));
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) return;
    this.#queue = [];
    this.#checks = [];
    throw failed.reason;
  }

  /** Everything recorded so far, encoded. */
  #encode(): GPUCommandEncoder {
    const queue = this.#queue;
    this.#queue = [];
    return encode(this.device, queue, this.#profile);
  }

  #launch<P extends Params>(kernel: Kernel<P>, params: P): Launch {
    const plain = launchKey(kernel, params);
    const wanted = this.#wanted(kernel.name, plain);
    const key = wanted ? `${plain}!${wanted}` : plain;
    const known = this.#launches.get(key);
    if (known) return known;
    if (this.#launches.size >= MAX_LAUNCHES) {
      this.submit();
      for (const [oldKey, old] of this.#launches) {
        old.uniform?.destroy();
        this.#launches.delete(oldKey);
      }
      this.#bindGroups = 0;
    }
    const variant = chooseVariant(kernel, params, this.adapter, wanted);
    const label = `${kernel.name}/${variant.name}`;
    const workgroups = variant.workgroups(params);
    if (!Number.isInteger(workgroups) || workgroups < 0)
      throw new GpuError(`${label}: ${workgroups} workgroups, expected a whole number`);
    const launch: Launch = {
      label,
      compiled: this.#pipeline(kernel, variant, params, label),
      values: uniformValues(kernel, params, label),
      uniform: null,
      grid: foldGroups(workgroups),
      groups: new Map(),
    };
    this.#launches.set(key, launch);
    return launch;
  }

  #pipeline<P extends Params>(kernel: Kernel<P>, variant: Variant<P>, params: P, label: string): Compiled {
    const code = shaderCode(kernel, variant, params);
    const constants = variant.constants?.(params) ?? {};
    const key = `${label}\n${JSON.stringify(constants)}\n${code}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const layout = bindGroupLayout(this.device, kernel, label);
    const made: Compiled = { pipeline: null, layout };
    this.#pipelines.set(key, made);
    this.#compiling += 1;
    this.#check(
      compilePipeline(this.device, label, code, layout, constants).then(
        (pipeline) => {
          made.pipeline = pipeline;
          this.#compiling -= 1;
        },
        (error) => {
          this.#pipelines.delete(key);
          this.#launches.clear();
          this.#compiling -= 1;
          throw error;
        },
      ),
    );
    return made;
  }

  #dropBindGroups(): void {
    for (const launch of this.#launches.values()) launch.groups.clear();
    this.#bindGroups = 0;
  }

  #bufferId(buffer: GPUBuffer): number {
    let id = this.#bufferIds.get(buffer);
    if (id === undefined) this.#bufferIds.set(buffer, (id = this.#nextId++));
    return id;
  }

  #check(promise: Promise<void>): void {
    promise.catch(() => {}); // reported by settle()
    this.#checks.push(promise);
  }

  async #map(staging: GPUBuffer): Promise<void> {
    try {
      await this.#wait(staging.mapAsync(GPUMapMode.READ));
    } catch (error) {
      await this.#lossNews();
      await this.settle();
      throw new GpuError(`read-back failed: ${(error as Error).message || 'the map was aborted'}`);
    }
  }

  /** A map that fails may be the first news of a loss: Dawn's own follows. */
  #lossNews(): Promise<unknown> {
    return Promise.race([this.device.lost, new Promise((later) => setTimeout(later, LOSS_NEWS_MS))]);
  }

  #alive(): void {
    if (this.#lost !== null) {
      throw new DeviceLostError(
        `the GPU device was lost (${this.#lost}); nothing after the loss counts. Resume from the last checkpoint.`,
      );
    }
    if (this.#closed) throw new GpuError('the device was closed');
  }
}
