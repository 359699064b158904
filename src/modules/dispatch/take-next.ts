import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../platform/clock/clock.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import { candidates } from './candidates.js';
import type { Claimed, ClaimOutcome, ClaimTask } from './claim-task.js';
import type { RunOutcome } from './run-context.js';
import type { Ticket } from './ticket.js';

const slotPollMs = 20;
const heldPollMs = 250;
/** Each look of this kind goes through those who wait for a certain replica. */
const blockedPollMs = 100;
/** A task whose log is missing for longer has ended long ago, or the reconciler offers it anew. */
const missingMs = 10_000;

export type Taken = { readonly kind: 'claimed'; readonly pool: LivePool; readonly claim: Claimed } | RunOutcome;

/** Turns a ticket into a task: waits for a slot and claims whoever starts next. */
export class TakeNext {
  constructor(
    private readonly with_: {
      readonly pools: PoolRegistry;
      readonly claim: ClaimTask;
      readonly clock: Clock;
      /** Resolves when the run of a task in this process is over; null when there is none. */
      readonly untilOver: (taskId: string) => Promise<unknown> | null;
      /** This process takes no tasks any more. */
      readonly isLeaving: () => boolean;
    },
  ) {}

  /** `done`: the ticket is spent, nobody waits. `again`: another worker should have it. Rejects when Redis is away. */
  async run(poolId: string, ticket: Ticket): Promise<Taken> {
    const { pools, claim, untilOver, isLeaving } = this.with_;
    for (;;) {
      const pool = pools.find(poolId);
      const replicas = pool === null ? [] : candidates(pool, new Set());
      if (pool === null || replicas.length === 0 || isLeaving()) return 'again';
      // What runs here is not lost, even if its lease has run out because this process was slow.
      const over = untilOver(ticket.taskId);
      const outcome = await claim.next(pool, replicas, over === null ? ticket.taskId : null);
      if (outcome.kind === 'claimed') return { kind: 'claimed', pool, claim: outcome };
      if (outcome.kind === 'missing') return this.isYoung(ticket) ? 'again' : 'done';
      if (outcome.kind === 'idle' && over === null) return 'done';
      await pause(outcome, over);
    }
  }

  private isYoung({ offeredMs }: Ticket): boolean {
    return this.with_.clock.now() - offeredMs < missingMs;
  }
}

/** Until it is worth another look. */
async function pause({ kind }: ClaimOutcome, over: Promise<unknown> | null): Promise<void> {
  // More jobs than slots: some tasks run without a job, or a replica went away.
  if (kind === 'full') await delay(slotPollMs);
  else if (kind === 'blocked') await delay(blockedPollMs);
  // The named task runs. Its worker may die: then it is taken over with this ticket.
  else await Promise.race(over === null ? [delay(heldPollMs)] : [delay(heldPollMs), over]);
}
