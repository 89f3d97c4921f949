import { filler } from '../measure.ts';

/** A convolution with as many rows and columns out as in, stride 1. Data are channels last. */
export interface ConvProblem {
  n: number;
  h: number;
  w: number;
  /** Channels in and out. */
  c: number;
  k: number;
  /** Side of the window, odd. */
  size: number;
  dilation: number;
}

export type ConvPart = 'forward' | 'input gradient' | 'weight gradient';

/** Convolutions 3x3 with ReLU, a classifier 1x1, the mean cross-entropy of all pixels, plain gradient descent. */
export interface NetProblem {
  n: number;
  h: number;
  w: number;
  /** Channels of the image and after each convolution. */
  widths: readonly number[];
  strides: readonly number[];
  classes: number;
  lr: number;
}

/** Something to time, with its inputs on the device. */
export interface Work {
  /** Does it once and ends with the read-back of one number of the result. */
  run(): Promise<void>;
  /** The result in channels-last order, or the losses of all runs so far. */
  result(): Promise<ArrayLike<number>>;
  dispose(): void;
}

export interface Framework {
  name: string;
  /** @throws what the framework throws, where it cannot do this. */
  convolution(problem: ConvProblem, part: ConvPart, data: ConvData): Promise<Work>;
  training(problem: NetProblem, data: NetData): Promise<Work>;
  close(): void;
}

export interface ConvData {
  /** [n,h,w,c], [size,size,c,k], and the cotangent of the output, [n,h,w,k]. */
  x: Float32Array;
  weight: Float32Array;
  g: Float32Array;
}

export interface NetData {
  /** [n,h,w,widths[0]]. */
  image: Float32Array;
  /** [n,oh,ow], each below `classes`. */
  labels: Int32Array;
  /** Of every convolution and of the classifier, [size,size,c,k]. Biases start at zero. */
  layers: readonly { shape: readonly [number, number, number, number]; weight: Float32Array }[];
}

/** Rows and columns of the network's output. */
export const outputSize = ({ h, w, strides }: NetProblem): [number, number] => {
  const by = strides.reduce((product, stride) => product * stride, 1);
  return [h / by, w / by];
};

/** An image, labels in short runs, and weights with He's deviation. */
export function netData(p: NetProblem): NetData {
  const [oh, ow] = outputSize(p);
  const shapes = [...p.widths.slice(1), p.classes].map((k, i) => {
    const size = i < p.strides.length ? 3 : 1;
    return [size, size, p.widths[i], k] as const;
  });
  return {
    image: filler(p.n * p.h * p.w * p.widths[0]),
    labels: Int32Array.from({ length: p.n * oh * ow }, (_, i) => Math.floor(i / 7) % p.classes),
    layers: shapes.map((shape) => {
      const [size, , c, k] = shape;
      // He's deviation, from numbers of deviation 0.29.
      const scale = Math.sqrt(24 / (size * size * c));
      return { shape, weight: filler(size * size * c * k).map((v) => v * scale) };
    }),
  };
}

/** The values of `data` with its axes in another order. */
export function permuted(
  data: ArrayLike<number>,
  shape: readonly number[],
  axes: readonly number[],
): Float32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, d) => product * d, 1));
  const [a, b, c, d] = axes.map((axis) => ({ size: shape[axis], stride: strides[axis] }));
  const out = new Float32Array(data.length);
  let at = 0;
  for (let i = 0; i < a.size; i++)
    for (let j = 0; j < b.size; j++)
      for (let k = 0; k < c.size; k++)
        for (let l = 0; l < d.size; l++)
          out[at++] = data[i * a.stride + j * b.stride + k * c.stride + l * d.stride];
  return out;
}
