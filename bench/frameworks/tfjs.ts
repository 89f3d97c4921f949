// TensorFlow.js on its WebGPU backend: channels last, kernels run as they are asked for. Its packages register gradients in
// modules that only a bundler can load, so they are bundled first, as for a page.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import type { ConvData, ConvPart, ConvProblem, Framework, NetData, NetProblem, Work } from './framework.ts';
import { outputSize } from './framework.ts';

const ENTRY = `
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-webgpu';
export * from '@tensorflow/tfjs-core';
`;

/** What is used of TensorFlow.js. Its own declarations bring an old copy of the WebGPU types, which would clash. */
interface TfTensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
interface Tf {
  setBackend(name: string): Promise<boolean>;
  removeBackend(name: string): void;
  backend(): { device: GPUDevice };
  tensor(data: ArrayLike<number>, shape: readonly number[], dtype?: string): TfTensor;
  variable(initial: TfTensor): TfTensor;
  slice(x: TfTensor, begin: number[], size: number[]): TfTensor;
  reshape(x: TfTensor, shape: number[]): TfTensor;
  oneHot(labels: TfTensor, depth: number): TfTensor;
  conv2d(
    x: TfTensor,
    filter: TfTensor,
    strides: number,
    pad: number,
    format: 'NHWC',
    dilations: number,
  ): TfTensor;
  grad(f: (x: TfTensor) => TfTensor): (x: TfTensor, dy: TfTensor) => TfTensor;
  fused: {
    conv2d(options: {
      x: TfTensor;
      filter: TfTensor;
      strides: number;
      pad: number;
      bias: TfTensor;
      activation: 'relu' | 'linear';
    }): TfTensor;
  };
  losses: { softmaxCrossEntropy(labels: TfTensor, logits: TfTensor): TfTensor };
  train: {
    sgd(lr: number): { minimize(f: () => TfTensor, returnCost: true, variables: TfTensor[]): TfTensor };
  };
  tidy<T>(f: () => T): T;
  engine(): { runKernel(name: string, inputs: Record<string, TfTensor>, attributes: object): TfTensor };
}

async function load(): Promise<Tf> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: dirname(fileURLToPath(import.meta.url)) },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    mainFields: ['module', 'main'],
    logLevel: 'silent',
    write: false,
  });
  const module = { exports: {} };
  compileFunction(outputFiles[0].text, ['require', 'module', 'exports'])(
    createRequire(import.meta.url),
    module,
    module.exports,
  );
  return module.exports as Tf;
}

/** @throws when `navigator.gpu` gives no device. */
export async function openTfjs(): Promise<Framework> {
  const tf = await load();
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js: no WebGPU device');

  const upload = async (data: Float32Array, shape: readonly number[]) => {
    const made = tf.tensor(data, shape);
    // Data go to the device with the first kernel that wants them.
    const one = tf.slice(
      made,
      shape.map(() => 0),
      shape.map(() => 1),
    );
    await one.data();
    one.dispose();
    return made;
  };

  async function convolution(p: ConvProblem, part: ConvPart, data: ConvData): Promise<Work> {
    const x = await upload(data.x, [p.n, p.h, p.w, p.c]);
    const filter = await upload(data.weight, [p.size, p.size, p.c, p.k]);
    const dy = await upload(data.g, [p.n, p.h, p.w, p.k]);
    const pad = ((p.size - 1) / 2) * p.dilation;
    const forward = (image: TfTensor, weights: TfTensor) =>
      tf.conv2d(image, weights, 1, pad, 'NHWC', p.dilation);
    const attributes = { strides: [1, 1], pad, dataFormat: 'NHWC' };
    const computations: Record<ConvPart, () => TfTensor> = {
      forward: () => forward(x, filter),
      // The kernels that the gradient of conv2d runs, which refuses dilation; asked directly they would ignore it.
      'input gradient': () =>
        p.dilation > 1
          ? tf.grad((image) => forward(image, filter))(x, dy)
          : tf
              .engine()
              .runKernel('Conv2DBackpropInput', { dy, filter }, { ...attributes, inputShape: x.shape }),
      'weight gradient': () =>
        p.dilation > 1
          ? tf.grad((weights) => forward(x, weights))(filter, dy)
          : tf
              .engine()
              .runKernel('Conv2DBackpropFilter', { x, dy }, { ...attributes, filterShape: filter.shape }),
    };
    const compute = () => tf.tidy(computations[part]);
    return {
      run: async () => {
        const one = tf.tidy(() => tf.slice(compute(), [0, 0, 0, 0], [1, 1, 1, 1]));
        await one.data();
        one.dispose();
      },
      result: async () => {
        const all = compute();
        const values = await all.data();
        all.dispose();
        return values;
      },
      dispose: () => {
        for (const one of [x, filter, dy]) one.dispose();
      },
    };
  }

  async function training(p: NetProblem, data: NetData): Promise<Work> {
    const image = await upload(data.image, [p.n, p.h, p.w, p.widths[0]]);
    const labels = tf.tensor(data.labels, [data.labels.length], 'int32');
    const truth = tf.oneHot(labels, p.classes);
    await truth.data();
    const layers = data.layers.map(({ shape, weight }) => ({
      filter: tf.variable(tf.tensor(weight, shape)),
      bias: tf.variable(tf.tensor(new Float32Array(shape[3]), [shape[3]])),
    }));
    const variables = layers.flatMap(({ filter, bias }) => [filter, bias]);
    const optimizer = tf.train.sgd(p.lr);
    const logits = () =>
      layers.reduce((x, { filter, bias }, i) => {
        const hidden = i < p.strides.length;
        return tf.fused.conv2d({
          x,
          filter,
          bias,
          strides: hidden ? p.strides[i] : 1,
          pad: hidden ? 1 : 0,
          activation: hidden ? 'relu' : 'linear',
        });
      }, image);
    const [oh, ow] = outputSize(p);
    const cost = () => tf.losses.softmaxCrossEntropy(truth, tf.reshape(logits(), [p.n * oh * ow, p.classes]));
    const losses: number[] = [];
    return {
      run: async () => {
        const loss = optimizer.minimize(cost, true, variables);
        losses.push((await loss.data())[0]);
        loss.dispose();
      },
      result: async () => losses,
      dispose: () => {
        for (const one of [image, labels, truth, ...variables]) one.dispose();
      },
    };
  }

  const { device } = tf.backend();
  return {
    name: 'tfjs-webgpu',
    convolution,
    training,
    close: () => {
      tf.removeBackend('webgpu');
      device.destroy();
    },
  };
}
