// The test of the tests: whatever goes wrong in a test folder, running it must end with exit code 1.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NO_ADAPTER } from './cli/spawn.ts';
import { is, ok, suite } from './suite.ts';

const test = suite('runner');

/** @param env beside that of this process */
function run(files: Record<string, string>, env = {}): { code: number | null; output: string } {
  const root = mkdtempSync(join(tmpdir(), 'warpmix-runner-'));
  try {
    const head = `import { ok, suite } from ${JSON.stringify(resolve('test/suite.ts'))};\n`;
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), head + text);
    const child = spawnSync(process.execPath, ['test/run.mjs', '--root', root], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: 120_000, // only a runner that hangs is ended by it
      killSignal: 'SIGKILL',
    });
    const output = child.stdout + child.stderr;
    is(child.signal, null, `${child.error ?? 'ended by a signal'}\n${output}`);
    return { code: child.status, output };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test('a folder whose tests pass exits 0', () => {
  const { code, output } = run({ 'a.test.ts': `suite('a')('fine', () => ok(true));` });
  ok(output.includes('1 passed, 0 failed'), output);
  is(code, 0);
});

const failing: [string, Record<string, string>, RegExp][] = [
  ['a failed assertion', { 'a.test.ts': `suite('a')('wrong', () => ok(false));` }, /FAILED a: wrong/],
  [
    'a throwing before',
    {
      'a.test.ts': `const t = suite('a'); t.before(() => { throw new Error('no set-up'); }); t('x', () => {});`,
    },
    /before: .*no set-up/,
  ],
  [
    'a throwing after',
    { 'a.test.ts': `const t = suite('a'); t.after(() => { throw new Error('no end'); }); t('x', () => {});` },
    /no end/,
  ],
  ['a suite without cases', { 'a.test.ts': `suite('a');` }, /declares no test/],
  ['throw null', { 'a.test.ts': `suite('a')('x', () => { throw null; });` }, /thrown value: null/],
  ['a rejected promise', { 'a.test.ts': `suite('a')('x', () => Promise.reject(undefined));` }, /undefined/],
  ['no test file', {}, /no test ran/],
  [
    'a hang',
    { 'a.test.ts': `suite('a', { timeoutMs: 200 })('x', () => new Promise(() => {}));` },
    /still running after 200 ms/,
  ],
  ['a file that throws when loaded', { 'a.test.ts': `throw new Error('not loaded');` }, /not loaded/],
  [
    'a test that ends the process',
    { 'a.test.ts': `suite('a')('x', () => process.exit(0));` },
    /ended their process: exit code 0/,
  ],
  [
    'one failure among passes',
    {
      'a.test.ts': `suite('a')('fine', () => {});`,
      'b.test.ts': `const t = suite('b'); t('wrong', () => { throw new Error('x'); }); t('fine', () => {});`,
    },
    /2 passed, 1 failed/,
  ],
];
for (const [what, files, pattern] of failing) {
  test(`exit code 1 after ${what}`, () => {
    const { code, output } = run(files);
    ok(pattern.test(output), output);
    is(code, 1);
  });
}

test('exit code 1 after a test that asks for a device where there is none', () => {
  const text = `import { testGpu } from ${JSON.stringify(resolve('test/device.ts'))};
    suite('a')('x', async () => { await testGpu(); });`;
  const { code, output } = run({ 'a.test.ts': text }, NO_ADAPTER);
  ok(/FAILED a: x\n.*no WebGPU adapter\. Tried:\n {2}\S/.test(output), output);
  ok(output.includes('0 passed, 1 failed'), output);
  is(code, 1);
});
