// Runs in Node and in a page: what must come out the same in both.
import { grad } from '../src/autograd/tape.ts';
import { type Tensor, tensor, useDevice } from '../src/autograd/tensor.ts';
import { decodeImage, decodePng } from '../src/data/codecs.ts';
import { openGpu } from '../src/gpu/open.ts';
import { conv2d } from '../src/ops/conv2d.ts';
import { elu, mul } from '../src/ops/elementwise.ts';
import { softmax } from '../src/ops/reduce.ts';
import { sum } from '../src/ops/sum.ts';
import { randoms } from './device.ts';

/** Samples of an image file; of a PNG as stored, 16 bits and palette indices included. */
export function samplesOf(bytes: number[]): { decoded: number[]; rgb: number[] | null } {
  const file = Uint8Array.from(bytes);
  const isPng = file[0] === 0x89;
  const stored = isPng ? decodePng(file, 'file') : null;
  return {
    decoded: stored ? Array.from(stored.data) : [],
    rgb: stored?.depth === 16 ? null : Array.from(decodeImage(file, 'file').data),
  };
}

const bitsOf = async (x: Tensor) => Array.from(new Uint32Array(Float32Array.from(await x.data()).buffer));

/** Bits of a small network's output and gradients, on the current device. */
export async function computeBits(): Promise<Record<string, number[]>> {
  const x = tensor(randoms(2 * 9 * 11 * 8, 1), [2, 9, 11, 8]);
  const w = tensor(randoms(3 * 3 * 8 * 16, 2, -0.3, 0.3), [3, 3, 8, 16]);
  const b = tensor(randoms(16, 3), [16]);
  const weights = tensor(randoms(2 * 5 * 6 * 16, 4), [2, 5, 6, 16]);
  const probabilities = () => softmax(elu(conv2d(x, w, b, { padding: 1, stride: 2 })), 3);
  const [dx, dw, db] = grad(() => sum(mul(probabilities(), weights)), [x, w, b]);
  const p = probabilities();
  return {
    probabilities: await bitsOf(p),
    sums: await bitsOf(sum(p, [1, 2])),
    dx: await bitsOf(dx),
    dw: await bitsOf(dw),
    db: await bitsOf(db),
  };
}

/** Opens the page's own device first. */
export async function computeBitsHere(): Promise<{
  adapter: { vendor: string; architecture: string; software: boolean };
  bits: Record<string, number[]>;
}> {
  const { gpu } = await openGpu();
  useDevice(gpu);
  const bits = await computeBits();
  const { vendor, architecture, software } = gpu.adapter;
  gpu.close();
  return { adapter: { vendor, architecture, software }, bits };
}
