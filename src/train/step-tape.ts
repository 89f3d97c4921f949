// One training step, op by op: what each read and wrote, which kernels it launched forward and backward, how long they took, what the
// backward pass keeps, and how large its values and gradients are.
import { upload } from '../autograd/program.ts';
import { isRecording, noGrad, type TapeWatcher, watchTape } from '../autograd/tape.ts';
import { keep, step as scope, Tensor, type Watcher, watchLaunches } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Phase } from '../methods/phase.ts';
import { type Module, modulesOf, watchCalls } from '../nn/module.ts';
import { concat, reshape, slice } from '../ops/movement.ts';
import { l2Norm } from '../ops/reduce.ts';
import type { Plan } from './plan.ts';
import type { StepTape, TapeCall, TapeLaunch, TapeOp, TapeTensor } from './tape-tree.ts';

/** A tensor as one launch saw it; its own storage may be gone when it is asked for. */
interface Seen extends TapeTensor {
  storage: number;
}

interface Launch extends TapeLaunch {
  /** Its place among the dispatches of the step, those of the recorder included. */
  dispatch: number;
  reads: Seen[];
  writes: Seen[];
}

interface Op extends Omit<TapeOp, 'inputs' | 'outputs' | 'forward' | 'backward'> {
  inputs: Seen[];
  outputs: Seen[];
  forward: Launch[];
  backward: Launch[];
}

interface Call {
  path: string;
  label: string;
  nodes: (Call | Op)[];
}

const isOp = (node: Call | Op | undefined): node is Op => node !== undefined && !('nodes' in node);

const call = (path: string, label = path): Call => ({ path, label, nodes: [] });

const seen = ({ storage, shape, dtype, size }: Tensor): Seen => ({
  storage: storage.id,
  shape,
  dtype,
  bytes: 4 * size,
});

const unique = (tensors: readonly Seen[]): Seen[] => {
  const known = new Set<number>();
  return tensors.filter(({ storage }) => !known.has(storage) && known.add(storage));
};

/** Every tensor in a structure, with its name. */
function named(value: unknown, name: string): [string, Tensor][] {
  if (value instanceof Tensor) return [[name, value]];
  return Object.entries(value as object).flatMap(([key, one]) => named(one, name ? `${name}.${key}` : key));
}

/** An image-like output: rank 4 with height and width. */
const isImage = ({ shape, dtype }: Tensor): boolean =>
  dtype === 'f32' && shape.length === 4 && shape[1] > 1 && shape[2] > 1;

/**
 * Follows one step. Modules tell where an op was called, the tape which op it is and when its gradient is pulled back, launches what
 * it read and wrote. A launch belongs to the op whose output needs it.
 */
class Recorder implements TapeWatcher {
  readonly stages: [Call, Call, Call] = [call('before'), call('tape'), call('after')];
  readonly parameters = new Map<string, TapeTensor & { norm: number; gradientNorm: number }>();
  /** First image of an output. */
  readonly pictures = new Map<Op, Tensor>();
  readonly #gpu: Gpu;
  readonly #firstDispatch: number;
  readonly #names = new Map<number, string>();
  readonly #modules: [string, Module][];
  /** Storage -> what made it. */
  readonly #made = new Map<number, { op: Op; as: Seen }>();
  readonly #byOutput = new Map<Tensor, Op>();
  /** Storage -> the op whose gradient read it last. */
  readonly #lastUse = new Map<number, Op>();
  /** Launches that no op has claimed yet. */
  #pending: Launch[] = [];
  #at: Call = this.stages[0];
  #pulling: Op | null = null;
  #dispatches = 0;
  /** The recorder's own work, which it does not record. */
  #own = false;
  readonly #norms: { value: Tensor; put(norm: number): void }[] = [];

