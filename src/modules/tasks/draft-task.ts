import type { TaskRequest } from '../../contract/task-request.js';
import type { AppError } from '../../platform/errors/app-error.js';
import type { Decision } from '../placement/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { Sessions } from '../sessions/index.js';
import type { Draft, SubmitContext } from './draft.js';
import type { PlaceTask } from './place-task.js';
import { noPool, poolVanished } from './refusals.js';

/** What placement makes of a request. */
export type Drafted =
  | { readonly kind: 'drafted'; readonly decision: Decision; readonly draft: Draft }
  | { readonly kind: 'refused'; readonly decision: Decision; readonly error: AppError };

/** Chooses the pool of a request, the one of its session first. Takes nothing. */
export class DraftTask {
  constructor(
    private readonly with_: {
      readonly pools: PoolRegistry;
      readonly placeTask: PlaceTask;
      readonly sessions: Pick<Sessions, 'homeOf'>;
    },
  ) {}

  /**
   * Rejects when Redis is away, for a task of a session.
   * @param full pools whose lines have just had no room for it
   */
  async run(
    taskId: string,
    hash: string,
    request: TaskRequest,
    context: SubmitContext,
    full: ReadonlySet<string>,
  ): Promise<Drafted> {
    const { pools, placeTask } = this.with_;
    const home = await this.homeOf(request);
    const candidates = pools.all();
    const decision = placeTask.run(request, candidates, home, full);
    const pool = candidates.find(({ config }) => config.id === decision.poolId) ?? null;
    if (decision.kind === 'none') return { kind: 'refused', decision, error: noPool(decision, pool) };
    if (pool === null) return { kind: 'refused', decision, error: poolVanished() };
    return {
      kind: 'drafted',
      decision,
      draft: { taskId, hash, request, decision, pool, context, home, admitted: null, foreseen: null },
    };
  }

  private async homeOf({ session_id: sessionId, kv_hint: hint }: TaskRequest): Promise<Draft['home']> {
    return sessionId === undefined || hint === 'cold' ? null : this.with_.sessions.homeOf(sessionId);
  }
}
