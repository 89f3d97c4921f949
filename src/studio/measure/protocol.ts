// What the section and its worker say to each other.
import type { Limits } from '../../../bench/limits.ts';
import type { CheckCase } from '../../cli/check-case.ts';
import type { Inspection } from '../../cli/kernel-inspect.ts';
import type { Element } from '../../gpu/kernel.ts';
import type { PresetName } from '../../train/config.ts';
import type { Clock, Timing } from './clock.ts';

/** What a kernel is, as its object says. */
export interface KernelFacts {
  family: string;
  name: string;
  summary: string;
  formula: string;
  source: string;
  params: Record<string, Element>;
  variants: { name: string; summary: string }[];
}

/** What this adapter can do at most. */
export interface AdapterLimits extends Limits {
  clock: Clock;
  /** Milliseconds of a dispatch that does nothing, one of 2000. */
  emptyMs: number;
}

/** Which launch of a kernel is looked at: the dearest of the preset's training steps that `variant`, or else any, can run. */
export interface Place {
  kernel: string;
  preset: PresetName;
  variant: string | null;
}

export interface VariantFacts {
  name: string;
  summary: string;
  why: string;
  /** Null where it cannot run at these parameters. */
  wgsl: string | null;
  constants: Record<string, number>;
  workgroups: number;
  grid: [number, number];
}

export interface Launched extends Omit<Inspection, 'limits' | 'variants'> {
  variants: VariantFacts[];
}

export interface Rate {
  gflops: number;
  gbps: number;
  bound: string;
  share: number;
}

/** What was found of a variant. */
export interface Found {
  /** Null where it was not timed: it does not fit the launch, or `long` says why. */
  timing: Timing | null;
  rate: Rate | null;
  /** Milliseconds that one dispatch was estimated to take, where that is too long to run it unasked. */
  long: number | null;
  /** Against the reference at the sizes of `warpmix check`, and whether so much is allowed; null where none of them fits. */
  error: { rel: number; right: boolean } | null;
}

/** A word of the compiler about the text. */
export interface Message {
  type: 'error' | 'warning' | 'info';
  /** From one. */
  line: number;
  column: number;
  length: number;
  text: string;
}

/** Edited WGSL, compiled and run. */
export interface Ran {
  messages: Message[];
  /** Why it did not run, where no message of the compiler says so. */
  failed: string | null;
  /** A loop turned too often, and the run was given up. */
  stopped: boolean;
  /** Against the reference; null where that would take too long. */
  reference: { error: number; sizes: number; at: 'check' | 'launch'; wrong: string[] } | null;
  /** Against the unedited variant at the launch looked at. */
  unedited: number | null;
  /** As in `Found`: at the launch looked at it did not run. */
  long: number | null;
  /** Both in turns, in one run. */
  timing: { edited: Timing; original: Timing } | null;
}

export type MeasureApi = {
  kernels(): KernelFacts[];
  presets(): PresetName[];
  /** Launches in a training step of each kind, by kernel. */
  launches(preset: PresetName): Promise<Record<string, Record<string, number>>>;
  limits(): Promise<AdapterLimits>;
  look(place: Place): Promise<Launched>;
  /** @param long also a dispatch that is estimated to take long. */
  variant(place: Place, variant: string, limits: AdapterLimits, long: boolean): Promise<Found>;
  /** Names of the cases of `warpmix check` whose op launches a kernel, forward or backward. */
  cases(): Record<string, string[]>;
  gradient(name: string): Promise<CheckCase>;
  runEdited(place: Place, variant: string, wgsl: string, limits: AdapterLimits, long: boolean): Promise<Ran>;
};

export type MeasureEvents = {
  /** While edited code is worked on: the next word comes within `ms`, and what a watchdog may add. */
  alive: { ms: number };
};
