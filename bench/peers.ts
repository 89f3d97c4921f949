// The same convolutions and the same training step here and in other frameworks that train on WebGPU, on one adapter, in
// turn. Everyone gets the inputs on the device in the layout that it prefers, and a sample ends with the
// read-back of four bytes of its result.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { devDependencies } from '../package.json';
import type { Gpu } from '../src/gpu/gpu.ts';
import { findAdapter } from '../src/gpu/node-adapter.ts';
import { patiently } from '../src/gpu/patience.ts';
import {
  type ConvPart,
  type ConvProblem,
  type Framework,
  type NetProblem,
  netData,
  type Work,
} from './frameworks/framework.ts';
import { openJax } from './frameworks/jax-js.ts';
import { openTfjs } from './frameworks/tfjs.ts';
import { warpmix } from './frameworks/warpmix.ts';
import { filler, interleaved, median, type Row, timed } from './measure.ts';

const PACKAGES = [
  '@jax-js/jax',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-backend-webgpu',
  'esbuild',
] as const;

/** Versions of what is compared with. */
export const peerVersions = Object.fromEntries(PACKAGES.map((name) => [name, devDependencies[name]]));

/** A development dependency of the comparison is not there. */
export class PeerMissingError extends Error {
  override name = 'PeerMissingError';
}

/** Largest difference, as a share of the largest value, at which two frameworks still compute the same. */
const SAME = 1e-3;

const conv = (n: number, h: number, w: number, c: number, k: number, size: number, dilation: number) => ({
  n,
  h,
  w,
  c,
  k,
  size,
  dilation,
});
const CONVOLUTIONS: readonly ConvProblem[] = [
  conv(2, 32, 32, 16, 32, 3, 1),
  conv(4, 48, 96, 32, 32, 3, 1),
  conv(2, 32, 32, 16, 32, 3, 2),
  conv(2, 32, 32, 16, 32, 1, 1),
];
const PARTS: readonly ConvPart[] = ['forward', 'input gradient', 'weight gradient'];

const net = (n: number, h: number, w: number): NetProblem => ({
  n,
  h,
  w,
  widths: [3, 16, 32, 32],
  strides: [1, 2, 1],
  classes: 8,
  lr: 0.1,
});
const NETS: readonly NetProblem[] = [net(2, 32, 32), net(4, 48, 96)];

interface Contest {
  name: string;
  prepare(framework: Framework): Promise<Work>;
}

function trainingContest(p: NetProblem): Contest {
  const data = netData(p);
  return {
    name: `training step, N${p.n} ${p.h}x${p.w}, ${p.widths.join('-')}-${p.classes}`,
    prepare: (framework) => framework.training(p, data),
  };
}

function convContest(p: ConvProblem, part: ConvPart): Contest {
  const data = {
    x: filler(p.n * p.h * p.w * p.c),
    weight: filler(p.size * p.size * p.c * p.k),
    g: filler(p.n * p.h * p.w * p.k),
  };
  return {
    name: `conv2d ${part}, N${p.n} ${p.h}x${p.w}, ${p.c} to ${p.k}, ${p.size}x${p.size}, dilation ${p.dilation}`,
    prepare: (framework) => framework.convolution(p, part, data),
  };
}

const contests = (): Contest[] => [
  ...NETS.map(trainingContest),
  ...CONVOLUTIONS.flatMap((p) => PARTS.map((part) => convContest(p, part))),
];

/**
 * Gives a peer's device the naps that `Gpu` takes while it waits for a software adapter. Without them the peers would lose a
 * third, and more while they compile, by something that has nothing to do with their kernels.
 */
function makePatient(device: GPUDevice): GPUDevice {
  const createBuffer = device.createBuffer.bind(device);
  const createComputePipelineAsync = device.createComputePipelineAsync.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const mapAsync = buffer.mapAsync.bind(buffer);
    buffer.mapAsync = (...args) => patiently(mapAsync(...args));
    return buffer;
  };
  device.createComputePipelineAsync = (descriptor) => patiently(createComputePipelineAsync(descriptor));
  return device;
}

/** `navigator.gpu` as in a browser, with the adapter that the command line takes. */
function provideNavigator(software: boolean): void {
  const requestAdapter = async () => {
    const { adapter } = await findAdapter();
    if (adapter && software) {
      const requestDevice = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => makePatient(await requestDevice(descriptor));
    }
    return adapter;
  };
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: {
      gpu: { requestAdapter, getPreferredCanvasFormat: () => 'bgra8unorm' },
      userAgent: 'node',
      hardwareConcurrency: 2,
    },
  });
}

