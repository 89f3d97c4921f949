import { threefry2x32, uniform } from '../../src/gpu/threefry.ts';
import { equal, ok, suite } from '../suite.ts';

const test = suite('threefry');

// Known answers of the Random123 distribution (kat_vectors, threefry2x32, 20 rounds).
test('known answers', () => {
  equal(threefry2x32(0, 0, 0, 0), [0x6b200159, 0x99ba4efe]);
  equal(threefry2x32(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff), [0x1cb996fc, 0xbb002be7]);
  equal(threefry2x32(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3), [0xc4923a9c, 0x483df7a0]);
});

test('uniform stays in [0, 1) with mean one half', () => {
  let sum = 0;
  for (let i = 0; i < 10000; i++) {
    const u = uniform(7, 3, i);
    ok(u >= 0 && u < 1);
    sum += u;
  }
  ok(Math.abs(sum / 10000 - 0.5) < 0.01, `mean ${sum / 10000}`);
});
