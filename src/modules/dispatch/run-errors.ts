import type { TaskError } from '../../contract/events.js';
import type { EngineError } from '../../engines/engine-adapter.port.js';
import type { LivePool } from '../pools/index.js';
import type { DecodeResult } from './decode.js';

/** Whether another replica may begin afresh: this one was lost before it had answered anything, and the request is not to blame. */
export function isWorthAnother(
  result: DecodeResult,
  hasAnswered: boolean,
): result is Extract<DecodeResult, { kind: 'lost' }> {
  if (result.kind !== 'lost' || hasAnswered) return false;
  return result.error.code === 'REPLICA_EXHAUSTED' || result.error.code === 'WORKER_RESET';
}

/** What readers hear when no replica could take the task to its end. An engine lost before its first token has reset nothing. */
export function engineLost(error: EngineError, hasAnswered: boolean, pool: LivePool): TaskError {
  const code = error.code === 'WORKER_RESET' && !hasAnswered ? 'REPLICA_EXHAUSTED' : error.code;
  return inPool(code, error.message, pool);
}

/** What readers hear when the engine took too long. */
export function outOfTime(cause: 'deadline' | 'wall' | 'session', pool: LivePool): TaskError {
  if (cause === 'session') {
    const message = 'It ran for all the engine time that its session had left.';
    return { ...inPool('BUDGET_EXHAUSTED', message, pool), retriable: false };
  }
  const message =
    cause === 'wall'
      ? `It ran for ${pool.config.timeouts.wall_ms} ms, the longest this pool allows.`
      : 'Its deadline passed while decoding.';
  return inPool('DECODE_TIMEOUT', message, pool);
}

/** What readers hear when the worker was lost after the first token. @param pool null when it is not configured any more */
export function workerLost(message: string, poolId: string, pool: LivePool | null): TaskError {
  return {
    code: 'WORKER_RESET',
    message: `${message} Submit it again.`,
    retriable: true,
    ...(pool !== null && { engine: pool.config.engine.id }),
    pool_id: poolId,
  };
}

function inPool(code: TaskError['code'], message: string, { config }: LivePool): TaskError {
  return { code, message, retriable: code !== 'INVALID_PARAMS', engine: config.engine.id, pool_id: config.id };
}
