// From launches to ONNX: what a network launches on a `TracingDevice` becomes a graph, kernel by kernel. Layout changes from
// channels last to channels first, so tensors of rank four are [N,C,H,W] in the graph.
import { noGrad } from '../autograd/tape.ts';
import { empty, onDevice, type Shape, step, type Tensor, watchLaunches } from '../autograd/tensor.ts';
import type { Storage } from '../gpu/device.ts';
import type { Params } from '../gpu/kernel.ts';
import type { TracedStorage, TracingDevice } from '../gpu/tracing.ts';
import { stridesOf } from '../ops/movement.ts';
import type { OnnxAttribute, OnnxConstant, OnnxGraph } from './onnx.ts';

/** A network launches what has no counterpart in ONNX. */
export class ExportError extends Error {
  override name = 'ExportError';
}

/** [N,H,W,C] in the order of [N,C,H,W]. */
const CHANNELS_FIRST = [0, 3, 1, 2];
const channelsFirst = <T>(shape: readonly T[]): T[] =>
  shape.length === 4 ? CHANNELS_FIRST.map((axis) => shape[axis]) : [...shape];

/** Values of a row-major array with its axes in another order. */
function permuted(data: ArrayLike<number>, shape: Shape, order: readonly number[]): Float32Array {
  const strides = stridesOf(shape);
  const result = new Float32Array(data.length);
  for (let at = 0; at < result.length; at++) {
    let from = 0;
    let rest = at;
    for (let k = order.length - 1; k >= 0; k--) {
      from += (rest % shape[order[k]]) * strides[order[k]];
      rest = Math.floor(rest / shape[order[k]]);
    }
    result[at] = data[from];
  }
  return result;
}

class Builder {
  readonly graph: OnnxGraph = { nodes: [], constants: new Map(), inputs: [], outputs: [] };
  readonly #names: ReadonlyMap<Storage, string>;
  readonly #values = new Map<Storage, { name: string; shape: Shape }>();
  readonly #parts = new Map<Storage, { at: number; x: Tensor }[]>();

  /** @param names of parameters. */
  constructor(names: ReadonlyMap<Storage, string>) {
    this.#names = names;
  }

  define(tensor: Tensor, name: string): void {
    this.#values.set(tensor.storage, { name, shape: tensor.shape });
  }

  /** The name of a constant, which is put into the graph. */
  constant(name: string, { shape, data }: OnnxConstant): string {
    this.graph.constants.set(name, { shape, data });
    return name;
  }

  /** Adds a node. @returns the name of its result. */
  node(op: string, inputs: readonly string[], attributes: Record<string, OnnxAttribute> = {}): string {
    const output = `${op.toLowerCase()}_${this.graph.nodes.length}`;
    this.graph.nodes.push({ op, inputs, output, attributes });
    return output;
  }

  /** The values of a tensor that does not depend on the input. @throws ExportError where it does */
  known(kernel: string, binding: string, tensor: Tensor): ArrayLike<number> {
    const { data } = tensor.storage as TracedStorage;
    if (data) return data;
    throw new ExportError(
      `export: '${binding}' of kernel '${kernel}' depends on the input; ONNX gets it as a constant only`,
    );
  }

  /** A constant from a tensor: its values with the axes in this order. */
  parameter(kernel: string, binding: string, tensor: Tensor, order: readonly number[]): string {
    const data = permuted(this.known(kernel, binding, tensor), tensor.shape, order);
    const name = this.#names.get(tensor.storage) ?? `constant_${tensor.storage.id}`;
    return this.constant(name, { shape: order.map((axis) => tensor.shape[axis]), data });
  }

  /** The name of the value that a tensor holds. @throws ExportError where it is seen under another shape than it was made in */
  input(kernel: string, binding: string, tensor: Tensor): string {
    const value = this.#values.get(tensor.storage);
    if (!value) {
      const order = tensor.shape.length === 4 ? CHANNELS_FIRST : tensor.shape.map((_, axis) => axis);
      return this.parameter(kernel, binding, tensor, order);
    }
    if (value.shape.join() === tensor.shape.join()) return value.name;
    throw new ExportError(
      `export: kernel '${kernel}' sees [${value.shape}] as [${tensor.shape}]; a reshape cannot be exported`,
    );
  }

