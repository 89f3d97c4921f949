// The same kernels here and in PyTorch in f32, on the same card, in turns. What PyTorch does is in pytorch.py.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { valueAndGrad, vjp } from '../src/autograd/tape.ts';
import { keep, step as scope, type Tensor, tensor } from '../src/autograd/tensor.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { conv2d } from '../src/ops/conv2d.ts';
import { crossEntropy } from '../src/ops/crossEntropy.ts';
import { gridSample } from '../src/ops/gridSample.ts';
import { batchNorm } from '../src/ops/norm.ts';
import { ssimError } from '../src/ops/ssim.ts';
import { type ConvPart, type NetProblem, netData } from './frameworks/framework.ts';
import { warpmix } from './frameworks/warpmix.ts';
import { profiled } from './limits.ts';
import { filler, interleaved, median, type Row, timed } from './measure.ts';
import program from './pytorch.py';

/** PyTorch cannot be asked. */
export class PytorchMissingError extends Error {
  override name = 'PytorchMissingError';
}

/** Largest difference, as a share of the largest value, at which both still compute the same. */
const SAME = 1e-3;

/** Python with PyTorch, one request at a time. */
class Pytorch {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #errors = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    // A child that has died is noticed by its answer that does not come.
    child.stdin!.on('error', () => {});
    this.#closed = new Promise((resolve) => child.on('close', resolve));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  /** @throws PytorchMissingError */
  static async start(): Promise<{ pytorch: Pytorch; version: string; device: string }> {
    const child = spawn('python3', ['-u', '-c', program], { stdio: ['pipe', 'pipe', 'pipe'] });
    const missing = await new Promise<Error | null>((resolve) => {
      child.on('error', resolve).on('spawn', () => resolve(null));
    });
    if (missing)
      throw new PytorchMissingError(`bench pytorch: python3 cannot be started: ${missing.message}`);
    const pytorch = new Pytorch(child);
    return { pytorch, ...(await pytorch.#answer<{ version: string; device: string }>()) };
  }

  async #answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    // What it complained of may come after the end of its output.
    await this.#closed;
    const last = this.#errors.trim().split('\n').at(-1);
    const missing = /No module named 'torch/.test(this.#errors)
      ? " It needs the package 'torch'; put the Python that has it first in PATH. The other tables need none of it."
      : '';
    throw new PytorchMissingError(`bench pytorch: python3 ended with '${last}'.${missing}`);
  }

  ask<T>(request: object): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    return this.#answer<T>();
  }

  close(): void {
    this.#child.stdin!.end();
    this.#child.kill();
  }
}

interface Contest {
  /** Of pytorch.py. */
  request: { prepare: string } & Record<string, unknown>;
  /** One computation and its result. Inputs are on the device. */
  compute(): Tensor;
  /** Of a training step, which is timed by the wall clock. */
  step?(): Promise<void>;
  losses?(): Promise<ArrayLike<number>>;
  dispose(): void;
}

const image = (shape: readonly number[], plus = 0): Tensor => {
  const values = filler(shape.reduce((product, size) => product * size, 1));
  return keep(tensor(plus === 0 ? values : values.map((v) => v + plus), shape));
};

const contest = (request: Contest['request'], held: readonly Tensor[], compute: () => Tensor): Contest => ({
  request,
  compute,
  dispose: () => {
    for (const one of held) one.dispose();
  },
});

function convolution(n: number, h: number, w: number, c: number, size: number, part: ConvPart): Contest {
  const [x, weight, g] = [image([n, h, w, c]), image([size, size, c, c]), image([n, h, w, c])];
  const forward = () => conv2d(x, weight, null, { padding: (size - 1) / 2 });
  const held = [x, weight, g];
  let compute = forward;
  if (part !== 'forward') {
    const [y, pullback] = vjp(forward, [part === 'input gradient' ? x : weight]);
    held.push(keep(y));
    compute = () => pullback(g)[0];
  }
  return contest({ prepare: 'convolution', n, h, w, c, k: c, size, part }, held, compute);
}

function warp(n: number, h: number, w: number): Contest {
  const x = image([n, h, w, 3], 0.5);
  const places = new Float32Array(n * h * w * 2);
  for (let at = 0; at < n * h * w; at++) {
    places[2 * at] = 1.96 * ((at % w) / w) - 0.98;
    places[2 * at + 1] = 1.96 * ((Math.floor(at / w) % h) / h) - 0.98;
  }
  const grid = keep(tensor(places, [n, h, w, 2]));
  return contest({ prepare: 'warp', n, h, w }, [x, grid], () =>
    gridSample(x, grid, { padding: 'border', alignCorners: true }),
  );
}

function ssim(n: number, h: number, w: number): Contest {
  const [x, y] = [image([n, h, w, 3], 0.5), image([n, h, w, 3], 0.25)];
  return contest({ prepare: 'ssim', n, h, w }, [x, y], () => ssimError(x, y));
}

function norm(n: number, h: number, w: number, c: number, backward: boolean): Contest {
  const [x, g] = [image([n, h, w, c]), image([n, h, w, c])];
  const [gamma, beta, mean, variance] = [1, 0, 0, 1].map((v) =>
    keep(tensor(new Float32Array(c).fill(v), [c])),
  );
  const forward = () => batchNorm(x, gamma, beta, mean, variance, { training: true, activation: 'relu' });
  const request = { prepare: 'batchNorm', n, h, w, c, backward };
  const held = [x, g, gamma, beta, mean, variance];
  return contest(request, held, backward ? () => vjp(forward, [x])[1](g)[0] : forward);
}

