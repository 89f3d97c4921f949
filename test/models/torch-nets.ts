// Networks of torchvision and Monodepth2 as plain loops in f64 over tensors with PyTorch's names and layouts. Nothing of warpmix
// is used: these are what loaded weights are compared with.
import type { SafeTensor } from '../../src/data/safetensors.ts';
import { randoms } from '../device.ts';

/** Channels first, one image. */
export interface Planes {
  c: number;
  h: number;
  w: number;
  data: Float64Array;
}

export type StateDict = Map<string, SafeTensor>;

export interface Architecture {
  widths: readonly number[];
  blocks: readonly number[];
  block: 'basic' | 'bottleneck';
  stem: 'conv7' | 'conv3';
}

export const RESNET18: Architecture = {
  widths: [64, 64, 128, 256, 512],
  blocks: [2, 2, 2, 2],
  block: 'basic',
  stem: 'conv7',
};
export const RESNET50: Architecture = {
  widths: [64, 256, 512, 1024, 2048],
  blocks: [3, 4, 6, 3],
  block: 'bottleneck',
  stem: 'conv7',
};

class Maker {
  readonly state: StateDict = new Map();
  #stream: number;

  constructor(stream: number) {
    this.#stream = stream;
  }

  #put(name: string, shape: number[], low: number, high: number): void {
    const data = Float32Array.from(
      randoms(
        shape.reduce((a, b) => a * b, 1),
        this.#stream++,
        low,
        high,
      ),
    );
    this.state.set(name, { dtype: 'F32', shape, data });
  }

  conv(name: string, out: number, inputs: number, size: number, bias = false): void {
    const bound = Math.sqrt(6 / (inputs * size * size));
    this.#put(`${name}.weight`, [out, inputs, size, size], -bound, bound);
    if (bias) this.#put(`${name}.bias`, [out], -0.3, 0.3);
  }

  bn(name: string, channels: number): void {
    this.#put(`${name}.weight`, [channels], 0.5, 1.2);
    this.#put(`${name}.bias`, [channels], -0.3, 0.3);
    this.#put(`${name}.running_mean`, [channels], -0.3, 0.3);
    this.#put(`${name}.running_var`, [channels], 0.5, 2);
    this.state.set(`${name}.num_batches_tracked`, { dtype: 'I64', shape: [], data: BigInt64Array.of(7n) });
  }

  linear(name: string, out: number, inputs: number): void {
    this.#put(`${name}.weight`, [out, inputs], -0.1, 0.1);
    this.#put(`${name}.bias`, [out], -0.1, 0.1);
  }
}

/** The convolutions of a block: name, kernel, outputs as a share of the block's, and whether it strides. */
const CONVS = {
  basic: [
    { size: 3, share: 1, strides: true },
    { size: 3, share: 1, strides: false },
  ],
  bottleneck: [
    { size: 1, share: 4, strides: false },
    { size: 3, share: 4, strides: true },
    { size: 1, share: 1, strides: false },
  ],
};

/** State dict of a ResNet as torchvision names it, random and seeded. @param prefix `encoder.` for Monodepth2's. */
export function resnetState(net: Architecture, stream: number, inputs = 3, prefix = ''): StateDict {
  const make = new Maker(stream);
  make.conv(`${prefix}conv1`, net.widths[0], inputs, net.stem === 'conv7' ? 7 : 3);
  make.bn(`${prefix}bn1`, net.widths[0]);
  let at = net.widths[0];
  net.blocks.forEach((count, stage) => {
    const out = net.widths[stage + 1];
    for (let i = 0; i < count; i++) {
      const name = `${prefix}layer${stage + 1}.${i}`;
      let from = at;
      CONVS[net.block].forEach(({ size, share }, k) => {
        make.conv(`${name}.conv${k + 1}`, out / share, from, size);
        make.bn(`${name}.bn${k + 1}`, out / share);
        from = out / share;
      });
      if (i === 0 && (at !== out || stage > 0 || net.stem === 'conv3')) {
        make.conv(`${name}.downsample.0`, out, at, 1);
        make.bn(`${name}.downsample.1`, out);
      }
      at = out;
    }
  });
  make.linear(`${prefix}fc`, 10, at);
  return make.state;
}

const DECODER = [16, 32, 64, 128, 256];

