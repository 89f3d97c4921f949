import { labelSubset, permutation, sampleIndex } from '../../src/data/sampler.ts';
import { equal, not, ok, suite } from '../suite.ts';
import { messageOf } from './fixtures.ts';

const test = suite('sampler');
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

test('a permutation holds each index once and depends on seed and stream', () => {
  for (const n of [0, 1, 2, 3, 100]) equal(sorted(permutation(n, 5, 1)), upTo(n));
  equal(permutation(50, 5, 1), permutation(50, 5, 1));
  not.equal(permutation(50, 5, 1), permutation(50, 6, 1));
  not.equal(permutation(50, 5, 1), permutation(50, 5, 2));
});

test('every place is equally likely for every index', () => {
  const n = 6;
  const runs = 6000;
  const counts = new Array(n * n).fill(0);
  for (let seed = 0; seed < runs; seed++)
    permutation(n, seed, 0).forEach((value, place) => {
      counts[n * place + value] += 1;
    });
  // Five standard deviations of a binomial count.
  const spread = 5 * Math.sqrt((runs / n) * (1 - 1 / n));
  for (const count of counts) ok(Math.abs(count - runs / n) < spread, `${count} of about ${runs / n}`);
});

test('each pass covers each index once, in another order', () => {
  const n = 37;
  const passes = [0, 1, 2].map((pass) => upTo(n).map((i) => sampleIndex(n, 3, 9, pass * n + i)));
  for (const pass of passes) equal(sorted(pass), upTo(n));
  not.equal(passes[0], passes[1]);
  not.equal(passes[1], passes[2]);
  equal(passes[0], permutation(n, 3, 9));
});

test('sampleIndex depends on its arguments only: any order of calls, many sequences at once', () => {
  const ahead = upTo(200).map((k) => sampleIndex(17, 1, 2, k));
  const back = upTo(200)
    .reverse()
    .map((k) => sampleIndex(17, 1, 2, k));
  equal(ahead, back.reverse());
  const mixed = upTo(200).map((k) => {
    for (let stream = 0; stream < 20; stream++) sampleIndex(11, 1, stream, k);
    return sampleIndex(17, 1, 2, k);
  });
  equal(mixed, ahead);
});

test('labelSubset: count labelled, the rest unlabelled, a larger count adds to a smaller one', async () => {
  const few = labelSubset(100, 10, 42);
  const more = labelSubset(100, 30, 42);
  equal(sorted([...few.labelled, ...few.rest]), upTo(100));
  equal([few.labelled.length, few.rest.length], [10, 90]);
  equal(more.labelled.slice(0, 10), few.labelled);
  not.equal(labelSubset(100, 10, 43).labelled, few.labelled);
  equal(labelSubset(4, 0, 1).labelled, []);
  equal(labelSubset(4, 4, 1).rest, []);
  for (const count of [-1, 5, 1.5])
    ok((await messageOf(() => labelSubset(4, count, 1), 'RangeError')).includes('from 0 to 4'));
  ok((await messageOf(() => sampleIndex(0, 1, 1, 0), 'RangeError')).includes('no samples'));
});
