// What a kernel is. The runner, the checks, the inspector, the benchmark and the docs all read this one object.

export type Element = 'f32' | 'i32' | 'u32';

/** Elements as the plain-loop references see them: f64 for f32, so that a reference has no rounding to speak of. */
export type Numbers = Float64Array | Float32Array | Int32Array | Uint32Array;

export interface Binding {
  name: string;
  type: Element;
  /** `update` reads and writes in place. */
  access: 'read' | 'write' | 'update';
}

export type Params = Record<string, number>;

/**
 * Subgroup matrices of `size` by `size` f16 whose products are summed in f32, in subgroups that always have `lanes` invocations: 16 are those of
 * NVIDIA's tensor cores, 8 those of Mesa's llvmpipe. WebGPU's proposal: https://github.com/gpuweb/gpuweb/blob/main/proposals/subgroup-matrix.md
 */
export const MATRICES = {
  matrix16: { size: 16, lanes: 32 },
  matrix8: { size: 8, lanes: 8 },
} as const;

/** What a shader `enable`s for what some adapters have. */
const ENABLES = {
  subgroups: 'subgroups',
  f16: 'f16',
  matrix16: 'f16, subgroups, chromium_experimental_subgroup_matrix',
  matrix8: 'f16, subgroups, chromium_experimental_subgroup_matrix',
};

/** What some adapters have. */
export type Feature = keyof typeof ENABLES;

/** All features, or none. */
export const everyFeature = (has: boolean) =>
  Object.fromEntries(Object.keys(ENABLES).map((name) => [name, has])) as Record<Feature, boolean>;

/** What a variant may look at when it says whether it applies. */
export interface AdapterFacts extends Readonly<Record<Feature, boolean>> {
  /** True for SwiftShader and other CPU adapters, where a workgroup barrier costs more than it saves. */
  software: boolean;
  /** Of a software adapter: bytes of a core's instruction cache, where they are known. */
  instructionCache?: number;
}

export interface Variant<P extends Params> {
  name: string;
  /** One line: how it works and where it wins. */
  summary: string;
  /** False where the variant cannot run or should not be chosen. The first variant that applies and may run by rule is used. */
  applies(params: P, adapter: AdapterFacts): boolean;
  /** False where the variant applies and the rule leaves it out all the same: then it runs where it is pinned or measured. */
  byRule?(params: P, adapter: AdapterFacts): boolean;
  /**
   * A feature beyond core WGSL. Such a variant may round differently; it runs where it is pinned or measured, and by rule only
   * with `sameBits`.
   */
  needs?: Feature;
  /** To the bit the result of the variant that the rule gives on an adapter like this one without the feature. */
  sameBits?: true;
  /**
   * Of a variant that rounds what it multiplies to fewer bits than f32 has: how far one product may be off, as a share of it. For
   * kernels whose results are sums of products of two inputs; `check` allows this share of the sum of the products' magnitudes.
   */
  rounding?: number;
  /** WGSL of everything below the generated header (`Params`, `p`, the bindings, `flat`). Entry point `main`. */
  code(params: P): string;
  /** `code` is the whole shader and gets no header: text that somebody edited. */
  whole?: true;
  /** Bindings seen as `array<vec4<T>>`; their lengths must be multiples of four elements. */
  vec4?: readonly string[];
  /** Values of the `override` constants in `code`. */
  constants?(params: P): Record<string, number>;
  /** Number of workgroups, counted in one dimension; the runner folds counts past 65,535 into two. */
  workgroups(params: P): number;
}

export interface Kernel<P extends Params = Params> {
  name: string;
  summary: string;
  formula: string;
  source: string;
  bindings: readonly Binding[];
  /** Fields of the uniform struct `p`, in order. Never more than 64: the struct is at most 256 bytes. */
  params: { readonly [K in keyof P]: Element };
  variants: readonly Variant<P>[];
  /** Arithmetic (a multiply-add counts two) and the bytes that must cross memory at least once. */
  cost(params: P): { flops: number; bytes: number };
  /** Plain loops over `buffers[binding.name]`, in f64, obviously right. */
  reference(params: P, buffers: Record<string, Numbers>): void;
}

/** Invocations in a workgroup of every one-thread-per-element kernel. */
export const WORKGROUP = 64;

/** Workgroups of `WORKGROUP` invocations that cover `count` invocations. */
export const groupsFor = (count: number): number => Math.ceil(count / WORKGROUP);

/** The most workgroups one dispatch dimension may have (WebGPU, maxComputeWorkgroupsPerDimension). */
export const MAX_GROUPS = 65535;

/** Folds a one-dimensional count of workgroups into two dimensions of at most 65,535. */
export function foldGroups(count: number): [number, number] {
  if (count <= MAX_GROUPS) return [count, 1];
  const rows = Math.ceil(count / MAX_GROUPS);
  return [Math.ceil(count / rows), rows];
}