  constructor(gpu: Gpu, { networks, teacher, state }: Pick<Plan, 'networks' | 'teacher' | 'state'>) {
    this.#gpu = gpu;
    this.#firstDispatch = gpu.dispatches;
    const roots: [string, Module][] = networks.map(({ name, module }) => [name, module]);
    if (teacher) roots.push(['teacher', teacher]);
    this.#modules = roots.flatMap(([root, module]) =>
      modulesOf(module).map(([path, one]): [string, Module] => [path ? `${root}/${path}` : root, one]),
    );
    const groups = [
      ...Object.entries(state),
      ...roots.map(([root, module]) => [root, module.state()] as const),
    ];
    for (const [group, tensors] of groups) {
      for (const [name, { storage }] of Object.entries(tensors))
        this.#names.set(storage.id, `${group}/${name}`);
    }
  }

  run(phase: Phase, inputs: ReturnType<Phase['inputs']>): Record<string, Tensor> {
    return scope(() => {
      const uploaded = upload(inputs);
      for (const [name, { storage }] of named(uploaded, 'batch')) this.#names.set(storage.id, name);
      const train = () => phase.train(uploaded);
      const terms = watchLaunches(this.#launched, () =>
        watchTape(this, () => watchCalls(this.#modules, this.#within, train)),
      );
      this.#flush();
      return terms;
    });
  }

  readonly #within = (path: string, make: () => unknown): unknown => {
    this.#enterStage();
    const outer = this.#at;
    if (this.#pulling || outer.path === path) return make();
    this.#flush();
    const below = path.startsWith(outer.path) && /^[/.]/.test(path.slice(outer.path.length));
    const inner = call(path, below ? path.slice(outer.path.length + 1) : path);
    outer.nodes.push(inner);
    this.#at = inner;
    try {
      return make();
    } finally {
      this.#flush();
      this.#at = outer;
    }
  };

  /** The second stage starts with the first thing that is done while the tape records. */
  #enterStage(): void {
    const [before, tape] = this.stages;
    if (this.#at !== before || !isRecording()) return;
    this.#flush();
    this.#at = tape;
  }

  readonly #launched: Watcher = (kernel, params, tensors, done) => {
    if (this.#own) return;
    if (!done) {
      this.#enterStage();
      this.#dispatches = this.#gpu.dispatches;
      return;
    }
    if (this.#gpu.dispatches === this.#dispatches) return; // nothing to compute
    const bound = (...access: string[]) =>
      unique(
        kernel.bindings
          .filter((b) => access.includes(b.access))
          .flatMap(({ name }) => tensors[name].parts ?? [tensors[name]])
          .map(seen),
      );
    const launch: Launch = {
      kernel: kernel.name,
      variant: this.#gpu.variant(kernel, params).name,
      params: { ...params },
      ms: null,
      dispatch: this.#dispatches - this.#firstDispatch,
      reads: bound('read', 'update'),
      writes: bound('write', 'update'),
    };
    if (!this.#pulling) {
      this.#pending.push(launch);
      return;
    }
    this.#pulling.backward.push(launch);
    for (const { storage } of launch.reads) this.#lastUse.set(storage, this.#pulling);
  };

  computed(name: string, inputs: readonly Tensor[], output: Tensor, taped: boolean): void {
    if (this.#own || this.#pulling) return;
    this.#enterStage();
    const op = this.#op(name, taped ? 'taped' : 'constant', inputs.map(seen), [seen(output)]);
    const given = new Set(op.inputs.map(({ storage }) => storage));
    const needs = new Set(given.has(op.outputs[0].storage) ? [] : [op.outputs[0].storage]);
    const ask = (tensors: readonly Seen[]) => {
      for (const { storage } of tensors) if (!given.has(storage)) needs.add(storage);
    };
    const mine: Launch[] = [];
    const others: Launch[] = [];
    for (const launch of this.#pending.reverse()) {
      if (!launch.writes.some(({ storage }) => needs.has(storage))) others.unshift(launch);
      else {
        mine.unshift(launch);
        ask(launch.reads);
      }
    }
    this.#pending = others;
    this.#flush();
    // What an op computes on its way with other ops, right before and for itself alone, is part of it.
    const { nodes } = this.#at;
    for (let last = nodes.at(-1); isOp(last) && last.kind !== 'taped'; last = nodes.at(-1)) {
      if (!last.outputs.some(({ storage }) => needs.has(storage))) break;
      nodes.pop();
      mine.unshift(...last.forward);
      for (const [storage, { op: maker }] of this.#made) if (maker === last) this.#made.delete(storage);
      ask(last.inputs);
      this.pictures.get(last)?.dispose();
      this.pictures.delete(last);
    }
    this.#claim(op, mine);
    this.#byOutput.set(output, op);
    if (output.dtype === 'f32') {
      this.#note(output, (norm) => {
        op.norm = norm;
      });
    }
    if (isImage(output)) {
      const [, ...size] = output.shape;
      this.pictures.set(
        op,
        this.#ours(() => keep(slice(output, [0, 0, 0, 0], [1, ...size]))),
      );
    }
  }

  pulling(output: Tensor, gradient: Tensor): void {
    const op = this.#byOutput.get(output) ?? null;
    this.#pulling = op;
    if (!op) return;
    this.#note(gradient, (norm) => {
      op.gradientNorm = norm;
    });
  }

  pulled(wrt: readonly Tensor[], gradients: readonly (Tensor | null)[]): void {
    this.#pulling = null;
    this.#at = this.stages[2];
    wrt.forEach((tensor, i) => {
      const { storage, ...about } = seen(tensor);
      const name = this.#names.get(storage) ?? `parameter ${i}`;
      this.#names.set(storage, name);
      const parameter = { ...about, norm: 0, gradientNorm: 0 };
      this.parameters.set(name, parameter);
      this.#note(tensor, (norm) => {
        parameter.norm = norm;
      });
      const gradient = gradients[i];
      if (!gradient) return;
      this.#names.set(gradient.storage.id, `gradient of ${name}`);
      this.#note(gradient, (norm) => {
        parameter.gradientNorm = norm;
      });
    });
  }

  #op(name: string, kind: Op['kind'], inputs: Seen[], outputs: Seen[]): Op {
    const empty = { bytes: 0, kept: [], parameters: [], norm: null, gradientNorm: null, backward: [] };
    return { id: 0, name, kind, inputs, outputs, forward: [], picture: false, ...empty };
  }

  /** Gives an op its launches, what they read and what they made, and puts it on the list. */
  #claim(op: Op, launches: Launch[]): void {
    op.forward = launches;
    // What is there already is updated, and so read as well.
    const fresh = unique(launches.flatMap(({ writes }) => writes)).filter(
      ({ storage }) => !this.#names.has(storage) && !this.#made.has(storage),
    );
    for (const as of fresh) this.#made.set(as.storage, { op, as });
    const read = launches.flatMap(({ reads }) => reads);
    op.inputs = unique([...op.inputs, ...read]).filter(({ storage }) => this.#made.get(storage)?.op !== op);
    op.bytes = op.outputs
      .filter(({ storage }) => this.#made.get(storage)?.op === op)
      .reduce((sum, { bytes }) => sum + bytes, 0);
    this.#at.nodes.push(op);
  }

  /** Launches that no op claims are listed by kernel. */
  #flush(): void {
    const rest = this.#pending;
    this.#pending = [];
    for (let i = 0; i < rest.length; ) {
      const { kernel } = rest[i];
      const end = rest.findIndex((launch, k) => k > i && launch.kernel !== kernel);
      const run = rest.slice(i, end < 0 ? rest.length : end);
      i += run.length;
      this.#claim(this.#op(kernel, 'kernel', [], unique(run.flatMap(({ writes }) => writes))), run);
    }
  }

  #ours<T>(work: () => T): T {
    this.#own = true;
    try {
      return noGrad(work);
    } finally {
      this.#own = false;
    }
  }

  /** Takes the norm of a tensor now, on the device; `readNorms` puts it where it belongs. */
  #note(tensor: Tensor, put: (norm: number) => void): void {
    this.#norms.push({ value: this.#ours(() => keep(scope(() => l2Norm(tensor)))), put });
  }

  async readNorms(): Promise<void> {
    if (this.#norms.length === 0) return;
    const all = scope(() =>
      keep(
        concat(
          this.#norms.map(({ value }) => reshape(value, [1])),
          0,
        ),
      ),
    );
    const values = await all.data();
    all.dispose();
    this.#norms.forEach(({ value, put }, i) => {
      put(values[i]);
      value.dispose();
    });
  }

  /** @param times of all dispatches of the step. */
  finish(times: readonly { ms: number }[] | null): [TapeCall, TapeCall, TapeCall] {
    const ops = this.stages.flatMap(function below(node: Call | Op): Op[] {
      return isOp(node) ? [node] : node.nodes.flatMap(below);
    });
    ops.forEach((op, i) => {
      op.id = i + 1;
      op.picture = this.pictures.has(op);
    });
    for (const [storage, { op, as }] of this.#made) {
      const until = this.#lastUse.get(storage);
      if (until) op.kept.push({ ...plain(as), until: until.id });
    }
    const launch = ({ dispatch, reads, writes, ...rest }: Launch): TapeLaunch => ({
      ...rest,
      ms: times?.[dispatch].ms ?? null,
    });
    const from = ({ storage }: Seen): number | string =>
      this.#names.get(storage) ?? this.#made.get(storage)?.op.id ?? 'a constant from the host';
    const clean = (node: Call | Op): TapeCall | TapeOp => {
      if (!isOp(node))
        return { ...node, nodes: node.nodes.filter((n) => isOp(n) || n.nodes.length > 0).map(clean) };
      const inputs = node.inputs.map((one) => ({ ...plain(one), from: from(one) }));
      return {
        ...node,
        inputs,
        outputs: node.outputs.map(plain),
        parameters: inputs.flatMap((one) =>
          this.parameters.has(String(one.from)) ? [String(one.from)] : [],
        ),
        forward: node.forward.map(launch),
        backward: node.backward.map(launch),
      };
    };
    return this.stages.map(clean) as [TapeCall, TapeCall, TapeCall];
  }
}

