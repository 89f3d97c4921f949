// The smallest plan that trains: two weights, batches of three samples of two numbers, SGD at 0.5.
import { HostTensor } from '../../src/autograd/program.ts';
import { valueAndGrad } from '../../src/autograd/tape.ts';
import { keep, type Tensor, tensor } from '../../src/autograd/tensor.ts';
import type { Phase } from '../../src/methods/phase.ts';
import { sum } from '../../src/ops/sum.ts';
import { Sgd } from '../../src/optim/optimizer.ts';
import type { Plan } from '../../src/train/plan.ts';

/** @param loss of samples [3,2] and weights [1,2]; its sum is minimised. @param batches one for each step. */
export function toyPlan(
  loss: (x: Tensor, w: Tensor) => Tensor,
  batches: readonly (readonly number[])[],
  start: readonly number[] = [1, 1],
): Plan & { weights: Tensor } {
  const weights = keep(tensor(start, [1, 2]));
  const optimizer = new Sgd([{ params: [weights], lr: 0.5 }]);
  const phase: Phase<readonly number[], { x: HostTensor }> = {
    name: 'toy',
    steps: batches.length,
    imagesPerStep: 3,
    optimizer,
    load: async (k) => batches[k],
    inputs: (batch) => {
      optimizer.advance();
      return { x: new HostTensor(batch, [3, 2]) };
    },
    train: ({ x }) => {
      const [value, gradients] = valueAndGrad(() => sum(loss(x, weights)), [weights]);
      optimizer.apply(gradients);
      return { loss: value };
    },
  };
  return {
    weights,
    about: '',
    classes: [],
    networks: [],
    pixels: 2,
    phases: [phase as unknown as Phase],
    state: { toy: { weights, ...optimizer.state() } },
    evaluate: async () => ({ metrics: {} }),
    predict: () => ({}),
    galleries: async () => [],
  };
}
