export { addRateLimitHook } from './rate-limit-hook.js';
export { RateLimits } from './rate-limits.js';
export type { RateTicket } from './rate-ticket.js';
