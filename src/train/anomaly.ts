// Where a training step made its first NaN or infinity. Found afterwards, it has spread: one bad pixel is in
// every gradient two kernels later. So every launch of a step is followed by a scan of what it wrote, on the device and by
// bits, and the earliest find is read back at the end of the step.
import { KINDS, NONE, nonFiniteFirst, nonFiniteScan } from '../../kernels/anomaly.ts';
import { gradientOf, isRecording } from '../autograd/tape.ts';
import { currentDevice, type Shape, shapeText, type Tensor, watchLaunches } from '../autograd/tensor.ts';
import type { Device, Storage } from '../gpu/device.ts';
import type { Kernel, Params } from '../gpu/kernel.ts';

/** Invocations that share a scan. */
const WALKERS = 1024;

/** What a scan looked at. */
interface Scan {
  kernel: string;
  binding: string;
  shape: Shape;
  /** Nothing of this step wrote it: it was read as it came from the host or from the step before. */
  given: boolean;
  pass: string;
}

function currentPass(): string {
  const op = gradientOf();
  if (op) return `backward pass, gradient of ${op}`;
  return isRecording() ? 'forward pass' : 'outside the gradient';
}

/** Row-major coordinates of an element. */
function coordinates(index: number, shape: Shape): number[] {
  const at: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return at;
}

/** Watches training steps on the current device for NaN and infinity. Slow; the values that are trained stay the same. */
export class AnomalyWatch {
  readonly #device: Device = currentDevice();
  readonly #found: Storage = this.#device.alloc(2 * WALKERS, 'u32');
  readonly #first: Storage = this.#device.alloc(4, 'u32');
  /** Shapes whose leading dimension counts no samples, and what is there from step to step. */
  readonly #stateShapes: ReadonlySet<string>;
  readonly #state: ReadonlySet<number>;
  #scans: Scan[] = [];

  /** @param state everything that training changes: parameters, running statistics, what optimisers keep. */
  constructor(state: readonly Tensor[]) {
    this.#stateShapes = new Set(state.map(({ shape }) => shapeText(shape)));
    this.#state = new Set(state.map(({ storage }) => storage.id));
  }

  /** Runs one step and scans what every launch reads for the first time and what it writes. */
  during<T>(step: () => T): T {
    this.#scans = [];
    this.#device.write(this.#first, [0, NONE, 0, 0]);
    const seen = new Set<number>();
    // A new tensor that is filled piece by piece holds anything until it is whole: it is looked at when it is first read.
    const unfinished = new Map<number, Scan>();
    const scan = (storage: Storage, about: Scan) => {
      seen.add(storage.id);
      this.#scans.push(about);
      const walkers = Math.min(WALKERS, storage.length);
      this.#device.run(nonFiniteScan, { n: storage.length, walkers }, { x: storage, found: this.#found });
      this.#device.run(nonFiniteFirst, { walkers }, { found: this.#found, first: this.#first });
    };
    const watch = (kernel: Kernel, _: Params, tensors: Record<string, Tensor>, done: boolean) => {
      const bound = kernel.bindings.flatMap(({ name, type, access }) =>
        (tensors[name].parts ?? [tensors[name]]).map((tensor) => ({ binding: name, type, access, tensor })),
      );
      for (const { binding, type, access, tensor } of bound) {
        const { storage, shape, size } = tensor;
        if (type !== 'f32' || size === 0 || access === (done ? 'read' : 'write')) continue;
        const about = { kernel: kernel.name, binding, shape, given: !done, pass: currentPass() };
        const piecewise = access === 'update' && !seen.has(storage.id) && !this.#state.has(storage.id);
        if (piecewise) unfinished.set(storage.id, { ...about, given: false });
        else if (done || !seen.has(storage.id)) scan(storage, unfinished.get(storage.id) ?? about);
      }
    };
    return watchLaunches(watch, step);
  }

  /** Where the last step first went wrong, in words; null where every number was finite. */
  async first(): Promise<string | null> {
    const [, number, index, kind] = await this.#device.read(this.#first);
    if (number === NONE) return null;
    const { kernel, binding, shape, given, pass } = this.#scans[number];
    const at = coordinates(index, shape);
    const perSample = shape.length > 1 && shape[0] > 1 && !this.#stateShapes.has(shapeText(shape));
    const where =
      `${KINDS[kind]} at [${at}] of '${binding}' ${shapeText(shape)}` +
      (perSample ? `, sample ${at[0]} of ${shape[0]} (counted from 0)` : '');
    return given
      ? `${kernel} (${pass}) was given ${where}, which nothing in this step computed: look at the batch, or at the ` +
          'parameters that the step before left'
      : `${kernel} (${pass}) made the first non-finite number: ${where}`;
  }

  dispose(): void {
    this.#device.free(this.#found);
    this.#device.free(this.#first);
  }
}
