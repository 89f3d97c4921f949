/** Factor on the learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number;

export const constant: Schedule = () => 1;

/** The factor is multiplied by `factor` at each milestone (PyTorch MultiStepLR). */
export const stepDecay =
  (milestones: readonly number[], factor = 0.1): Schedule =>
  (step) =>
    factor ** milestones.filter((at) => step >= at).length;

/** (1 - step / steps)^power, 0 from `steps` on: the "poly" schedule of DeepLab. */
export const polynomial =
  (steps: number, power = 0.9): Schedule =>
  (step) =>
    Math.max(0, 1 - step / steps) ** power;

/** Rises linearly to the schedule's value: a factor of (step + 1) / steps over the first `steps` steps. */
export const warmUp =
  (steps: number, schedule: Schedule): Schedule =>
  (step) =>
    Math.min(1, (step + 1) / steps) * schedule(step);

/**
 * Rises from nearly 0 (e^-5) to 1 over the first `steps` steps, exp(-5 (1 - step / steps)^2), and stays: how the weight of a
 * consistency loss begins (Laine and Aila, "Temporal ensembling", ICLR 2017; Mean Teacher).
 */
export const sigmoidRampUp =
  (steps: number): Schedule =>
  (step) =>
    step >= steps ? 1 : Math.exp(-5 * (1 - step / steps) ** 2);
