// Activations that a kernel applies to what it has just computed, which spares a pass over memory.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { expm1 } from './elementwise.wgsl.ts';

export type Activation = 'relu' | 'elu';

/** WGSL in `z` (T) and `expm1`. */
export const activationCode: Record<Activation, string> = {
  relu: 'max(z, T())',
  elu: 'select(expm1(z), z, z > T())',
};

/** What becomes of the sums of a convolution before they are stored. */
export interface Epilogue {
  bias: boolean;
  activation: Activation | null;
}

/** `finish(z)`, where an epilogue has an activation; `type` is that of a sum, f32 or vec4f. */
export const finishing = ({ activation }: Epilogue, type: string) =>
  activation
    ? wgsl`
alias T = ${type};
#if ${activation === 'elu'}
${expm1}
#endif
fn finish(z: T) -> T { return ${activationCode[activation]}; }
`
    : '';

/** A sum as it is stored. */
export const finished = ({ activation }: Epilogue, sum: string) => (activation ? `finish(${sum})` : sum);
