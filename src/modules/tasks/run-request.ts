import type { Priority } from '../../contract/common.js';
import { expectedTokens, type OpenTask, type ToldStart } from './task-record.js';
import type { WorkFields } from './task-work.js';

/** What a worker needs to run a task; lies in the run record while the task is open. */
export interface RunRequest extends WorkFields {
  readonly correlation_id: string;
  readonly session_id?: string | undefined;
  /** Which session of that id it entered, see Turn; absent: none. */
  readonly generation?: string | undefined;
  readonly priority: Priority;
  readonly deadline_ms: number | null;
  /** The longest its session lets it run; null: no limit. */
  readonly session_time_ms: number | null;
  /** Tokens counted with when estimating: see `expectedTokens`. */
  readonly expected_tokens: number;
  /** Null: it did not wait, or was told nothing that was measured. */
  readonly told: ToldStart | null;
}

/** The part of an accepted request that its worker needs. */
export function runRequestOf(
  task: Pick<OpenTask, 'correlationId' | 'request' | 'deadlineMs' | 'told' | 'turn'>,
): RunRequest {
  const { correlationId, request, deadlineMs, told, turn } = task;
  const { workload, prompt, messages, inputs, query, documents } = request;
  const { max_tokens, seed, determinism, sampling, kv_hint } = request;
  // Spelled out, since every start pays for it: spread from another object it takes V8 thirty times as long.
  return {
    workload,
    prompt,
    messages,
    inputs,
    query,
    documents,
    max_tokens,
    seed,
    determinism,
    sampling,
    kv_hint,
    correlation_id: correlationId,
    session_id: request.session_id,
    priority: request.priority,
    deadline_ms: deadlineMs,
    session_time_ms: turn?.time_ms ?? null,
    generation: turn?.generation,
    expected_tokens: expectedTokens(request),
    told,
  } satisfies Record<keyof RunRequest, unknown>;
}

/** A run request as it lies in the run record, without what says nothing: many wait, and each is held in memory. */
export function runRequestText(request: RunRequest): string {
  const { deadline_ms, session_time_ms, told, expected_tokens, max_tokens } = request;
  return JSON.stringify({
    ...request,
    deadline_ms: deadline_ms ?? undefined,
    session_time_ms: session_time_ms ?? undefined,
    told: told ?? undefined,
    expected_tokens: expected_tokens === max_tokens ? undefined : expected_tokens,
  });
}

/** What `runRequestText` wrote, now or in an earlier release. */
export function readRunRequest(json: string): RunRequest {
  const short = JSON.parse(json) as Omit<RunRequest, 'expected_tokens'> & { readonly expected_tokens?: number };
  const none = { deadline_ms: null, session_time_ms: null, told: null, expected_tokens: short.max_tokens ?? 1 };
  return { ...none, ...short };
}
