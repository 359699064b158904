import type { EngineEndpoint, EngineRequest } from '../../engines/engine-adapter.port.js';
import type { LivePool } from '../pools/index.js';
import { workOf, type RunRequest } from '../tasks/index.js';

/** A replica of a pool as adapters reach it. */
export function endpointOf({ config, apiKey }: LivePool, replicaId: string, url: string): EngineEndpoint {
  const { connect_ms: connectMs, idle_ms: idleMs, wall_ms: wallMs } = config.timeouts;
  const timeouts = { connectMs, idleMs, wallMs };
  const { max_line_bytes: maxLineBytes, mock } = config.engine;
  return { poolId: config.id, replicaId, url, timeouts, apiKey, maxLineBytes, mock };
}

/**
 * What an engine is told of the model; undefined: nothing. llama.cpp has one model and needs no name; others want the one they serve, which
 * by their custom is the repository's.
 */
export function servedModelName({ config }: LivePool): string | undefined {
  const { engine, model } = config;
  if (engine.served_model_name !== undefined || engine.id === 'llamacpp') return engine.served_model_name;
  return /^hf:([^/@]+\/[^/@]+)/.exec(model.ref)?.[1] ?? model.ref;
}

/** A claimed task in the words of the adapter port. */
export function engineRequestOf(
  taskId: string,
  correlationId: string,
  request: RunRequest,
  model: string | undefined,
): EngineRequest {
  return { taskId, correlationId, sessionId: request.session_id, model, work: workOf(request) };
}
