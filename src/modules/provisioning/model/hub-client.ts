import { Agent, request, type Dispatcher } from 'undici';
import { ProvisioningError } from '../provisioning.errors.js';
import { checkOutbound, guardedLookup, type OutboundPolicy } from './outbound-policy.js';

/** The model hub: where `hf:` refs point. */
export interface HubSettings {
  /** Base URL, `https://huggingface.co` or a mirror. */
  readonly endpoint: string;
  /** Sent to the endpoint's own origin and nowhere else. */
  readonly token: string | null;
}

export interface HttpTimeouts {
  readonly connectMs: number;
  /** Longest silence, before the headers and within the body. */
  readonly idleMs: number;
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** Headers of every hop, the last hop winning: the hub tells size and digest before it redirects. */
  readonly seen: Readonly<Record<string, string>>;
}

const MOST_REDIRECTS = 5;
const redirectCodes = new Set([301, 302, 303, 307, 308]);

/** A lost connection or a passing fault: worth another attempt after `retryAfterMs`, or when the backoff says. */
export class TransientDownloadError extends Error {
  constructor(
    message: string,
    readonly retryAfterMs: number | null = null,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.name = 'TransientDownloadError';
  }
}

/** Sends GET and HEAD under the outbound policy, follows redirects itself, and keeps the token at the hub. */
export class HubClient {
  private readonly policy: OutboundPolicy;
  private readonly agent: Agent;

  constructor(
    private readonly hub: HubSettings,
    allowedHosts: readonly string[],
    timeouts: HttpTimeouts,
  ) {
    this.policy = { allowedHosts, hubOrigin: new URL(hub.endpoint).origin };
    this.agent = new Agent({
      connect: { timeout: timeouts.connectMs, lookup: guardedLookup(this.policy) },
      headersTimeout: timeouts.idleMs,
      bodyTimeout: timeouts.idleMs,
    });
  }

  /** URL of a file in a repository of the hub; every segment is escaped. */
  fileUrl(place: { org: string; repo: string; revision: string; file: string }): URL {
    const path = [place.org, place.repo, 'resolve', place.revision, ...place.file.split('/')];
    return new URL(
      `${this.hub.endpoint.replace(/\/+$/, '')}/${path.map((part) => encodeURIComponent(part)).join('/')}`,
    );
  }

  /**
   * Follows redirects to the answer; each hop passes the policy. `stopAtForeignHost` returns the redirect to another origin itself instead of
   * following: what the hub says of the file stands there. Throws TransientDownloadError when nothing answers.
   */
  async send(
    method: 'GET' | 'HEAD',
    from: URL,
    options: { headers?: Record<string, string>; signal: AbortSignal; stopAtForeignHost?: boolean },
  ): Promise<Answer> {
    let url = from;
    const seen: Record<string, string> = {};
    for (let hop = 0; hop <= MOST_REDIRECTS; hop += 1) {
      checkOutbound(url, this.policy);
      const answer = await this.once(method, url, options.headers ?? {}, options.signal);
      Object.assign(seen, answer.headers);
      const location = answer.headers['location'];
      const next = redirectCodes.has(answer.statusCode) && location !== undefined ? new URL(location, url) : null;
      if (next === null || (options.stopAtForeignHost === true && next.origin !== url.origin))
        return { ...answer, seen };
      await discard(answer.body);
      url = next;
    }
    throw new ProvisioningError('network', `${from.host} redirects more than ${MOST_REDIRECTS} times.`);
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async once(method: 'GET' | 'HEAD', url: URL, headers: Record<string, string>, signal: AbortSignal) {
    const isHub = url.origin === new URL(this.hub.endpoint).origin;
    const authorization = isHub && this.hub.token !== null ? { authorization: `Bearer ${this.hub.token}` } : {};
    try {
      const response = await request(url, {
        method,
        // No content coding: ranges and digests are those of the file itself.
        headers: { 'user-agent': 'orchestratord', 'accept-encoding': 'identity', ...headers, ...authorization },
        dispatcher: this.agent,
        signal,
      });
      return { statusCode: response.statusCode, headers: flat(response.headers), body: response.body };
    } catch (cause) {
      if (signal.aborted) throw new ProvisioningError('canceled', 'The download was stopped.');
      if (cause instanceof ProvisioningError) throw cause;
      throw new TransientDownloadError(`${url.host}: ${reason(cause)}`, null, { cause });
    }
  }
}

/** A short reason without URLs: signed ones must not reach a log. */
export function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return 'the connection failed';
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return code ?? cause.message;
}

async function discard(body: Dispatcher.ResponseData['body']): Promise<void> {
  await body.dump({ limit: 65_536 }).catch(() => undefined);
}

function flat(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) result[name.toLowerCase()] = Array.isArray(value) ? (value[0] ?? '') : value;
  return result;
}
