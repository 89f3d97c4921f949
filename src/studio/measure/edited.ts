// Runs WGSL that somebody edited in the place of a kernel's variant: compiled, counted, compared, timed.
import { deviation, TOLERANCE } from '../../cli/check-case.ts';
import { compareVariant, type Launch } from '../../cli/check-kernels.ts';
import type { Looked } from '../../cli/kernel-inspect.ts';
import { DeviceLostError, KernelCompileError } from '../../gpu/errors.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import {
  canRun,
  type Kernel,
  type Numbers,
  type Params,
  shaderCode,
  type Variant,
} from '../../gpu/kernel.ts';
import { tell } from '../rpc.ts';
import { type Clock, time } from './clock.ts';
import { countLoops, STOPPED } from './guard.ts';
import type { MeasureEvents, Message, Ran } from './protocol.ts';

/** Storage buffers that a shader may use (WebGPU, default of maxStorageBuffersPerShaderStage). */
const MOST_BUFFERS = 8;
/** The plain-loop reference of a launch with more arithmetic takes longer than anyone waits. */
const MOST_FLOPS = 3e8;
/** Milliseconds for what takes its time in JavaScript and cannot hang: inputs, references, compiling. */
const PATIENCE = 120_000;

const alive = (ms: number) => tell<MeasureEvents, 'alive'>('alive', { ms });

async function messagesOf(device: GPUDevice, code: string): Promise<Message[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const [{ messages }] = await Promise.all([module.getCompilationInfo(), device.popErrorScope()]);
  return messages.map(({ type, lineNum, linePos, length, message }) => ({
    type,
    line: lineNum,
    column: linePos,
    length,
    text: message,
  }));
}

const refused = (messages: readonly Message[]) => messages.some(({ type }) => type === 'error');

/** What a device keeps by the name of a variant must not be that of an earlier text. */
let texts = 0;

/** A kernel with one variant, the text. */
function kernelOf(kernel: Kernel, variant: Variant<Params>, wgsl: string): Kernel {
  const edited: Variant<Params> = {
    ...variant,
    name: `edited ${++texts}`,
    whole: true,
    applies: () => true,
    needs: undefined,
    code: () => wgsl,
  };
  return { ...kernel, variants: [edited] };
}

/** The kernel with its loops counted. @throws KernelCompileError where the counting text does not compile */
async function counted(gpu: Gpu, kernel: Kernel, variant: Variant<Params>, wgsl: string): Promise<Kernel> {
  const room = kernel.bindings.length < MOST_BUFFERS;
  const text = countLoops(wgsl, room ? kernel.bindings.length + 1 : null);
  const refusal = (await messagesOf(gpu.device, text)).find(({ type }) => type === 'error');
  if (refusal) {
    throw new KernelCompileError(
      `line ${refusal.line}: the text compiles, but not with its loops counted (${refusal.text}), and without that it is not run. ` +
        'Write loops without attributes.',
    );
  }
  const made = kernelOf(kernel, variant, text);
  if (!room) return made;
  return { ...made, bindings: [...kernel.bindings, { name: STOPPED, type: 'u32', access: 'update' }] };
}

function dispatch(gpu: Gpu, kernel: Kernel, variant: string, looked: Pick<Looked, 'params' | 'buffers'>) {
  gpu.pins.set(kernel.name, variant);
  try {
    gpu.run(kernel, looked.params, looked.buffers);
  } finally {
    gpu.pins.delete(kernel.name);
  }
}

/** What a kernel writes when its outputs held `start` before. */
async function outputs(
  gpu: Gpu,
  kernel: Kernel,
  variant: string,
  looked: Looked,
  start: Record<string, Numbers>,
): Promise<Record<string, Numbers>> {
  for (const [name, values] of Object.entries(start)) gpu.write(looked.buffers[name], values);
  dispatch(gpu, kernel, variant, looked);
  const found: Record<string, Numbers> = {};
  for (const name of Object.keys(start)) found[name] = await gpu.read(looked.buffers[name]);
  return found;
}

const worst = (found: Record<string, Numbers>, wanted: Record<string, Numbers>): number =>
  Math.max(
    ...Object.entries(wanted).map(
      ([name, values]) => deviation(found[name].subarray(0, values.length), values).rel,
    ),
  );

/**
 * @param name of the variant whose place the text takes. @param setting what it runs on; `skipped` as `long` of the result.
 * @throws DeviceLostError
 */