/** State dict of Monodepth2's depth.pth. */
export function depthState(encoder: readonly number[], stream: number): StateDict {
  const make = new Maker(stream);
  let index = 0;
  for (let i = 4; i >= 0; i--) {
    make.conv(`decoder.${index++}.conv.conv`, DECODER[i], i === 4 ? encoder[4] : DECODER[i + 1], 3, true);
    make.conv(`decoder.${index++}.conv.conv`, DECODER[i], DECODER[i] + (i > 0 ? encoder[i - 1] : 0), 3, true);
  }
  for (let scale = 0; scale < 4; scale++) make.conv(`decoder.${index++}.conv`, 1, DECODER[scale], 3, true);
  return make.state;
}

/** State dict of Monodepth2's pose.pth, which predicts two motions. */
export function poseState(encoder: readonly number[], stream: number): StateDict {
  const make = new Maker(stream);
  make.conv('net.0', 256, encoder[4], 1, true);
  make.conv('net.1', 256, 256, 3, true);
  make.conv('net.2', 256, 256, 3, true);
  make.conv('net.3', 12, 256, 1, true);
  return make.state;
}

const numbers = (state: StateDict, name: string): Float32Array => {
  const found = state.get(name);
  if (!found) throw new Error(`the state dict has no ${name}`);
  return found.data as Float32Array;
};

export function conv(x: Planes, state: StateDict, name: string, stride: number, padding: number): Planes {
  const [out, inputs, size] = state.get(`${name}.weight`)!.shape;
  const weight = numbers(state, `${name}.weight`);
  const bias = state.has(`${name}.bias`) ? numbers(state, `${name}.bias`) : null;
  const h = Math.floor((x.h + 2 * padding - size) / stride) + 1;
  const w = Math.floor((x.w + 2 * padding - size) / stride) + 1;
  const y = new Float64Array(out * h * w);
  for (let o = 0; o < out; o++) {
    for (let r = 0; r < h; r++) {
      for (let q = 0; q < w; q++) {
        let sum = bias ? bias[o] : 0;
        for (let i = 0; i < inputs; i++) {
          for (let a = 0; a < size; a++) {
            const row = r * stride + a - padding;
            if (row < 0 || row >= x.h) continue;
            for (let b = 0; b < size; b++) {
              const col = q * stride + b - padding;
              if (col < 0 || col >= x.w) continue;
              sum += weight[((o * inputs + i) * size + a) * size + b] * x.data[(i * x.h + row) * x.w + col];
            }
          }
        }
        y[(o * h + r) * w + q] = sum;
      }
    }
  }
  return { c: out, h, w, data: y };
}

const map = (x: Planes, f: (value: number, channel: number) => number): Planes => ({
  ...x,
  data: x.data.map((value, at) => f(value, Math.floor(at / (x.h * x.w)))),
});

export const relu = (x: Planes): Planes => map(x, (value) => Math.max(value, 0));

function bn(x: Planes, state: StateDict, name: string): Planes {
  const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
    numbers(state, `${name}.${part}`),
  );
  return map(x, (v, c) => ((v - mean[c]) / Math.sqrt(variance[c] + 1e-5)) * weight[c] + bias[c]);
}

function maxPool(x: Planes): Planes {
  const [h, w] = [Math.floor((x.h - 1) / 2) + 1, Math.floor((x.w - 1) / 2) + 1];
  const data = new Float64Array(x.c * h * w).fill(Number.NEGATIVE_INFINITY);
  for (let c = 0; c < x.c; c++) {
    for (let r = 0; r < h; r++) {
      for (let q = 0; q < w; q++) {
        for (let row = Math.max(0, 2 * r - 1); row <= Math.min(x.h - 1, 2 * r + 1); row++) {
          for (let col = Math.max(0, 2 * q - 1); col <= Math.min(x.w - 1, 2 * q + 1); col++) {
            const at = (c * h + r) * w + q;
            data[at] = Math.max(data[at], x.data[(c * x.h + row) * x.w + col]);
          }
        }
      }
    }
  }
  return { c: x.c, h, w, data };
}

