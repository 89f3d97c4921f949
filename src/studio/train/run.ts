// One run of a recipe in a worker: training that can be paused between any two steps, looked into there, and saved as a file.
import { recipes } from '../../cli/recipes.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import type { Config } from '../../train/config.ts';
import {
  checkClasses,
  checkpointMeta,
  finiteGroups,
  InterruptedError,
  type RunRecord,
  restore,
  totalSteps,
  trainPlan,
} from '../../train/loop.ts';
import type { Gallery, Outcome, Plan } from '../../train/plan.ts';
import { type ArchivedRun, packRun } from '../../train/run-archive.ts';
import { json, logEvents } from '../../train/run-log.ts';
import { Gate, Turns } from './gate.ts';
import type { Looked, Prepared, RunRequest, TrainEvents } from './protocol.ts';
import { commandOf } from './request.ts';
import { StepTimer } from './step-timer.ts';

/** A run that takes longer between two checkpoints is kept in between. */
const KEEP_EVERY_MS = 60_000;

export type Tell = <K extends keyof TrainEvents>(
  event: K,
  detail: TrainEvents[K],
  buffers?: Transferable[],
) => void;

type SavedRun = TrainEvents['saved'];
type Groups = Parameters<RunRecord['saveCheckpoint']>[1];

export class TrainingRun {
  readonly #gpu: Gpu;
  readonly #request: RunRequest;
  readonly #config: Config;
  readonly #plan: Plan;
  readonly #tell: Tell;
  readonly #start: number;
  readonly #total: number;
  readonly #gate = new Gate();
  /** Of whoever uses the networks: a step of training, or something that looks at them between two steps. */
  readonly #turns = new Turns();
  #log: string;
  #step: number;
  /** The last step of which there is a file. */
  #kept: number;
  #keptAt = performance.now();
  #training: Promise<void> | null = null;
  #end: 'done' | 'failed' | null = null;

  private constructor(
    gpu: Gpu,
    request: RunRequest,
    config: Config,
    plan: Plan,
    from: ArchivedRun | null,
    tell: Tell,
  ) {
    this.#gpu = gpu;
    this.#request = request;
    this.#config = config;
    this.#plan = plan;
    this.#tell = tell;
    this.#log = from?.log ?? '';
    this.#start = this.#step = this.#kept = from?.checkpoint.step ?? 0;
    this.#total = totalSteps(plan);
    if (this.#start === this.#total) this.#end = 'done';
  }

  /**
   * Builds the networks and opens the data.
   * @param gpu the current device
   * @param from where to go on; null: from the start
   * @throws DataError, ConfigError
   */
  static async open(
    gpu: Gpu,
    request: RunRequest,
    config: Config,
    from: { archive: ArchivedRun; name: string } | null,
    tell: Tell,
  ): Promise<TrainingRun> {
    const plan = await recipes[request.recipe].plan(config);
    const run = new TrainingRun(gpu, request, config, plan, from?.archive ?? null, tell);
    try {
      if (from) {
        checkClasses(from.name, 'resume with', from.archive.checkpoint, plan);
        restore(plan, from.archive.checkpoint);
      }
    } catch (error) {
      await run.close();
      throw error;
    }
    return run;
  }

  get failed(): boolean {
    return this.#end === 'failed';
  }

  prepared(): Prepared {
    const { about, classes, phases } = this.#plan;
    return {
      request: this.#request,
      about,
      classes: classes.map(({ name, color }) => ({ name, color })),
      phases: phases.map(({ name, steps }) => ({ name, steps })),
      config: this.#settings(),
      start: this.#start,
      total: this.#total,
      history: historyOf(this.#log),
      command: commandOf(this.#request),
    };
  }

  run(steps: number | null): void {
    if (this.#end !== null) return;
    this.#gate.allow(steps ?? Number.POSITIVE_INFINITY);
    this.#training ??= this.#train();
    this.#tellState(true);
  }

  pause(): void {
    this.#gate.allow(0);
  }

  galleries(): Promise<Looked<Gallery[]>> {
    return this.#turns.during(async () => ({ step: this.#step, seen: await this.#plan.galleries() }));
  }

  evaluate(): Promise<Looked<Outcome>> {
    return this.#turns.during(async () => ({ step: this.#step, seen: await this.#plan.evaluate() }));
  }

  checkpoint(): Promise<SavedRun> {
    return this.#turns.during(() => this.#file());
  }

  /** Ends training after the step that is being made, and frees the networks. */
  async close(): Promise<void> {
    this.#gate.end();
    await this.#training;
    await this.#turns.during(() => {
      const { state, networks, phases } = this.#plan;
      for (const group of [...Object.values(state), ...networks.map(({ module }) => module.state())])
        for (const tensor of Object.values(group)) tensor.dispose();
      for (const { optimizer } of phases) optimizer.dispose();
    });
  }

  #settings(): Record<string, unknown> {
    return { recipe: this.#request.recipe, ...this.#config };
  }

  #tellState(running: boolean): void {
    this.#tell('state', { running, step: this.#step, done: this.#end === 'done' });
  }

  async #file(groups?: Groups): Promise<SavedRun> {
    const step = this.#step;
    const { recipe, seed } = this.#request;
    const checkpoint = {
      step,
      groups: groups ?? (await finiteGroups(this.#plan, step)),
      meta: checkpointMeta(this.#plan),
    };
    const bytes = await packRun({ config: this.#settings(), log: this.#log, checkpoint });
    return { bytes, step, name: `${recipe}-seed${seed}-step${step}.zip` };
  }

  async #keep(groups?: Groups): Promise<void> {
    const file = await this.#file(groups);
    this.#kept = file.step;
    this.#keptAt = performance.now();
    this.#tell('saved', file, [file.bytes.buffer]);
  }

  async #train(): Promise<void> {
    const timer = new StepTimer(this.#gpu);
    const record: RunRecord = {
      log: (event) => {
        this.#log += `${json(event)}\n`;
      },
      scalars: () => {},
      saveCheckpoint: (_, groups) => this.#keep(groups),
    };
    let endTurn = () => {};
    const nextTurn = async () => {
      await this.#gate.pass();
      endTurn = await this.#turns.take();
    };
    try {
      await nextTurn();
      await trainPlan(this.#plan, this.#gpu, record, this.#start, {
        checkpointEvery: this.#config.checkpointEvery,
        trace: timer,
        onNote: (line) => this.#tell('note', line),
        onStep: (report) => {
          this.#step = report.step;
          this.#tell('step', { ...report, memory: this.#gpu.memory(), gpuMs: timer.take() });
        },
        interrupted: async () => {
          if (this.#step === this.#total) return null;
          if (performance.now() - this.#keptAt > KEEP_EVERY_MS) await this.#keep();
          endTurn();
          if (this.#gate.isClosed) this.#tellState(false);
          await nextTurn();
          return null;
        },
      });
      this.#end = 'done';
      this.#tellState(false);
    } catch (error) {
      if (error instanceof InterruptedError) return;
      this.#end = 'failed';
      const { name, message } = error as Error;
      this.#tell('failed', { name, message, step: this.#kept });
      this.#tellState(false);
    } finally {
      endTurn();
    }
  }
}

/** The losses in a log. Numbers that were none are left out. */
function historyOf(log: string): Prepared['history'] {
  return logEvents(log)
    .filter(({ event }) => event.event === 'step')
    .map(({ event: { event: _, phase, step, ...terms } }) => ({
      phase: String(phase),
      step: Number(step),
      terms: Object.fromEntries(
        Object.entries(terms).filter((term): term is [string, number] => typeof term[1] === 'number'),
      ),
    }));
}
