import type { TaskError } from '../../contract/events.js';
import type { EngineError } from '../../engines/engine-adapter.port.js';
import type { LivePool } from '../pools/index.js';

/** Whether another replica may be asked: the engine was lost, and the request is not to blame. */
export function isLoss({ code }: EngineError): boolean {
  return code === 'REPLICA_EXHAUSTED' || code === 'WORKER_RESET';
}

/**
 * What readers hear when no replica could take the task to its end. An engine lost before its first token has reset nothing; one that
 * refuses to go on from what was said refuses nothing that the client asked for.
 */
export function engineLost(
  error: EngineError,
  { hasAnswered, isContinued }: { readonly hasAnswered: boolean; readonly isContinued: boolean },
  pool: LivePool,
): TaskError {
  if (!hasAnswered && error.code === 'WORKER_RESET') return inPool('REPLICA_EXHAUSTED', error.message, pool);
  const isReset = isContinued && (isLoss(error) || error.code === 'INVALID_PARAMS');
  return inPool(isReset ? 'WORKER_RESET' : error.code, error.message, pool);
}

/** What readers hear when no other replica could be found. */
export function noReplica(pool: LivePool): TaskError {
  const message = `Its replica was lost, and for ${pool.config.timeouts.idle_ms} ms there was no other.`;
  return workerLost(message, pool.config.id, pool);
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
