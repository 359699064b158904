export { ClaimTask } from './claim-task.js';
export { DeadlineWatch } from './deadline-watch.js';
export { Dispatcher } from './dispatcher.js';
export { DispatchTelemetry } from './dispatch.telemetry.js';
export { EvictSessions } from './evict-sessions.js';
export { KeepResult } from './keep-result.js';
export { RunMeasures } from './run-measures.js';
export { Reconciler } from './reconciler.js';
export { endpointOf, servedModelName } from './engine-call.js';
