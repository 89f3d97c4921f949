import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineCommand } from 'citty';
import type { CheckCase } from '../check-case.ts';
import { checkOps } from '../check-gradients.ts';
import { checkKernels } from '../check-kernels.ts';
import { withGpu } from '../device.ts';
import { runGolden } from '../golden.ts';
import { endProgress, outColors, print, printJson, progress, table } from '../output.ts';
import { UsageError } from '../usage.ts';

/** The golden files of a source checkout, seen from dist/. */
const OWN_GOLDEN = fileURLToPath(new URL('../test/golden', import.meta.url));

const passed = (all: readonly CheckCase[]) => all.filter((one) => one.ok).length;
const unsupported = (all: readonly CheckCase[]) => all.filter((one) => one.unsupported).length;
const failed = (all: readonly CheckCase[]) => all.filter((one) => !one.ok && !one.unsupported).length;

export const check = defineCommand({
  meta: {
    description: 'every kernel against its reference, every op against finite differences, golden files',
  },
  args: {
    name: { type: 'positional', required: false, description: 'only what has this text in its name' },
    golden: {
      type: 'string',
      valueHint: 'DIR',
      description: 'folder of golden files (default: test/golden of a source checkout)',
    },
    json: { type: 'boolean', description: 'one JSON object on stdout' },
  },
  async run({ args }) {
    const text = args.name?.toLowerCase() ?? '';
    const chosen = (name: string, op: string) =>
      name.toLowerCase().includes(text) || op.toLowerCase().includes(text);
    const golden = args.golden ?? (existsSync(OWN_GOLDEN) ? OWN_GOLDEN : undefined);
    const { red, yellow, green, bold } = outColors;
    const groups: [string, CheckCase[]][] = [];
    await withGpu(async (gpu) => {
      const group = async (
        title: string,
        run: (report: (done: CheckCase) => void) => Promise<CheckCase[]>,
      ) => {
        let count = 0;
        const cases = await run((done) => {
          progress(`${title} ${++count}: ${done.name}`);
          if (done.ok || args.json) return;
          endProgress();
          const verdict = done.unsupported ? yellow('unsupported') : red('FAILED');
          print(`${verdict} ${done.name}${done.op === done.name ? '' : ` (${done.op})`}: ${done.note ?? ''}`);
        });
        endProgress();
        groups.push([title, cases]);
      };
      // The folder first: a wrong name should not be found out after a minute.
      if (golden !== undefined)
        await group('golden files', (report) => runGolden(gpu, golden, chosen, report));
      await group('kernels', (report) => checkKernels(gpu, chosen, report));
      await group('gradients', (report) => checkOps(gpu, chosen, report));
    });
    const cases = groups.flatMap(([, all]) => all);
    if (cases.length === 0) throw new UsageError(`check: nothing has '${args.name}' in its name`);
    const counts = { passed: passed(cases), failed: failed(cases), unsupported: unsupported(cases) };
    if (args.json) printJson({ ...counts, cases });
    else {
      const worst = (all: readonly CheckCase[]) =>
        Math.max(0, ...all.filter((c) => c.ok).map((c) => c.maxRelErr));
      print(
        table([
          ['', 'passed', 'failed', 'unsupported', 'largest error of those that passed'],
          ...groups.map(([title, all]) => [
            title,
            passed(all),
            failed(all),
            unsupported(all),
            worst(all).toExponential(1),
          ]),
        ]),
      );
      const verdict = `${counts.passed} passed, ${counts.failed} failed, ${counts.unsupported} unsupported`;
      print(bold(counts.failed > 0 ? red(verdict) : green(verdict)));
    }
    return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
  },
});
