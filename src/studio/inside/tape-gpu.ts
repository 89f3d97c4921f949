// Records steps on a device of its own. The page gets plain data; outputs stay here until a picture of one is asked for.
import type { Tensor } from '../../autograd/tensor.ts';
import { recipeNamed } from '../../cli/recipes.ts';
import type { RgbImage } from '../../data/types.ts';
import { type PresetName, presets } from '../../train/config.ts';
import { greyPicture } from '../../train/pictures.ts';
import { recordStep } from '../../train/step-tape.ts';
import type { StepTape } from '../../train/tape-tree.ts';
import { Moved } from '../rpc.ts';
import { device } from './gpu.ts';

/** Labelled images of the street world; the others have none. */
const LABELS = 24;

export interface RecordedTape extends StepTape {
  /** One sentence: what is trained, on what. */
  about: string;
  /** A program on the processor stands in for a GPU. */
  software: boolean;
}

export interface ChannelPicture {
  image: RgbImage;
  channels: number;
  /** Values that are black and white. */
  low: number;
  high: number;
}

let outputs = new Map<number, Tensor>();

/**
 * Takes the first step of the last phase of a recipe on the street world, from start values.
 * @throws by name ConfigError, DataError, UsageError, OutOfMemoryError, DeviceLostError
 */
export async function record(recipe: string, preset: PresetName): Promise<RecordedTape> {
  const gpu = await device();
  for (const output of outputs.values()) output.dispose();
  outputs = new Map();
  const plan = await recipeNamed(recipe).plan({ ...structuredClone(presets[preset]), labels: LABELS });
  try {
    const phase = plan.phases.at(-1)!;
    await phase.begin?.();
    const { tape, pictures } = await recordStep(gpu, plan, phase, await phase.load(0), 0);
    outputs = pictures;
    return { ...tape, about: plan.about, software: gpu.adapter.software };
  } finally {
    for (const tensor of Object.values(plan.state).flatMap(Object.values)) tensor.dispose();
  }
}

/** The first image of the output of an op. @param channel null: three channels as red, green and blue. */
export async function picture(op: number, channel: number | null): Promise<Moved<ChannelPicture>> {
  const output = outputs.get(op);
  if (!output) throw new Error(`the output of op ${op} is not held any more; record the step again`);
  const [, height, width, channels] = output.shape;
  const values = Float32Array.from(await output.data());
  const chosen = channel === null ? values : values.filter((_, i) => i % channels === channel);
  // Images in [0, 1] keep their colours; anything else is stretched to what it spans.
  let [low, high] = [0, 1];
  if (channel !== null || chosen.some((v) => v < 0 || v > 1)) {
    low = chosen.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    high = chosen.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  }
  // A constant output is black.
  const top = high > low ? high : low + 1;
  const image =
    channel === null
      ? {
          width,
          height,
          data: Uint8Array.from(chosen, (v) => Math.round((255 * (v - low)) / (top - low))),
        }
      : greyPicture(chosen, width, height, low, top);
  return new Moved({ image, channels, low, high }, [image.data.buffer as ArrayBuffer]);
}
