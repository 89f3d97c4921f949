import { type Node, ShapeError, shapeText, step, type Tensor, tensor } from './tensor.ts';

/** A gradient was asked of something that has none, or a second derivative of a kernel that gives only the first. */
export class GradientError extends Error {
  override name = 'GradientError';
}

// How many gradient computations enclose the code that runs now. Zero: nothing is recorded.
let depth = 0;

export const isRecording = (): boolean => depth > 0;

// The op whose vjp runs now; a vjp is written with ops, whose own names say little about where in a backward pass one is.
let pulledBack: string | null = null;

/** The op whose gradient is being computed, or null. */
export const gradientOf = (): string | null => pulledBack;

/** Told what the tape does; see `watchTape`. */
export interface TapeWatcher {
  /** An op has computed `output`. `taped`: its gradient may be asked for. */
  computed(op: string, inputs: readonly Tensor[], output: Tensor, taped: boolean): void;
  /** The gradient of `output` is complete, and is pulled back to the inputs of its op from here to the next call. */
  pulling(output: Tensor, gradient: Tensor): void;
  /** A backward pass has ended with the gradients of `wrt`; null where nothing depends on one. */
  pulled(wrt: readonly Tensor[], gradients: readonly (Tensor | null)[]): void;
}

let watcher: TapeWatcher | null = null;

/** Tells `watch` of every op and every gradient that `fn` computes. */
export function watchTape<T>(watch: TapeWatcher, fn: () => T): T {
  const before = watcher;
  watcher = watch;
  try {
    return fn();
  } finally {
    watcher = before;
  }
}

/** Runs `fn` without recording: its results are constants to every enclosing gradient. */
export function noGrad<T>(fn: () => T): T {
  const before = depth;
  depth = 0;
  try {
    return fn();
  } finally {
    depth = before;
  }
}

/** The same values, constant to every gradient. */
export function stopGradient(x: Tensor): Tensor {
  return x.view(x.shape);
}

/** Notes how `output` was computed, when something may ask for its gradient. Ops call it; users do not. */
export function record(op: string, inputs: readonly Tensor[], output: Tensor, vjp: Node['vjp']): Tensor {
  if (depth > 0 && inputs.some((x) => x.tracked)) {
    output.node = { op, inputs, vjp };
    output.tracked = true;
  }
  watcher?.computed(op, inputs, output, output.node !== null);
  return output;
}

/**
 * The vjp of a fused backward kernel, which cannot itself be differentiated.
 * @throws GradientError when a second derivative goes through it.
 */
export function firstOrderOnly(op: string, inputs: readonly Tensor[], output: Tensor): Tensor {
  return record(op, inputs, output, () => {
    throw new GradientError(
      `${op} is a fused kernel without a second derivative; build the expression from single ops to differentiate twice`,
    );
  });
}

/** Nodes between `output` and `wrt`, outputs first. */
function order(output: Tensor, wrt: ReadonlySet<Tensor>): Tensor[] {
  const needed = new Map<Tensor, boolean>();
  const sorted: Tensor[] = [];
  // Depth-first without recursion: a tape may be tens of thousands of nodes deep.
  const stack: { at: Tensor; next: number }[] = [{ at: output, next: 0 }];
  needed.set(output, wrt.has(output));
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const inputs = wrt.has(top.at) ? [] : (top.at.node?.inputs ?? []);
    if (top.next < inputs.length) {
      const input = inputs[top.next++];
      if (needed.has(input)) {
        if (needed.get(input)) needed.set(top.at, true);
      } else {
        needed.set(input, wrt.has(input));
        stack.push({ at: input, next: 0 });
      }
      continue;
    }
    stack.pop();
    if (needed.get(top.at)) {
      sorted.push(top.at);
      if (stack.length > 0) needed.set(stack[stack.length - 1].at, true);
    }
  }
  return sorted.reverse();
}

/** Runs `add` on two cotangents; src/ops sets it, because the sum of gradients is itself differentiable. */
let addTensors: (a: Tensor, b: Tensor) => Tensor = () => {
  throw new Error('src/ops is not loaded');
};

export function setAccumulate(add: (a: Tensor, b: Tensor) => Tensor): void {
  addTensors = add;
}

function backward(output: Tensor, seed: Tensor, wrt: readonly Tensor[]): (Tensor | null)[] {
  const outer = pulledBack;
  try {
    return pullBack(output, seed, wrt);
  } finally {
    pulledBack = outer;
  }
}

