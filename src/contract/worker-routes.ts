import type { RouteContract } from './route-contract.js';
import { registeredWorker, workerParams, workerRegistration } from './workers.js';

/** `/v2/workers`. */
export const workerRoutes: readonly RouteContract[] = [
  {
    operationId: 'registerWorker',
    method: 'post',
    path: '/v2/workers/register',
    tag: 'pools',
    summary: 'Bind an engine that runs already to an external pool',
    description:
      'Kept until it is deleted, or has been away for `registration.forget_after_ms`; known to every process within a moment. It takes tasks once it ' +
      'answers its probe, is what the pool wants (engine, version, sampler profile, model digest), and a worker has seen it decode and cancel; ' +
      '`last_error` of the replica says what is missing. The same `replica_id` with another `url` moves it in one step: streams that run go on at the old one.',
    body: workerRegistration,
    answers: [{ status: 200, description: 'It is kept.', body: { kind: 'json', schema: registeredWorker } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  },
  {
    operationId: 'forgetWorker',
    method: 'delete',
    path: '/v2/workers/{pool_id}/{replica_id}',
    tag: 'pools',
    summary: 'Forget a registered engine',
    description: 'It gets no more tasks; streams that run go on. The engine itself is left alone.',
    params: workerParams,
    answers: [{ status: 204, description: 'It is not registered (any more).', body: { kind: 'none' } }],
    errors: ['INVALID_PARAMS'],
  },
];
