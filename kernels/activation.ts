import type { Activation } from '../shaders/activation.wgsl.ts';

/** Activations as plain functions. ELU: Clevert et al., ICLR 2016, alpha 1. */
export const activations: Record<Activation, (z: number) => number> = {
  relu: (z) => Math.max(z, 0),
  elu: (z) => (z > 0 ? z : Math.expm1(z)),
};

/** Arithmetic per value. */
export const activationFlops = { relu: 1, elu: 8 };
