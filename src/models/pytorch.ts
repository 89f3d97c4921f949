// Weights of PyTorch networks: names and layouts of torchvision's ResNet (torchvision/models/resnet.py) and of the networks of
// Monodepth2 (networks/resnet_encoder.py, depth_decoder.py, pose_decoder.py).
import type { Tensor } from '../autograd/tensor.ts';
import type { SafeTensor } from '../data/safetensors.ts';
import { DataError } from '../data/types.ts';

/** Where a tensor of a file goes, as its name in a module, or why it goes nowhere. */
type Place = { to: string } | { left: string };

/** How the tensors of a file become those of a module. */
export interface KeyMap {
  place(name: string): Place;
  /** Makes a tensor fit that differs by design. Null: it has to fit as it is. @param wanted shape in PyTorch's order. */
  adapt?(to: string, tensor: SafeTensor<'F32'>, wanted: readonly number[]): SafeTensor<'F32'> | null;
}

export interface Loaded {
  /** Names in the module. */
  matched: string[];
  /** Names in the file, and why they were left. */
  left: Record<string, string>;
}

/** torchvision's ResNet; Monodepth2 has it one level down, as `encoder`. */
export const resnetKeys: KeyMap = {
  place(name) {
    const bare = name.replace(/^encoder\./, '');
    if (bare.startsWith('fc.')) return { left: 'the classifier' };
    if (bare.endsWith('.num_batches_tracked'))
      return { left: 'a count of batches, which nothing here reads' };
    return { to: bare.replace('downsample.0.', 'downsample.').replace('downsample.1.', 'downsample_bn.') };
  },
};

/** ResNet of a pair of frames. One that was trained on single images sees both with half the weight, as Monodepth2 starts. */
export const pairKeys: KeyMap = {
  place: resnetKeys.place,
  adapt(to, { shape, data }, wanted) {
    if (to !== 'conv1.weight' || 2 * shape[1] !== wanted[1]) return null;
    const inputs = shape[1] * shape[2] * shape[3];
    const doubled = new Float32Array(2 * data.length);
    for (let at = 0; at < doubled.length; at++) {
      doubled[at] = data[Math.floor(at / (2 * inputs)) * inputs + (at % inputs)] / 2;
    }
    return { dtype: 'F32', shape: [shape[0], 2 * shape[1], shape[2], shape[3]], data: doubled };
  },
};

/** Monodepth2's depth decoder: ten convolutions from the deepest level up, two at each, then a head for each scale. */
export const depthKeys = (scales: readonly number[]): KeyMap => ({
  place(name) {
    const [, index, kind] = /^decoder\.(\d+)\.(?:conv\.)?conv\.(weight|bias)$/.exec(name) ?? [];
    if (index === undefined) return { left: 'no name of the depth decoder' };
    const at = Number(index);
    if (at < 10) {
      return { to: `decoder.${at % 2 === 0 ? 'before' : 'after'}.${4 - Math.floor(at / 2)}.conv.${kind}` };
    }
    const head = scales.indexOf(at - 10);
    if (head < 0) return { left: `the head of scale ${at - 10}, which is not among model.scales` };
    return { to: `heads.${head}.conv.${kind}` };
  },
});

const POSE_LAYERS = ['squeeze', 'pose0', 'pose1', 'pose2'];

/** Monodepth2's pose decoder. It predicts two motions and uses the first. */
export const poseKeys: KeyMap = {
  place(name) {
    const [, index, kind] = /^net\.([0-3])\.(weight|bias)$/.exec(name) ?? [];
    if (index === undefined) return { left: 'no name of the pose decoder' };
    return { to: `${POSE_LAYERS[Number(index)]}.${kind}` };
  },
  adapt(to, { shape, data }, wanted) {
    if (!to.startsWith('pose2.') || shape[0] !== 2 * wanted[0]) return null;
    return { dtype: 'F32', shape: [wanted[0], ...shape.slice(1)], data: data.slice(0, data.length / 2) };
  },
};

const isF32 = (tensor: SafeTensor): tensor is SafeTensor<'F32'> => tensor.dtype === 'F32';

/** [height,width,in,out] as PyTorch orders it: [out,in,height,width]. Shapes of other ranks are the same in both. */
const pytorchShape = (shape: readonly number[]): readonly number[] =>
  shape.length === 4 ? [shape[3], shape[2], shape[0], shape[1]] : shape;

/** Values of [out,in,height,width] in the order of [height,width,in,out]. */
function channelsLast(data: Float32Array, [out, inputs, height, width]: readonly number[]): Float32Array {
  const result = new Float32Array(data.length);
  const taps = height * width;
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < taps; tap++) {
        result[(tap * inputs + i) * out + o] = data[(o * inputs + i) * taps + tap];
      }
    }
  }
  return result;
}

/**
 * Puts the tensors of a PyTorch network into a module. Every tensor of the module must come from the file; nothing is written
 * where one does not.
 * @param where names the file and the setting, for messages.
 * @param module state by name (`Module.state`).
 * @throws DataError naming the first tensor that is missing or does not fit, and how many others
 */
export function loadPyTorch(
  where: string,
  tensors: ReadonlyMap<string, SafeTensor>,
  module: Readonly<Record<string, Tensor>>,
  keys: KeyMap,
): Loaded {
  const values = new Map<string, Float32Array>();
  const left: Record<string, string> = {};
  const faults: string[] = [];
  const missing = new Set(Object.keys(module));
  for (const [name, tensor] of tensors) {
    const place = keys.place(name);
    const target = 'to' in place ? module[place.to] : undefined;
    if (!('to' in place) || !target) {
      left[name] = 'left' in place ? place.left : 'these networks have no such layer';
      continue;
    }
    missing.delete(place.to);
    const wanted = pytorchShape(target.shape);
    if (!isF32(tensor)) {
      faults.push(`'${name}' is ${tensor.dtype}, expected F32`);
      continue;
    }
    const { shape, data } = keys.adapt?.(place.to, tensor, wanted) ?? tensor;
    if (shape.join() === wanted.join())
      values.set(place.to, shape.length === 4 ? channelsLast(data, shape) : data);
    else faults.push(`'${name}' is [${tensor.shape}], these networks need [${wanted}]`);
  }
  for (const name of missing) faults.push(`holds nothing for '${name}'`);
  if (faults.length > 0) {
    throw new DataError(
      `${where}: ${faults[0]}${faults.length > 1 ? `, and ${faults.length - 1} more like that` : ''}; the settings of 'model' ` +
        'must describe the networks of the file, as --preset resnet18 does for Monodepth2 and ResNet-18',
    );
  }
  for (const [name, data] of values) module[name].assign(data);
  return { matched: [...values.keys()], left };
}