/** The five maps of Monodepth2's ResnetEncoder, from an image in [0, 1]. */
export function resnetFeatures(image: Planes, state: StateDict, net: Architecture, prefix = ''): Planes[] {
  const normal = map(image, (value) => (value - 0.45) / 0.225);
  const stem = conv(normal, state, `${prefix}conv1`, 2, net.stem === 'conv7' ? 3 : 1);
  let x = relu(bn(stem, state, `${prefix}bn1`));
  const maps = [x];
  if (net.stem === 'conv7') x = maxPool(x);
  net.blocks.forEach((count, stage) => {
    for (let i = 0; i < count; i++) {
      const name = `${prefix}layer${stage + 1}.${i}`;
      const stride = i > 0 || (stage === 0 && net.stem === 'conv7') ? 1 : 2;
      let inner = x;
      const convs = CONVS[net.block];
      convs.forEach(({ size, strides }, k) => {
        inner = conv(inner, state, `${name}.conv${k + 1}`, strides ? stride : 1, (size - 1) / 2);
        inner = bn(inner, state, `${name}.bn${k + 1}`);
        if (k + 1 < convs.length) inner = relu(inner);
      });
      const shortcut = state.has(`${name}.downsample.0.weight`)
        ? bn(conv(x, state, `${name}.downsample.0`, stride, 0), state, `${name}.downsample.1`)
        : x;
      x = relu({ ...inner, data: inner.data.map((value, at) => value + shortcut.data[at]) });
    }
    maps.push(x);
  });
  return maps;
}

function reflect(x: Planes): Planes {
  const [h, w] = [x.h + 2, x.w + 2];
  const data = new Float64Array(x.c * h * w);
  const mirrored = (i: number, size: number) => (i < 0 ? -i : i >= size ? 2 * size - 2 - i : i);
  for (let c = 0; c < x.c; c++) {
    for (let r = 0; r < h; r++) {
      for (let q = 0; q < w; q++) {
        data[(c * h + r) * w + q] = x.data[(c * x.h + mirrored(r - 1, x.h)) * x.w + mirrored(q - 1, x.w)];
      }
    }
  }
  return { c: x.c, h, w, data };
}

function upsample(x: Planes): Planes {
  const [h, w] = [2 * x.h, 2 * x.w];
  const data = new Float64Array(x.c * h * w);
  for (let at = 0; at < data.length; at++) {
    const [q, r, c] = [at % w, Math.floor(at / w) % h, Math.floor(at / (w * h))];
    data[at] = x.data[(c * x.h + (r >> 1)) * x.w + (q >> 1)];
  }
  return { c: x.c, h, w, data };
}

/** Channels of both, one after the other. */
export function stacked(a: Planes, b: Planes): Planes {
  const data = new Float64Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { ...a, c: a.c + b.c, data };
}

/** Disparities of Monodepth2's DepthDecoder at scales 0 to 3. */
export function disparities(features: readonly Planes[], state: StateDict): Planes[] {
  const elu = (x: Planes) => map(x, (v) => (v > 0 ? v : Math.expm1(v)));
  const found: Planes[] = [];
  let x = features[4];
  for (let i = 4; i >= 0; i--) {
    const index = 2 * (4 - i);
    x = upsample(elu(conv(reflect(x), state, `decoder.${index}.conv.conv`, 1, 0)));
    if (i > 0) x = stacked(x, features[i - 1]);
    x = elu(conv(reflect(x), state, `decoder.${index + 1}.conv.conv`, 1, 0));
    if (i < 4) {
      found[i] = map(conv(reflect(x), state, `decoder.${10 + i}.conv`, 1, 0), (v) => 1 / (1 + Math.exp(-v)));
    }
  }
  return found;
}

/** Rotation and translation of the first motion that Monodepth2's PoseDecoder predicts: six numbers. */
export function firstMotion(features: readonly Planes[], state: StateDict): number[] {
  let x = relu(conv(features[4], state, 'net.0', 1, 0));
  x = relu(conv(x, state, 'net.1', 1, 1));
  x = relu(conv(x, state, 'net.2', 1, 1));
  x = conv(x, state, 'net.3', 1, 0);
  const area = x.h * x.w;
  return Array.from({ length: 6 }, (_, c) => {
    const plane = x.data.subarray(c * area, (c + 1) * area);
    return (0.01 * plane.reduce((a, b) => a + b, 0)) / area;
  });
}

/** The image of a channels-last array. */
export function planesOf(data: ArrayLike<number>, h: number, w: number, c: number): Planes {
  const planes = new Float64Array(c * h * w);
  for (let at = 0; at < planes.length; at++) planes[(at % c) * h * w + Math.floor(at / c)] = data[at];
  return { c, h, w, data: planes };
}

export function channelsLast({ c, h, w, data }: Planes): Float64Array {
  return Float64Array.from(data, (_, at) => data[(at % c) * h * w + Math.floor(at / c)]);
}
