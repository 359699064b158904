import { costOf, type Amounts, type Turn, type TurnRecord } from '../sessions/index.js';
import type { OpenTask, TaskEnding } from './task-record.js';

/** What a task's record says of its run once it has ended. */
export interface RunFacts {
  readonly tokensIn: number | null;
  readonly tokensOut: number | null;
  readonly decodeTimeMs: number | null;
  /** Unix ms; null: it never began. */
  readonly startedMs: number | null;
  readonly endedMs: number;
}

/**
 * What an ended task has used of its session's budgets. Read from its record alone, so that it is the same whenever it is asked. The run of a
 * task that failed is not timed: it counts from its begin to its end, at most what it had reserved.
 */
export function usedBy(turn: Turn, { tokensIn, tokensOut, decodeTimeMs, startedMs, endedMs }: RunFacts): Amounts {
  const [asked, answered] = [tokensIn ?? 0, tokensOut ?? 0];
  const span = startedMs === null ? 0 : Math.max(0, endedMs - startedMs);
  return {
    tokens: asked + answered,
    timeMs: decodeTimeMs ?? Math.min(span, turn.time_ms ?? span),
    costNano: costOf({ inNano: turn.price_in_nano, outNano: turn.price_out_nano }, asked, answered),
  };
}

/** The turn of a task that ends just now; null: it belongs to no session. */
export function endedTurn(task: OpenTask, ending: TaskEnding): TurnRecord | null {
  const { taskId, turn, createdMs, startedMs, poolId, replicaId } = task;
  if (turn === null) return null;
  const used = usedBy(turn, { ...ending, startedMs });
  return { taskId, turn, used, createdMs, endedMs: ending.endedMs, poolId, replicaId };
}
