export { LineKeeper } from './line-keeper.js';
export { LookAtLine } from './look-at-line.js';
export { MoveTask } from './move-task.js';
export { PlaceAgain } from './place-again.js';
export { PoolSteadiness } from './pool-steadiness.js';
export { TellWaiting } from './tell-waiting.js';
export { WaitingTelemetry } from './waiting.telemetry.js';
