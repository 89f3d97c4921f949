// The small form of zod, which a page can afford, says 'Invalid input' of everything until it is given a language. These are the words of
// zod's own English for what the schemas here ask; its names of formats, units and types that none of them has would be a kB of the page.

import { config } from 'zod/mini';
import type { $ZodRawIssue } from 'zod/v4/core';

const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'items' };

function typeOf(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'array';
  return typeof input === 'number' && !Number.isFinite(input) ? String(input) : typeof input;
}

const quoted = (values: readonly unknown[], between: string): string =>
  values.map((value) => (typeof value === 'string' ? `"${value}"` : String(value))).join(between);

function bounded(size: string, origin: string, sign: string, bound: unknown): string {
  const unit = UNITS[origin];
  return `${size}: expected ${origin} to ${unit ? 'have' : 'be'} ${sign}${bound}${unit ? ` ${unit}` : ''}`;
}

function english(issue: $ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `Invalid input: expected ${issue.expected}, received ${typeOf(issue.input)}`;
    case 'invalid_value':
      return `Invalid ${issue.values.length === 1 ? 'input: expected' : 'option: expected one of'} ${quoted(issue.values, '|')}`;
    case 'too_big':
      return bounded('Too big', issue.origin, issue.inclusive ? '<=' : '<', issue.maximum);
    case 'too_small':
      return bounded('Too small', issue.origin, issue.inclusive ? '>=' : '>', issue.minimum);
    case 'unrecognized_keys':
      return `Unrecognized key${issue.keys.length > 1 ? 's' : ''}: ${quoted(issue.keys, ', ')}`;
    default:
      return 'Invalid input';
  }
}

config({ localeError: english });
