// One convolution of a grey patch: the naive variant, whose loop can be read, the variant that the rule gives, and the reference.
import { conv2d as kernel } from '../../../kernels/conv2d.ts';
import { upload } from '../../autograd/program.ts';
import { tensor } from '../../autograd/tensor.ts';
import { crop } from '../../data/augment.ts';
import { imageTensor } from '../../data/batch.ts';
import { conv2d } from '../../ops/conv2d.ts';
import { abs, sub } from '../../ops/elementwise.ts';
import { maxValue, mean } from '../../ops/reduce.ts';
import { sceneFrame } from './frames.ts';
import { type Computed, compute } from './gpu.ts';
import { PATCH } from './scenes.ts';

export interface ConvolutionRequest {
  scene: number;
  /** 3x3, row by row. */
  weights: readonly number[];
  stride: number;
  padding: number;
  dilation: number;
}

export interface Convolution extends Computed<'x' | 'y'> {
  outWidth: number;
  outHeight: number;
  /** The plain loops of kernels/conv2d.ts, in f64. */
  reference: Float64Array;
  /** What runs by the rule, and how far its result is from the naive one's at most. */
  chosen: string;
  apart: number;
}

export async function convolution(request: ConvolutionRequest): Promise<Convolution> {
  const { weights, stride, padding, dilation } = request;
  const { image } = await sceneFrame(request.scene);
  const patch = imageTensor([crop(image, PATCH)]);
  const inputs = () => ({
    x: mean(upload(patch), [3], true),
    w: tensor(weights, [3, 3, 1, 1]),
  });
  const options = { stride, padding, dilation };
  const naive = await compute(
    () => {
      const { x, w } = inputs();
      return { x, w, y: conv2d(x, w, null, options) };
    },
    { conv2d: 'naive' },
  );
  const other = await compute(() => {
    const { x, w } = inputs();
    const y = conv2d(x, w, null, options);
    return { apart: maxValue(abs(sub(y, tensor(naive.values.y, y.shape)))) };
  });
  const isConvolution = (ran: { kernel: string }) => ran.kernel === kernel.name;
  const { params } = naive.ran.find(isConvolution)!;
  const reference = new Float64Array(naive.values.y.length);
  kernel.reference(params as Parameters<typeof kernel.reference>[0], { ...naive.values, y: reference });
  return {
    ...naive,
    outWidth: params.ow,
    outHeight: params.oh,
    reference,
    chosen: other.ran.find(isConvolution)!.variant,
    apart: other.values.apart[0],
  };
}