function entropy(n: number, h: number, w: number, classes: number): Contest {
  const logits = image([n, h, w, classes]);
  const labels = keep(
    tensor(
      Int32Array.from({ length: n * h * w }, (_, i) => i % classes),
      [n, h, w],
      'i32',
    ),
  );
  return contest(
    { prepare: 'crossEntropy', n, h, w, classes },
    [logits, labels],
    () => valueAndGrad(() => crossEntropy(logits, labels), [logits])[1][0],
  );
}

async function training(p: NetProblem): Promise<Contest> {
  const work = await warpmix.training(p, netData(p));
  return {
    request: { prepare: 'training', ...p },
    compute: () => {
      throw new Error('a training step is timed as a whole');
    },
    step: work.run,
    losses: work.result,
    dispose: work.dispose,
  };
}

/** Sizes that fill a GPU; a software adapter has smaller ones. With what is shown of each. */
function contests({ adapter, device }: Gpu): [string, () => Contest | Promise<Contest>][] {
  const { software } = adapter;
  const parts: readonly ConvPart[] = ['forward', 'input gradient', 'weight gradient'];
  const [n, h, w, c] = software ? [1, 64, 64, 32] : [8, 128, 256, 64];
  // 19 scores of four large images take 159 MB, more than some adapters bind at once.
  const large = device.limits.maxStorageBufferBindingSize < 2 ** 28 ? [256, 512] : [512, 1024];
  const [ih, iw] = software ? [64, 128] : large;
  const net = { n, h, w, widths: [3, c, c, c], strides: [1, 2, 1], classes: 19, lr: 0.1 };
  const images = `N4 ${ih}x${iw}`;
  const map = `N${n} ${2 * h}x${w}x${c}`;
  return [
    ...[3, 1].flatMap((size) =>
      parts.map((part): [string, () => Contest] => [
        `conv2d ${part}, N${n} ${h}x${w}, ${c} to ${c}, ${size}x${size}`,
        () => convolution(n, h, w, c, size, part),
      ]),
    ),
    [`gridSample, border, ${images}x3`, () => warp(4, ih, iw)],
    [`SSIM error, ${images}x3`, () => ssim(4, ih, iw)],
    [`batchNorm and ReLU, ${map}`, () => norm(n, 2 * h, w, c, false)],
    [`batchNorm and ReLU, forward and backward, ${map}`, () => norm(n, 2 * h, w, c, true)],
    [`cross-entropy, forward and backward, ${images}, 19 classes`, () => entropy(4, ih, iw, 19)],
    [`training step, N${n} ${h}x${w}, ${net.widths.join('-')}-${net.classes}`, () => training(net)],
  ];
}

function deviation(ours: ArrayLike<number>, theirs: readonly (number | null)[]): number {
  if (theirs.includes(null)) return Number.POSITIVE_INFINITY;
  const stride = Math.max(1, Math.floor(ours.length / 1009));
  const values = theirs.map((_, i) => ours[i * stride]);
  const scale = Math.max(...theirs.map((v) => Math.abs(v!)));
  const most = Math.max(...theirs.map((v, i) => Math.abs(v! - values[i])));
  return Number.isNaN(most) ? Number.POSITIVE_INFINITY : most / scale;
}

/** @throws where PyTorch computes something else: then its time means nothing. */
async function hold(gpu: Gpu, pytorch: Pytorch, name: string, one: Contest): Promise<Row> {
  const { sample } = await pytorch.ask<{ sample: (number | null)[] }>(one.request);
  let ours: ArrayLike<number>;
  if (one.step) {
    await one.step();
    ours = await one.losses!();
  } else {
    const result = scope(() => one.compute());
    ours = await result.data();
    result.dispose();
  }
  const maxRelErr = deviation(ours, sample);
  if (!(maxRelErr < SAME)) {
    throw new Error(
      `${name}: PyTorch and warpmix differ by ${maxRelErr.toExponential(1)} of the largest value, expected less than ` +
        `${SAME}: they do not compute the same, so their times cannot be compared`,
    );
  }
  const device = async () => {
    const times = await profiled(gpu, () => {
      scope(() => {
        one.compute();
        return {};
      });
    });
    return times.reduce((sum, { ms }) => sum + ms, 0);
  };
  const { step } = one;
  const samples = await interleaved(
    [
      step ? () => timed(step) : device,
      async () => (await pytorch.ask<{ ms: number }>({ time: one.request.prepare })).ms,
    ],
    { most: 15, budget: 4000 },
  );
  const [mine, theirs] = samples.map(median);
  return {
    case: name,
    ours: { ms: mine, samples: samples[0].length },
    peers: { pytorch: { ms: theirs, maxRelErr } },
    ratio: theirs / mine,
  };
}

/**
 * Time on the device: here the timestamps of all dispatches added up, there ten computations between two events, with whatever gaps the
 * host leaves between them. Of a training step the time until its loss is on the host.
 * @throws PytorchMissingError
 */
export async function pytorchTable(
  gpu: Gpu,
  chosen: (name: string) => boolean,
): Promise<{ rows: Row[]; versions: Record<string, string> }> {
  const { pytorch, version, device } = await Pytorch.start();
  try {
    const rows: Row[] = [];
    for (const [name, make] of contests(gpu)) {
      if (!chosen(name)) continue;
      const one = await make();
      rows.push(await hold(gpu, pytorch, name, one));
      one.dispose();
    }
    return { rows, versions: { PyTorch: `${version} on ${device}` } };
  } finally {
    pytorch.close();
  }
}
