import type { Tensor } from '../autograd/tensor.ts';
import type { ClassInfo, RgbImage } from '../data/types.ts';
import type { Phase } from '../methods/phase.ts';
import type { Module } from '../nn/module.ts';
import type { DepthEvaluation, SegmentationEvaluation } from './evaluate.ts';
import type { WeightsReport } from './weights-report.ts';

/** What a picture shows at each of its pixels, row by row. Class ids are those of the plan; any other is void. */
export interface PanelValues {
  kind: 'class' | 'disparity' | 'error' | 'mask' | 'confidence' | 'weight';
  data: ArrayLike<number>;
}

/** One row of pictures that belong together. */
export interface Gallery {
  title: string;
  panels: { title: string; caption: string; image: RgbImage; values?: PanelValues }[];
}

/** What training ends with. */
export interface Outcome {
  /** Headline numbers: `miou`, `pixelAcc`, `absRel`, ...; null where nothing could be scored. */
  metrics: Record<string, number | null>;
  segmentation?: SegmentationEvaluation;
  depth?: DepthEvaluation;
}

/** A network that a recipe trains; a mean teacher is a copy of one and not listed. */
export interface Network {
  name: string;
  module: Module;
  /** One pass in evaluation mode through all of it. @param images [N,H,W,3] in [0, 1]. */
  forward(images: Tensor): void;
}

/** A recipe made concrete: models built, data opened. The loop runs the phases in order. */
export interface Plan {
  /** One sentence: what is trained, on what. */
  about: string;
  classes: readonly ClassInfo[];
  /** Pixels of the working size. */
  pixels: number;
  networks: Network[];
  /** The mean teacher, where there is one. */
  teacher?: Module;
  phases: Phase[];
  /** Once, before the first phase: values from an earlier run or from files, of which it tells. Not when a run resumes. */
  begin?(told: (loaded: WeightsReport) => void): void | Promise<void>;
  /** Everything a checkpoint holds, by file and name. */
  state: Record<string, Record<string, Tensor>>;
  evaluate(): Promise<Outcome>;
  /** What the trained networks say about images [N,H,W,3] in [0, 1] at a working size: the parts that they have. */
  predict(images: Tensor): { logits?: Tensor; disparity?: Tensor };
  galleries(): Promise<Gallery[]>;
}
