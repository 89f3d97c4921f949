// Which variant of a kernel runs: by the rule, measured, or pinned.
import { PinError } from '../../src/gpu/errors.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import {
  type AdapterFacts,
  chooseVariant,
  everyFeature,
  type Kernel,
  launchKey,
  measurable,
  shaderCode,
  type Variant,
} from '../../src/gpu/kernel.ts';
import { openGpu } from '../../src/gpu/open.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('variants');

type P = { n: number; a: number };

/** y_i = what tells the variants apart. */
const variant = (name: string, value: number, more: Partial<Variant<P>> = {}): Variant<P> => ({
  name,
  summary: '',
  applies: () => true,
  code: () => `@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) { if (gid.x < p.n) { y[gid.x] = f32(${value} + p.a * 0u); } }`,
  workgroups: () => 1,
  ...more,
});
const kernel: Kernel<P> = {
  name: 'probe',
  summary: '',
  formula: '',
  source: 'test',
  bindings: [{ name: 'y', type: 'f32', access: 'write' }],
  params: { n: 'u32', a: 'u32' },
  variants: [
    variant('grouped', 1, { needs: 'subgroups' }),
    variant('even', 2, { applies: (p) => p.n % 2 === 0 }),
    variant('tiles', 3, { applies: (_, { software }) => !software }),
    variant('naive', 4),
    variant('rows', 6, { applies: (_, { software }) => software }),
    variant('half', 5, { needs: 'f16' }),
  ],
  cost: () => ({ flops: 0, bytes: 0 }),
  reference: () => {},
};
const names = (adapter: AdapterFacts, wanted?: string) =>
  [4, 5].map((n) => chooseVariant(kernel, { n, a: 0 }, adapter, wanted).name);
const cpu: AdapterFacts = { software: true, ...everyFeature(true) };

test('on a GPU what is meant for software adapters is not timed; on a software adapter everything that runs is', () => {
  const timed = (adapter: AdapterFacts) =>
    kernel.variants.filter((one) => measurable(one, { n: 4, a: 0 }, adapter)).map(({ name }) => name);
  equal(timed(cpu), ['grouped', 'even', 'tiles', 'naive', 'rows', 'half']);
  equal(timed({ ...cpu, software: false }), ['grouped', 'even', 'tiles', 'naive', 'half']);
  equal(timed({ software: false, ...everyFeature(false) }), ['even', 'tiles', 'naive']);
});

test('a shader is shown with its lines moved in by the brackets around them, whatever the text it is made of', () => {
  const code = () => `
// { a bracket in a comment opens nothing
@compute @workgroup_size(1)
fn main() {

      for (var i = 0u; i < 2u; i++) {
  y[i] = max(
f32(p.n),
          1.0,
      );
  } // }
        y[2] = 0.0;


}
`;
  equal(
    shaderCode(kernel, variant('messy', 0, { code }), { n: 1, a: 0 })
      .split('\n')
      .slice(4),
    [
      '// { a bracket in a comment opens nothing',
      '@compute @workgroup_size(1)',
      'fn main() {',
      '  // Asked for once: a software adapter works a length out at each access, with divisions.',
      '  if ((arrayLength(&y)) == 0u) { return; }',
      '',
      '  for (var i = 0u; i < 2u; i++) {',
      '    y[i] = max(',
      '      f32(p.n),',
      '      1.0,',
      '    );',
      '  } // }',
      '  y[2] = 0.0;',
      '',
      '}',
      '',
    ],
  );
});

/** Another device, opened with these environment variables. */
async function openWith(env: Record<string, string>): Promise<Gpu> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    return (await openGpu()).gpu;
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

test('the rule gives the first that applies and needs no feature', () => {
  equal(names(cpu), ['even', 'naive']);
  equal(names({ ...cpu, software: false }), ['even', 'tiles']);
});

test('the rule takes a variant that needs a feature only where the adapter has it, and if it keeps the bits', () => {
  const shared = variant('shared', 4, { needs: 'subgroups', sameBits: true });
  const chosen = (adapter: AdapterFacts) =>
    chooseVariant(
      { ...kernel, variants: [...kernel.variants.slice(0, 1), shared, variant('naive', 4)] },
      { n: 4, a: 0 },
      adapter,
    );
  is(chosen(cpu).name, 'shared');
  is(chosen({ ...cpu, subgroups: false }).name, 'naive');
});

test('a wanted variant runs wherever it can, whatever adapter it is meant for; elsewhere the rule chooses', () => {
  equal(names(cpu, 'tiles'), ['tiles', 'tiles']);
  equal(names(cpu, 'even'), ['even', 'naive']);
  equal(names(cpu, 'grouped'), ['grouped', 'grouped']);
  equal(names({ ...cpu, subgroups: false }, 'grouped'), ['even', 'naive']);
  equal(names(cpu, 'half'), ['half', 'half']);
  equal(names({ ...cpu, f16: false }, 'half'), ['even', 'naive']);
  equal(names(cpu, 'no such variant'), ['even', 'naive']);
});

test('a device runs what a moment pins, then what WARPMIX_VARIANTS pins, then what was measured at these sizes, then the rule', async () => {
  const gpu = await openWith({ WARPMIX_VARIANTS: 'probe=tiles other=fast' });
  const free = await openWith({ WARPMIX_VARIANTS: '' });
  const ran = async (on: typeof gpu, params: P) => {
    const y = on.alloc(8, 'f32');
    on.run(kernel, params, { y });
    const [value] = await on.read(y);
    on.free(y);
    is(on.variant(kernel, params).name, kernel.variants[value - 1].name);
    return value;
  };
  const p = { n: 4, a: 9 };
  is(await ran(free, p), 2);
  for (const on of [gpu, free]) on.measured.set(launchKey(kernel, p), 'naive');
  is(await ran(free, p), 4, 'measured after the launch was prepared');
  is(await ran(free, { a: 9, n: 4 }), 4, 'the same values in another order');
  is(await ran(free, { n: 6, a: 9 }), 2, 'other sizes');
  is(await ran(gpu, p), 3);
  gpu.pins.set('probe', 'even');
  is(await ran(gpu, p), 2);
  gpu.pins.delete('probe');
  is(await ran(gpu, p), 3);
  for (const on of [gpu, free]) on.close();
});

test('WARPMIX_VARIANTS that is no list of pins is refused', async () => {
  for (const text of ['conv2d', 'conv2d=', '=naive', 'a=b=c']) {
    let error: unknown;
    await openWith({ WARPMIX_VARIANTS: text }).catch((e) => {
      error = e;
    });
    ok(error instanceof PinError && error.message.includes(`'${text}'`), String(error));
    is((error as PinError).exitCode, 2);
  }
});

test('WARPMIX_DAWN_FLAGS reaches Dawn: new buffers are full of ones', async () => {
  const gpu = await openWith({
    WARPMIX_DAWN_FLAGS:
      'enable-dawn-features=nonzero_clear_resources_on_creation_for_testing disable-dawn-features=lazy_clear_resource_on_first_use',
  });
  const fresh = gpu.alloc(64, 'u32');
  equal([...new Set(await gpu.read(fresh))], [0x01010101]);
  gpu.close();
});
