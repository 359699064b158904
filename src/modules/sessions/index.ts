export {
  costOf,
  nanoPerUnit,
  sessionLimits,
  tokenPrice,
  type Amounts,
  type Budgets,
  type SessionLimits,
} from './budget.js';
export { SessionEvictionsRepository } from './session-evictions.repository.js';
export { SessionLedger, type TurnWish } from './session-ledger.js';
export { Sessions, type Reservation } from './sessions.js';
export { SessionsModule } from './sessions.module.js';
export type { Turn, TurnHistory, TurnRecord } from './turn-history.port.js';
