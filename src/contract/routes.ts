import { z } from 'zod';
import { artifact, artifactListQuery, artifactPage, artifactParams, artifactSubmission } from './artifacts.js';
import { dryRun, submitQuery } from './dry-run.js';
import { endEvent, metricsEvent, startedEvent, taskError, tokenEvent } from './events.js';
import { liveness, readiness } from './health.js';
import { capabilities, version } from './meta.js';
import { pool, poolHealth, poolListQuery, poolPage, poolParams } from './pools.js';
import type { RouteAnswer, RouteContract } from './route-contract.js';
import { sessionRoutes } from './session-routes.js';
import { idempotencyKey, taskExamples, taskRequest } from './task-request.js';
import {
  admission,
  cancelReceipt,
  task,
  taskEventsQuery,
  taskListQuery,
  taskPage,
  taskParams,
} from './task-response.js';
import { workerRoutes } from './worker-routes.js';

const eventStream: RouteAnswer = {
  status: 200,
  description:
    'The event log of the task as server-sent events: `started`, then `token` in order with `metrics` anywhere between, then exactly one of `end` and `error`. ' +
    'Each frame has `id:` (a number that grows within the task), `event:` and one line of JSON as `data:`. Comment lines keep the connection alive.',
  body: {
    kind: 'events',
    events: { started: startedEvent, token: tokenEvent, metrics: metricsEvent, end: endEvent, error: taskError },
  },
};

const lastEventId = z.object({
  'Last-Event-ID': z
    .string()
    .optional()
    .describe('The `id` of the last frame that was read: the stream continues behind it.'),
});

const budgetHeaders = {
  'X-Budget-Tokens-Remaining': 'Tokens the session may still use, this task reserved; where it has such a budget.',
  'X-Budget-Time-Remaining-Ms': 'The same for its engine time, in milliseconds.',
  'X-Budget-Cost-Remaining': 'The same for its cost.',
};

