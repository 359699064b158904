import type { EngineEndpoint, EngineRequest, EngineSink, EngineStream } from './engine-adapter.port.js';

/** The engine of a replica as it was when it was asked for: whoever holds it keeps it, also when another is bound meanwhile. */
export interface RoutedEngine {
  readonly endpoint: EngineEndpoint;
  /** Starts work; as `EngineAdapter.submit`, and no error names a key. */
  submit(request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream;
}

/** Makes engines forget. Implemented by the adapter host. */
export interface SessionCaches {
  /** Asks the engines bound here to drop what they keep of a session, where they can. Resolves when all have answered, or have failed to. */
  evictSession(sessionId: string): Promise<void>;
}

/** Knows which engine stands behind a replica now. Implemented by the adapter host. */
export interface EngineRouter {
  /**
   * Null: nothing is bound there.
   * @param mayAskAgain whether an engine that is lost before its first byte is asked again, after a pause: for the last replica there is
   */
  route(poolId: string, replicaId: string, options: { readonly mayAskAgain: boolean }): RoutedEngine | null;
}
