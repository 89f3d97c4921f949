// What networks start from in place of random values: files with the weights of PyTorch networks.
import type { Tensor } from '../autograd/tensor.ts';
import { readSafetensors } from '../data/safetensors.ts';
import { DataError } from '../data/types.ts';
import type { ResNetEncoder } from '../models/encoder.ts';
import type { DepthModel } from '../models/models.ts';
import type { PoseNet } from '../models/poseNet.ts';
import { depthKeys, type KeyMap, loadPyTorch, pairKeys, poseKeys, resnetKeys } from '../models/pytorch.ts';
import { type Config, ConfigError } from './config.ts';
import type { WeightsReport } from './weights-report.ts';

type State = Record<string, Tensor>;
type Setting = keyof Config['weights'];

const settings = (weights: Config['weights']): [Setting, string][] =>
  (Object.entries(weights) as [Setting, string | null][]).flatMap(([setting, file]) =>
    file === null ? [] : [[setting, file]],
  );

/**
 * Whether the networks of a recipe can start from what `weights` names.
 * @param withDepth whether it trains a depth network.
 * @throws ConfigError naming the setting
 */
export function checkWeights({ weights, depth, model }: Config, withDepth: boolean): void {
  for (const [setting, file] of settings(weights)) {
    const fail = (what: string): never => {
      throw new ConfigError(`weights.${setting}=${file}: ${what}`);
    };
    if (depth.from !== null)
      fail(`depth.from=${depth.from} has trained weights already; leave one of the two out`);
    if (setting !== 'encoder' && !withDepth)
      fail('this recipe trains no depth network with these settings; leave it out');
    if (setting === 'poseEncoder' && model.pose.sees === 'flow')
      fail(
        'the pose network sees optical flow and has no ResNet; add --set model.pose.sees=images or leave it out',
      );
  }
}

async function readWeights(where: string, file: string) {
  // Loaded on demand: a browser bundle has no file system to import.
  const { readFileSync } = await import('node:fs');
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new DataError(`${where}: cannot be read: ${(error as Error).message}`);
  }
  // PyTorch's own files are zip archives of pickles, which can run code when they are read.
  if (bytes[0] === 0x50 && bytes[1] === 0x4b)
    throw new DataError(
      `${where}: is a PyTorch archive; docs/interchange.md has the line that makes it a safetensors file`,
    );
  return readSafetensors(bytes, where).tensors;
}

/**
 * Puts the files that `weights` names into networks.
 * @param encoders of images, which all start from the same values.
 * @param depth null: none is trained.
 * @returns what was taken from each file, and what was left.
 * @throws DataError for a file that cannot be read or does not fit the networks
 */
export async function loadWeights(
  { weights, model }: Config,
  encoders: readonly ResNetEncoder[],
  depth: DepthModel | null,
): Promise<WeightsReport[]> {
  const head = (pose: PoseNet) =>
    Object.fromEntries(Object.entries(pose.state()).filter(([name]) => !name.startsWith('encoder.')));
  const targets: Record<Setting, { keys: KeyMap; states: State[] }> = {
    encoder: { keys: resnetKeys, states: encoders.map((encoder) => encoder.state()) },
    depth: { keys: depthKeys(model.scales), states: depth ? [depth.decoder.state()] : [] },
    poseEncoder: {
      keys: pairKeys,
      states: depth && 'resnet' in depth.pose.encoder ? [depth.pose.encoder.resnet.state()] : [],
    },
    pose: { keys: poseKeys, states: depth ? [head(depth.pose)] : [] },
  };
  const reports: WeightsReport[] = [];
  for (const [name, file] of settings(weights)) {
    const setting = `weights.${name}`;
    const where = `${setting}=${file}`;
    const tensors = await readWeights(where, file);
    const { keys, states } = targets[name];
    const [loaded] = states.map((state) => loadPyTorch(where, tensors, state, keys));
    if (loaded) reports.push({ setting, file, ...loaded });
  }
  return reports;
}
