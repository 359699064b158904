import type { DryRun } from '../../contract/dry-run.js';
import type { TaskRequest } from '../../contract/task-request.js';
import type { Clock } from '../../platform/clock/clock.js';
import { AppError } from '../../platform/errors/app-error.js';
import { envelopeOf } from '../../platform/http/error-envelope.js';
import { newUuid } from '../../platform/ids/uuid.js';
import type { Line } from '../admission/index.js';
import { orderReplicas, type Decision } from '../placement/index.js';
import type { PoolRegistry } from '../pools/index.js';
import { nanoPerUnit, type Budgets } from '../sessions/index.js';
import { candidatesShown } from './admission-answer.js';
import { bodyHash } from './body-hash.js';
import type { DraftTask } from './draft-task.js';
import { newTask, replicaWish, type AdmissionGate, type Draft, type SubmitContext } from './draft.js';
import { lineBounds } from './line-bounds.js';
import { whereThereIsRoom } from './lines-with-room.js';
import { replicaSnapshots } from './pool-snapshot.js';
import { conflict, deadlinePassed, lineIsFull } from './refusals.js';
import { expectedTokens } from './task-record.js';
import type { TasksRepository } from './tasks.repository.js';

/** Says what would become of a request now: the way of SubmitTask, with every step that only looks in place of the one that takes. */
export class ForeseeTask {
  constructor(
    private readonly with_: {
      readonly pools: PoolRegistry;
      readonly drafts: DraftTask;
      readonly tasks: Pick<TasksRepository, 'acceptedBefore'>;
      readonly gates: readonly AdmissionGate[];
      readonly line: Pick<Line, 'foresee'>;
      readonly clock: Clock;
    },
  ) {}

  /** Writes nothing anywhere. Rejects when a store is away; a refusal is an answer. */
  async run(request: TaskRequest, context: SubmitContext): Promise<DryRun> {
    const seen: Seen = { decision: null };
    try {
      return await this.foresee(request, context, seen);
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'UNAVAILABLE') throw error;
      return { ...nothing, outcome: 'refused', error: envelopeOf(error, context.correlationId), ...placementOf(seen) };
    }
  }

  private async foresee(request: TaskRequest, context: SubmitContext, seen: Seen): Promise<DryRun> {
    const before = await this.acceptedBefore(request, context);
    if (before !== null) return before;
    if (request.deadline_ms !== undefined && request.deadline_ms <= 0) throw deadlinePassed();
    const entered = await whereThereIsRoom((full) => this.enter(request, context, full, seen));
    return { ...entered, ...placementOf(seen) };
  }

  private async enter(
    request: TaskRequest,
    context: SubmitContext,
    full: ReadonlySet<string>,
    seen: Seen,
  ): Promise<DryRun> {
    const drafted = await this.with_.drafts.run(request.task_id ?? newUuid(), '', request, context, full);
    seen.decision ??= drafted.decision;
    if (drafted.kind === 'refused') throw drafted.error;
    const { draft } = drafted;
    for (const gate of this.with_.gates) await gate.foresee(draft);
    const entered = await this.entry(draft);
    seen.decision = drafted.decision;
    return entered;
  }

  private async acceptedBefore(request: TaskRequest, { idField }: SubmitContext): Promise<DryRun | null> {
    const { task_id: taskId } = request;
    const before = taskId === undefined ? null : await this.with_.tasks.acceptedBefore(taskId);
    if (before === null) return null;
    if (before.bodyHash !== bodyHash(request)) conflict(idField);
    return { ...nothing, ...toldBy(before.admission), outcome: 'repeated' };
  }

  private async entry(draft: Draft): Promise<DryRun> {
    const { taskId, request, pool } = draft;
    const { line, pools, clock } = this.with_;
    const entry = { taskId, poolId: pool.config.id, priority: request.priority };
    const bounds = lineBounds(pool, request.priority, pools);
    const { kind, view, droppedTaskId } = await line.foresee(
      { ...entry, expectedTokens: expectedTokens(request) },
      bounds,
    );
    if (kind === 'full') throw lineIsFull(pool, view, request.priority, bounds, clock.now());
    const { admission } = newTask(draft, view, null, clock.now());
    const [best] = orderReplicas(replicaSnapshots(pool), replicaWish(draft));
    // Which replica it is was known a moment ago; whether a slot is free the line knows now.
    const isFree = view.position === 0 && view.busySlots < pool.slots;
    return {
      ...nothing,
      ...toldBy(admission),
      outcome: 'accepted',
      replica_id: isFree ? (best?.id ?? null) : null,
      drops_another: droppedTaskId !== null,
      budget_remaining: budgetView(draft.admitted?.left ?? null),
    };
  }
}

/** What was found out before a refusal: the decision for the pool that it is told of. */
interface Seen {
  decision: Decision | null;
}

const nothing: DryRun = {
  outcome: 'accepted',
  error: null,
  placement: null,
  replica_id: null,
  queue_position: null,
  predicted_start_ms: null,
  predicted_start_p90_ms: null,
  on_time_probability: null,
  drops_another: false,
  budget_remaining: null,
};

function toldBy(admission: ReturnType<typeof newTask>['admission']): Partial<DryRun> {
  return {
    queue_position: admission.queue_position,
    predicted_start_ms: admission.predicted_start_ms,
    predicted_start_p90_ms: admission.predicted_start_p90_ms ?? null,
    on_time_probability: admission.on_time_probability ?? null,
  };
}

function placementOf({ decision }: Seen): Pick<DryRun, 'placement'> {
  if (decision === null) return { placement: null };
  const candidates = candidatesShown(decision);
  if (decision.kind === 'none') {
    const placement = { pool_id: null, pinned: false, fallback: false, reasons: [decision.message], ...candidates };
    return { placement };
  }
  const { poolId, pinned, fallback, reasons } = decision;
  return { placement: { pool_id: poolId, pinned, fallback, reasons: [...reasons], ...candidates } };
}

function budgetView(left: Budgets | null): DryRun['budget_remaining'] {
  if (left === null) return null;
  const { tokens, timeMs, costNano } = left;
  return { tokens, time_ms: timeMs, cost: costNano === null ? null : costNano / nanoPerUnit };
}
