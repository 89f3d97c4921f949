// Step programs: a function of tensors is recorded once and replayed, with no work in JavaScript per op.
import type { Storage } from '../gpu/device.ts';
import { GpuError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Element } from '../gpu/kernel.ts';
import type { Recording } from '../gpu/recording.ts';
import { empty, keep, type Shape, shapeText, step, Tensor } from './tensor.ts';

const inPieces = (
  data: ArrayLike<number> | readonly ArrayLike<number>[],
): data is readonly ArrayLike<number>[] => typeof data[0] === 'object';

/** Values on the host, in row-major order, and the tensor that they become. */
export class HostTensor {
  /** Arrays that follow one another, such as the images of a batch: putting them into one would copy them once more. */
  readonly pieces: readonly ArrayLike<number>[];
  readonly shape: Shape;
  readonly dtype: Element;

  constructor(data: ArrayLike<number> | readonly ArrayLike<number>[], shape: Shape, dtype: Element = 'f32') {
    this.pieces = inPieces(data) ? data : [data];
    this.shape = shape;
    this.dtype = dtype;
  }
}

/** Host tensors in arrays and plain objects. */
export type Inputs = HostTensor | { readonly [name: string]: Inputs } | readonly Inputs[];

export type Tensors = Tensor | { readonly [name: string]: Tensors } | readonly Tensors[];

/** The structure of `T`, of tensors. */
export type Uploaded<T> = Inputs extends T
  ? Tensors
  : T extends HostTensor
    ? Tensor
    : { [K in keyof T]: Uploaded<T[K]> };

/** The structure of `inputs` with what `fn` makes of each host tensor; `path` is its name, such as `seen.target`. */
function mapInputs(
  inputs: Inputs,
  fn: (one: HostTensor, path: string) => Tensor | undefined,
  path = '',
): unknown {
  if (inputs instanceof HostTensor) return fn(inputs, path);
  const inner = ([name, value]: [string, Inputs]) => mapInputs(value, fn, path ? `${path}.${name}` : name);
  if (Array.isArray(inputs)) return inputs.map((value, i) => inner([String(i), value]));
  return Object.fromEntries(Object.entries(inputs).map((entry) => [entry[0], inner(entry)]));
}

/** New tensors on the current device. */
export const upload = <T extends Inputs>(inputs: T): Uploaded<T> =>
  mapInputs(inputs, ({ pieces, shape, dtype }) => {
    const made = empty(shape, dtype);
    made.assign(...pieces);
    return made;
  }) as Uploaded<T>;

/** Each of `held` with the host tensor in its place; null where there is none, or one of another shape or type, or one more. */
function paired(held: Tensors, inputs: Inputs, pairs: [Tensor, HostTensor][] = []): typeof pairs | null {
  if (held instanceof Tensor) {
    if (!(inputs instanceof HostTensor) || held.dtype !== inputs.dtype) return null;
    if (held.shape.length !== inputs.shape.length || !held.shape.every((n, i) => n === inputs.shape[i]))
      return null;
    pairs.push([held, inputs]);
    return pairs;
  }
  if (inputs instanceof HostTensor) return null;
  const [before, now] = [held, inputs] as [Record<string, Tensors>, Record<string, Inputs>];
  let count = 0;
  for (const name in now) {
    if (!Object.hasOwn(before, name) || !paired(before[name], now[name], pairs)) return null;
    count += 1;
  }
  return count === Object.keys(before).length ? pairs : null;
}

interface Recorded {
  recording: Recording;
  /** Its inputs as they were given, and by name. */
  tree: Tensors;
  inputs: Map<string, Tensor>;
  outputs: { name: string; shape: Shape; dtype: Element }[];
}

/**
 * `fn`, recorded at the first `assign` and replayed from then on: its pipelines, bind groups and buffers are prepared, and a run is the
 * upload of the inputs and the encoding of the launches. So `fn` must be a function of its inputs and of tensors that live
 * outside, such as parameters, which it may update; a number that it takes from the host stays what it was at the recording.
 * Inputs of other shapes record again.
 */
