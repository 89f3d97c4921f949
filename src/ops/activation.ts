import type { Activation } from '../../shaders/activation.wgsl.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { elu, eluGrad, relu, reluGrad } from './elementwise.ts';

/** What `conv2d` and `batchNorm` may apply to their results in the same pass over memory. */
export type { Activation };

export const activate: Record<Activation, (x: Tensor) => Tensor> = { relu, elu };

/** Gradient through an activation, from its result. */
export const activationGradient = { relu: reluGrad, elu: eluGrad };
