import type { EngineId, Priority } from '../../contract/common.js';
import type { TaskError } from '../../contract/events.js';
import type { Admission, PlacementRecord, TaskState } from '../../contract/task-response.js';
import type { TaskRequest } from '../../contract/task-request.js';
import type { Turn } from '../sessions/index.js';
import { inputTokensAbout } from './input-tokens.js';
import { workOf } from './task-work.js';

/** A task as it is accepted. */
export interface NewTask {
  readonly taskId: string;
  readonly bodyHash: string;
  readonly correlationId: string;
  readonly request: TaskRequest;
  readonly engine: EngineId;
  readonly poolId: string;
  readonly admission: Admission;
  readonly placement: PlacementRecord;
  readonly createdMs: number;
  /** Unix ms by which the last token must be out; null: no deadline. */
  readonly deadlineMs: number | null;
  /** Replica on which it has begun already; null: it waits in line. */
  readonly startedOn: string | null;
  readonly told: ToldStart | null;
  /** Its turn in its session; null: it belongs to none. */
  readonly turn: Turn | null;
}

/** When a waiting task was told at acceptance that it would start: compared with its start. Absent when nothing was measured by then. */
export interface ToldStart {
  /** Unix ms */
  readonly since_ms: number;
  readonly median_ms: number;
  readonly p90_ms: number;
  /** The same before calibration: median and spread of the logarithm. */
  readonly model_ms: number;
  readonly spread: number;
}

/** How a task ended. */
export interface TaskEnding {
  readonly taskId: string;
  readonly state: Extract<TaskState, 'completed' | 'failed' | 'canceled'>;
  readonly endedMs: number;
  readonly tokensIn: number | null;
  readonly tokensOut: number;
  readonly firstTokenMs: number | null;
  readonly decodeTimeMs: number | null;
  readonly finishReason: 'stop' | 'length' | 'canceled' | null;
  readonly error: TaskError | null;
}

/** An ending whose transcript is kept. */
export interface SettledTask extends TaskEnding {
  readonly artifactId: string;
}

/** An accepted task that has not ended, as the reconciler sees it. */
export interface OpenTask {
  readonly taskId: string;
  readonly state: 'queued' | 'running';
  readonly poolId: string;
  readonly priority: Priority;
  readonly attempts: number;
  readonly correlationId: string;
  readonly request: TaskRequest;
  readonly admission: Admission;
  readonly engine: EngineId;
  readonly createdMs: number;
  readonly deadlineMs: number | null;
  readonly told: ToldStart | null;
  readonly turn: Turn | null;
  /** Unix ms of its first begin, and where its last attempt runs; null before it began. */
  readonly startedMs: number | null;
  readonly replicaId: string | null;
}

/** An open task as it is listed: where it should be. */
export type ListedTask = Pick<
  OpenTask,
  'taskId' | 'state' | 'poolId' | 'priority' | 'engine' | 'attempts' | 'createdMs'
>;

/**
 * What the choice of its replica depends on, as names and values of the run record (dispatch/claim-task.lua): the session whose last replica
 * is the best one, the device mask that it must have, and the tokens of context that it fills, where the engine may take memory for them.
 */
export function replicaMarks({ request, turn, engine }: Pick<OpenTask, 'request' | 'turn' | 'engine'>): string[] {
  const mask = request.placement?.require_device_mask;
  return [
    ...(turn === null || request.kv_hint === 'cold' ? [] : ['home', turn.session_id]),
    ...(mask === undefined ? [] : ['mask', mask]),
    // The only one that `engine.kv_allocation: per_request` is for.
    ...(engine === 'openai' ? ['kv', `${kvTokens(request)}`] : []),
  ];
}

/** Tokens of context that a task is expected to fill at the most: about its input, and all it may generate. */
export function kvTokens(request: TaskRequest): number {
  const { ctx = 0, max_tokens: maxTokens = 0 } = request;
  return Math.max(ctx, inputTokensAbout(workOf(request)) + maxTokens);
}

/**
 * Tokens to count with when estimating how long a task will run: what it may generate, or the client's guess of it; of work that generates
 * nothing, about what it reads. A pool has one model and does one of the two: what is measured there is measured in the same.
 */
export function expectedTokens(request: TaskRequest): number {
  const { max_tokens: maxTokens, expected_tokens: guess } = request;
  if (maxTokens === undefined) return Math.max(1, inputTokensAbout(workOf(request)));
  return Math.min(guess ?? maxTokens, maxTokens);
}
