// Bytes from the host become f32 in [0, 1] or i32.
import * as shader from '../shaders/bytes.wgsl.ts';
import type { Element, Kernel } from '../src/gpu/kernel.ts';
import { alongElements } from './channels.ts';

/** n values in pieces of `per`, each of which begins a word: `words` of them to a piece. */
export type BytesParams = Record<'n' | 'per' | 'words', number>;

function kernelOf(
  name: string,
  type: Element,
  formula: string,
  value: string,
  plain: (byte: number) => number,
): Kernel<BytesParams> {
  return {
    name,
    summary: 'takes bytes out of words',
    formula,
    source: "WebGPU's vertex formats unorm8 and uint8",
    bindings: [
      { name: 'x', type: 'u32', access: 'read' },
      { name: 'y', type, access: 'write' },
    ],
    params: { n: 'u32', per: 'u32', words: 'u32' },
    variants: alongElements<BytesParams>(
      (vector) => (vector ? shader.bytes4(value) : shader.bytesNaive(value)),
      ['y'],
    ).map((variant) => ({
      ...variant,
      // Where pieces are whole words, so is everything.
      applies: (p, facts) => variant.applies({ ...p, n: p.per }, facts),
    })),
    cost: (p) => ({ flops: p.n, bytes: 5 * p.n }),
    reference: (p, { x, y }) => {
      for (let k = 0; k < p.n; k++) {
        const at = k % p.per;
        y[k] = plain((x[Math.floor(k / p.per) * p.words + Math.floor(at / 4)] >>> (8 * (at % 4))) & 255);
      }
    },
  };
}

/** By the format of the bytes. */
export const fromBytes = {
  unorm8: kernelOf('unorm8', 'f32', 'y = byte / 255', 'T(byte) / 255.0', (byte) => byte / 255),
  uint8: kernelOf('uint8', 'i32', 'y = byte', 'I(byte)', (byte) => byte),
};
