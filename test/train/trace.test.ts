import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataError } from '../../src/data/types.ts';
import { type Config, presets } from '../../src/train/config.ts';
import { type LoopResult, trainPlan } from '../../src/train/loop.ts';
import { supervisedRecipe } from '../../src/train/recipes.ts';
import { Trace } from '../../src/train/trace.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('trace');

const folder = mkdtempSync(join(tmpdir(), 'warpmix-trace-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const config: Config = {
  ...structuredClone(presets.tiny),
  pixels: 4096,
  labels: 4,
  model: {
    encoder: { widths: [4, 4, 8, 8, 8], blocks: [1, 1, 1, 1], block: 'basic', stem: 'conv3' },
    decoder: { widths: [4, 4, 4, 8, 8], norm: true },
    pose: { sees: 'images' as const, width: 4, scale: 0.1 },
    scales: [0],
    scores: [0],
  },
};

interface Event {
  name: string;
  ph: string;
  ts: number;
  dur: number;
  tid: number;
  args: Record<string, unknown>;
}

async function trained(steps: number, path?: string): Promise<{ result: LoopResult; state: string[] }> {
  const gpu = await testGpu();
  const plan = await supervisedRecipe({ ...config, segmentation: { ...config.segmentation, steps } });
  const result = await trainPlan(plan, gpu, null, 0, {
    checkpointEvery: 100,
    onStep: () => {},
    interrupted: () => null,
    trace: path === undefined ? null : new Trace(path, gpu),
  });
  const state: string[] = [];
  for (const [name, tensor] of Object.entries(plan.state.segmentation)) {
    const { buffer } = await tensor.data();
    state.push(`${name} ${Buffer.from(buffer).toString('base64')}`);
  }
  return { result, state };
}

const traceIn = (path: string): Event[] => JSON.parse(readFileSync(path, 'utf8')).traceEvents;

test('steps two to four: host, device and memory tracks; the same bits as untraced', async () => {
  const gpu = await testGpu();
  const path = join(folder, 'trace.json');
  const plain = await trained(5);
  const traced = await trained(5, path);
  equal(traced.result.curves[0].terms, plain.result.curves[0].terms);
  equal(traced.state, plain.state);
  equal(readdirSync(folder), ['trace.json'], 'nothing half-written beside it');

  const events = traceIn(path);
  const track = (name: string) => {
    const { tid } = events.find((e) => e.name === 'thread_name' && String(e.args.name) === name)!;
    return events.filter((e) => e.ph === 'X' && e.tid === tid).sort((a, b) => a.ts - b.ts);
  };
  const steps = track('host').filter((e) => e.name.startsWith('supervised'));
  equal(
    steps.map((e) => e.name),
    ['supervised, step 2 of 5', 'supervised, step 3 of 5', 'supervised, step 4 of 5'],
  );
  const { vendor, architecture, description } = gpu.adapter;
  const dispatches = track([vendor, architecture, description].filter(Boolean).join(' '));
  for (const step of steps) {
    const inside = ({ ts, dur }: Event) => ts >= step.ts && ts + dur <= step.ts + step.dur;
    equal(
      track('host')
        .filter((e) => e !== step && inside(e))
        .map((e) => e.name),
      ['load', 'upload', 'replay', 'wait and read'],
    );
    const own = dispatches.filter(inside).map((e) => e.name);
    for (const kernel of ['conv2d', 'conv2dWeightGrad', 'crossEntropy', 'adam']) {
      ok(own.includes(kernel), `${step.name}: ${kernel} among ${own.length} dispatches`);
    }
  }
  for (let i = 1; i < dispatches.length; i++) {
    const before = dispatches[i - 1];
    ok(dispatches[i].ts >= before.ts + before.dur - 1, `${dispatches[i].name} starts inside ${before.name}`);
  }
  const memory = events.filter((e) => e.ph === 'C').map((e) => Number(e.args.bytes));
  is(memory.length, dispatches.length);
  ok(Math.max(...memory) <= gpu.memory().peak && Math.min(...memory) > 0, 'bytes in use');
  ok(new Set(memory).size > 10, 'memory changes within a step');
});

test('a phase of one step: that step', async () => {
  const path = join(folder, 'one.json');
  await trained(1, path);
  ok(traceIn(path).some((e) => e.name === 'supervised, step 1 of 1'));
});

test('a path that cannot be written fails before training', async () => {
  const gpu = await testGpu();
  throws(
    () => new Trace(join(folder, 'missing', 'trace.json'), gpu),
    (error: Error) => error instanceof DataError && error.message.includes('missing/trace.json'),
  );
});
