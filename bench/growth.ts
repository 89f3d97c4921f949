// How a training step grows with the batch and with the image: the cost of a pixel should fall or stay.
import { valueAndGrad } from '../src/autograd/tape.ts';
import { keep, step as scope, tensor, useDevice } from '../src/autograd/tensor.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { SegmentationModel } from '../src/models/models.ts';
import { Initializer } from '../src/nn/module.ts';
import { crossEntropy } from '../src/ops/crossEntropy.ts';
import { Adam } from '../src/optim/optimizer.ts';
import { type PresetName, presets } from '../src/train/config.ts';
import { alone, filler, interleaved, median, type Row, timed } from './measure.ts';
import { Tracer } from './trace.ts';

const CLASSES = 19;

/** Batch, and factor on both sides of the image. */
const SIZES: readonly [string, number, number][] = [
  ['batch 1', 1, 1],
  ['batch 2', 2, 1],
  ['batch 4', 4, 1],
  ['batch 8', 8, 1],
  ['batch 16', 16, 1],
  ['image x4', 1, 2],
  ['image x16', 1, 4],
];

/** A supervised step on constant images; the smallest are half as high as wide, in multiples of 32. */
export async function growthTable(
  gpu: Gpu,
  preset: PresetName,
  chosen: (name: string) => boolean,
): Promise<Row[]> {
  const height = 32 * Math.max(1, Math.round(Math.sqrt(presets[preset].pixels / 2) / 32));
  const tracer = new Tracer(gpu);
  useDevice(tracer);
  const model = new SegmentationModel(new Initializer(0), presets[preset].model, CLASSES);
  const optimizer = new Adam([{ params: Object.values(model.parameters()), lr: 1e-3 }]);
  const cases = SIZES.filter(([name]) => chosen(name)).map(([name, batch, factor]) => {
    const shape = [batch, height * factor, 2 * height * factor];
    const pixels = shape[0] * shape[1] * shape[2];
    const run = async () => {
      const images = keep(tensor(filler(3 * pixels), [...shape, 3]));
      const labels = keep(tensor(new Int32Array(pixels).fill(3), shape, 'i32'));
      const ms = await timed(async () => {
        const loss = scope(() => {
          optimizer.advance();
          const [value, gradients] = valueAndGrad(
            () => crossEntropy(model.logits(images, true), labels),
            optimizer.params,
          );
          optimizer.apply(gradients);
          return value;
        });
        await loss.item();
        loss.dispose();
      });
      images.dispose();
      labels.dispose();
      return ms;
    };
    return { name, shape, pixels, run, peakBytes: 0 };
  });
  for (const one of cases) {
    tracer.begin();
    await one.run();
    one.peakBytes = tracer.peak;
  }
  const samples = await interleaved(
    cases.map(({ run }) => run),
    { most: 9, budget: 60_000 },
  );
  useDevice(gpu);
  return cases.map(({ name, shape, pixels, peakBytes }, i) => {
    const ms = median(samples[i]);
    return alone(name, {
      ms,
      samples: samples[i].length,
      shape: [...shape, 3],
      nsPerPixel: (1e6 * ms) / pixels,
      peakBytes,
      bytesPerPixel: peakBytes / pixels,
    });
  });
}
