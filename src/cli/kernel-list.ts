// Every kernel there is, for `warpmix kernels` and `warpmix check`. A test compares the families with the folder.
import * as anomaly from '../../kernels/anomaly.ts';
import * as bytes from '../../kernels/bytes.ts';
import * as colorJitter from '../../kernels/colorJitter.ts';
import * as conv2d from '../../kernels/conv2d.ts';
import * as crossEntropy from '../../kernels/crossEntropy.ts';
import * as depthmix from '../../kernels/depthmix.ts';
import * as elementwise from '../../kernels/elementwise.ts';
import * as geometry from '../../kernels/geometry.ts';
import * as gridSample from '../../kernels/gridSample.ts';
import * as matmul from '../../kernels/matmul.ts';
import * as metrics from '../../kernels/metrics.ts';
import * as movement from '../../kernels/movement.ts';
import * as norm from '../../kernels/norm.ts';
import * as opticalFlow from '../../kernels/opticalFlow.ts';
import * as optim from '../../kernels/optim.ts';
import * as pad from '../../kernels/pad.ts';
import * as pool from '../../kernels/pool.ts';
import * as random from '../../kernels/random.ts';
import * as reduce from '../../kernels/reduce.ts';
import * as reprojection from '../../kernels/reprojection.ts';
import * as resize from '../../kernels/resize.ts';
import * as smoothness from '../../kernels/smoothness.ts';
import * as ssim from '../../kernels/ssim.ts';
import type { Kernel } from '../gpu/kernel.ts';

export const kernelFamilies: Record<string, object> = {
  anomaly,
  bytes,
  colorJitter,
  conv2d,
  crossEntropy,
  depthmix,
  elementwise,
  geometry,
  gridSample,
  matmul,
  metrics,
  movement,
  norm,
  opticalFlow,
  optim,
  pad,
  pool,
  random,
  reduce,
  reprojection,
  resize,
  smoothness,
  ssim,
};

const isKernel = (value: unknown): value is Kernel =>
  typeof value === 'object' && value !== null && 'variants' in value && 'reference' in value;

/** The kernels among the exports of a module; some are exported in plain objects, by type or by name. */
function kernelsIn(exported: unknown): Kernel[] {
  if (isKernel(exported)) return [exported];
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) return [];
  return Object.values(exported).flatMap(kernelsIn);
}

export const kernelList: readonly { family: string; kernel: Kernel }[] = Object.entries(
  kernelFamilies,
).flatMap(([family, module]) =>
  Object.values(module)
    .flatMap(kernelsIn)
    .map((kernel) => ({ family, kernel })),
);