const plain = ({ shape, dtype, bytes }: Seen): TapeTensor => ({ shape, dtype, bytes });

/**
 * Takes one step of training and tells all about it. The step computes what it would compute unwatched, bit for bit; it takes longer,
 * because every dispatch has a pass of its own and norms are taken in between.
 * @param plan that the phase is part of: its networks, its teacher and its state give tensors and calls their names.
 * @param batch from `phase.load`.
 * @returns the tape, and the first image of every image-like output by the id of its op, [1,H,W,C], to be disposed of by the caller.
 */
export async function recordStep(
  gpu: Gpu,
  plan: Pick<Plan, 'networks' | 'teacher' | 'state'>,
  phase: Phase,
  batch: unknown,
  step: number,
): Promise<{ tape: StepTape; pictures: Map<number, Tensor> }> {
  const taken: { recorder: Recorder; terms: Record<string, Tensor> }[] = [];
  const inputs = phase.inputs(batch, step);
  const work = () => {
    const recorder = new Recorder(gpu, plan);
    taken.push({ recorder, terms: recorder.run(phase, inputs) });
  };
  const times = await gpu.profile(work);
  if (!times) work();
  const [{ recorder, terms }] = taken;
  await recorder.readNorms();
  const values: Record<string, number> = {};
  for (const [name, tensor] of Object.entries(terms)) {
    values[name] = await tensor.item();
    tensor.dispose();
  }
  const stages = recorder.finish(times);
  return {
    tape: {
      phase: phase.name,
      terms: values,
      stages,
      parameters: Object.fromEntries(recorder.parameters),
      timed: times !== null,
    },
    pictures: new Map([...recorder.pictures].map(([{ id }, picture]) => [id, picture])),
  };
}
