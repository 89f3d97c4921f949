import * as z from 'zod/mini';
import '../../src/data/zod-english.ts';
import libraryEnglish from 'zod/v4/locales/en.js';
import { equal, ok, suite } from '../suite.ts';

const test = suite('zod in English');

test("what schemas say is word for word what zod's own English says", () => {
  const schema = z.strictObject({
    a: z.number().check(z.minimum(1), z.maximum(3)),
    b: z.enum(['x', 'y']),
    c: z.array(z.string().check(z.minLength(2), z.maxLength(3))).check(z.minLength(1), z.maxLength(2)),
    d: z.int(),
    e: z.nullable(z.boolean()),
    f: z.literal('q'),
    g: z.record(z.string(), z.number()),
    h: z.number().check(z.gt(0), z.lt(5)),
  });
  const inputs: unknown[] = [
    null,
    3,
    [],
    {},
    { a: 0, b: 'z', c: [], d: 1.5, e: 4, f: 'r', g: { u: 'v' }, h: 0, zz: 1, yy: 2 },
    { a: 9, b: 3, c: ['a', 'abcd', 'ab'], d: Number.POSITIVE_INFINITY, e: 'x', f: 1, g: [], h: 9, k: 0 },
    { a: Number.NaN, b: null, c: [1], d: '1', h: Number.NEGATIVE_INFINITY, g: null },
    { a: 2 ** 60, d: 2 ** 60, c: 'x' },
  ];
  const messages = () =>
    inputs.flatMap((input) => (schema.safeParse(input).error?.issues ?? []).map(({ message }) => message));
  const ours = messages();
  const { localeError } = z.config();
  try {
    z.config(libraryEnglish());
    equal(ours, messages());
  } finally {
    z.config({ localeError });
  }
  ok(ours.length > 40 && new Set(ours).size > 15);
});