/** @throws PeerMissingError naming what is missing and how to get it. */
function requirePackages(): void {
  const require = createRequire(import.meta.url);
  const missing = PACKAGES.filter((name) => {
    try {
      require.resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length > 0) {
    throw new PeerMissingError(
      `bench peers: not installed: ${missing.join(', ')}. They are development dependencies, which 'npm ci' in a checkout ` +
        'installs and --omit=dev leaves out. The other tables need none of them.',
    );
  }
}

/** Largest difference over the largest value; infinite where it is no number. */
function deviation(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  let scale = 0;
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i] - want[i]);
    most = Math.max(most, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    scale = Math.max(scale, Math.abs(want[i]));
  }
  return most / scale;
}

const oneLine = (error: unknown): string => (error as Error).message.replace(/\s+/g, ' ');

/** @throws when a peer computes something else: then its time means nothing. */
async function hold({ name, prepare }: Contest, peers: readonly Framework[]): Promise<Row> {
  const entries: { name: string; work: Work; firstMs: number; error?: string; maxRelErr: number }[] = [];
  const failed: Row['peers'] = {};
  for (const framework of [warpmix, ...peers]) {
    let work: Work | null = null;
    try {
      work = await prepare(framework);
      const firstMs = await timed(work.run);
      entries.push({ name: framework.name, work, firstMs, maxRelErr: 0 });
    } catch (error) {
      work?.dispose();
      if (framework === warpmix) throw error;
      failed[framework.name] = { error: oneLine(error) };
    }
  }
  const [us, ...others] = entries;
  // The second call may still have something to compile.
  for (const { work } of entries) await work.run();
  const want = await us.work.result();
  for (const entry of others) {
    entry.maxRelErr = deviation(await entry.work.result(), want);
    if (!(entry.maxRelErr < SAME)) {
      throw new Error(
        `${name}: ${entry.name} and warpmix differ by ${entry.maxRelErr.toExponential(1)} of the largest value, ` +
          `expected less than ${SAME}: they do not compute the same, so their times cannot be compared`,
      );
    }
  }
  const samples = await interleaved(
    entries.map(
      ({ work }) =>
        () =>
          timed(work.run),
    ),
    { most: 15, budget: 5000 },
  );
  for (const { work } of entries) work.dispose();
  const results = others.map((entry, i) => ({ ...entry, ms: median(samples[i + 1]) }));
  const ours = { ms: median(samples[0]), firstMs: us.firstMs, samples: samples[0].length };
  const fastest = (key: 'ms' | 'firstMs') => Math.min(...results.map((one) => one[key]));
  return {
    case: name,
    ours: { ...ours, firstRatio: results.length > 0 ? fastest('firstMs') / ours.firstMs : null },
    peers: {
      ...Object.fromEntries(
        results.map(({ name: peer, ms, firstMs, maxRelErr }) => [peer, { ms, firstMs, maxRelErr }]),
      ),
      ...failed,
    },
    ratio: results.length > 0 ? fastest('ms') / ours.ms : null,
  };
}

/** One case in a process of its own, so that its first call finds nothing compiled. */
async function apart(name: string): Promise<Row> {
  const child = spawn(process.execPath, [process.argv[1], 'bench', 'peers', name, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, errors, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve, reject) => child.on('error', reject).on('close', resolve)),
  ]);
  if (code !== 0) throw new Error(`${name}: ${errors.trim().split('\n').at(-1)}`);
  return (JSON.parse(out) as { rows: Row[] }).rows[0];
}

/**
 * `firstMs` is a framework's first call, compiling included. A single case runs in this process, several in one each.
 * @param gpu current device.
 * @throws PeerMissingError.
 */
export async function peerTable(gpu: Gpu, chosen: (name: string) => boolean): Promise<Row[]> {
  requirePackages();
  const cases = contests().filter(({ name }) => chosen(name));
  if (cases.length !== 1) {
    const rows: Row[] = [];
    for (const { name } of cases) rows.push(await apart(name));
    return rows;
  }
  provideNavigator(gpu.adapter.software);
  const peers: Framework[] = [];
  try {
    for (const open of [openJax, openTfjs]) peers.push(await open());
    const rows: Row[] = [];
    for (const contest of cases) rows.push(await hold(contest, peers));
    return rows;
  } finally {
    for (const peer of peers) peer.close();
  }
}
