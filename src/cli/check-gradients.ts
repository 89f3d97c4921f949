// Every op against finite differences.
import { gradcheck } from '../autograd/gradcheck.ts';
import type { Device } from '../gpu/device.ts';
import { breathe } from './breathe.ts';
import { type CheckCase, TOLERANCE } from './check-case.ts';
import { opCases } from './check-ops.ts';
import { caseName, expressions, type OpCase } from './op-case.ts';

async function runOpCase(device: Device, one: OpCase): Promise<CheckCase> {
  const name = caseName(one);
  const done: CheckCase = { name, op: one.op, ok: true, maxAbsErr: 0, maxRelErr: 0 };
  const notes: string[] = [];
  for (const [order, fn] of expressions(one)) {
    const check = await gradcheck(fn, one.inputs, {
      device,
      eps: one.eps,
      deviceTolerance: TOLERANCE,
      samples: 12,
    });
    done.maxAbsErr = Math.max(done.maxAbsErr, check.deviceAbsoluteError);
    done.maxRelErr = Math.max(done.maxRelErr, check.deviceError, check.referenceError);
    if (!check.ok) notes.push(`${order} derivative: ${check.message}`);
  }
  return { ...done, ok: notes.length === 0, ...(notes.length > 0 && { note: notes.join('; ') }) };
}

/** Runs the ops of which `chosen` says so. */
export async function checkOps(
  device: Device,
  chosen: (name: string, op: string) => boolean = () => true,
  report: (done: CheckCase) => void = () => {},
): Promise<CheckCase[]> {
  const results: CheckCase[] = [];
  for (const one of opCases) {
    const name = caseName(one);
    if (!chosen(name, one.op)) continue;
    let done: CheckCase;
    try {
      done = await runOpCase(device, one);
    } catch (error) {
      const none = Number.POSITIVE_INFINITY;
      done = {
        name,
        op: one.op,
        ok: false,
        maxAbsErr: none,
        maxRelErr: none,
        note: (error as Error).message,
      };
    }
    results.push(done);
    report(done);
    await breathe();
  }
  return results;
}
