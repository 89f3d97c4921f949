// Step programs: a function of tensors is recorded once and replayed, with no work in JavaScript per op.
import { fromBytes } from '../../kernels/bytes.ts';
import type { Storage } from '../gpu/device.ts';
import { GpuError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Element } from '../gpu/kernel.ts';
import type { Recording } from '../gpu/recording.ts';
import {
  empty,
  keep,
  launch,
  type Shape,
  ShapeError,
  shapeText,
  sizeOf,
  step,
  type Tensor,
} from './tensor.ts';

/**
 * How values lie on the host: as elements of the tensor, or as bytes, which become f32 in [0, 1] (`unorm8`: 255 is 1) or i32 (`uint8`) on the
 * device. Images and labels are bytes, and a quarter of the bytes is a quarter of the way to a GPU.
 */
export type Format = Element | 'unorm8' | 'uint8';

const inBytes = (format: Format): format is 'unorm8' | 'uint8' => format === 'unorm8' || format === 'uint8';

const inPieces = (
  data: ArrayLike<number> | readonly ArrayLike<number>[],
): data is readonly ArrayLike<number>[] => typeof data[0] === 'object';

/** Values on the host, in row-major order, and the tensor that they become. */
export class HostTensor {
  /** Arrays that follow one another, such as the images of a batch: putting them into one would copy them once more. */
  readonly pieces: readonly ArrayLike<number>[];
  readonly shape: Shape;
  readonly format: Format;

  /**
   * @param data bytes are in a Uint8Array, or in several of one length.
   * @throws ShapeError for bytes that are not as many as the values of the shape, or in arrays of several lengths.
   */
  constructor(data: Uint8Array | readonly Uint8Array[], shape: Shape, format: 'unorm8' | 'uint8');
  constructor(data: ArrayLike<number> | readonly ArrayLike<number>[], shape: Shape, format?: Element);
  constructor(data: ArrayLike<number> | readonly ArrayLike<number>[], shape: Shape, format: Format = 'f32') {
    this.pieces = inPieces(data) ? data : [data];
    this.shape = shape;
    this.format = format;
    if (!inBytes(format)) return;
    const lengths = [...new Set(this.pieces.map(({ length }) => length))];
    if (lengths.length > 1 || this.pieces.length * lengths[0] !== sizeOf(shape))
      throw new ShapeError(
        `HostTensor: ${this.pieces.length} x ${lengths.join(' and ')} bytes for shape ${shapeText(shape)} (${sizeOf(shape)}); expected arrays ` +
          'of one length, a byte for each value',
      );
  }
}

/** Four bytes to a word, the first one lowest; the last word is filled up. */
function wordsOf(piece: Uint8Array): Uint32Array {
  const whole =
    piece.length % 4 === 0 && piece.byteOffset % 4 === 0
      ? piece
      : new Uint8Array(4 * Math.ceil(piece.length / 4));
  if (whole !== piece) whole.set(piece);
  return new Uint32Array(whole.buffer, whole.byteOffset, whole.length / 4);
}

/** The tensor that a host tensor is written into. */
class Landing {
  /** The tensor of the shape that was asked for, or bytes in words. */
  readonly written: Tensor;
  readonly shape: Shape;
  readonly format: Format;
  /** Values in each piece of bytes. */
  readonly #per: number;

