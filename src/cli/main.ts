import { stripVTControlCharacters } from 'node:util';
import {
  type ArgsDef,
  type CommandDef,
  defineCommand,
  renderUsage,
  runCommand,
  type SubCommandsDef,
} from 'citty';
import { version } from '../../package.json';
import { DataError } from '../data/types.ts';
import './interrupt.ts';
import { errColors, note, outColors, print } from './output.ts';
import { checkArguments, didYouMean, UsageError } from './usage.ts';

/** One line per command; loaded when it is asked for. */
const commands: SubCommandsDef = {
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  check: async () => (await import('./commands/check.ts')).check,
  kernels: async () => (await import('./commands/kernels.ts')).kernels,
  data: async () => (await import('./commands/data.ts')).data,
  train: async () => (await import('./commands/train.ts')).train,
  eval: async () => (await import('./commands/eval.ts')).evaluate,
  summary: async () => (await import('./commands/summary.ts')).summary,
  bench: async () => (await import('./commands/bench.ts')).bench,
  select: async () => (await import('./commands/select.ts')).select,
  predict: async () => (await import('./commands/predict.ts')).predict,
  export: async () => (await import('./commands/export.ts')).exportRun,
  experiment: async () => (await import('./commands/experiment.ts')).experiment,
  studio: async () => (await import('./commands/studio.ts')).studio,
  tune: async () => (await import('./commands/tune.ts')).tune,
};

const warpmix = defineCommand({
  meta: {
    name: 'warpmix',
    version,
    description: 'label-efficient segmentation with self-supervised depth, on WebGPU',
  },
  subCommands: commands,
});

/** Options that every command has. */
const everywhere = {
  stack: { type: 'boolean', description: 'show where an error arose' },
  help: { type: 'boolean', alias: 'h', description: 'this text' },
} as const satisfies ArgsDef;

/** The command that `argv` names, the words that name it, and what follows them. */
async function locate(
  argv: readonly string[],
): Promise<{ command: CommandDef; path: string[]; rest: string[] }> {
  let command = warpmix as CommandDef;
  const path = ['warpmix'];
  let rest = [...argv];
  while (command.subCommands && rest.length > 0 && !rest[0].startsWith('-')) {
    const known = command.subCommands as SubCommandsDef;
    const [name, ...others] = rest;
    if (!Object.hasOwn(known, name)) {
      const names = Object.keys(known);
      throw new UsageError(
        `${path.join(' ')}: unknown command '${name}'${didYouMean(name, names)}; commands: ${names.join(', ')}`,
      );
    }
    const sub = known[name];
    command = (await (typeof sub === 'function' ? sub() : sub)) as CommandDef;
    path.push(name);
    rest = others;
  }
  return { command, path, rest };
}

async function usage(command: CommandDef, path: readonly string[]): Promise<string> {
  const parent = path.length > 1 ? { meta: { name: path.slice(0, -1).join(' ') } } : undefined;
  const meta = { ...(command.meta as object), name: path.at(-1) };
  const args = command.subCommands ? command.args : { ...(command.args as ArgsDef), ...everywhere };
  const text = await renderUsage({ ...command, meta, args }, parent);
  return outColors.isColorSupported ? text : stripVTControlCharacters(text);
}

/** Runs one command line and returns the exit code. */
async function run(argv: readonly string[]): Promise<number> {
  const { command, path, rest } = await locate(argv);
  const options = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : rest.length);
  if (options.includes('--help') || options.includes('-h')) {
    print(await usage(command, path));
    return 0;
  }
  if (path.length === 1 && rest[0] === '--version') {
    print(version);
    return 0;
  }
  if (command.subCommands) {
    checkArguments(path.join(' '), everywhere, rest);
    note(stripVTControlCharacters(await usage(command, path)));
    return 2;
  }
  const args = { ...(command.args as ArgsDef), ...everywhere };
  checkArguments(path.join(' '), args, rest);
  const { result } = await runCommand({ ...command, args } as CommandDef, { rawArgs: rest }).catch(
    (error) => {
      // citty's errors are about the command line, coloured, and without a next step.
      if (error.name !== 'CLIError') throw error;
      const where = path.join(' ');
      throw new UsageError(`${where}: ${stripVTControlCharacters(error.message)}; see '${where} --help'`);
    },
  );
  return typeof result === 'number' ? result : 0;
}

/** Prints one message and returns the exit code that goes with the error. */
function report(error: unknown): number {
  if (!(error instanceof Error)) {
    note(`${errColors.red('error')}: thrown value ${String(error)}`);
    return 1;
  }
  note(`${errColors.red('error')}: ${stripVTControlCharacters(error.message) || error.name}`);
  if (process.argv.includes('--stack')) note(error.stack ?? '');
  if (error instanceof UsageError) return 2;
  if (error instanceof DataError) return 4;
  const { exitCode } = error as { exitCode?: unknown };
  return typeof exitCode === 'number' ? exitCode : 1;
}

// A reader that has seen enough closes its end, as in `warpmix kernels | head -1`: go on without it.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
process.on('uncaughtException', (error) => process.exit(report(error)));
process.on('unhandledRejection', (error) => process.exit(report(error)));

const code = await run(process.argv.slice(2)).catch(report);
for (const stream of [process.stdout, process.stderr]) {
  await new Promise<void>((done) => stream.write('', () => done()));
}
process.exit(code);
