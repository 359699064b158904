import type { Redis } from 'ioredis';
import type { EngineError } from '../../engines/engine-adapter.port.js';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { lineKeys, type Deadlines, type PoolQueues } from '../admission/index.js';
import { runRecordKey } from '../events/index.js';
import { leaseKey } from '../pools/index.js';
import type { TasksRepository } from '../tasks/index.js';
import type { RunView } from './run-view.js';
import { untilDone } from './until-done.js';

const backInLineScript = new LuaScript(new URL('./back-in-line.lua', import.meta.url));

const outcomes = { 1: 'waits', 0: 'over', '-1': 'exhausted' } as const;

/** `over`: somebody else has the task, or has ended it. `exhausted`: too many engines were lost with it; it still holds its slot. */
export type BackInLineOutcome = (typeof outcomes)[keyof typeof outcomes];

/** Puts tasks back in line whose engine was gone before it answered anything (docs/decisions/0035). */
export class BackInLine {
  constructor(
    private readonly redis: Redis,
    private readonly with_: {
      readonly queues: PoolQueues;
      readonly deadlines: Pick<Deadlines, 'watch'>;
      readonly tasks: Pick<TasksRepository, 'markWaiting'>;
      readonly clock: Clock;
    },
    /** How many engines may be lost with one task. */
    private readonly mostLosses: number,
  ) {}

  /** Gives up slot and fence for the place in line. Waits until Redis has it; rejects once the signal is aborted. */
  enter(view: RunView, error: EngineError, signal: AbortSignal): Promise<BackInLineOutcome> {
    return untilDone(() => this.change(view, error), signal);
  }

  /**
   * Has row, ticket and deadline follow. Waits until the stores have it; rejects once the signal is aborted: the reconciler does the rest.
   * @param view an attempt whose row says `running`
   */
  async follow({ lease, taskId, claim }: RunView, signal: AbortSignal): Promise<void> {
    const { queues, tasks, deadlines } = this.with_;
    const { priority, deadline_ms: deadlineMs } = claim.request;
    const steps = [
      () => tasks.markWaiting({ taskId, attempt: claim.attempt }),
      // One that began without waiting may have no ticket yet, and its worker alone looked after its deadline.
      async () => queues.of(lease.poolId)?.offer(taskId, priority),
      async () => (deadlineMs === null ? undefined : deadlines.watch(taskId, deadlineMs)),
    ];
    await Promise.all(steps.map((step) => untilDone<unknown>(step, signal)));
  }

  private async change({ lease, taskId, claim }: RunView, { wasSent }: EngineError): Promise<BackInLineOutcome> {
    const { priority, expected_tokens: tokens } = claim.request;
    const keys = [...lineKeys(lease.poolId), runRecordKey(taskId), leaseKey(lease.poolId, lease.replicaId)];
    const args = [taskId, claim.attempt, priority, tokens, this.with_.clock.now(), wasSent ? 1 : 0, this.mostLosses];
    const reply = await backInLineScript.run(this.redis, keys, args);
    if (reply === 1 || reply === 0 || reply === -1) return outcomes[reply];
    throw new Error('unexpected reply of back-in-line.lua');
  }
}
