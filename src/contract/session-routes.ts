import type { RouteContract } from './route-contract.js';
import { session, sessionParams } from './sessions.js';

/** `/v2/sessions`. */
export const sessionRoutes: readonly RouteContract[] = [
  {
    operationId: 'getSession',
    method: 'get',
    path: '/v2/sessions/{id}',
    tag: 'sessions',
    summary: 'Read a session',
    description:
      'A session begins with the first task that names its `session_id`, and is forgotten when no task has entered or ended in it for `sessions.ttl_ms`. ' +
      'It is metadata only: what was said is in no session.',
    params: sessionParams,
    answers: [{ status: 200, description: 'The session.', body: { kind: 'json', schema: session } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
  {
    operationId: 'deleteSession',
    method: 'delete',
    path: '/v2/sessions/{id}',
    tag: 'sessions',
    summary: 'Forget a session',
    description: 'Its open tasks go on. A later task of the same `session_id` begins a new session.',
    params: sessionParams,
    answers: [{ status: 204, description: 'There is no such session (any more).', body: { kind: 'none' } }],
    errors: ['INVALID_PARAMS'],
  },
];
