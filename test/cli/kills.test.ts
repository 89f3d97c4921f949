// kill -9 at random moments: of starting, of a step, of writing a checkpoint, of resuming.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { latestCheckpoint } from '../../src/train/checkpoint.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { left, startToy, trainToy } from './toy.ts';

const test = suite('kill -9', { timeoutMs: 1_200_000 });

/** Fifty in `npm run test:long`. */
const KILLS = Number(process.env.WARPMIX_KILLS ?? 6);
const EVERY = 5;
/** More steps than there is time for between all kills. */
const UNREACHED = 100_000;
/** Milliseconds after the first step of a process; negative: after its start, which may be before. */
const momentOf = () => Math.random() * 400 - 100;

const home = mkdtempSync(join(tmpdir(), 'warpmix-kills-'));
test.after(() => rmSync(home, { recursive: true, force: true }));

/** Lets a run go on until a random moment. */
async function killedRun(dir: string): Promise<{ moment: number; stderr: string }> {
  const child = await startToy(dir, { steps: UNREACHED, every: EVERY });
  let stderr = '';
  child.stderr!.on('data', (bytes) => (stderr += bytes));
  const closed = new Promise<string | null>((resolve) => child.on('close', (_, signal) => resolve(signal)));
  const moment = momentOf();
  if (moment >= 0)
    await Promise.race([new Promise<void>((r) => child.stdout!.once('data', () => r())), closed]);
  child.stdout!.resume();
  await new Promise((resolve) => setTimeout(resolve, Math.abs(moment)));
  child.kill('SIGKILL');
  is(await closed, 'SIGKILL', `it ended by itself: ${stderr}`);
  return { moment, stderr };
}

test(`${KILLS} times: never more than an interval is lost, and the bits are those of a run without a kill`, async () => {
  const dir = join(home, 'killed');
  for (let kill = 1; kill <= KILLS; kill++) {
    const before = latestCheckpoint(dir).found?.step ?? 0;
    const { moment, stderr } = await killedRun(dir);
    const what = `kill ${kill} at ${moment.toFixed(1)} ms: ${stderr}`;
    const { found, skipped } = latestCheckpoint(dir);
    equal(skipped, [], what);
    const resumed = /resuming after step (\d+)/.exec(stderr);
    if (resumed) is(Number(resumed[1]), before, what);
    ok((found?.step ?? 0) >= before, what);
    if (moment < 0) continue; // it may not have come to a log
    const steps = readFileSync(join(dir, 'log.jsonl'), 'utf8').split('\n').slice(0, -1);
    const last = JSON.parse(steps.at(-1)!).step;
    is(last, steps.length, 'a step is missing in the log, or there twice');
    ok(last - (found?.step ?? 0) <= EVERY, `${what}: ${last} steps were done, ${found?.step} are kept`);
  }
  const total = (latestCheckpoint(dir).found?.step ?? 0) + 2 * EVERY + 3;
  for (const one of [dir, join(home, 'whole')]) {
    const { code, stderr } = await trainToy(one, { steps: total, every: EVERY });
    is(code, 0, stderr);
  }
  equal(left(dir), left(join(home, 'whole')));
});
