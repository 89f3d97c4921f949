import type { ArgDef, ArgsDef } from 'citty';
import { nearestName } from '../data/nearest.ts';

/** The command line itself is wrong. Exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
  readonly exitCode = 2;
}

export const didYouMean = (name: string, known: readonly string[], prefix = ''): string => {
  const near = known.length > 0 ? nearestName(name, known) : undefined;
  return near ? ` (did you mean ${prefix}${near}?)` : '';
};

/** An argument as a shell reads it back. */
export const shellWord = (arg: string): string =>
  /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;

const isValue = (text: string | undefined): boolean =>
  text !== undefined && (!text.startsWith('-') || /^-[\d.]/.test(text));

/**
 * What citty lets pass: unknown options, options without their value, arguments too many.
 * @param where the command as typed, such as `warpmix data info`
 * @throws UsageError
 */
export function checkArguments(where: string, args: ArgsDef, rawArgs: readonly string[]): void {
  const options = new Map<string, ArgDef>();
  let places = 0;
  for (const [name, def] of Object.entries(args)) {
    if (def.type === 'positional') places += 1;
    else {
      options.set(name, def);
      for (const alias of 'alias' in def ? [def.alias ?? []].flat() : []) options.set(alias, def);
    }
  }
  for (let i = 0; i < rawArgs.length && rawArgs[i] !== '--'; i++) {
    const arg = rawArgs[i];
    if (!arg.startsWith('-') || arg === '-') {
      if (--places < 0) throw new UsageError(`${where}: unexpected argument '${arg}'`);
      continue;
    }
    const [flag] = arg.split('=');
    const name = flag.replace(/^--?/, '');
    const def = options.get(name);
    if (!def && name.startsWith('no-') && options.get(name.slice(3))?.type === 'boolean') continue;
    if (!def) {
      const known = [...options.keys()].filter((one) => one.length > 1);
      throw new UsageError(
        `${where}: unknown option '${flag}'${didYouMean(name, known, '--')}; '${where} --help' lists them`,
      );
    }
    if (def.type === 'boolean' || arg.includes('=')) continue;
    if (!isValue(rawArgs[++i])) throw new UsageError(`${where}: option '${flag}' needs a value`);
  }
}

/** Every value of an option that may be given more than once; citty keeps the last. */
export function repeated(rawArgs: readonly string[], name: string): string[] {
  const flag = `--${name}`;
  return rawArgs.flatMap((arg, i) => {
    if (arg === flag) return [rawArgs[i + 1]];
    return arg.startsWith(`${flag}=`) ? [arg.slice(flag.length + 1)] : [];
  });
}

/** A larger seed would wrap round to a smaller one. */
export const MOST_SEED = 2 ** 32 - 1;

/**
 * A whole number given as an option.
 * @throws UsageError naming the option and the value
 */
export function wholeNumber<T extends string | undefined>(
  name: string,
  text: T,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): T extends string ? number : number | undefined {
  type Result = T extends string ? number : number | undefined;
  if (text === undefined) return undefined as Result;
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
    const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `at least ${least}`;
    throw new UsageError(`--${name} '${text}': expected a whole number, ${range}`);
  }
  return value as Result;
}