export class Program<In extends Inputs = Inputs> {
  readonly #gpu: Gpu;
  readonly #fn: (inputs: Uploaded<In>) => Record<string, Tensor>;
  readonly #say: (line: string) => void;
  #recorded: Recorded | null = null;

  /**
   * @param gpu the current device.
   * @param say told of every recording but the first: which input changed, from which shape to which.
   */
  constructor(
    gpu: Gpu,
    fn: (inputs: Uploaded<In>) => Record<string, Tensor>,
    say: (line: string) => void = () => {},
  ) {
    this.#gpu = gpu;
    this.#fn = fn;
    this.#say = say;
  }

  /**
   * Writes the inputs to the device. Records `fn` first where it has not been, or for inputs of other shapes.
   * @throws GpuError when `fn` keeps a tensor that it made, or writes from the host into one that it did not.
   */
  async assign(inputs: In): Promise<void> {
    let pairs = this.#recorded && paired(this.#recorded.tree, inputs);
    if (this.#recorded && !pairs) {
      this.#say(`${changed(this.#recorded.inputs, inputs)}; recording the step again`);
      await this.dispose();
    }
    this.#recorded ??= this.#record(inputs);
    pairs ??= paired(this.#recorded.tree, inputs)!;
    for (const [tensor, { pieces }] of pairs) tensor.assign(...pieces);
  }

  /**
   * What `fn` returns for the inputs that were assigned last, in new tensors.
   * @throws GpuError before the first `assign`
   */
  replay(): Record<string, Tensor> {
    const recorded = this.#recorded;
    if (!recorded) throw new GpuError('replay: nothing is recorded; assign inputs first');
    const results = recorded.outputs.map(({ shape, dtype }) => empty(shape, dtype, this.#gpu));
    this.#gpu.replay(
      recorded.recording,
      results.map((result) => result.storage),
    );
    return Object.fromEntries(recorded.outputs.map(({ name }, i) => [name, results[i]]));
  }

  /** Frees the recording and its buffers. */
  async dispose(): Promise<void> {
    const recorded = this.#recorded;
    this.#recorded = null;
    if (!recorded) return;
    await this.#gpu.forget(recorded.recording);
    for (const input of recorded.inputs.values()) input.dispose();
  }

  #record(inputs: In): Recorded {
    const held = new Map<string, Tensor>();
    const tree = mapInputs(inputs, ({ shape, dtype }, path) => {
      const made = keep(empty(shape, dtype, this.#gpu));
      held.set(path, made);
      return made;
    }) as Tensors;
    const outputs: Recorded['outputs'] = [];
    let recording: Recording;
    try {
      recording = this.#gpu.record(() =>
        step(() => {
          const storages: Storage[] = [];
          for (const [name, result] of Object.entries(this.#fn(tree as Uploaded<In>))) {
            outputs.push({ name, shape: result.shape, dtype: result.dtype });
            storages.push(result.storage);
          }
          return storages;
        }),
      );
    } catch (error) {
      for (const input of held.values()) input.dispose();
      throw error;
    }
    return { recording, tree, inputs: held, outputs };
  }
}

const described = (one: { shape: Shape; dtype: Element } | undefined): string =>
  one ? `${shapeText(one.shape)} ${one.dtype}` : 'nothing';

/** The first input that is not what it was, in words. */
function changed(before: ReadonlyMap<string, Tensor>, inputs: Inputs): string {
  const now = new Map<string, HostTensor>();
  mapInputs(inputs, (one, path) => {
    now.set(path, one);
    return undefined;
  });
  for (const name of new Set([...before.keys(), ...now.keys()])) {
    const [was, is] = [described(before.get(name)), described(now.get(name))];
    if (was !== is) return `input '${name}' is ${is}, was ${was}`;
  }
  return 'the inputs are arranged otherwise';
}
