export {
  budgetFields,
  costOf,
  nanoPerUnit,
  sessionLimits,
  tokenPrice,
  type Amounts,
  type Budgets,
  type SessionLimits,
} from './budget.js';
export { SessionEvictionsRepository } from './session-evictions.repository.js';
export { evictedChannel, sessionKeyPrefix } from './session-keys.js';
export { SessionLedger, type SessionHome, type TurnWish } from './session-ledger.js';
export { Sessions, type Reservation, type TurnBegin } from './sessions.js';
export { SessionsModule } from './sessions.module.js';
export type { Turn, TurnHistory, TurnRecord } from './turn-history.port.js';
