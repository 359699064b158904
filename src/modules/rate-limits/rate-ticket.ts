import type { ServerResponse } from 'node:http';
import { AppError, invalidParams } from '../../platform/errors/app-error.js';
import type { RateLimits, RateName, RatePolicy, RateState, RateVerdict } from './rate-limits.js';

/** What one request takes of its caller's limits; the answer's headers tell how they stand, whatever the answer is. */
export class RateTicket {
  private readonly states = new Map<RateName, RateState>();

  constructor(
    private readonly limits: RateLimits,
    /** Whose limits these are. */
    private readonly subject: string,
    private readonly response: Pick<ServerResponse, 'setHeader' | 'headersSent'>,
  ) {}

  /** Rejects with ADMISSION_REJECT when the caller asks too often, and with the error of Redis when that is away. */
  async takeRequest(): Promise<void> {
    const policy = this.limits.policy('requests');
    if (policy === null) return;
    const verdict = await this.take(policy, 1);
    if (verdict.kind !== 'taken') throw tooMany(policy, verdict);
  }

  /** The same for the tokens of a task; INVALID_PARAMS, naming `field`, when a minute's quota could not hold them. */
  async takeTokens(tokens: number, field: string): Promise<void> {
    const policy = this.limits.policy('tokens');
    if (policy === null) return;
    const verdict = await this.take(policy, tokens);
    if (verdict.kind === 'too large') throw tooLarge(policy, tokens, field);
    if (verdict.kind === 'refused') throw tooMany(policy, verdict);
  }

  /** Rejects as `takeTokens` would now, and takes none. */
  async lookForTokens(tokens: number, field: string): Promise<void> {
    const policy = this.limits.policy('tokens');
    if (policy === null) return;
    const { state } = await this.take(policy, 0);
    if (tokens > policy.quota) throw tooLarge(policy, tokens, field);
    const missing = tokens - state.remaining;
    if (missing <= 0) return;
    const waitMs = Math.ceil((missing * policy.windowMs) / policy.quota);
    throw tooMany(policy, { kind: 'refused', state, waitMs });
  }

  /** The task was refused further on. Never rejects: what can't be given back drains by itself. */
  async giveTokensBack(tokens: number): Promise<void> {
    const policy = this.limits.policy('tokens');
    if (policy !== null) await this.limits.giveBack(policy, this.subject, tokens).catch(() => undefined);
  }

  private async take(policy: RatePolicy, units: number): Promise<RateVerdict> {
    const verdict = await this.limits.take(policy, this.subject, units);
    this.states.set(policy.name, verdict.state);
    this.show();
    return verdict;
  }

  /** Fields of draft-ietf-httpapi-ratelimit-headers-09: lists of RFC 9651; `q` quota, `w` its window in s, `r` what remains, `t` s until it is whole. */
  private show(): void {
    if (this.response.headersSent) return;
    const states = [...this.states.values()];
    const policies = states.map(({ policy }) => `"${policy.name}";q=${policy.quota};w=${seconds(policy.windowMs)}`);
    const standings = states.map(
      ({ policy, remaining, resetMs }) => `"${policy.name}";r=${remaining};t=${seconds(resetMs)}`,
    );
    this.response.setHeader('RateLimit-Policy', policies.join(', '));
    this.response.setHeader('RateLimit', standings.join(', '));
  }
}

function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}

function tooMany({ name, quota, windowMs }: RatePolicy, verdict: RateVerdict): AppError {
  const waitMs = verdict.kind === 'refused' ? verdict.waitMs : 0;
  const allowed = `${quota} ${name} at once, and as many again in ${seconds(windowMs)} s`;
  return new AppError('ADMISSION_REJECT', `You have used up your ${name}: ${allowed}. Try again in ${waitMs} ms.`, {
    retryAfterMs: waitMs,
    policyLabel: 'rate-limit',
  });
}

function tooLarge({ quota }: RatePolicy, tokens: number, field: string): AppError {
  const problem = `with all of its input the task counts ${tokens} tokens, and a client of this server may use ${quota} a minute`;
  return invalidParams([{ field, problem }]);
}