const taskRoutes: readonly RouteContract[] = [
  {
    operationId: 'submitTask',
    method: 'post',
    path: '/v2/tasks',
    tag: 'tasks',
    summary: 'Submit a task',
    description:
      'A task that was accepted is kept: it reaches a terminal event whatever happens to any process. ' +
      'Posting the same `task_id` and body again gives the same answer and queues nothing twice; the same `task_id` with another body is a CONFLICT. ' +
      'With `Accept: text/event-stream` the answer is the event stream itself; repeated, it follows the same task from the start.',
    headers: z.object({ 'Idempotency-Key': idempotencyKey.optional() }),
    query: submitQuery,
    body: taskRequest,
    bodyExamples: taskExamples,
    answers: [
      {
        status: 202,
        description: 'Accepted. Follow `streams.sse` for the tokens.',
        body: { kind: 'json', schema: admission },
        headers: { Location: 'Path of the task.', ...budgetHeaders },
      },
      { ...eventStream, headers: { Location: 'Path of the task.', ...budgetHeaders } },
      {
        status: 200,
        description: 'With `dry_run=true`: what would happen, and why.',
        body: { kind: 'json', schema: dryRun },
      },
    ],
    errors: [
      'INVALID_PARAMS',
      'DEADLINE_UNMET',
      'CONFLICT',
      'PAYLOAD_TOO_LARGE',
      'UNSUPPORTED_MEDIA_TYPE',
      'ADMISSION_REJECT',
      'QUEUE_FULL_DROP_LRU',
      'BUDGET_EXHAUSTED',
      'POOL_UNREADY',
      'POOL_UNAVAILABLE',
    ],
  },
  {
    operationId: 'listTasks',
    method: 'get',
    path: '/v2/tasks',
    tag: 'tasks',
    summary: 'List tasks, newest first',
    query: taskListQuery,
    answers: [{ status: 200, description: 'One page.', body: { kind: 'json', schema: taskPage } }],
    errors: ['INVALID_PARAMS'],
  },
  {
    operationId: 'getTask',
    method: 'get',
    path: '/v2/tasks/{id}',
    tag: 'tasks',
    summary: 'Read a task',
    params: taskParams,
    answers: [{ status: 200, description: 'The task.', body: { kind: 'json', schema: task } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
  {
    operationId: 'followTask',
    method: 'get',
    path: '/v2/tasks/{id}/events',
    tag: 'tasks',
    summary: 'Follow a task',
    description:
      'Any number of readers may follow a task, on any process, from the start or from `Last-Event-ID`; none sees a token twice or misses one. ' +
      'A reader that goes away changes nothing unless the task asked for `on_disconnect: cancel`. ' +
      'Long after the end the events come from the transcript of the task; NOT_FOUND when that was deleted.',
    params: taskParams,
    query: taskEventsQuery,
    headers: lastEventId,
    answers: [eventStream],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
  {
    operationId: 'cancelTask',
    method: 'post',
    path: '/v2/tasks/{id}/cancel',
    tag: 'tasks',
    summary: 'Cancel a task',
    description:
      'Queued or running; again and again. Once this has answered, no token is appended any more. A task that finished before is left as it is.',
    params: taskParams,
    headers: z.object({
      Prefer: z
        .string()
        .optional()
        .describe(
          '`return=representation` (RFC 7240) asks for the receipt as a body; it waits a moment to hear that the engine has stopped.',
        ),
    }),
    answers: [
      {
        status: 204,
        description: 'No token comes after this.',
        body: { kind: 'none' },
        headers: { 'X-Last-Event-Id': 'The receipt: no reader ever sees a token with a greater event id.' },
      },
      {
        status: 200,
        description: 'The same, with `Prefer: return=representation`.',
        body: { kind: 'json', schema: cancelReceipt },
        headers: { 'X-Last-Event-Id': 'As `last_event_id`.', 'Preference-Applied': 'Always `return=representation`.' },
      },
    ],
    errors: ['INVALID_PARAMS', 'NOT_FOUND', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  },
];

const poolRoutes: readonly RouteContract[] = [
  {
    operationId: 'listPools',
    method: 'get',
    path: '/v2/pools',
    tag: 'pools',
    summary: 'List pools',
    query: poolListQuery,
    answers: [{ status: 200, description: 'One page.', body: { kind: 'json', schema: poolPage } }],
    errors: ['INVALID_PARAMS'],
  },
  {
    operationId: 'getPool',
    method: 'get',
    path: '/v2/pools/{id}',
    tag: 'pools',
    summary: 'Read a pool: what was configured and how it lives',
    params: poolParams,
    answers: [{ status: 200, description: 'The pool with its replicas.', body: { kind: 'json', schema: pool } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
  {
    operationId: 'getPoolHealth',
    method: 'get',
    path: '/v2/pools/{id}/health',
    tag: 'pools',
    summary: 'Read the health of a pool',
    params: poolParams,
    answers: [{ status: 200, description: 'The live state.', body: { kind: 'json', schema: poolHealth } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
];

const artifactRoutes: readonly RouteContract[] = [
  {
    operationId: 'keepArtifact',
    method: 'post',
    path: '/v2/artifacts',
    tag: 'artifacts',
    summary: 'Keep a document under the hash of its content',
    description:
      'The same `kind` and `content` always have the same `id`, and are kept once. Posting them again adds tags and metadata keys that are new; ' +
      'what is there stays, `parent` and `created_ms` too. NUL characters, halves of surrogate pairs and nesting deeper than 100 levels are refused.',
    body: artifactSubmission,
    answers: [
      {
        status: 201,
        description: 'It is kept.',
        body: { kind: 'json', schema: artifact },
        headers: { Location: 'Path of the artifact.' },
      },
    ],
    errors: ['INVALID_PARAMS', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  },
  {
    operationId: 'listArtifacts',
    method: 'get',
    path: '/v2/artifacts',
    tag: 'artifacts',
    summary: 'List artifacts, newest first, without their content',
    query: artifactListQuery,
    answers: [{ status: 200, description: 'One page.', body: { kind: 'json', schema: artifactPage } }],
    errors: ['INVALID_PARAMS'],
  },
  {
    operationId: 'getArtifact',
    method: 'get',
    path: '/v2/artifacts/{id}',
    tag: 'artifacts',
    summary: 'Read an artifact',
    params: artifactParams,
    answers: [{ status: 200, description: 'The artifact.', body: { kind: 'json', schema: artifact } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
  {
    operationId: 'deleteArtifact',
    method: 'delete',
    path: '/v2/artifacts/{id}',
    tag: 'artifacts',
    summary: 'Delete an artifact',
    description:
      'Artifacts made from it stay. After the transcript of a task was deleted, its events are NOT_FOUND; the task itself stays.',
    params: artifactParams,
    answers: [{ status: 204, description: 'It is gone.', body: { kind: 'none' } }],
    errors: ['INVALID_PARAMS', 'NOT_FOUND'],
  },
];

const otherRoutes: readonly RouteContract[] = [
  {
    operationId: 'getVersion',
    method: 'get',
    path: '/v2/meta/version',
    tag: 'meta',
    summary: 'Read the version of this server',
    answers: [{ status: 200, description: 'The version.', body: { kind: 'json', schema: version } }],
    errors: [],
  },
  {
    operationId: 'getCapabilities',
    method: 'get',
    path: '/v2/meta/capabilities',
    tag: 'meta',
    summary: 'Read what this server can do',
    description:
      'What it speaks to, what each pool takes, and what its engines said of themselves the last time they were asked, which is done every ' +
      '`health.interval_ms`.',
    answers: [{ status: 200, description: 'As of now.', body: { kind: 'json', schema: capabilities } }],
    errors: [],
  },
  {
    operationId: 'getLiveness',
    method: 'get',
    path: '/healthz',
    tag: 'operations',
    summary: 'Whether this process runs',
    answers: [{ status: 200, description: 'It runs.', body: { kind: 'json', schema: liveness } }],
    errors: [],
    isOpen: true,
  },
  {
    operationId: 'getReadiness',
    method: 'get',
    path: '/readyz',
    tag: 'operations',
    summary: 'Whether this process can work',
    description: 'Asks Postgres, Redis and the queues. UNAVAILABLE has one detail for each that does not answer.',
    answers: [{ status: 200, description: 'All answer.', body: { kind: 'json', schema: readiness } }],
    errors: [],
    isOpen: true,
  },
  {
    operationId: 'getMetrics',
    method: 'get',
    path: '/metrics',
    tag: 'operations',
    summary: 'Read the metrics in Prometheus text',
    answers: [{ status: 200, description: 'Metrics.', body: { kind: 'text' } }],
    errors: [],
  },
];

/** Every route of the HTTP contract. */
export const routes: readonly RouteContract[] = [
  ...taskRoutes,
  ...sessionRoutes,
  ...poolRoutes,
  ...workerRoutes,
  ...artifactRoutes,
  ...otherRoutes,
];
