// uvu with its known holes closed. uvu 0.5.6 exits 0 when a hook throws, when `.run()` is forgotten and
// when no file matches (lukeed/uvu issues 60, 80, 191, 201, 205), so a test file here declares its cases
// with `suite(name)`, and `test/run.mjs` runs every declared suite and counts.
import { suite as uvuSuite } from 'uvu';

export { equal, is, match, not, ok, throws, unreachable } from 'uvu/assert';

interface Case {
  name: string;
  run: () => unknown;
}

export interface Suite {
  name: string;
  cases: Case[];
  timeoutMs: number;
  before?: () => unknown;
  after?: () => unknown;
}

const declared: Suite[] = [];

/** A named group of tests. `test(name, fn)` adds a case; `test.before` and `test.after` run once each. */
export function suite(name: string, options: { timeoutMs?: number } = {}) {
  const self: Suite = { name, cases: [], timeoutMs: options.timeoutMs ?? 240_000 };
  declared.push(self);
  const test = (caseName: string, run: () => unknown) => {
    self.cases.push({ name: caseName, run });
  };
  test.before = (hook: () => unknown) => {
    self.before = hook;
  };
  test.after = (hook: () => unknown) => {
    self.after = hook;
  };
  return test;
}

export interface Outcome {
  suite: string;
  name: string;
  ok: boolean;
  ms: number;
  error?: string;
}

/** With the values that a comparison saw: uvu keeps them beside the message. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return `thrown value: ${String(error)}`;
  const { details } = error as { details?: string | false };
  return `${error.stack ?? error.message}\n${details || ''}`;
};

async function guarded(run: () => unknown, ms: number): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${ms} ms`)), ms);
  });
  try {
    await Promise.race([Promise.resolve().then(run), late]);
    return undefined;
  } catch (error) {
    return describe(error);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs what has been declared since the last call and reports each case. uvu executes the cases; outcomes are
 * recorded inside them, so a swallowed hook error or a case that never ran still counts as a failure.
 */
export async function runDeclared(report: (outcome: Outcome) => void, filter?: string): Promise<void> {
  const suites = declared.splice(0);
  for (const self of suites) {
    const chosen = self.cases.filter((c) => !filter || `${self.name} ${c.name}`.includes(filter));
    if (chosen.length === 0 && filter) continue;
    if (chosen.length === 0) {
      report({ suite: self.name, name: '(suite)', ok: false, ms: 0, error: 'declares no test' });
      continue;
    }
    const hookError = self.before && (await guarded(self.before, self.timeoutMs));
    const seen = new Set<Case>();
    const group = uvuSuite(self.name);
    for (const one of chosen) {
      group(one.name, async () => {
        const start = performance.now();
        const error = hookError ? `before: ${hookError}` : await guarded(one.run, self.timeoutMs);
        seen.add(one);
        report({ suite: self.name, name: one.name, ok: !error, ms: performance.now() - start, error });
      });
    }
    await runUvu(group);
    for (const one of chosen) {
      if (!seen.has(one)) report({ suite: self.name, name: one.name, ok: false, ms: 0, error: 'never ran' });
    }
    const afterError = self.after && (await guarded(self.after, self.timeoutMs));
    if (afterError) report({ suite: self.name, name: '(after)', ok: false, ms: 0, error: afterError });
  }
}

// uvu queues suites on a global; deferring lets this module run one queue and await it.
async function runUvu(group: { run(): void }): Promise<void> {
  const host = globalThis as unknown as {
    UVU_DEFER?: number;
    UVU_QUEUE?: [null | string, ...(() => Promise<unknown>)[]][];
    UVU_INDEX?: number;
  };
  host.UVU_DEFER = 1;
  host.UVU_QUEUE = [[null]];
  host.UVU_INDEX = 0;
  group.run();
  const [, ...jobs] = host.UVU_QUEUE[0];
  for (const job of jobs) await job();
}
