import { setTimeout as delay } from 'node:timers/promises';
import type { TaskError } from '../../contract/events.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import { candidatesFor } from './candidates.js';
import type { Claimed, ClaimOutcome, ClaimTask } from './claim-task.js';
import type { PassedOver } from './passed-over.js';
import type { RunOutcome } from './run-context.js';
import { noReplica, outOfTime } from './run-errors.js';
import { limitsOf, passedLimit } from './run-limits.js';
import type { RunView } from './run-view.js';

const slotPollMs = 20;
const heldPollMs = 250;

/** A slot claimed for a task. */
export interface Claim {
  readonly pool: LivePool;
  readonly claim: Claimed;
}

/** Nobody is there to claim for a task that may wait in line instead: it has answered nothing. */
export const nowhere = 'nowhere';

/** Gets a task whose attempt was lost a slot of another replica. */
export class ClaimAgain {
  constructor(
    private readonly with_: { readonly pools: PoolRegistry; readonly claim: ClaimTask; readonly clock: Clock },
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Waits for the slot as long as the task may: while the pool has a ready replica, as long as its time lasts; without one, as long as an
   * engine may be silent. The task holds no slot meanwhile. Rejects when Redis is away.
   * @param hasAnswered its readers have seen tokens; else no limit counts, and without a replica it waits no longer
   * @returns the claim; what to do with the job; or why it ends
   */
  async run(
    lost: RunView,
    passedOver: PassedOver,
    hasAnswered: boolean,
  ): Promise<Claim | RunOutcome | TaskError | typeof nowhere> {
    const { pools, claim, clock } = this.with_;
    for (let readyMs = clock.now(); ;) {
      const now = clock.now();
      const pool = pools.find(lost.lease.poolId);
      if (pool === null) return 'again';
      const replicas = candidatesFor(pool, lost.claim, passedOver.at(now));
      if (replicas.length > 0) readyMs = now;
      if (!hasAnswered && replicas.length === 0) return nowhere;
      const end = hasAnswered ? endOf(lost, pool, { now, readyMs }) : null;
      if (end !== null) return end;
      // Without a candidate it is asked all the same: somebody may have ended the task.
      const outcome = await claim.again(pool, replicas, lost.taskId);
      const settled = this.settled(pool, outcome);
      if (settled !== null) return settled;
      await delay(outcome.kind === 'held' || replicas.length === 0 ? heldPollMs : slotPollMs);
    }
  }

  /** Null: it is worth another look. */
  private settled(pool: LivePool, outcome: ClaimOutcome): Claim | RunOutcome | null {
    if (outcome.kind === 'claimed') return { pool, claim: outcome };
    if (outcome.kind === 'closed') return 'done';
    return !isWaitable(outcome) || this.signal.aborted ? 'again' : null;
  }
}

function isWaitable({ kind }: ClaimOutcome): boolean {
  return kind === 'full' || kind === 'blocked' || kind === 'held';
}

/** Why a task that has begun to answer waits no longer; null: it does. @param at Unix ms: now, and when there was a replica to wait for last */
function endOf(
  lost: RunView,
  pool: LivePool,
  { now, readyMs }: { readonly now: number; readonly readyMs: number },
): TaskError | null {
  const passed = passedLimit(limitsOf(lost, now));
  if (passed !== null) return outOfTime(passed, pool);
  return now - readyMs < pool.config.timeouts.idle_ms ? null : noReplica(pool);
}