/** The feature that a variant needs, the uniform struct, the bindings, and `flat`. */
function header<P extends Params>(kernel: Kernel<P>, variant: Variant<P>): string {
  const lines: string[] = variant.needs ? [`enable ${ENABLES[variant.needs]};`] : [];
  const fields = Object.entries(kernel.params) as [string, Element][];
  if (fields.length > 0) {
    lines.push(`struct Params { ${fields.map(([name, type]) => `${name}: ${type}`).join(', ')} }`);
    lines.push('@group(0) @binding(0) var<uniform> p: Params;');
  }
  kernel.bindings.forEach((binding, i) => {
    const element = variant.vec4?.includes(binding.name) ? `vec4<${binding.type}>` : binding.type;
    const access = binding.access === 'read' ? 'read' : 'read_write';
    lines.push(`@group(0) @binding(${i + 1}) var<storage, ${access}> ${binding.name}: array<${element}>;`);
  });
  lines.push(
    `fn flat(gid: vec3u, groups: vec3u) -> u32 { return gid.x + gid.y * groups.x * ${WORKGROUP}u; }`,
    '',
  );
  return lines.join('\n');
}

/** What a character code does to the depth of brackets. */
const DEPTHS = new Int8Array(128);
for (const bracket of '({[') DEPTHS[bracket.charCodeAt(0)] = 1;
for (const bracket of ')}]') DEPTHS[bracket.charCodeAt(0)] = -1;

/**
 * Lines moved in by the brackets that are open around them: generated text comes as it happens to. Without regular expressions, whose
 * own compilation takes milliseconds before the first shader.
 */
function indented(code: string): string {
  let depth = 0;
  const moved = code.split('\n').map((line) => {
    const text = line.trim();
    const at = DEPTHS[text.charCodeAt(0)] < 0 ? depth - 1 : depth;
    const comment = text.indexOf('//');
    const end = comment < 0 ? text.length : comment;
    for (let i = 0; i < end; i++) depth += DEPTHS[text.charCodeAt(i)] | 0;
    return text && '  '.repeat(Math.max(0, at)) + text;
  });
  return moved.filter((line, i) => line || (moved[i - 1] && !moved[i - 1].endsWith('{'))).join('\n');
}

/**
 * A variant's WGSL as it is compiled: its code behind the struct of parameters `p`, the bindings, and `flat(gid, groups)`, the
 * invocation's index counted across both grid dimensions.
 *
 * WebGPU holds every index against the length of its array. SwiftShader works that length out with four divisions at each access,
 * unless it was asked for on the way there: so the entry point asks for all lengths at its start, which makes loops faster.
 */
export function shaderCode<P extends Params>(kernel: Kernel<P>, variant: Variant<P>, params: P): string {
  const code = variant.code(params);
  if (variant.whole) return code;
  const lengths = kernel.bindings.map(({ name }) => `arrayLength(&${name})`);
  if (lengths.length === 0) return header(kernel, variant) + indented(code);
  const asked = `  // Asked for once: a software adapter works a length out at each access, with divisions.
  if ((${lengths.join(' | ')}) == 0u) { return; }`;
  return header(kernel, variant) + indented(code.replace(/@compute[^{]*{/, (start) => `${start}\n${asked}`));
}

/** What tells launches of a kernel apart: its name and the values of its parameters. */
export function launchKey<P extends Params>(kernel: Kernel<P>, params: P): string {
  let key = kernel.name;
  for (const name in kernel.params) key += `,${params[name]}`;
  return key;
}

/** True where a variant gives the result for these parameters, be it meant for this sort of adapter or not. */
export const canRun = <P extends Params>(variant: Variant<P>, params: P): boolean =>
  [true, false].some((software) => variant.applies(params, { software, ...everyFeature(true) }));

/** True where the adapter has what a variant needs beyond core WGSL. */
export const available = <P extends Params>(variant: Variant<P>, adapter: AdapterFacts): boolean =>
  !variant.needs || adapter[variant.needs];

/**
 * True where a variant can be timed on this adapter. Not on a GPU what is meant for software adapters: `rows` does a whole convolution in
 * some thirty invocations, which takes a GPU seconds, and there a driver that ends long dispatches ends the device.
 */
export const measurable = <P extends Params>(
  variant: Variant<P>,
  params: P,
  adapter: AdapterFacts,
): boolean =>
  available(variant, adapter) &&
  (adapter.software ? canRun(variant, params) : variant.applies(params, adapter));

/**
 * The variant that the rule gives, the first that applies to these parameters on this adapter and needs no feature (or one that the
 * adapter has and that does not change bits), or the wanted one, wherever it can run.
 */
export function chooseVariant<P extends Params>(
  kernel: Kernel<P>,
  params: P,
  adapter: AdapterFacts,
  wanted?: string,
): Variant<P> {
  const match = wanted && kernel.variants.find((v) => v.name === wanted);
  if (match && canRun(match, params) && available(match, adapter)) return match;
  const byRule = (v: Variant<P>) =>
    (!v.needs || (v.sameBits && available(v, adapter))) && v.byRule?.(params, adapter) !== false;
  const chosen = kernel.variants.find((v) => byRule(v) && v.applies(params, adapter));
  if (!chosen) throw new Error(`${kernel.name}: no variant applies to ${JSON.stringify(params)}`);
  return chosen;
}
