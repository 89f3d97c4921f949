import { type ArgsDef, defineCommand } from 'citty';
import { DataError } from '../../data/types.ts';
import { withGpu } from '../device.ts';
import { printJson } from '../output.ts';
import { printOutcome } from '../session.ts';
import { openRun } from '../trained.ts';

const args = {
  run: { type: 'string', description: "folder that 'train' wrote", valueHint: 'DIR', required: true },
  data: { type: 'string', description: "data to score on (default: the run's own)", valueHint: 'SPEC' },
  split: {
    type: 'enum',
    options: ['val', 'test'],
    description: "split to score on (default: the run's own)",
  },
  json: { type: 'boolean', description: 'one JSON object on stdout' },
} as const satisfies ArgsDef;

export const evaluate = defineCommand({
  meta: { description: 'score a trained run: IoU per class, depth errors' },
  args,
  run: ({ args }) =>
    withGpu(async (gpu) => {
      const { plan, config } = await openRun(
        gpu,
        args.run,
        args.data,
        args.split as 'val' | 'test' | undefined,
      );
      const outcome = await plan.evaluate();
      const { segmentation, depth } = outcome;
      if (!segmentation && !depth?.ours) {
        throw new DataError(
          `${args.data ?? config.video ?? config.data}: its ${config.evaluation} split has no measured depth to score`,
        );
      }
      if (args.json) printJson({ ...segmentation?.scores, ...(depth?.ours && { depth: depth.ours }) });
      else printOutcome(outcome);
    }),
});
