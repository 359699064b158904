import type { ErrorCode, ErrorEnvelope } from '../../../contract/errors.js';

/** A short stream as it goes over the wire. */
export const eventsExample = `id: 1
event: started
data: {"task_id":"5b0f2a6e-4c1d-4c9f-9a57-0d3b1f6c2e88","queue_position":0,"predicted_start_ms":0,"pool_id":"default","model_ref":"default","engine":"llamacpp"}

id: 2
event: token
data: {"t":"Once","i":0}

id: 3
event: end
data: {"tokens_in":5,"tokens_out":1,"decode_time_ms":12,"decode_ms":12,"first_token_ms":9,"finish_reason":"length","kv_warmth":false}
`;

const correlationId = '0d4c9e1a-7f35-4f0e-8f0b-6a1d2c3b4e5f';

type Example = Omit<ErrorEnvelope, 'code' | 'correlation_id'>;

const examples: Readonly<Record<ErrorCode, Example>> = {
  INVALID_PARAMS: {
    message: 'max_tokens: is required',
    retriable: false,
    details: [{ field: 'max_tokens', problem: 'is required' }],
  },
  DEADLINE_UNMET: { message: 'deadline_ms: the task cannot end in time', retriable: false },
  MISSING_TOKEN: {
    message: 'This server needs a token: send it as "Authorization: Bearer <token>".',
    retriable: false,
  },
  BAD_TOKEN: { message: 'The token is not the one of this server.', retriable: false },
  NOT_FOUND: { message: 'There is no such task.', retriable: false },
  CONFLICT: { message: 'This task_id was used for another request.', retriable: false },
  PAYLOAD_TOO_LARGE: { message: 'The body is larger than server.body_limit_bytes allows.', retriable: false },
  UNSUPPORTED_MEDIA_TYPE: { message: 'Send the body as Content-Type: application/json.', retriable: false },
  ADMISSION_REJECT: { message: 'The queue is full.', retriable: true, retry_after_ms: 1500, pool_id: 'default' },
  QUEUE_FULL_DROP_LRU: {
    message: 'The queue is full, and no waiting task may be dropped for this one.',
    retriable: true,
    retry_after_ms: 1500,
    policy_label: 'drop-lru',
    pool_id: 'default',
  },
  BUDGET_EXHAUSTED: {
    message: 'The session may use 120 tokens more, and the task could need 300.',
    retriable: false,
    details: [{ field: 'max_tokens', problem: 'is more than the session has left' }],
  },
  POOL_UNREADY: { message: 'The pool is starting.', retriable: true, retry_after_ms: 2000, pool_id: 'default' },
  POOL_UNAVAILABLE: { message: 'No pool serves this model.', retriable: true },
  REPLICA_EXHAUSTED: { message: 'No replica could run the task.', retriable: true },
  DECODE_TIMEOUT: { message: 'The engine fell silent.', retriable: true },
  WORKER_RESET: { message: 'The worker was lost and the task could not be continued.', retriable: true },
  UNAVAILABLE: {
    message: 'A store this server needs is not reachable right now; try again shortly.',
    retriable: true,
    retry_after_ms: 1000,
  },
  INTERNAL: {
    message: 'Something went wrong on our side; the correlation id finds it in the logs.',
    retriable: false,
  },
};

export function errorExample(code: ErrorCode): ErrorEnvelope {
  return { code, ...examples[code], correlation_id: correlationId };
}
