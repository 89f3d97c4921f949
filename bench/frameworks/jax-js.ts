// jax-js: channels first, everything under `jit`. Arguments are consumed; `.ref` keeps one for later.
import type { Array as JaxArray } from '@jax-js/jax';
import type { ConvData, ConvPart, ConvProblem, Framework, NetData, NetProblem, Work } from './framework.ts';
import { outputSize, permuted } from './framework.ts';

const CHANNELS_FIRST = [0, 3, 1, 2];
const CHANNELS_LAST = [0, 2, 3, 1];
/** [size,size,c,k] to [k,c,size,size], and back. */
const TO_OIHW = [3, 2, 0, 1];
const FROM_OIHW = [2, 3, 1, 0];

/** @throws when `navigator.gpu` gives no device. */
export async function openJax(): Promise<Framework> {
  const { blockUntilReady, defaultDevice, getWebGPUDevice, init, jit, lax, nn, numpy, valueAndGrad, vjp } =
    await import('@jax-js/jax');
  if (!(await init('webgpu')).includes('webgpu')) throw new Error('jax-js: no WebGPU device');
  defaultDevice('webgpu');

  const upload = async (data: Float32Array, shape: readonly number[]) => {
    const made = numpy.array(data as Float32Array<ArrayBuffer>).reshape([...shape]);
    await made.ref.data();
    return made;
  };
  const conv = (x: JaxArray, w: JaxArray, stride: number, padding: number, dilation: number) =>
    lax.convGeneralDilated(
      x,
      w,
      [stride, stride],
      [
        [padding, padding],
        [padding, padding],
      ],
      { rhsDilation: [dilation, dilation] },
    );

  async function convolution(p: ConvProblem, part: ConvPart, data: ConvData): Promise<Work> {
    const image = [p.n, p.h, p.w];
    const weightShape = [p.size, p.size, p.c, p.k];
    const x = await upload(permuted(data.x, [...image, p.c], CHANNELS_FIRST), [p.n, p.c, p.h, p.w]);
    const weight = await upload(permuted(data.weight, weightShape, TO_OIHW), [p.k, p.c, p.size, p.size]);
    const g = await upload(permuted(data.g, [...image, p.k], CHANNELS_FIRST), [p.n, p.k, p.h, p.w]);
    const padding = ((p.size - 1) / 2) * p.dilation;
    const forward = (a: JaxArray, b: JaxArray) => conv(a, b, 1, padding, p.dilation);
    // Under jit the value is not computed where only the gradient is asked for.
    const pulled = (value: JaxArray, gradients: JaxArray[]) => {
      value.dispose();
      return gradients[0];
    };
    const computations = {
      forward: jit((a: JaxArray, b: JaxArray, c: JaxArray) => {
        c.dispose();
        return forward(a, b);
      }),
      'input gradient': jit((a: JaxArray, b: JaxArray, c: JaxArray) => {
        const [y, pullback] = vjp((one: JaxArray) => forward(one, b), [a]);
        return pulled(y, pullback(c));
      }),
      'weight gradient': jit((a: JaxArray, b: JaxArray, c: JaxArray) => {
        const [y, pullback] = vjp((one: JaxArray) => forward(a, one), [b]);
        return pulled(y, pullback(c));
      }),
    };
    const compute = () => computations[part](x.ref, weight.ref, g.ref);
    return {
      run: async () => {
        await compute().ravel().slice([0, 1]).data();
      },
      result: async () => {
        const values = await compute().data();
        return part === 'weight gradient'
          ? permuted(values, [p.k, p.c, p.size, p.size], FROM_OIHW)
          : permuted(values, [p.n, part === 'forward' ? p.k : p.c, p.h, p.w], CHANNELS_LAST);
      },
      dispose: () => {
        for (const one of [x, weight, g]) one.dispose();
      },
    };
  }

  async function training(p: NetProblem, data: NetData): Promise<Work> {
    const [oh, ow] = outputSize(p);
    const oneHot = new Float32Array(p.n * p.classes * oh * ow);
    data.labels.forEach((label, at) => {
      const n = Math.floor(at / (oh * ow));
      oneHot[(n * p.classes + label) * oh * ow + (at % (oh * ow))] = 1;
    });
    const image = await upload(permuted(data.image, [p.n, p.h, p.w, p.widths[0]], CHANNELS_FIRST), [
      p.n,
      p.widths[0],
      p.h,
      p.w,
    ]);
    const truth = await upload(oneHot, [p.n, p.classes, oh, ow]);
    let params: JaxArray[] = [];
    for (const { shape, weight } of data.layers) {
      const [size, , c, k] = shape;
      params.push(await upload(permuted(weight, shape, TO_OIHW), [k, c, size, size]));
      params.push(await upload(new Float32Array(k), [1, k, 1, 1]));
    }
    const lossOf = (weights: JaxArray[], x: JaxArray, target: JaxArray) => {
      let at = x;
      for (let layer = 0; 2 * layer < weights.length; layer++) {
        const hidden = layer < p.strides.length;
        const sum = conv(at, weights[2 * layer], hidden ? p.strides[layer] : 1, hidden ? 1 : 0, 1).add(
          weights[2 * layer + 1],
        );
        at = hidden ? nn.relu(sum) : sum;
      }
      return nn
        .logSoftmax(at, 1)
        .mul(target)
        .sum()
        .mul(-1 / data.labels.length);
    };
    const update = jit((weights: JaxArray[], x: JaxArray, target: JaxArray) => {
      const [loss, gradients] = valueAndGrad(lossOf)(
        weights.map((one) => one.ref),
        x,
        target,
      );
      const moved = weights.map((one, i) => one.sub((gradients as JaxArray[])[i].mul(p.lr)));
      return [loss, ...moved];
    });
    const losses: number[] = [];
    return {
      run: async () => {
        const [loss, ...moved] = update(params, image.ref, truth.ref);
        params = moved;
        losses.push((await loss.data())[0]);
      },
      result: async () => {
        await blockUntilReady(params);
        return losses;
      },
      dispose: () => {
        for (const one of [image, truth, ...params]) one.dispose();
      },
    };
  }

  return { name: 'jax-js', convolution, training, close: () => getWebGPUDevice().destroy() };
}
