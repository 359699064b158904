import { nanoPerUnit, type Budgets } from '../sessions/index.js';

/** What a session has left after an admission, as headers; none where it has no budgets. */
export function budgetHeaders(left: Budgets | null): Record<string, string> {
  if (left === null) return {};
  const { tokens, timeMs, costNano } = left;
  return {
    ...(tokens !== null && { 'X-Budget-Tokens-Remaining': String(tokens) }),
    ...(timeMs !== null && { 'X-Budget-Time-Remaining-Ms': String(timeMs) }),
    ...(costNano !== null && { 'X-Budget-Cost-Remaining': decimal(costNano) }),
  };
}

/** Billionths as a decimal number, without an exponent. */
function decimal(nano: number): string {
  return (nano / nanoPerUnit).toFixed(9).replace(/\.?0+$/, '');
}
