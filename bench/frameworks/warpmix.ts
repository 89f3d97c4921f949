import { valueAndGrad, vjp } from '../../src/autograd/tape.ts';
import { keep, step, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import { conv2d } from '../../src/ops/conv2d.ts';
import { crossEntropy } from '../../src/ops/crossEntropy.ts';
import { slice } from '../../src/ops/movement.ts';
import { Sgd } from '../../src/optim/optimizer.ts';
import type { ConvData, ConvPart, ConvProblem, Framework, NetData, NetProblem, Work } from './framework.ts';
import { outputSize } from './framework.ts';

async function convolution(p: ConvProblem, part: ConvPart, data: ConvData): Promise<Work> {
  const x = keep(tensor(data.x, [p.n, p.h, p.w, p.c]));
  const weight = keep(tensor(data.weight, [p.size, p.size, p.c, p.k]));
  const g = keep(tensor(data.g, [p.n, p.h, p.w, p.k]));
  const options = { padding: ((p.size - 1) / 2) * p.dilation, dilation: p.dilation };
  const forward = () => conv2d(x, weight, null, options);
  const held = [x, weight, g];
  let compute: () => Tensor = forward;
  if (part !== 'forward') {
    const [y, pullback] = vjp(forward, [part === 'input gradient' ? x : weight]);
    held.push(keep(y));
    compute = () => pullback(g)[0];
  }
  // The inputs are on the device before the first run begins.
  await slice(held.at(-1)!, [0, 0, 0, 0], [1, 1, 1, 1]).item();
  return {
    run: async () => {
      const one = step(() => slice(compute(), [0, 0, 0, 0], [1, 1, 1, 1]));
      await one.item();
      one.dispose();
    },
    result: async () => {
      const all = step(compute);
      const values = await all.data();
      all.dispose();
      return values;
    },
    dispose: () => {
      for (const one of held) one.dispose();
    },
  };
}

async function training(p: NetProblem, data: NetData): Promise<Work> {
  const image = keep(tensor(data.image, [p.n, p.h, p.w, p.widths[0]]));
  const labels = keep(tensor(data.labels, [p.n, ...outputSize(p)], 'i32'));
  const layers = data.layers.map(({ shape, weight }) => ({
    weight: keep(tensor(weight, shape)),
    bias: keep(tensor(new Float32Array(shape[3]), [shape[3]])),
  }));
  const params = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const optimizer = new Sgd([{ params, lr: p.lr }], { momentum: 0 });
  const logits = () =>
    layers.reduce(
      (x, { weight, bias }, i) =>
        i < p.strides.length
          ? conv2d(x, weight, bias, { padding: 1, stride: p.strides[i], activation: 'relu' })
          : conv2d(x, weight, bias),
      image,
    );
  const losses: number[] = [];
  await image.data();
  return {
    run: async () => {
      const loss = step(() => {
        optimizer.advance();
        const [value, gradients] = valueAndGrad(() => crossEntropy(logits(), labels), params);
        optimizer.apply(gradients);
        return value;
      });
      losses.push(await loss.item());
      loss.dispose();
    },
    result: async () => losses,
    dispose: () => {
      for (const one of [image, labels, ...params]) one.dispose();
      optimizer.dispose();
    },
  };
}

/** On the current device. */
export const warpmix: Framework = { name: 'warpmix', convolution, training, close: () => {} };
