// Runs files of expected values, as PyTorch computed them, through the ops of the same name.
// Files are in PyTorch's layouts. Tensors are turned on the host before and after, so that only the op is under test.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vjp } from '../autograd/tape.ts';
import { onDevice, type Shape, sizeOf, step, type Tensor, tensor } from '../autograd/tensor.ts';
import { readSafetensors, type SafeTensor } from '../data/safetensors.ts';
import { DataError } from '../data/types.ts';
import type { Device } from '../gpu/device.ts';
import type { Numbers } from '../gpu/kernel.ts';
import { breathe } from './breathe.ts';
import { type CheckCase, deviation, TOLERANCE } from './check-case.ts';
import { type Adapter, adapters } from './golden-adapters.ts';
import { type Axes, Inputs, Params, Unsupported } from './golden-case.ts';

interface Values {
  shape: Shape;
  data: ArrayLike<number>;
}

/** Axes in another order: `result.shape[i] = x.shape[axes[i]]`. */
function permuted({ shape, data }: Values, axes: Axes | null): Values {
  if (!axes) return { shape, data };
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const turned = axes.map((axis) => shape[axis]);
  const out = new Float64Array(data.length);
  for (let k = 0; k < out.length; k++) {
    let rest = k;
    let at = 0;
    for (let i = axes.length - 1; i >= 0; i--) {
      at += (rest % turned[i]) * strides[axes[i]];
      rest = Math.floor(rest / turned[i]);
    }
    out[k] = data[at];
  }
  return { shape: turned, data: out };
}

const inverse = (axes: Axes | null): Axes | null => axes?.map((_, i) => axes.indexOf(i)) ?? null;

function values(name: string, stored: SafeTensor): Values & { dtype: 'f32' | 'i32' | 'u32' } {
  const { dtype, shape, data } = stored;
  if (dtype !== 'F32' && dtype !== 'I32' && dtype !== 'U32')
    throw new DataError(`tensor '${name}' is ${dtype}; golden files hold F32, I32 and U32`);
  return {
    dtype: dtype.toLowerCase() as 'f32',
    shape,
    data: data as Float32Array | Int32Array | Uint32Array,
  };
}

const below = (tensors: Map<string, SafeTensor>, prefix: string) =>
  [...tensors.keys()].filter((name) => name.startsWith(prefix)).sort();

