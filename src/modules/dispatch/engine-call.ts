import type { EngineEndpoint, EngineRequest } from '../../engines/engine-adapter.port.js';
import type { LivePool } from '../pools/index.js';
import type { RunRequest } from '../tasks/index.js';

/** A replica of a pool as adapters reach it. */
export function endpointOf({ config }: LivePool, replicaId: string, url: string): EngineEndpoint {
  const { connect_ms: connectMs, idle_ms: idleMs, wall_ms: wallMs } = config.timeouts;
  return { poolId: config.id, replicaId, url, timeouts: { connectMs, idleMs, wallMs } };
}

/** A claimed task in the words of the adapter port. */
export function engineRequestOf(
  taskId: string,
  correlationId: string,
  request: RunRequest,
  model: string | undefined,
): EngineRequest {
  const { prompt, max_tokens: maxTokens, seed, sampling } = request;
  const work = { kind: 'completion' as const, input: { prompt }, maxTokens, seed, sampling };
  return { taskId, correlationId, model, work };
}
