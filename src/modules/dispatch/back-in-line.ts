import type { Redis } from 'ioredis';
import type { EngineError } from '../../engines/engine-adapter.port.js';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { lineKeys, type PoolQueues } from '../admission/index.js';
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
      readonly tasks: Pick<TasksRepository, 'markWaiting'>;
      readonly clock: Clock;
    },
    /** How many engines may be lost with one task. */
    private readonly mostLosses: number,
  ) {}

  /**
   * Waits until the stores have it. Rejects once the signal is aborted.
   * @param view an attempt whose row says `running`
   */
  async run(view: RunView, error: EngineError, signal: AbortSignal): Promise<BackInLineOutcome> {
    const { lease, taskId, claim } = view;
    const { queues, tasks } = this.with_;
    const outcome = await untilDone(() => this.change(view, error), signal);
    if (outcome !== 'waits') return outcome;
    await untilDone(() => tasks.markWaiting({ taskId, attempt: claim.attempt }), signal);
    // One that began without waiting may have no ticket yet.
    await untilDone(async () => queues.of(lease.poolId)?.offer(taskId, claim.request.priority), signal);
    return outcome;
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
