// What an address asks for, as the configuration of a run, and back.
import { aboutRecipe, presetNamed } from '../../cli/recipe-names.ts';
import { UsageError, wholeNumber } from '../../cli/usage.ts';
import {
  type Config,
  ConfigError,
  checkConfig,
  configDifferences,
  type PresetName,
  presets,
  resolveConfig,
} from '../../train/config.ts';
import type { RunRequest } from './protocol.ts';

/** The most that a page takes of each; more would only end it. */
const MOST: Record<string, number> = {
  labels: 100_000,
  overfit: 100_000,
  pixels: 2 ** 20,
  'model.encoder.widths': 2048,
  'model.encoder.blocks': 64,
  'model.decoder.widths': 2048,
  'model.pose.width': 2048,
  'depth.steps': 1e6,
  'depth.frozenSteps': 1e6,
  'depth.batch': 64,
  'segmentation.steps': 1e6,
  'segmentation.batch': 64,
  'method.unlabelledBatch': 64,
  'method.candidates': 64,
  'selection.first': 100_000,
  'selection.steps': 1e6,
  'selection.batch': 64,
};

const valueAt = (config: object, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], config);

/** @throws ConfigError naming what a page cannot do, and what works */
function checkForPage(config: Config): void {
  for (const [path, most] of Object.entries(MOST)) {
    const value = valueAt(config, path);
    const large = [value].flat().find((one) => typeof one === 'number' && one > most);
    if (large !== undefined) {
      throw new ConfigError(
        `'${path}' is ${JSON.stringify(value)}: in a page at most ${most}. 'npx warpmix train' in a terminal takes more.`,
      );
    }
  }
  const named = [
    ['depth.from', config.depth.from],
    ...Object.entries(config.weights).map(([name, file]) => [`weights.${name}`, file]),
  ].find(([, value]) => value !== null);
  if (named) {
    throw new ConfigError(
      `'${named[0]}' is ${JSON.stringify(named[1])}: names a file on a disk, which a page does not have. Leave it out to train ` +
        "all networks here, or run it with 'npx warpmix train' in a terminal.",
    );
  }
}

/**
 * The configuration of a run in a page.
 * @throws UsageError on an unknown recipe or preset, ConfigError on settings
 */
export function configOf(request: RunRequest): Config {
  const { main } = aboutRecipe(request.recipe);
  const config = resolveConfig(
    presetNamed(request.preset),
    null,
    {
      data: request.data,
      ...(request.labels !== null && { labels: wholeNumber('labels', String(request.labels)) }),
      seed: wholeNumber('seed', String(request.seed)),
    },
    request.set,
  );
  if (request.steps !== null) config[main].steps = wholeNumber('steps', String(request.steps), 1);
  checkForPage(config);
  return config;
}

const tellsItself = (text: string): boolean => {
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
};

/**
 * What asks for a configuration: the preset that needs the fewest further settings.
 * @param archived as config.json has it
 * @throws ConfigError, UsageError where this version cannot run it, or a page cannot
 */
export function requestOf(archived: Readonly<Record<string, unknown>>, where: string): RunRequest {
  const { recipe, variants, ...settings } = archived;
  if (typeof recipe !== 'string') throw new ConfigError(`${where}: config.json names no recipe`);
  if (variants !== undefined) {
    throw new ConfigError(
      `${where}: the run used kernel variants that were tuned on its machine (--tuned), which a page cannot repeat to the bit`,
    );
  }
  const { main } = aboutRecipe(recipe);
  const config = checkConfig(settings, `${where}: config.json`);
  const own = new Set(['data', 'labels', 'seed', `${main}.steps`]);
  const changed = (preset: PresetName) =>
    configDifferences(presets[preset], config).filter((path) => !own.has(path));
  const [preset] = (Object.keys(presets) as PresetName[]).sort(
    (a, b) => changed(a).length - changed(b).length,
  );
  const request: RunRequest = {
    recipe,
    preset,
    data: config.data,
    labels: config.labels,
    seed: config.seed,
    steps: config[main].steps === presets[preset][main].steps ? null : config[main].steps,
    set: changed(preset).map((path) => {
      const value = valueAt(config, path);
      return `${path}=${typeof value === 'string' && tellsItself(value) ? value : JSON.stringify(value)}`;
    }),
  };
  const missed = configDifferences(config, configOf(request));
  if (missed.length > 0) throw new UsageError(`${where}: cannot be asked for here: ${missed.join(', ')}`);
  return request;
}

const word = (text: string): string =>
  /^[\w.,:=/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The same run in a terminal. */
export function commandOf({ recipe, preset, data, labels, seed, steps, set }: RunRequest): string {
  const options: [string, string | number | null][] = [
    ['preset', preset],
    ['data', data],
    ['labels', labels],
    ['seed', seed],
    ['steps', steps],
    ...set.map((one): [string, string] => ['set', one]),
  ];
  const given = options.flatMap(([name, value]) =>
    value === null ? [] : [`--${name}`, word(String(value))],
  );
  return ['npx warpmix train', recipe, ...given].join(' ');
}
