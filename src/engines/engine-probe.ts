import { request } from 'undici';
import type { EngineId } from '../contract/common.js';

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
export type LookAtEngine = (engine: EngineId, url: string, timeoutMs: number) => Promise<EngineLook>;

type Look = (url: string, timeoutMs: number) => Promise<EngineLook>;

/**
 * Looks at an engine over plain HTTP, without decoding anything: the half of a dialect that every process may use, also those that never
 * talk to engines otherwise. Never throws.
 */
export async function lookAtEngine(engine: EngineId, url: string, timeoutMs: number): Promise<EngineLook> {
  try {
    return await looks[engine](url, timeoutMs);
  } catch (error) {
    return { kind: 'dead', detail: `${engine} at ${url} does not answer: ${reasonOf(error)}` };
  }
}

const looks: Readonly<Record<EngineId, Look>> = { llamacpp: lookAtLlamacpp };

/** llama.cpp's server, `GET /health` and `GET /props`: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md */
async function lookAtLlamacpp(url: string, timeoutMs: number): Promise<EngineLook> {
  const health = await getJson(`${url}/health`, timeoutMs);
  if (health.status === 503) return { kind: 'loading', detail: 'its model is loading' };
  if (health.status !== 200) return { kind: 'dead', detail: `GET ${url}/health answered ${health.status}` };
  const { status, body } = await getJson(`${url}/props`, timeoutMs);
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

async function getJson(url: string, timeoutMs: number): Promise<{ status: number; body: unknown }> {
  const answer = await request(url, {
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