/** Runs one file on the current device and compares everything it expects. */
async function runCase(
  adapter: Adapter,
  file: ReturnType<typeof readSafetensors>,
): Promise<Omit<CheckCase, 'name' | 'op'>> {
  const { tensors, metadata } = file;
  const params = new Params(metadata.params ?? '{}');
  const outputs = below(tensors, 'out/');
  const gradients = below(tensors, 'grad/');
  if (outputs.length === 0) throw new DataError('the file expects no output');
  const layout = (name: string, rank: number): Axes | null => {
    const axes = adapter.layout(name, rank);
    return axes?.length === rank ? axes : null;
  };

  const made = step(() => {
    const inputs = new Map<string, Tensor>();
    const host = new Map<string, ArrayLike<number>>();
    for (const name of below(tensors, 'in/')) {
      const { dtype, ...stored } = values(name, tensors.get(name)!);
      const short = name.slice('in/'.length);
      const { shape, data } = permuted(
        stored,
        layout(short === 'cotangent' ? outputs[0] : short, stored.shape.length),
      );
      inputs.set(short, tensor(data, shape, dtype));
      host.set(short, data);
    }
    const cotangent = inputs.get('cotangent');
    inputs.delete('cotangent');
    const wrt = gradients.map((name) => {
      const input = inputs.get(name.slice('grad/'.length));
      if (!input) throw new DataError(`'${name}' is a gradient of no input`);
      return input;
    });
    const given = new Inputs(inputs, host);
    let results: readonly Tensor[] = [];
    const [first, pullback] = vjp(() => {
      results = adapter.run(given, params);
      return results[0];
    }, wrt);
    const unread = [...params.unread(), ...given.unread()];
    if (unread.length > 0) throw new Unsupported(`no use for ${unread.join(', ')}`);
    if (results.length < outputs.length)
      throw new Unsupported(`${outputs.length} outputs expected, ${results.length} are computed`);
    if (wrt.length === 0) return { results, grads: [] };
    if (!cotangent && first.size !== 1) throw new DataError('gradients of an array, and no in/cotangent');
    return { results, grads: pullback(cotangent ?? tensor([1], first.shape)) };
  });

  let worst = { abs: 0, rel: 0 };
  const wrong: string[] = [];
  const compare = async (name: string, got: Tensor) => {
    const want = values(name, tensors.get(name)!);
    const axes = layout(name.startsWith('grad/') ? name.slice('grad/'.length) : name, want.shape.length);
    const expected = permuted(want, axes);
    if (`${got.shape}` !== `${expected.shape}`) {
      const shape = permuted(
        { shape: got.shape, data: [] },
        got.shape.length === axes?.length ? inverse(axes) : null,
      ).shape;
      wrong.push(`${name} has shape [${shape}], expected [${want.shape}]`);
      return;
    }
    const found: Numbers = await got.data();
    const off = deviation(found, expected.data);
    worst = { abs: Math.max(worst.abs, off.abs), rel: Math.max(worst.rel, off.rel) };
    const limit = want.dtype === 'f32' ? TOLERANCE : 0;
    if (!(off.rel <= limit)) wrong.push(`${name} is off by ${off.rel.toExponential(2)} of its largest value`);
  };
  for (const [i, name] of outputs.entries()) await compare(name, made.results[i]);
  for (const [i, name] of gradients.entries()) await compare(name, made.grads[i]);
  for (const one of [...made.results, ...made.grads]) one.dispose();
  const ok = wrong.length === 0;
  return { ok, maxAbsErr: worst.abs, maxRelErr: worst.rel, ...(!ok && { note: wrong.join('; ') }) };
}

/**
 * Runs every `.safetensors` file of a folder in the form of `test/golden/README.md`. What no op here computes is
 * `unsupported`; a file that cannot be read, or whose op throws, has failed.
 * @param chosen picks files by case and op name
 * @throws DataError when the folder is missing or holds no such file
 */
export async function runGolden(
  device: Device,
  folder: string,
  chosen: (name: string, op: string) => boolean = () => true,
  report: (done: CheckCase) => void = () => {},
): Promise<CheckCase[]> {
  const listed = await readdir(folder).catch((error: Error) => {
    throw new DataError(`${folder}: ${error.message}`);
  });
  const files = listed.filter((name) => name.endsWith('.safetensors')).sort();
  if (files.length === 0) throw new DataError(`${folder}: no .safetensors files`);
  const cases: CheckCase[] = [];
  for (const path of files) {
    const name = path.slice(0, -'.safetensors'.length);
    let op = 'unknown';
    let outcome: Omit<CheckCase, 'name' | 'op'>;
    try {
      const file = readSafetensors(await readFile(join(folder, path)), path);
      op = file.metadata.op ?? op;
      if (!chosen(name, op)) continue;
      const adapter = Object.hasOwn(adapters, op) ? adapters[op] : undefined;
      if (!adapter) throw new Unsupported(`no op named '${op}'`);
      outcome = await onDevice(device, () => runCase(adapter, file));
    } catch (error) {
      if (op === 'unknown' && !chosen(name, op)) continue;
      const unsupported = error instanceof Unsupported;
      const none = unsupported ? 0 : Number.POSITIVE_INFINITY;
      const note = error instanceof Error ? error.message : String(error);
      outcome = { ok: false, maxAbsErr: none, maxRelErr: none, note, ...(unsupported && { unsupported }) };
    }
    cases.push({ name, op, ...outcome });
    report(cases[cases.length - 1]);
    await breathe();
  }
  return cases;
}
