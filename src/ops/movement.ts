import * as kernels from '../../kernels/movement.ts';
import { record } from '../autograd/tape.ts';
import { empty, launch, type Shape, ShapeError, shapeText, sizeOf, type Tensor } from '../autograd/tensor.ts';

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = new Array(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Negative axes count from the end. */
export function axisOf(op: string, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank) {
    throw new ShapeError(`${op}: axis ${axis} of a tensor with ${rank} axes`);
  }
  return at;
}

const MAX_AXES = 5;

/** `values` with `fill` in front until there are five. */
function five(op: string, values: readonly number[], fill: number): number[] {
  if (values.length > MAX_AXES)
    throw new ShapeError(`${op}: ${values.length} axes, at most ${MAX_AXES} are supported`);
  return [...new Array(MAX_AXES - values.length).fill(fill), ...values];
}

/** The same strided view with as few axes as it needs: those of length one are left out, those that run on are joined. */
function joined(shape: Shape, strides: readonly number[]): { shape: number[]; strides: number[] } {
  const view = { shape: [] as number[], strides: [] as number[] };
  shape.forEach((d, axis) => {
    const last = view.shape.length - 1;
    if (d === 1) return;
    if (last >= 0 && view.strides[last] === d * strides[axis]) {
      view.shape[last] *= d;
      view.strides[last] = strides[axis];
    } else {
      view.shape.push(d);
      view.strides.push(strides[axis]);
    }
  });
  return view;
}

/** Copies the strided view y[c] = x[offset + c . strides]. */
export function stridedCopy(
  op: string,
  x: Tensor,
  shape: Shape,
  strides: readonly number[],
  offset: number,
): Tensor {
  const y = empty(shape, x.dtype, x.device);
  const view = joined(shape, strides);
  const [, d1, d2, d3, d4] = five(op, view.shape, 1);
  const [s0, s1, s2, s3, s4] = five(op, view.strides, 0);
  launch(kernels.gather[x.dtype], { n: y.size, d1, d2, d3, d4, offset, s0, s1, s2, s3, s4 }, { x, y });
  return y;
}

/**
 * The same values under another shape; one axis may be -1.
 * @throws ShapeError where the number of values differs.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((d) => d !== -1));
  const open = shape.filter((d) => d === -1).length;
  if (open > 1 || (open === 1 && (known === 0 || x.size % known !== 0)))
    throw new ShapeError(`reshape: ${shapeText(x.shape)} does not say what -1 is in ${shapeText(shape)}`);
  const target = shape.map((d) => (d === -1 ? x.size / known : d));
  return record('reshape', [x], x.view(target), (g) => [reshape(g, x.shape)]);
}

/** Axes in another order: `y.shape[i] = x.shape[order[i]]`. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  const rank = x.shape.length;
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== rank) {
    throw new ShapeError(
      `permute: [${order}] is no permutation of the ${rank} axes of ${shapeText(x.shape)}`,
    );
  }
  const strides = stridesOf(x.shape);
  const y = stridedCopy(
    'permute',
    x,
    order.map((axis) => x.shape[axis]),
    order.map((axis) => strides[axis]),
    0,
  );
  const back = order.map((_, axis) => order.indexOf(axis));
  return record('permute', [x], y, (g) => [permute(g, back)]);
}

/**
 * Elements begin, begin + step, ... below end along each axis (NumPy's `x[b:e:s]`, all given, step >= 1).
 */
export function slice(
  x: Tensor,
  begin: readonly number[],
  end: readonly number[],
  steps?: readonly number[],
): Tensor {
  const rank = x.shape.length;
  const by = steps ?? new Array(rank).fill(1);
  if (begin.length !== rank || end.length !== rank || by.length !== rank) {
    throw new ShapeError(`slice: ${shapeText(x.shape)} needs ${rank} begins, ends and steps`);
  }
  begin.forEach((b, axis) => {
    const whole = [b, end[axis], by[axis]].every(Number.isInteger);
    if (!whole || b < 0 || end[axis] > x.shape[axis] || end[axis] < b || by[axis] < 1) {
      throw new ShapeError(`slice: ${b}:${end[axis]}:${by[axis]} of axis ${axis} of ${shapeText(x.shape)}`);
    }
  });
  const strides = stridesOf(x.shape);
  const y = stridedCopy(
    'slice',
    x,
    begin.map((b, axis) => Math.ceil((end[axis] - b) / by[axis])),
    strides.map((s, axis) => s * by[axis]),
    begin.reduce((sum, b, axis) => sum + b * strides[axis], 0),
  );
  return record('slice', [x], y, (g) => [spread(g, x.shape, begin, by)]);
}

