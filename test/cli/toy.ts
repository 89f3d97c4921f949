// Runs of test/cli/train-toy.ts, and what they leave.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { latestCheckpoint } from '../../src/train/checkpoint.ts';
import { equal } from '../suite.ts';
import type { Loss } from './train-toy.ts';

// Beside the runner's own bundles, where packages are found and which the runner removes.
const program = `dist/test-${process.pid}/train-toy.mjs`;
let built: Promise<unknown> | null = null;

/** Starts or resumes a run. */
export async function startToy(
  dir: string,
  options: {
    steps: number;
    every: number;
    losses?: readonly Loss[];
    classes?: readonly string[];
    /** A step whose batch takes a minute. */
    stallAt?: number;
    env?: Record<string, string>;
  },
): Promise<ChildProcess> {
  built ??= build({
    entryPoints: ['test/cli/train-toy.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  await built;
  const { steps, every, losses = [], classes = [], stallAt = 0, env } = options;
  const lists = [losses, classes].map((list) => JSON.stringify(list));
  return spawn(process.execPath, [program, dir, `${steps}`, `${every}`, ...lists, `${stallAt}`], {
    env: { ...process.env, ...env },
  });
}

/** A run to its end; `signals` are sent when the first step is reported. */
export async function trainToy(
  dir: string,
  options: Parameters<typeof startToy>[1] & { signals?: readonly NodeJS.Signals[] },
): Promise<{ code: number | null; stderr: string }> {
  const child = await startToy(dir, options);
  let stderr = '';
  child.stdout!.once('data', () => {
    for (const signal of options.signals ?? []) child.kill(signal);
  });
  child.stdout!.resume();
  child.stderr!.on('data', (bytes) => (stderr += bytes));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

/** Log and newest checkpoint of a run, none of them damaged. */
export function left(dir: string): Record<string, string> {
  const { found, skipped } = latestCheckpoint(dir);
  equal(skipped, []);
  const files = readdirSync(found!.path).filter((name) => name.endsWith('.safetensors'));
  return Object.fromEntries([
    ['step', String(found!.step)],
    ['log', readFileSync(join(dir, 'log.jsonl'), 'utf8')],
    ...files.map((name) => [name, readFileSync(join(found!.path, name)).toString('base64')]),
  ]);
}
