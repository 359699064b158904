import { engineCapabilities } from '../../engines/engine-capabilities.js';
import { textOfTokens, type EventLog } from '../events/index.js';
import { planContinuation, type ContinuationPlan } from './continuation-plan.js';
import { engineRequestOf } from './engine-call.js';
import { originOf } from './origin.js';
import type { RunView } from './run-view.js';

/** Decides how a task goes on that has begun to answer, from what its log holds. Rejects when Redis is away. */
export class ContinueRun {
  constructor(
    private readonly eventLog: Pick<EventLog, 'readAll'>,
    private readonly maxContinuations: number,
  ) {}

  /** For an attempt that holds the fence and finds tokens in the log. */
  async plan(view: RunView): Promise<ContinuationPlan> {
    const { tokens, earlier } = view.claim;
    const origin = originOf(view);
    return this.planFor(view, {
      tokens,
      continuations: earlier?.continuations ?? 0,
      isSameOrigin: origin !== null && earlier?.origin === origin,
    });
  }

  /**
   * For an attempt that was lost behind `tokens` tokens, all of them in the log: whether it is worth waiting for another replica. That one
   * is taken to be of the same origin.
   */
  async outlook(view: RunView, tokens: number): Promise<ContinuationPlan> {
    const continuations = (view.claim.earlier?.continuations ?? 0) + 1;
    return this.planFor(view, { tokens, continuations, isSameOrigin: originOf(view) !== null });
  }

  private async planFor(
    { pool, claim, taskId, correlationId }: RunView,
    so: { readonly tokens: number; readonly continuations: number; readonly isSameOrigin: boolean },
  ): Promise<ContinuationPlan> {
    const { tokens, continuations, isSameOrigin } = so;
    const text = textOfTokens(await this.eventLog.readAll(taskId));
    const { work } = engineRequestOf(taskId, correlationId, claim.request, undefined);
    const capabilities = engineCapabilities[pool.config.engine.id];
    const plan = planContinuation(work, { text, tokens }, { capabilities, isSameOrigin });
    if (plan.kind === 'finished' || plan.kind === 'none' || continuations <= this.maxContinuations) return plan;
    return { kind: 'none', reason: `it was continued ${continuations - 1} times already` };
  }
}
