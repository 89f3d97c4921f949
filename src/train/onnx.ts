// ONNX files (github.com/onnx/onnx, onnx/onnx.proto): a graph of operators with its constants.
import { sizeOf } from '../autograd/tensor.ts';
import { concat, message, text, whole } from './protobuf.ts';

/** Version of the operators (github.com/onnx/onnx, docs/Operators.md), and of the format that came with it. */
const OPSET = 17;
const IR_VERSION = 8;

const FLOAT = 1;
const INT64 = 7;

export type OnnxAttribute = number | string | readonly number[];

export interface OnnxNode {
  op: string;
  inputs: readonly string[];
  output: string;
  /** Numbers are integers here. */
  attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxConstant {
  shape: readonly number[];
  data: Float32Array | BigInt64Array;
}

export interface OnnxValue {
  name: string;
  /** Text: a size that is known only when the graph runs. */
  shape: readonly (number | string)[];
}

export interface OnnxGraph {
  nodes: OnnxNode[];
  constants: Map<string, OnnxConstant>;
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

const each = <T>(items: Iterable<T>, encode: (item: T) => Uint8Array): Uint8Array =>
  concat([...items].map(encode));

function attribute(name: string, value: OnnxAttribute): Uint8Array {
  const [INT, STRING, INTS] = [2, 3, 7];
  const typed = (type: number, encoded: Uint8Array) => concat([text(1, name), encoded, whole(20, type)]);
  if (typeof value === 'number') return typed(INT, whole(3, value));
  if (typeof value === 'string') return typed(STRING, text(4, value));
  return typed(
    INTS,
    each(value, (one) => whole(8, one)),
  );
}

const node = ({ op, inputs, output, attributes }: OnnxNode): Uint8Array =>
  concat([
    each(inputs, (name) => text(1, name)),
    text(2, output),
    text(3, output),
    text(4, op),
    each(Object.entries(attributes), ([name, value]) => message(5, attribute(name, value))),
  ]);

function constant(name: string, { shape, data }: OnnxConstant): Uint8Array {
  if (data.length !== sizeOf(shape))
    throw new RangeError(`onnx: '${name}' has ${data.length} values for [${shape}]`);
  return concat([
    each(shape, (size) => whole(1, size)),
    whole(2, data instanceof Float32Array ? FLOAT : INT64),
    text(8, name),
    message(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
}

function value({ name, shape }: OnnxValue): Uint8Array {
  const dimension = (size: number | string) => (typeof size === 'number' ? whole(1, size) : text(2, size));
  const dimensions = each(shape, (size) => message(1, dimension(size)));
  const tensor = concat([whole(1, FLOAT), message(2, dimensions)]);
  return concat([text(1, name), message(2, message(1, tensor))]);
}

/** The bytes of an ONNX file. */
export function encodeOnnx(graph: OnnxGraph, version: string): Uint8Array {
  const body = concat([
    each(graph.nodes, (one) => message(1, node(one))),
    text(2, 'warpmix'),
    each(graph.constants, ([name, one]) => message(5, constant(name, one))),
    each(graph.inputs, (one) => message(11, value(one))),
    each(graph.outputs, (one) => message(12, value(one))),
  ]);
  return concat([
    whole(1, IR_VERSION),
    text(2, 'warpmix'),
    text(3, version),
    message(7, body),
    message(8, whole(2, OPSET)),
  ]);
}
