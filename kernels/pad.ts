// Reflection padding of x [N,H,W,C] by `pad` pixels on each side of H and W. Output o of an axis copies input
// |o - pad|, mirrored again at the last: pad < size, so once beyond each border is enough. An input pixel thus has its
// own copy, one image before the first pixel where 1 <= i <= pad, and one after the last where 1 <= size - 1 - i <= pad.
import * as shader from '../shaders/pad.wgsl.ts';
import type { Kernel } from '../src/gpu/kernel.ts';
import { alongPixels } from './channels.ts';

/** x [n,h,w,c], y [n,h + 2 pad,w + 2 pad,c]. */
export type ReflectParams = { n: number; h: number; w: number; c: number; pad: number };

const params = { n: 'u32', h: 'u32', w: 'u32', c: 'u32', pad: 'u32' } as const;
const source = 'torch.nn.ReflectionPad2d';
const inputs = (p: ReflectParams) => p.n * p.h * p.w * p.c;
const outputs = (p: ReflectParams) => p.n * (p.h + 2 * p.pad) * (p.w + 2 * p.pad) * p.c;
const cost = (p: ReflectParams) => ({ flops: 0, bytes: 4 * (inputs(p) + outputs(p)) });

function mirror(at: number, size: number): number {
  if (at < 0) return -at;
  return at < size ? at : 2 * (size - 1) - at;
}

/** Index in x that output `out` copies. */
function sourceOf(p: ReflectParams, out: number): number {
  const [oh, ow] = [p.h + 2 * p.pad, p.w + 2 * p.pad];
  const c = out % p.c;
  const w = mirror((Math.floor(out / p.c) % ow) - p.pad, p.w);
  const h = mirror((Math.floor(out / (p.c * ow)) % oh) - p.pad, p.h);
  return ((Math.floor(out / (p.c * ow * oh)) * p.h + h) * p.w + w) * p.c + c;
}

export const reflect: Kernel<ReflectParams> = {
  name: 'reflectionPad',
  summary: 'pads H and W with mirror images; the border pixel is not repeated',
  formula: 'y[o, q] = x[mirror(o - pad), mirror(q - pad)]',
  source,
  bindings: [
    { name: 'x', type: 'f32', access: 'read' },
    { name: 'y', type: 'f32', access: 'write' },
  ],
  params,
  variants: alongPixels(
    shader.reflect,
    ['x', 'y'],
    (p) => p.h + 2 * p.pad,
    (p) => p.w + 2 * p.pad,
  ),
  cost,
  reference: (p, { x, y }) => {
    for (let out = 0; out < outputs(p); out++) y[out] = x[sourceOf(p, out)];
  },
};

export const reflectAdjoint: Kernel<ReflectParams> = {
  name: 'reflectionPadAdjoint',
  summary: 'adjoint of reflectionPad: every pixel sums the g of its copy and its mirror images',
  formula: 'dx[i] = sum over outputs that copy i of g',
  source,
  bindings: [
    { name: 'g', type: 'f32', access: 'read' },
    { name: 'dx', type: 'f32', access: 'write' },
  ],
  params,
  variants: alongPixels(
    shader.reflectAdjoint,
    ['g', 'dx'],
    (p) => p.h,
    (p) => p.w,
  ),
  cost,
  reference: (p, { g, dx }) => {
    dx.fill(0);
    for (let out = 0; out < outputs(p); out++) dx[sourceOf(p, out)] += g[out];
  },
};
