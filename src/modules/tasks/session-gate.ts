import { AppError, invalidParams } from '../../platform/errors/app-error.js';
import { estimateRun } from '../admission/index.js';
import type { LivePool } from '../pools/index.js';
import { costOf, nanoPerUnit, tokenPrice, type Reservation, type Sessions, type TurnWish } from '../sessions/index.js';
import type { AdmissionGate, Draft } from './draft.js';
import { inputTokensAtMost } from './input-tokens.js';
import { expectedTokens, type OpenTask } from './task-record.js';
import { sizeField, workOf } from './task-work.js';

/** Lets a task into its session: a turn, and of the budgets what it may use at the most. Passes tasks without a session. */
export class SessionGate implements AdmissionGate {
  constructor(private readonly sessions: Pick<Sessions, 'reserve' | 'foresee' | 'withdraw' | 'limits'>) {}

  /** Rejects with INVALID_PARAMS when the session has had all its turns, with BUDGET_EXHAUSTED when it can't cover the task. */
  enter(draft: Draft): Promise<void> {
    return this.ask(draft, 'reserve');
  }

  foresee(draft: Draft): Promise<void> {
    return this.ask(draft, 'foresee');
  }

  async leave(draft: Draft): Promise<void> {
    const { admitted } = draft;
    draft.admitted = null;
    // A turn that can't be taken back now is found by its age.
    if (admitted !== null) await this.sessions.withdraw(draft.taskId, admitted.turn).catch(() => undefined);
  }

  private async ask(draft: Draft, how: 'reserve' | 'foresee'): Promise<void> {
    const { request, pool } = draft;
    if (request.session_id === undefined) return;
    const wish = wishOf(draft);
    const reservation = await this.sessions[how](request.session_id, wish, tokenPrice(pool.config.price));
    if (reservation.kind === 'refused') throw this.refusal(reservation, draft, wish);
    draft.admitted = reservation;
  }

  private refusal(
    refused: Extract<Reservation, { kind: 'refused' }>,
    { request, pool }: Draft,
    wish: TurnWish,
  ): AppError {
    if (refused.over === 'turns') {
      const problem = `the session has had its ${this.sessions.limits.maxTurns} turns, the most one may have`;
      return invalidParams([{ field: 'session_id', problem }], `session_id: ${problem}. Begin another session.`);
    }
    const [left, needed] = {
      tokens: [`${refused.left.tokens ?? 0} tokens`, `${wish.most.tokens}, its input counted at a token a byte`],
      time: [`${refused.left.timeMs ?? 0} ms of engine time`, `${Math.ceil(wish.leastTimeMs)} ms at least`],
      cost: [`${(refused.left.costNano ?? 0) / nanoPerUnit} of cost`, `${wish.most.costNano / nanoPerUnit}`],
    }[refused.over];
    const message = `The session may still use ${left}, and the task could need ${needed}. Ask for less, wait for the open tasks of the session to end, or begin another.`;
    const field = refused.over === 'time' ? 'session_id' : sizeField(request);
    return new AppError('BUDGET_EXHAUSTED', message, {
      engine: pool.config.engine.id,
      poolId: pool.config.id,
      details: [{ field, problem: `the session may still use ${left}` }],
    });
  }
}

function wishOf({ taskId, request, pool }: Draft): TurnWish {
  const { max_tokens: maxTokens = 0, deadline_ms: deadlineMs } = request;
  const asked = inputTokensAtMost(workOf(request), pool.ctxMax);
  const timeMs = Math.min(pool.config.timeouts.wall_ms, deadlineMs ?? Number.POSITIVE_INFINITY);
  const tokens = asked + maxTokens;
  return {
    taskId,
    most: { tokens, timeMs, costNano: costOf(tokenPrice(pool.config.price), asked, maxTokens) },
    leastTimeMs: Math.min(timeMs, estimateRun(pool.perf, expectedTokens(request))?.medianMs ?? 1),
  };
}

/**
 * Whether what was reserved for a task covers its run in another pool than the one it was reserved for: one with a longer context may read more
 * of its input. Its prices are those of its acceptance, wherever it runs.
 */
export function fitsReservation({ request, turn }: Pick<OpenTask, 'request' | 'turn'>, pool: LivePool): boolean {
  return turn === null || inputTokensAtMost(workOf(request), pool.ctxMax) + (request.max_tokens ?? 0) <= turn.tokens;
}
