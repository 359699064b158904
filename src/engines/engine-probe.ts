import { Agent, request } from 'undici';
import type { EngineId } from '../contract/common.js';
import type { Secret } from '../platform/config/secret.js';
import { looks, type EngineLook } from './engine-looks.js';
import { redacted } from './redact.js';

export type { EngineLook } from './engine-looks.js';

/** Lists of models are long; longer than this is no such list, and nothing to hold in memory. */
const maxAnswerBytes = 8 * 1024 * 1024;
const agent = new Agent({ maxResponseSize: maxAnswerBytes });

const timeoutCodes: readonly unknown[] = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'];

/** How `lookAtEngine` looks to those who are handed it. */
export type LookAtEngine = (engine: EngineId, url: string, timeoutMs: number, apiKey?: Secret) => Promise<EngineLook>;

/**
 * Looks at an engine over plain HTTP or gRPC, without decoding anything: the half of a dialect that every process may use, also those that never
 * talk to engines otherwise. Never throws.
 */
export async function lookAtEngine(
  engine: EngineId,
  url: string,
  timeoutMs: number,
  apiKey?: Secret,
): Promise<EngineLook> {
  try {
    const look = await looks[engine]((address) => getJson(address, timeoutMs, apiKey), url, {
      timeoutMs,
      apiKey,
    });
    return look.kind === 'ready' ? look : { ...look, detail: redacted(look.detail, apiKey) };
  } catch (error) {
    const kind = isTimeout(error) ? 'silent' : 'dead';
    return { kind, detail: redacted(`${engine} at ${url} does not answer: ${reasonOf(error)}`, apiKey) };
  }
}

async function getJson(
  url: string,
  timeoutMs: number,
  apiKey: Secret | undefined,
): Promise<{ status: number; body: unknown }> {
  const answer = await request(url, {
    dispatcher: agent,
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey.reveal()}` },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    signal: AbortSignal.timeout(timeoutMs),
  });
  const raw = await answer.body.text();
  try {
    return { status: answer.statusCode, body: JSON.parse(raw) };
  } catch {
    return { status: answer.statusCode, body: null };
  }
}

/** Ours, undici's, or grpc's DEADLINE_EXCEEDED: whichever runs out first. */
function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { readonly code?: unknown };
  return error.name === 'TimeoutError' || code === 4 || timeoutCodes.includes(code);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason';
  if (isTimeout(error)) return 'no answer in time';
  if (error.name === 'ResponseExceededMaxSizeError') return 'its answer has no end';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return code ?? error.message;
}