/**
 * Values of x at `before + step * c` of a tensor of zeros: the adjoint of `slice`. f32.
 * @throws ShapeError where they do not fit into `shape`.
 */
export function spread(x: Tensor, shape: Shape, before: readonly number[], steps: readonly number[]): Tensor {
  const rank = x.shape.length;
  const fits = (d: number, axis: number) => {
    const [b, by] = [before[axis], steps[axis]];
    return (
      [b, by].every(Number.isInteger) && b >= 0 && by >= 1 && (d === 0 || b + by * (d - 1) < shape[axis])
    );
  };
  if ([shape, before, steps].some((one) => one.length !== rank) || !x.shape.every(fits)) {
    throw new ShapeError(
      `spread: ${shapeText(x.shape)} from [${before}] in steps of [${steps}] does not fit into ${shapeText(shape)}`,
    );
  }
  const y = empty(shape, 'f32', x.device);
  const [, d1, d2, d3, d4] = five('spread', shape, 1);
  const [b0, b1, b2, b3, b4] = five('spread', before, 0);
  const [t0, t1, t2, t3, t4] = five('spread', steps, 1);
  const [x0, x1, x2, x3, x4] = five('spread', x.shape, 1);
  const params = { n: y.size, d1, d2, d3, d4, b0, b1, b2, b3, b4, t0, t1, t2, t3, t4, x0, x1, x2, x3, x4 };
  launch(kernels.spread, params, { x, y });
  return record('spread', [x], y, (g) => {
    const end = before.map((b, axis) => Math.max(b, b + steps[axis] * (x.shape[axis] - 1) + 1));
    return [slice(g, before, end, steps)];
  });
}

/**
 * Zeros around x: `before[i]` and `after[i]` along axis i. f32.
 * @throws ShapeError unless there is a whole number, 0 or more, for each side of every axis.
 */
export function zeroPad(x: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  const rank = x.shape.length;
  const both = [...before, ...after];
  if (before.length !== rank || after.length !== rank || both.some((d) => !Number.isInteger(d) || d < 0)) {
    throw new ShapeError(
      `zeroPad: [${before}] before and [${after}] after ${shapeText(x.shape)}, expected ${rank} whole numbers each, 0 or more`,
    );
  }
  const shape = x.shape.map((d, axis) => d + before[axis] + after[axis]);
  return spread(x, shape, before, new Array(shape.length).fill(1));
}

/** x reversed along one axis. */
export function flip(x: Tensor, axis: number): Tensor {
  const at = axisOf('flip', axis, x.shape.length);
  const strides = stridesOf(x.shape);
  const turned = strides.map((s, i) => (i === at ? -s : s));
  const y = stridedCopy('flip', x, x.shape, turned, strides[at] * (x.shape[at] - 1));
  return record('flip', [x], y, (g) => [flip(g, at)]);
}

/**
 * Tensors joined along one axis; every other axis must agree. f32.
 * @throws ShapeError for no parts and for parts that do not fit.
 */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0];
  if (!first) throw new ShapeError('concat: no tensors, expected at least one');
  const at = axisOf('concat', axis, first.shape.length);
  for (const part of parts) {
    if (
      part.shape.length !== first.shape.length ||
      part.shape.some((d, i) => i !== at && d !== first.shape[i])
    ) {
      throw new ShapeError(
        `concat along axis ${at}: ${parts.map((t) => shapeText(t.shape)).join(', ')} do not fit`,
      );
    }
  }
  const whole = parts.reduce((sum, part) => sum + part.shape[at], 0);
  const outer = sizeOf(first.shape.slice(0, at));
  const inner = sizeOf(first.shape.slice(at + 1));
  const y = empty(
    first.shape.map((d, i) => (i === at ? whole : d)),
    'f32',
    first.device,
  );
  const starts: number[] = [];
  let from = 0;
  for (const x of parts) {
    starts.push(from);
    launch(kernels.insert, { outer, part: x.shape[at], inner, whole, at: from }, { x, y });
    from += x.shape[at];
  }
  return record('concat', parts, y, (g, needed) =>
    parts.map((x, k) => {
      if (!needed[k]) return null;
      const begin = g.shape.map((_, i) => (i === at ? starts[k] : 0));
      return slice(
        g,
        begin,
        begin.map((b, i) => b + x.shape[i]),
      );
    }),
  );
}

/**
 * Tensors of one shape, stacked along a new axis. f32.
 * @throws ShapeError as `concat`.
 */
export function stack(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 0) throw new ShapeError('stack: no tensors, expected at least one');
  const at = axisOf('stack', axis, parts[0].shape.length + 1);
  const widened = parts.map((x) => reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]));
  return concat(widened, at);
}
