import { type ChildProcess, spawn } from 'node:child_process';

/** No driver, and no place to unpack the packaged one. */
export const NO_ADAPTER = { VK_ICD_FILENAMES: '/no/such/icd.json', TMPDIR: '/no/such/folder' };

/** Runs code in a process before its program starts. */
export const preloaded = (code: string): { NODE_OPTIONS: string } => ({
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}`,
});

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `warpmix` with these arguments; `meanwhile` gets the process as soon as it has started. */
export function warpmix(
  args: readonly string[],
  options: {
    env?: Record<string, string>;
    cwd?: string;
    bin?: string;
    meanwhile?: (child: ChildProcess) => void;
  } = {},
): Promise<Ended> {
  const env = { ...process.env, ...options.env };
  const child = spawn(process.execPath, [options.bin ?? 'bin/warpmix.mjs', ...args], {
    cwd: options.cwd,
    env,
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (bytes) => (ended.stdout += bytes));
  child.stderr.on('data', (bytes) => (ended.stderr += bytes));
  options.meanwhile?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ended, code }));
  });
}