export async function runEdited(
  name: string,
  wgsl: string,
  clock: Clock,
  setting: () => Promise<{
    gpu: Gpu;
    kernel: Kernel;
    looked: Looked;
    skipped: number | null;
    checks: readonly Launch[];
  }>,
): Promise<Ran> {
  alive(PATIENCE);
  const { gpu, kernel, looked, skipped, checks } = await setting();
  const variant = kernel.variants.find((one) => one.name === name)!;
  const ran: Ran = {
    messages: await messagesOf(gpu.device, wgsl),
    failed: null,
    stopped: false,
    reference: null,
    unedited: null,
    long: skipped,
    timing: null,
  };
  if (refused(ran.messages)) return ran;
  try {
    await compareAndTime();
  } catch (error) {
    if (error instanceof DeviceLostError) throw error;
    ran.failed = (error as Error).message;
  }
  return ran;

  async function compareAndTime(): Promise<void> {
    const { params } = looked;
    const original = shaderCode(kernel, variant, params);
    const trial = await counted(gpu, kernel, variant, wgsl);
    const [trialVariant] = trial.variants;
    // The text has the parameters written into it of which the variant's code is a function: other sizes may need another text.
    const fitting = checks.filter(
      (one) => canRun(variant, one.params) && shaderCode(kernel, variant, one.params) === original,
    );
    let error = 0;
    const wrong: string[] = [];
    for (const launch of fitting) {
      alive(1000);
      const buffers = { ...launch.buffers, [STOPPED]: new Uint32Array(1) };
      const compared = await compareVariant(gpu, trial, trialVariant, { ...launch, buffers });
      if (compared.wrong.some((line) => line.startsWith(`'${STOPPED}'`))) {
        ran.stopped = true;
        return;
      }
      error = Math.max(error, compared.rel);
      wrong.push(...compared.wrong);
    }
    if (fitting.length > 0) ran.reference = { error, sizes: fitting.length, at: 'check', wrong };
    if (skipped !== null) return;

    alive(PATIENCE);
    const start: Record<string, Numbers> = {};
    for (const { name, access } of kernel.bindings) {
      if (access === 'read') continue;
      const values = await gpu.read(looked.buffers[name]);
      // What is only written holds the right result by now, and text that writes nothing would leave it there.
      start[name] = access === 'write' ? values.map((_, k) => 1 + ((k * 37) % 97)) : values;
    }
    const began = performance.now();
    const wanted = await outputs(gpu, kernel, name, looked, start);
    // Counting loops and compiling anew take longer, not ten times as long.
    const allowed = 10 * (performance.now() - began) + 1000;
    alive(allowed);
    const flag = gpu.alloc(1, 'u32');
    gpu.write(flag, [0]);
    const withFlag = { ...looked, buffers: { ...looked.buffers, [STOPPED]: flag } };
    const found = await outputs(gpu, trial, trialVariant.name, withFlag, start);
    ran.stopped = (await gpu.read(flag))[0] !== 0;
    gpu.free(flag);
    if (ran.stopped) return;
    ran.unedited = worst(found, wanted);
    if (fitting.length === 0 && kernel.cost(params).flops <= MOST_FLOPS) {
      alive(PATIENCE);
      const expected: Record<string, Numbers> = {};
      for (const { name, type, access } of kernel.bindings) {
        const values = access === 'read' ? await gpu.read(looked.buffers[name]) : start[name];
        expected[name] = type === 'f32' ? Float64Array.from(values) : values.slice();
      }
      kernel.reference(params, expected);
      const sought = Object.fromEntries(Object.keys(start).map((name) => [name, expected[name]]));
      ran.reference = { error: worst(found, sought), sizes: 1, at: 'launch', wrong: [] };
    }
    if (kernel.bindings.length >= MOST_BUFFERS && ran.unedited > TOLERANCE) {
      ran.failed = `not timed: all ${MOST_BUFFERS} storage buffers are in use, so nothing tells a wrong result from a loop that was stopped`;
      return;
    }
    const plain = kernelOf(kernel, variant, wgsl);
    const [edited, before] = await time(
      gpu,
      clock,
      [() => dispatch(gpu, plain, plain.variants[0].name, looked), () => dispatch(gpu, kernel, name, looked)],
      () => alive(allowed),
    );
    ran.timing = { edited, original: before };
  }
}
