import type { TaskRequest } from '../../contract/task-request.js';
import { newUuid } from '../../platform/ids/uuid.js';
import type { Sessions } from '../sessions/index.js';
import type { AdmitAtOnce } from './admit-at-once.js';
import type { AdmitInLine } from './admit-in-line.js';
import { bodyHash } from './body-hash.js';
import type { DraftTask } from './draft-task.js';
import type { AdmissionGate, Draft, SubmitContext, SubmitOutcome } from './draft.js';
import { whereThereIsRoom } from './lines-with-room.js';
import { conflict, deadlinePassed } from './refusals.js';
import type { TasksRepository } from './tasks.repository.js';
import type { TasksTelemetry } from './tasks.telemetry.js';

export interface SubmitCollaborators {
  readonly drafts: DraftTask;
  readonly tasks: TasksRepository;
  readonly sessions: Pick<Sessions, 'find'>;
  /** Passed in this order once the pool is chosen. */
  readonly gates: readonly AdmissionGate[];
  readonly atOnce: AdmitAtOnce;
  readonly inLine: AdmitInLine;
  readonly telemetry: TasksTelemetry;
}

/** Accepts a task: known already? which pool? may it enter? then straight to an engine (AdmitAtOnce), or into the line (AdmitInLine). */
export class SubmitTask {
  constructor(private readonly with_: SubmitCollaborators) {}

  /** Rejects with an AppError of DESIGN §4 when the task is refused. Nothing is enqueued then. */
  async run(request: TaskRequest, context: SubmitContext): Promise<SubmitOutcome> {
    const { telemetry } = this.with_;
    try {
      return await this.admit(request, context);
    } catch (error) {
      telemetry.refused(error, context);
      throw error;
    }
  }

  private async admit(request: TaskRequest, context: SubmitContext): Promise<SubmitOutcome> {
    const taskId = request.task_id ?? newUuid();
    // Nobody can repeat an id that the server has just made up.
    const hash = request.task_id === undefined ? '' : bodyHash(request);
    if (request.task_id !== undefined) {
      const before = await this.answerBefore(taskId, hash, request.session_id, context.idField);
      if (before !== null) return before;
    }
    if (request.deadline_ms !== undefined && request.deadline_ms <= 0) throw deadlinePassed();
    return whereThereIsRoom(async (full) => this.passGates(await this.place(taskId, hash, request, context, full)));
  }

  private async place(
    taskId: string,
    hash: string,
    request: TaskRequest,
    context: SubmitContext,
    full: ReadonlySet<string>,
  ): Promise<Draft> {
    const drafted = await this.with_.drafts.run(taskId, hash, request, context, full);
    // That there is none beside the full ones is not what the client is told.
    if (drafted.kind !== 'refused' || full.size === 0) this.with_.telemetry.placed(drafted.decision, context);
    if (drafted.kind === 'refused') throw drafted.error;
    return drafted.draft;
  }

  private async passGates(draft: Draft): Promise<SubmitOutcome> {
    const passed: AdmissionGate[] = [];
    try {
      for (const gate of this.with_.gates) {
        await gate.enter(draft);
        passed.push(gate);
      }
      const entered = await this.enter(draft);
      if (entered !== null) return entered;
    } catch (error) {
      await leaveAll(passed, draft);
      throw error;
    }
    // A repeat that came while its twin was on the way in.
    await leaveAll(passed, draft);
    const { taskId, hash, request, context } = draft;
    return (await this.answerBefore(taskId, hash, request.session_id, context.idField)) ?? conflict(context.idField);
  }

  /** Null: a task of this id is there already. */
  private async enter(draft: Draft): Promise<SubmitOutcome | null> {
    const { atOnce, inLine } = this.with_;
    // A row under the client's own id is seen by its repeats at once, and must never be taken back: no short cut for those.
    const begun = draft.request.task_id === undefined ? await atOnce.run(draft) : null;
    return begun ?? (await inLine.run(draft));
  }

  private async answerBefore(
    taskId: string,
    hash: string,
    sessionId: string | undefined,
    idField: SubmitContext['idField'],
  ): Promise<SubmitOutcome | null> {
    const before = await this.with_.tasks.acceptedBefore(taskId);
    if (before === null) return null;
    if (before.bodyHash !== hash) conflict(idField);
    const session = sessionId === undefined ? null : await this.with_.sessions.find(sessionId);
    return { admission: before.admission, started: null, left: session?.left ?? null };
  }
}

async function leaveAll(passed: readonly AdmissionGate[], draft: Draft): Promise<void> {
  for (const gate of passed.toReversed()) await gate.leave(draft);
}