  /** A part of a concatenation; the node is added with the last one. */
  part(x: Tensor, y: Tensor, { at, inner, whole }: Params): void {
    const parts = [...(this.#parts.get(y.storage) ?? []), { at, x }].sort((a, b) => a.at - b.at);
    this.#parts.set(y.storage, parts);
    const axis = y.shape.findIndex((_, i) => y.shape.slice(i + 1).reduce((a, b) => a * b, 1) === inner);
    if (parts.reduce((sum, part) => sum + part.x.shape[axis], 0) < whole) return;
    const names = parts.map((part) => this.input('insert', 'x', part.x));
    const place = y.shape.length === 4 ? CHANNELS_FIRST.indexOf(axis) : axis;
    this.define(y, this.node('Concat', names, { axis: place }));
  }
}

type Tensors = Record<string, Tensor>;
/** Adds what a launch computes. @returns the name of the result, which is the tensor `y`. */
type Converter = (add: Builder, params: Params, tensors: Tensors, kernel: string) => string;

const scalar = (add: Builder, value: number): string =>
  add.constant(`scalar_${value}`, { shape: [], data: Float32Array.of(value) });

const unary =
  (op: string): Converter =>
  (add, _, { x }, kernel) =>
    add.node(op, [add.input(kernel, 'x', x)]);

const binary =
  (op: string): Converter =>
  (add, _, { a, b }, kernel) => {
    if (a.shape.length !== b.shape.length && a.size !== 1 && b.size !== 1) {
      throw new ExportError(
        `export: kernel '${kernel}' of [${a.shape}] and [${b.shape}]; expected equally many axes`,
      );
    }
    return add.node(op, [add.input(kernel, 'a', a), add.input(kernel, 'b', b)]);
  };

const convolution =
  (activation?: 'Relu' | 'Elu'): Converter =>
  (add, p, { x, w, b }, kernel) => {
    const [OUT, IN, H, W] = [3, 2, 0, 1];
    const weight = add.parameter(kernel, 'w', w, [OUT, IN, H, W]);
    const bias = b ? [add.parameter(kernel, 'b', b, [0])] : [];
    const y = add.node('Conv', [add.input(kernel, 'x', x), weight, ...bias], {
      kernel_shape: [p.kh, p.kw],
      strides: [p.sy, p.sx],
      pads: [p.py, p.px, p.py, p.px],
      dilations: [p.dy, p.dx],
      group: p.groups,
    });
    return activation ? add.node(activation, [y]) : y;
  };

/** What ONNX adds to a variance where nothing is said. */
const EPSILON = 1e-5;

const normalisation =
  (activation?: 'Relu' | 'Elu'): Converter =>
  (add, p, { x, mean, rstd, gamma, beta }, kernel) => {
    if (p.sets !== 1) throw new ExportError(`export: kernel '${kernel}' with statistics of each sample`);
    const [scale, shift, centre] = Object.entries({ gamma, beta, mean }).map(([binding, tensor]) =>
      add.parameter(kernel, binding, tensor, [0]),
    );
    const variance = Float32Array.from(add.known(kernel, 'rstd', rstd), (r) => 1 / r ** 2 - EPSILON);
    const spread = add.constant(`${centre}.variance`, { shape: [p.c], data: variance });
    const inputs = [add.input(kernel, 'x', x), scale, shift, centre, spread];
    const y = add.node('BatchNormalization', inputs);
    return activation ? add.node(activation, [y]) : y;
  };

const resize =
  (attributes: (p: Params) => Record<string, OnnxAttribute>): Converter =>
  (add, p, { x, y }, kernel) => {
    const scales = Float32Array.from(channelsFirst(y.shape.map((size, axis) => size / x.shape[axis])));
    const name = add.constant(`scales_${[...scales].join('_')}`, { shape: [4], data: scales });
    // The second input is a region of interest, which these modes do not have.
    return add.node('Resize', [add.input(kernel, 'x', x), '', name], attributes(p));
  };

const linear = resize((p) => ({
  mode: 'linear',
  coordinate_transformation_mode: p.alignCorners === 1 ? 'align_corners' : 'half_pixel',
}));

/** By kernel. */
const converters: Record<string, Converter> = {
  affine: (add, { a, b }, { x }, kernel) => {
    const scaled = add.node('Mul', [add.input(kernel, 'x', x), scalar(add, a)]);
    return b === 0 ? scaled : add.node('Add', [scaled, scalar(add, b)]);
  },
  relu: unary('Relu'),
  elu: unary('Elu'),
  sigmoid: unary('Sigmoid'),
  add: binary('Add'),
  mul: binary('Mul'),
  conv2d: convolution(),
  'conv2d.bias': convolution(),
  'conv2d.bias.relu': convolution('Relu'),
  'conv2d.bias.elu': convolution('Elu'),
  'normApply.affine': normalisation(),
  'normApply.relu': normalisation('Relu'),
  'normApply.elu': normalisation('Elu'),
  maxPool: (add, p, { x }, kernel) =>
    add.node('MaxPool', [add.input(kernel, 'x', x)], {
      kernel_shape: [p.kh, p.kw],
      strides: [p.sh, p.sw],
      pads: [p.ph, p.pw, p.ph, p.pw],
    }),
  reflectionPad: (add, { pad }, { x }, kernel) => {
    const data = BigInt64Array.from([0, 0, pad, pad, 0, 0, pad, pad], BigInt);
    const pads = add.constant(`pads_${pad}`, { shape: [8], data });
    return add.node('Pad', [add.input(kernel, 'x', x), pads], { mode: 'reflect' });
  },
  resizeNearest: resize(() => ({
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  })),
  resizeBilinear: linear,
  resizeLinearAxis: linear,
};

/**
 * The graph of a network, for images [N,3,height,width] in [0, 1], height and width multiples of 32.
 * @param device on which the network was made.
 * @param forward the network in evaluation mode; its results become the outputs, channels first.
 * @param names of parameters, by their storage: they name the constants.
 * @param size of the image that is traced, pixels; the graph takes others too.
 * @throws ExportError naming a kernel that has no counterpart
 */
export function inferenceGraph(
  device: TracingDevice,
  forward: (images: Tensor) => Record<string, Tensor>,
  names: ReadonlyMap<Storage, string>,
  [height, width]: readonly [number, number],
): OnnxGraph {
  const add = new Builder(names);
  const dynamic = (channels: number) => ['N', channels, 'height', 'width'];
  const trace = () => {
    const images = empty([1, height, width, 3]);
    add.define(images, 'image');
    add.graph.inputs.push({ name: 'image', shape: dynamic(3) });
    const results = watchLaunches(
      (kernel, params, tensors, done) => {
        // What follows from constants alone is a constant, which the device has computed by now.
        if (!done || kernel.bindings.every(({ name }) => (tensors[name].storage as TracedStorage).data))
          return;
        if (kernel.name === 'insert') {
          add.part(tensors.x, tensors.y, params);
          return;
        }
        if (!Object.hasOwn(converters, kernel.name)) {
          throw new ExportError(
            `export: kernel '${kernel.name}' (${kernel.summary}) has no counterpart in ONNX here; these have: ` +
              `${Object.keys(converters).join(', ')}, insert`,
          );
        }
        add.define(tensors.y, converters[kernel.name](add, params, tensors, kernel.name));
      },
      () => forward(images),
    );
    for (const [name, tensor] of Object.entries(results)) {
      if (tensor.shape[1] !== height || tensor.shape[2] !== width || tensor.shape.length !== 4)
        throw new ExportError(
          `export: output '${name}' is [${tensor.shape}]; expected an image of ${height} x ${width}`,
        );
      add.graph.nodes.push({
        op: 'Identity',
        inputs: [add.input('output', name, tensor)],
        output: name,
        attributes: {},
      });
      add.graph.outputs.push({ name, shape: dynamic(tensor.shape[3]) });
    }
  };
  onDevice(device, () => noGrad(() => step(trace)));
  return add.graph;
}