function pullBack(output: Tensor, seed: Tensor, wrt: readonly Tensor[]): (Tensor | null)[] {
  const leaves = new Set(wrt);
  const cotangents = new Map<Tensor, Tensor>([[output, seed]]);
  // Uses of each cotangent, so that it can be freed after its last one. Under an outer gradient nothing is freed.
  const uses = new Map<Tensor, number>([[seed, 2]]);
  const use = (t: Tensor) => uses.set(t, (uses.get(t) ?? 0) + 1);
  const release = (t: Tensor) => {
    const left = (uses.get(t) ?? 1) - 1;
    uses.set(t, left);
    if (left === 0 && depth === 0) t.dispose();
  };
  const sorted = order(output, leaves);
  const wanted = new Set(sorted);
  for (const at of sorted) {
    const cotangent = cotangents.get(at);
    if (leaves.has(at) || !at.node || !cotangent) continue;
    const { op, inputs, vjp } = at.node;
    pulledBack = op;
    watcher?.pulling(at, cotangent);
    const needed = inputs.map((x) => wanted.has(x));
    const results = depth > 0 ? vjp(cotangent, needed) : step(() => vjp(cotangent, needed));
    inputs.forEach((input, i) => {
      const gradient = results[i];
      if (!needed[i]) return;
      if (!gradient) throw new GradientError(`${op} gives no gradient for its input ${i}`);
      if (shapeText(gradient.shape) !== shapeText(input.shape)) {
        throw new GradientError(
          `${op}: gradient ${shapeText(gradient.shape)} for input ${i} of shape ${shapeText(input.shape)}`,
        );
      }
      const earlier = cotangents.get(input);
      if (!earlier) {
        cotangents.set(input, gradient);
        use(gradient);
        return;
      }
      const sum = addTensors(earlier, gradient);
      cotangents.set(input, sum);
      use(sum);
      release(earlier);
      if (!uses.get(gradient) && depth === 0) gradient.dispose();
    });
    cotangents.delete(at);
    release(cotangent);
  }
  const gradients = wrt.map((x) => cotangents.get(x) ?? null);
  watcher?.pulled(wrt, gradients);
  return gradients;
}

/** Runs `fn` while recording, then gives the gradients a way back from its result. */
function recorded<T>(wrt: readonly Tensor[], fn: () => T): T {
  const before = wrt.map((x) => x.tracked);
  for (const x of wrt) x.tracked = true;
  depth += 1;
  try {
    return fn();
  } finally {
    depth -= 1;
    wrt.forEach((x, i) => {
      x.tracked = before[i];
    });
  }
}

const zerosLike = (x: Tensor): Tensor => tensor(new Float32Array(x.size), x.shape);

/**
 * Value of `fn` and its gradients with respect to the tensors `wrt`, which `fn` uses by closure.
 * @param fn returns a scalar (one element), f32.
 * @returns `[value, gradients]`; a tensor that `fn` does not use gets zeros.
 */
export function valueAndGrad(fn: () => Tensor, wrt: readonly Tensor[]): [Tensor, Tensor[]] {
  const value = recorded(wrt, fn);
  if (value.size !== 1) {
    throw new GradientError(
      `grad needs a scalar, got shape ${shapeText(value.shape)}; take a mean or use vjp`,
    );
  }
  const gradients = backward(value, tensor([1], value.shape), wrt);
  return [value, gradients.map((g, i) => g ?? zerosLike(wrt[i]))];
}

/** Gradients of the scalar `fn()` with respect to `wrt`. */
export function grad(fn: () => Tensor, wrt: readonly Tensor[]): Tensor[] {
  return valueAndGrad(fn, wrt)[1];
}

/**
 * Value of `fn` and its pull-back: `pullback(c)` gives d sum(value * c) / d wrt.
 * @param fn returns a tensor of any shape.
 */
export function vjp(fn: () => Tensor, wrt: readonly Tensor[]): [Tensor, (cotangent: Tensor) => Tensor[]] {
  const value = recorded(wrt, fn);
  return [
    value,
    (cotangent) => {
      if (shapeText(cotangent.shape) !== shapeText(value.shape)) {
        throw new ShapeError(
          `vjp: cotangent ${shapeText(cotangent.shape)} for a value of shape ${shapeText(value.shape)}`,
        );
      }
      // The way back frees its seed, so it gets a view; on the tape, because gradients reach the cotangent through it.
      const seed = record('vjp', [cotangent], cotangent.view(cotangent.shape), (g) => [g]);
      return backward(value, seed, wrt).map((g, i) => g ?? zerosLike(wrt[i]));
    },
  ];
}
