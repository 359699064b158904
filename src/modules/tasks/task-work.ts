import type { TaskRequest } from '../../contract/task-request.js';
import type { EngineWork } from '../../engines/engine-adapter.port.js';

/** What of a request says what an engine is to do. */
export type WorkFields = Pick<
  TaskRequest,
  | 'prompt'
  | 'messages'
  | 'inputs'
  | 'query'
  | 'documents'
  | 'max_tokens'
  | 'seed'
  | 'determinism'
  | 'sampling'
  | 'kv_hint'
> & {
  /** Absent in what an earlier release wrote: a completion. */
  readonly workload?: TaskRequest['workload'] | undefined;
};

/** A request in the words of the adapter port. Throws for one that the contract (contract/task-input.ts) would not have let in. */
export function workOf(request: WorkFields): EngineWork {
  const { workload = 'completion', inputs, query, documents } = request;
  switch (workload) {
    case 'completion':
      return completionOf(request);
    case 'embedding':
      if (inputs === undefined) throw misfit('embedding');
      return { kind: 'embedding', inputs };
    case 'rerank':
      if (query === undefined || documents === undefined) throw misfit('rerank');
      return { kind: 'rerank', query, documents };
  }
}

function completionOf(request: WorkFields): EngineWork {
  const { prompt, messages, max_tokens: maxTokens, seed, sampling, kv_hint: hint } = request;
  const input = messages === undefined ? prompt : messages;
  if (input === undefined || maxTokens === undefined) throw misfit('completion');
  return {
    kind: 'completion',
    input: typeof input === 'string' ? { prompt: input } : { messages: input },
    maxTokens,
    seed,
    sampling,
    // What was kept of other prompts may change the last bits of the numbers, and with them a token.
    cache: isStrict(request) ? 'cold' : hint,
  };
}

/** Whether the same tokens must come again for the same request. */
export function isStrict({ determinism }: Pick<WorkFields, 'determinism'>): boolean {
  return determinism === 'strict';
}

/** The field to look at when a request asks for too much. */
export function sizeField({ workload = 'completion' }: WorkFields): 'max_tokens' | 'inputs' | 'documents' {
  return ({ completion: 'max_tokens', embedding: 'inputs', rerank: 'documents' } as const)[workload];
}

function misfit(workload: string): Error {
  return new Error(`a ${workload} task without its input`);
}
