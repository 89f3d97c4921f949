// What is known of one training step: its ops, below the calls of modules that made them.
import type { Shape } from '../autograd/tensor.ts';
import type { Element, Params } from '../gpu/kernel.ts';

export interface TapeTensor {
  shape: Shape;
  dtype: Element;
  bytes: number;
}

export interface TapeLaunch {
  kernel: string;
  variant: string;
  params: Params;
  /** On the adapter's clock; null where it has none. */
  ms: number | null;
}

export interface TapeOp {
  /** Its place in the order of the forward pass, from 1. */
  id: number;
  name: string;
  /**
   * `taped`: its gradient was asked for, `constant`: an op whose gradient was not, `kernel`: launches that no op of the tape
   * claims, such as the optimiser's.
   */
  kind: 'taped' | 'constant' | 'kernel';
  /** All that its launches read and did not make. `from`: the op that made it, or the name of a parameter or of a part of the batch. */
  inputs: (TapeTensor & { from: number | string })[];
  outputs: TapeTensor[];
  /** Bytes of its outputs; 0 where they are another tensor under another shape, or are updated in place. */
  bytes: number;
  /** What it made and the backward pass reads. `until`: the op whose gradient reads it last. */
  kept: (TapeTensor & { until: number })[];
  /** Names of the trained tensors that it reads. */
  parameters: string[];
  /** Euclidean norm of its output; null where that is no f32, and for `kernel`. */
  norm: number | null;
  /** Euclidean norm of the gradient of the loss with respect to its output; null where none was computed. */
  gradientNorm: number | null;
  forward: TapeLaunch[];
  /** Of its gradient, and of adding it to gradients that came from elsewhere. */
  backward: TapeLaunch[];
  /** Whether `pictures` has its output. */
  picture: boolean;
}

/** One call of a module: the ops and calls made inside it, in order. */
export interface TapeCall {
  /** Network and fields, as parameters are named: `segmentation/encoder.layer1.0`. */
  path: string;
  /** The path from the enclosing call. */
  label: string;
  nodes: (TapeCall | TapeOp)[];
}

export interface StepTape {
  phase: string;
  terms: Record<string, number>;
  /** Before the gradient is asked for, under it, and after it. */
  stages: [TapeCall, TapeCall, TapeCall];
  parameters: Record<string, TapeTensor & { norm: number; gradientNorm: number }>;
  /** Whether the adapter has timestamps. */
  timed: boolean;
}

export const isCall = (node: TapeCall | TapeOp): node is TapeCall => 'nodes' in node;

/** The ops below a node, in order. */
export const opsOf = (node: TapeCall | TapeOp): TapeOp[] =>
  isCall(node) ? node.nodes.flatMap(opsOf) : [node];
