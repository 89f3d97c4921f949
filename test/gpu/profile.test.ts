import { nonFiniteFirst } from '../../kernels/anomaly.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('profile');

test('more dispatches than a query set holds: a time for each, in order, none before the last has ended', async () => {
  const gpu = await testGpu();
  const [found, first] = [gpu.alloc(2, 'u32'), gpu.alloc(4, 'u32')];
  gpu.write(found, [0xffffffff, 0]);
  gpu.write(first, [0, 0xffffffff, 0, 0]);
  const count = 4500;
  const times = await gpu.profile(async () => {
    for (let i = 0; i < count; i++) {
      gpu.run(nonFiniteFirst, { walkers: 1 }, { found, first });
      if (i === 2500) await gpu.read(first); // what is read meanwhile changes nothing
    }
  });
  ok(times, 'this adapter has no timestamp queries');
  is(times!.length, count);
  const [scans] = await gpu.read(first);
  is(scans, count, 'all of them ran, once');
  const late = times!.filter(
    ({ start }, i) => i > 0 && start < times![i - 1].start + times![i - 1].ms - 1e-6,
  );
  equal(late, []);
  ok(times!.every(({ ms, kernel, live }) => ms >= 0 && kernel === 'nonFiniteFirst' && live > 0));
  for (const storage of [found, first]) gpu.free(storage);
});

test('timestamps are exact, not rounded as browsers round them', async () => {
  const gpu = await testGpu();
  const [found, first] = [gpu.alloc(2, 'u32'), gpu.alloc(4, 'u32')];
  const times = await gpu.profile(() => {
    for (let i = 0; i < 50; i++) gpu.run(nonFiniteFirst, { walkers: 1 }, { found, first });
  });
  // Dawn's own rounding is to 65,536 ns (https://dawn.googlesource.com/dawn/+/refs/heads/main/src/dawn/native/QueryHelper.cpp).
  const rounded = times!.filter(({ start }) => Math.round(start * 1e6) % 65536 === 0);
  ok(rounded.length < 10, `${rounded.length} of 50 begin at a multiple of 65,536 ns`);
  for (const storage of [found, first]) gpu.free(storage);
});

test('work that fails ends the profile', async () => {
  const gpu = await testGpu();
  let failed = false;
  await gpu
    .profile(() => {
      throw new Error('on purpose');
    })
    .catch(() => {
      failed = true;
    });
  ok(failed);
  const first = gpu.alloc(4, 'u32');
  gpu.write(first, [1, 2, 3, 4]);
  equal([...(await gpu.read(first))], [1, 2, 3, 4]);
  equal(await gpu.profile(() => {}), []);
  gpu.free(first);
});
