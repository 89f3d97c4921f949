import { noGrad } from '../autograd/tape.ts';
import { type Shape, step, type Tensor, watchLaunches } from '../autograd/tensor.ts';
import type { Module } from '../nn/module.ts';

/** A module that holds parameters, as one pass over an image meets it. */
export interface Layer {
  /** Names of fields, as in a checkpoint: `encoder.layer1.0.conv1`. */
  name: string;
  /** The last kernel that used its parameters. */
  kernel: string;
  /** Of that kernel's result. */
  output: Shape;
  /** Trained values. */
  parameters: number;
  /** Of convolutions and matrix products; taps on the padding count. */
  multiplyAdds: number;
  /** What its kernels write. */
  bytes: number;
}

export interface NetworkSummary {
  layers: Layer[];
  /** Kernels that use no parameter, such as resizing. */
  others: { launches: number; bytes: number };
  parameters: number;
  multiplyAdds: number;
  /** What all kernels write. */
  bytes: number;
  /** Of parameters and running statistics, as a checkpoint stores them. */
  stateBytes: number;
}

const multiplies = /^(conv2d|matmul)/;
const valuesIn = (tensors: Readonly<Record<string, Tensor>>): number =>
  Object.values(tensors).reduce((sum, { size }) => sum + size, 0);
const ownerOf = (parameter: string): string => parameter.slice(0, Math.max(0, parameter.lastIndexOf('.')));

/**
 * What one pass through a network costs, layer by layer in the order of first use.
 * @param forward runs the network in evaluation mode. On a `TracingDevice` that takes no time.
 */
export function summarise(network: Module, forward: () => void): NetworkSummary {
  const state = network.state();
  const nameOf = new Map(Object.entries(state).map(([name, { storage }]) => [storage, name]));
  const layers = new Map<string, Layer>();
  const others = { launches: 0, bytes: 0 };
  const watch: Parameters<typeof watchLaunches>[0] = (kernel, params, tensors, done) => {
    if (done) return;
    const results = kernel.bindings
      .filter(({ access }) => access !== 'read')
      .map(({ name }) => tensors[name]);
    // A concatenation writes a part of its result in each launch.
    const bytes = kernel.name === 'insert' ? 4 * tensors.x.size : 4 * results.reduce((n, t) => n + t.size, 0);
    const used = kernel.bindings.map(({ name }) => nameOf.get(tensors[name].storage)).find(Boolean);
    if (used === undefined) {
      others.launches += 1;
      others.bytes += bytes;
      return;
    }
    const name = ownerOf(used);
    const before = layers.get(name) ?? { multiplyAdds: 0, bytes: 0 };
    layers.set(name, {
      name,
      kernel: kernel.name,
      output: results[0].shape,
      parameters: 0,
      multiplyAdds: before.multiplyAdds + (multiplies.test(kernel.name) ? kernel.cost(params).flops / 2 : 0),
      bytes: before.bytes + bytes,
    });
  };
  watchLaunches(watch, () => noGrad(() => step(forward)));
  const parameters = network.parameters();
  for (const [name, { size }] of Object.entries(parameters)) {
    const layer = layers.get(ownerOf(name));
    if (layer) layer.parameters += size;
  }
  const list = [...layers.values()];
  return {
    layers: list,
    others,
    parameters: valuesIn(parameters),
    multiplyAdds: list.reduce((sum, layer) => sum + layer.multiplyAdds, 0),
    bytes: list.reduce((sum, layer) => sum + layer.bytes, others.bytes),
    stateBytes: 4 * valuesIn(state),
  };
}
