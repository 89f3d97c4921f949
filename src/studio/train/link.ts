// What a link says of a run, as the request that the worker is given, and back.
import { aboutRecipe, presetNamed } from '../../cli/recipe-names.ts';
import { parseSpec } from '../../data/spec.ts';
import type { Address } from '../address.ts';
import type { RunRequest } from './protocol.ts';

/** Steps of every phase in a short look. */
const SHORT = 40;

/** A minute or two on a software adapter: every phase, none long enough to learn much. */
export function shortLook(request: RunRequest): RunRequest {
  const whole = wholeRun(request);
  const hasDepthFirst = /^three-ways/.test(request.recipe);
  return { ...whole, steps: SHORT, set: [...whole.set, ...(hasDepthFirst ? [`depth.steps=${SHORT}`] : [])] };
}

/** The same run with every phase as long as the preset has it. */
export const wholeRun = (request: RunRequest): RunRequest => ({
  ...request,
  steps: null,
  set: request.set.filter((line) => !/^\s*(depth|segmentation|selection)\.steps\s*=/.test(line)),
});

const SOURCE = /^\s*source\s*=/;

/** A recipe across domains gets those that are built in where the request names none; another recipe has one domain. */
export function withDomains(request: RunRequest): RunRequest {
  const across = request.recipe === 'three-ways-da';
  if (across === request.set.some((line) => SOURCE.test(line))) return request;
  const [from, to] = across ? ['street', 'street:night'] : ['street:night', 'street'];
  return {
    ...request,
    data: request.data === from ? to : request.data,
    set: across ? [...request.set, 'source=street:clean'] : request.set.filter((line) => !SOURCE.test(line)),
  };
}

/** The labelled source domain of a request, as it is written there. */
export const sourceOf = ({ set }: RunRequest): string | null =>
  set
    .find((line) => SOURCE.test(line))
    ?.replace(SOURCE, '')
    .trim() ?? null;

/** What a visitor finds. */
export const firstRequest: RunRequest = shortLook({
  recipe: 'three-ways',
  preset: 'tiny',
  data: 'street',
  labels: 12,
  seed: 0,
  steps: null,
  set: [],
});

const RUN_KEYS = ['recipe', 'preset', 'data', 'labels', 'seed', 'steps'] as const;

/**
 * The run that an address asks for; what it leaves out is as on the command line. Null: it says nothing of a run.
 * @returns `problems`: what of it means nothing and was left out
 */
export function readRequest({ values, set }: Address): { request: RunRequest; problems: string[] } | null {
  if (set.length === 0 && RUN_KEYS.every((key) => values[key] === undefined)) return null;
  const problems: string[] = [];
  const take = <T>(key: (typeof RUN_KEYS)[number], fallback: T, read: (text: string) => T): T => {
    const text = values[key];
    if (text === undefined) return fallback;
    try {
      return read(text);
    } catch (error) {
      problems.push(`the address: ${(error as Error).message}`);
      return fallback;
    }
  };
  const whole = (key: string, least: number) => (text: string) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new Error(`${key} '${text}': expected a whole number, at least ${least}`);
  };
  const request: RunRequest = {
    recipe: take('recipe', firstRequest.recipe, (text) => {
      aboutRecipe(text);
      return text;
    }),
    preset: take('preset', firstRequest.preset, presetNamed),
    data: take('data', 'street', (text) => {
      parseSpec(text);
      return text;
    }),
    labels: take<number | null>('labels', null, whole('labels', 0)),
    seed: take('seed', 0, whole('seed', 0)),
    steps: take<number | null>('steps', null, whole('steps', 1)),
    set,
  };
  return { request, problems };
}

/** What an address says of a run. */
export const addressOf = ({ recipe, preset, data, labels, seed, steps }: RunRequest): Address['values'] => ({
  recipe,
  preset,
  data,
  labels: labels === null ? undefined : String(labels),
  seed: String(seed),
  steps: steps === null ? undefined : String(steps),
});

export function sameRequest(a: RunRequest, b: RunRequest): boolean {
  const text = (request: RunRequest) => JSON.stringify([addressOf(request), request.set]);
  return text(a) === text(b);
}
