import type { PoolConfig } from '../../contract/config.js';
import type { SessionsConfig } from '../../contract/session-config.js';

/** Units of the three budgets: tokens of prompt and completion, milliseconds of engine time, billionths of a unit of cost. Whole numbers. */
export interface Amounts {
  readonly tokens: number;
  readonly timeMs: number;
  readonly costNano: number;
}

/** What a session may use; null: no limit. */
export type Budgets = { readonly [Unit in keyof Amounts]: number | null };

/** What one session may do. */
export interface SessionLimits {
  readonly ttlMs: number;
  readonly maxTurns: number;
  readonly budgets: Budgets;
}

/** Prices of a token in billionths of a unit of cost. Whole numbers, so that sums are exact. */
export interface TokenPrice {
  readonly inNano: number;
  readonly outNano: number;
}

export const nanoPerUnit = 1e9;

/** The limits as configured. */
export function sessionLimits({ ttl_ms: ttlMs, max_turns: maxTurns, budgets }: SessionsConfig): SessionLimits {
  const { tokens, time_ms: timeMs, cost } = budgets;
  return {
    ttlMs,
    maxTurns,
    budgets: { tokens, timeMs, costNano: cost === null ? null : Math.round(cost * nanoPerUnit) },
  };
}

/** Prices are configured per thousand tokens. */
export function tokenPrice({ per_1k_tokens_in: perIn, per_1k_tokens_out: perOut }: PoolConfig['price']): TokenPrice {
  const nano = (perThousand: number): number => Math.round((perThousand / 1000) * nanoPerUnit);
  return { inNano: nano(perIn), outNano: nano(perOut) };
}

/** Cost of a turn, billionths. */
export function costOf(price: TokenPrice, tokensIn: number, tokensOut: number): number {
  return tokensIn * price.inNano + tokensOut * price.outNano;
}

/** What is left, as clients read it; only of budgets that there are. */
export function budgetFields({ tokens, timeMs, costNano }: Budgets) {
  return {
    ...(tokens !== null && { tokens_budget_remaining: tokens }),
    ...(timeMs !== null && { time_budget_remaining_ms: timeMs }),
    ...(costNano !== null && { cost_budget_remaining: costNano / nanoPerUnit }),
  };
}

/** What is left of the budgets; never below nothing. */
export function leftOf(budgets: Budgets, used: Amounts): Budgets {
  const left = (budget: number | null, taken: number): number | null =>
    budget === null ? null : Math.max(0, budget - taken);
  return {
    tokens: left(budgets.tokens, used.tokens),
    timeMs: left(budgets.timeMs, used.timeMs),
    costNano: left(budgets.costNano, used.costNano),
  };
}
