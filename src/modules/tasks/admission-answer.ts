import type { Admission, PlacementCandidate, PlacementRecord } from '../../contract/task-response.js';
import type { LineView } from '../admission/index.js';
import type { Candidate, Decision } from '../placement/index.js';
import type { LivePool } from '../pools/index.js';

export type Assigned = Extract<Decision, { kind: 'assigned' }>;

/** Paths of a task's event stream. */
export function streamsOf(taskId: string): Admission['streams'] {
  return { sse: `/v2/tasks/${taskId}/events`, sse_verbose: `/v2/tasks/${taskId}/events?verbose=true` };
}

/** A polite client waits about as long as its own task before it submits more; not at all while the line is at most half full. */
export function backoffMs(pool: LivePool, view: LineView, predictedStartMs: number): number {
  const waiting = view.waiting.interactive + view.waiting.batch + 1;
  return waiting * 2 <= pool.config.queue.capacity ? 0 : predictedStartMs;
}

/** Kept with every task, however many pools there are: the chosen one and the next best. */
const mostCandidates = 16;

/** A candidate as clients see it. */
export function candidateView({ poolId, feasible, reasons, score, completionMs }: Candidate): PlacementCandidate {
  return {
    pool_id: poolId,
    feasible,
    reasons: [...reasons],
    score,
    predicted_completion_ms: completionMs === null ? null : Math.round(completionMs),
  };
}

/** The candidates of a decision as clients see them: how many, and the best. */
export function candidatesShown({ candidates }: Decision) {
  return {
    candidates_considered: candidates.length,
    candidates: candidates.slice(0, mostCandidates).map(candidateView),
  };
}

/** The decision as `GET /v2/tasks/{id}` shows it. */
export function placementRecord(decision: Assigned): PlacementRecord {
  const { poolId, pinned, fallback, reasons } = decision;
  return {
    pool_id: poolId,
    pinned,
    fallback,
    reasons: [...reasons],
    ...candidatesShown(decision),
  };
}