  constructor({ pieces, shape, format }: HostTensor, on?: Gpu) {
    this.shape = shape;
    this.format = format;
    this.#per = pieces[0].length;
    const words = pieces.length * Math.ceil(this.#per / 4);
    this.written = inBytes(format) ? empty([words], 'u32', on) : empty(shape, format, on);
  }

  /** True for values of the same shape in the same format. */
  takes({ pieces, shape, format }: HostTensor): boolean {
    return (
      format === this.format &&
      shape.length === this.shape.length &&
      shape.every((n, i) => n === this.shape[i]) &&
      (!inBytes(format) || pieces[0].length === this.#per)
    );
  }

  /** @throws ShapeError for another number of values. */
  write({ pieces, format }: HostTensor): void {
    this.written.assign(...(inBytes(format) ? (pieces as readonly Uint8Array[]).map(wordsOf) : pieces));
  }

  /** The tensor of the shape that was asked for. Bytes become another one, which belongs to the step. */
  values(): Tensor {
    if (!inBytes(this.format)) return this.written;
    const kernel = fromBytes[this.format];
    const y = empty(this.shape, kernel.bindings[1].type, this.written.device);
    const per = this.#per;
    launch(kernel, { n: y.size, per, words: Math.ceil(per / 4) }, { x: this.written, y });
    return y;
  }
}

/** Leaves in arrays and plain objects. */
type Tree<L> = L | { readonly [name: string]: Tree<L> } | readonly Tree<L>[];

export type Inputs = Tree<HostTensor>;

export type Tensors = Tree<Tensor>;

/** The structure of `T`, of tensors. */
export type Uploaded<T> = Inputs extends T
  ? Tensors
  : T extends HostTensor
    ? Tensor
    : { [K in keyof T]: Uploaded<T[K]> };

/** The structure of `tree` with what `fn` makes of each leaf; `path` is its name, such as `labelled.images`. */
function mapTree<L extends object, R>(
  Leaf: new (...made: never[]) => L,
  tree: Tree<L>,
  fn: (leaf: L, path: string) => R,
  path = '',
): Tree<R> {
  if (tree instanceof Leaf) return fn(tree, path);
  const inner = ([name, value]: [string, Tree<L>]) =>
    mapTree(Leaf, value, fn, path ? `${path}.${name}` : name);
  if (Array.isArray(tree)) return tree.map((value, i) => inner([String(i), value]));
  return Object.fromEntries(Object.entries(tree).map((entry) => [entry[0], inner(entry)]));
}

/** New tensors on the current device. */
export function upload<T extends Inputs>(inputs: T): Uploaded<T> {
  const landed = mapTree(HostTensor, inputs, (one) => {
    const landing = new Landing(one);
    landing.write(one);
    return landing;
  });
  return mapTree(Landing, landed, (landing) => {
    const values = landing.values();
    if (values !== landing.written) landing.written.dispose();
    return values;
  }) as Uploaded<T>;
}

/** Each of `held` with the host tensor in its place; null where there is none, or one of another shape or format, or one more. */
function paired(
  held: Tree<Landing>,
  inputs: Inputs,
  pairs: [Landing, HostTensor][] = [],
): typeof pairs | null {
  if (held instanceof Landing) {
    if (!(inputs instanceof HostTensor) || !held.takes(inputs)) return null;
    pairs.push([held, inputs]);
    return pairs;
  }
  if (inputs instanceof HostTensor) return null;
  const [before, now] = [held, inputs] as [Record<string, Tree<Landing>>, Record<string, Inputs>];
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
  tree: Tree<Landing>;
  inputs: Map<string, Landing>;
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
    for (const [landing, input] of pairs) landing.write(input);
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
    for (const { written } of recorded.inputs.values()) written.dispose();
  }

  #record(inputs: In): Recorded {
    const held = new Map<string, Landing>();
    const tree = mapTree(HostTensor, inputs, (one, path) => {
      const landing = new Landing(one, this.#gpu);
      keep(landing.written);
      held.set(path, landing);
      return landing;
    });
    const outputs: Recorded['outputs'] = [];
    let recording: Recording;
    try {
      recording = this.#gpu.record(() =>
        step(() => {
          const storages: Storage[] = [];
          const tensors = mapTree(Landing, tree, (landing) => landing.values()) as Uploaded<In>;
          for (const [name, result] of Object.entries(this.#fn(tensors))) {
            outputs.push({ name, shape: result.shape, dtype: result.dtype });
            storages.push(result.storage);
          }
          return storages;
        }),
      );
    } catch (error) {
      for (const { written } of held.values()) written.dispose();
      throw error;
    }
    return { recording, tree, inputs: held, outputs };
  }
}

const described = (one: Pick<HostTensor, 'shape' | 'format'> | undefined): string =>
  one ? `${shapeText(one.shape)} ${one.format}` : 'nothing';

/** The first input that is not what it was, in words. */
function changed(before: ReadonlyMap<string, Landing>, inputs: Inputs): string {
  const now = new Map<string, HostTensor>();
  mapTree(HostTensor, inputs, (one, path) => now.set(path, one));
  for (const name of new Set([...before.keys(), ...now.keys()])) {
    const [was, is] = [described(before.get(name)), described(now.get(name))];
    if (was !== is) return `input '${name}' is ${is}, was ${was}`;
  }
  return 'the inputs are arranged otherwise';
}
