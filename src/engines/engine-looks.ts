import type { EngineId } from '../contract/common.js';
import type { Secret } from '../platform/config/secret.js';
import { apiPath, serverRoot } from './api-path.js';
import { InferenceService, isGrpc } from './inference-service.js';

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
  | { readonly kind: 'dead'; readonly detail: string }
  /** No answer in time: it may hang, or be slow this once. */
  | { readonly kind: 'silent'; readonly detail: string };

/** Gets one of an engine's documents, whatever the status. Rejects when there is no answer in time. */
export type Get = (url: string) => Promise<{ readonly status: number; readonly body: unknown }>;

/** How a look is taken. */
export interface Glance {
  readonly timeoutMs: number;
  readonly apiKey: Secret | undefined;
}

/** @param url base URL of the engine, without a trailing slash */
type Look = (get: Get, url: string, glance: Glance) => Promise<EngineLook>;

/** What to look at, by engine. */
export const looks: Readonly<Record<EngineId, Look>> = {
  llamacpp: lookAtLlamacpp,
  vllm: lookAtVllm,
  tgi: lookAtTgi,
  triton: lookAtTriton,
  openai: lookAtOpenAi,
  mock: lookAtMock,
};

/** llama.cpp's server, `GET /health` and `GET /props`: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md */
async function lookAtLlamacpp(get: Get, url: string): Promise<EngineLook> {
  const health = await get(`${url}/health`);
  if (health.status === 503) return { kind: 'loading', detail: 'its model is loading' };
  if (health.status !== 200) return { kind: 'dead', detail: `GET ${url}/health answered ${health.status}` };
  const { status, body } = await get(`${url}/props`);
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
  const address = `${url}${apiPath(url, '/models')}`;
  const { status, body } = await get(address);
  if (status === 401 || status === 403) {
    return { kind: 'dead', detail: `GET ${address} answered ${status}: see engine.api_key_env and api_key_file` };
  }
  if (status === 503) return { kind: 'loading', detail: 'it says that it is not ready yet' };
  const { data } = asRecord(body);
  if (status !== 200 || !Array.isArray(data)) {
    return { kind: 'dead', detail: `GET ${address} answered ${status}, and no list of models` };
  }
  const model = asRecord(data[0]);
  return {
    kind: 'ready',
    engineVersion: null,
    // Only vLLM tells it.
    ctxMax: count(model['max_model_len']),
    slots: null,
    modelName: text(model['id']),
  };
}

/**
 * vLLM's server: `GET /health`, `GET /v1/models` with the context, `GET /version`. It says nothing of how many sequences it takes at once.
 * https://docs.vllm.ai/en/latest/serving/openai_compatible_server/
 */
async function lookAtVllm(get: Get, url: string): Promise<EngineLook> {
  const root = serverRoot(url);
  const health = await get(`${root}/health`);
  if (health.status !== 200) return { kind: 'dead', detail: `GET ${root}/health answered ${health.status}` };
  const models = await lookAtOpenAi(get, url);
  if (models.kind !== 'ready') return models;
  const version = await get(`${root}/version`);
  return { ...models, engineVersion: text(asRecord(version.body)['version']) };
}

/**
 * Text Generation Inference and its sibling for embeddings, `GET /health` and `GET /info`. What they take at once includes what waits inside.
 * https://huggingface.github.io/text-generation-inference/ · https://huggingface.github.io/text-embeddings-inference/
 */
async function lookAtTgi(get: Get, url: string): Promise<EngineLook> {
  const health = await get(`${url}/health`);
  if (health.status !== 200) return { kind: 'dead', detail: `GET ${url}/health answered ${health.status}` };
  const { status, body } = await get(`${url}/info`);
  if (status !== 200) return { kind: 'dead', detail: `GET ${url}/info answered ${status}` };
  const info = asRecord(body);
  return {
    kind: 'ready',
    engineVersion: text(info['version']),
    ctxMax: count(info['max_total_tokens']) ?? count(info['max_input_length']),
    slots: count(info['max_batch_size']) ?? count(info['max_concurrent_requests']),
    modelName: text(info['model_id']),
  };
}

/**
 * Triton: `GET /v2/health/ready` and `GET /v2`, or the same by gRPC. It is ready when all its models are, and says nothing of their context.
 * https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
 */
async function lookAtTriton(get: Get, url: string, glance: Glance): Promise<EngineLook> {
  const isReady = { kind: 'ready', ctxMax: null, slots: null, modelName: null } as const;
  if (isGrpc(url)) {
    const { ready, version } = await askTriton(url, glance);
    return ready === true ? { ...isReady, engineVersion: text(version) } : notReady;
  }
  const { status } = await get(`${url}/v2/health/ready`);
  // 400 before 2024.
  if (status === 503 || status === 400) return notReady;
  if (status !== 200) return { kind: 'dead', detail: `GET ${url}/v2/health/ready answered ${status}` };
  const server = await get(`${url}/v2`);
  return { ...isReady, engineVersion: text(asRecord(server.body)['version']) };
}

const notReady = { kind: 'loading', detail: 'not all its models are ready' } as const;

async function askTriton(url: string, { timeoutMs, apiKey }: Glance): Promise<{ ready: unknown; version: unknown }> {
  const service = await InferenceService.at(url);
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey.reveal()}` };
  try {
    const { ready } = await service.ask('ServerReady', {}, headers, timeoutMs);
    if (ready !== true) return { ready, version: null };
    const { version } = await service.ask('ServerMetadata', {}, headers, timeoutMs);
    return { ready, version };
  } finally {
    service.close();
  }
}

/** It is in every worker, and always fit. */
function lookAtMock(): Promise<EngineLook> {
  return Promise.resolve({ kind: 'ready', engineVersion: '1', ctxMax: null, slots: null, modelName: null });
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
