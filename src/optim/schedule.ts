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
