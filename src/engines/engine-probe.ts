import { request } from 'undici';
import type { EngineId } from '../contract/common.js';
import type { Secret } from '../platform/config/secret.js';
import { apiPath } from './api-path.js';
import { redacted } from './redact.js';

/** What one look at an engine told. */
export type EngineLook =
  | {
      readonly kind: 'ready';
      readonly engineVersion: string | null;
      readonly ctxMax: number | null;
      readonly slots: number | null;
      readonly modelName: string | null;
    }
  | { readonly kind: 'loading'; readonly detail: string }
  | { readonly kind: 'dead'; readonly detail: string };

/** How `lookAtEngine` looks to those who are handed it. */
export type LookAtEngine = (engine: EngineId, url: string, timeoutMs: number, apiKey?: Secret) => Promise<EngineLook>;

/** Gets one of an engine's documents. @param path below the base URL */
type Get = (path: string) => Promise<{ readonly status: number; readonly body: unknown }>;
type Look = (get: Get, url: string) => Promise<EngineLook>;

/**
 * Looks at an engine over plain HTTP, without decoding anything: the half of a dialect that every process may use, also those that never
 * talk to engines otherwise. Never throws.
 */
export async function lookAtEngine(
  engine: EngineId,
  url: string,
  timeoutMs: number,
  apiKey?: Secret,
): Promise<EngineLook> {
  try {
    const look = await looks[engine]((path) => getJson(`${url}${path}`, timeoutMs, apiKey), url);
    return look.kind === 'ready' ? look : { ...look, detail: redacted(look.detail, apiKey) };
  } catch (error) {
    return { kind: 'dead', detail: redacted(`${engine} at ${url} does not answer: ${reasonOf(error)}`, apiKey) };
  }
}

const looks: Readonly<Record<EngineId, Look>> = { llamacpp: lookAtLlamacpp, openai: lookAtOpenAi };

/** llama.cpp's server, `GET /health` and `GET /props`: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md */
async function lookAtLlamacpp(get: Get, url: string): Promise<EngineLook> {
  const health = await get('/health');
  if (health.status === 503) return { kind: 'loading', detail: 'its model is loading' };
  if (health.status !== 200) return { kind: 'dead', detail: `GET ${url}/health answered ${health.status}` };
  const { status, body } = await get('/props');
  if (status === 503) return { kind: 'loading', detail: 'its model is loading' };
  if (status !== 200) return { kind: 'ready', engineVersion: null, ctxMax: null, slots: null, modelName: null };
  const settings = asRecord(asRecord(body)['default_generation_settings']);
  const props = asRecord(body);
  return {
    kind: 'ready',
    engineVersion: text(props['build_info']),
    ctxMax: count(settings['n_ctx']),
    slots: count(props['total_slots']),
    modelName: text(props['model_alias']) ?? text(props['model_path']),
  };
}

/** `GET /v1/models`: https://platform.openai.com/docs/api-reference/models/list. Such a server says nothing of slots. */
async function lookAtOpenAi(get: Get, url: string): Promise<EngineLook> {
  const path = apiPath(url, '/models');
  const { status, body } = await get(path);
  if (status === 401 || status === 403) {
    return { kind: 'dead', detail: `GET ${url}${path} answered ${status}: see engine.api_key_env and api_key_file` };
  }
  if (status === 503) return { kind: 'loading', detail: 'it says that it is not ready yet' };
  const { data } = asRecord(body);
  if (status !== 200 || !Array.isArray(data)) {
    return { kind: 'dead', detail: `GET ${url}${path} answered ${status}, and no list of models` };
  }
  return { kind: 'ready', engineVersion: null, ctxMax: null, slots: null, modelName: text(asRecord(data[0])['id']) };
}

async function getJson(
  url: string,
  timeoutMs: number,
  apiKey: Secret | undefined,
): Promise<{ status: number; body: unknown }> {
  const answer = await request(url, {
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

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : null;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return code ?? error.message;
}
