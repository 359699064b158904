import { errorEnvelope, type ErrorCode } from '../../../contract/errors.js';
import type { RouteAnswer, RouteContract } from '../../../contract/route-contract.js';
import { routes } from '../../../contract/routes.js';
import { statusOf } from '../error-status.js';
import { Components, type JsonObject } from './components.js';
import { errorExample, eventsExample } from './examples.js';

const everywhere: readonly ErrorCode[] = ['UNAVAILABLE', 'INTERNAL'];
const guarded: readonly ErrorCode[] = ['MISSING_TOKEN', 'BAD_TOKEN', ...everywhere];

/** The OpenAPI 3.1 document: a pure function of the contract, so that it cannot tell anything else than the server does. */
export function openApiDocument(version: string): JsonObject {
  const components = new Components();
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'orchestratord',
      version,
      description:
        'LLM tasks over HTTP: accepted durably, placed on the best pool, streamed token by token. Every error before a stream has one envelope.',
      license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'tasks', description: 'Submit, follow, cancel.' },
      { name: 'sessions', description: 'Conversations: their turns and budgets, never their content.' },
      { name: 'pools', description: 'The replicas that serve one model.' },
      { name: 'artifacts', description: 'Documents named by their content; the transcripts of ended tasks.' },
      { name: 'meta', description: 'What this server is.' },
      { name: 'operations', description: 'Health and metrics.' },
    ],
    security: [{ bearer: [] }, {}],
    paths,
    components: {
      schemas: components.schemas(),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The token of this server. Requests from loopback may go without.' },
      },
      headers: { CorrelationId: correlationIdHeader },
    },
  };
}

const correlationIdHeader = {
  description: "The request's own X-Correlation-Id when it sent one of at most 128 visible ASCII characters, else a fresh UUID.",
  schema: { type: 'string', maxLength: 128 },
};

function operation(route: RouteContract, components: Components): JsonObject {
  const parameters = [
    ...parametersOf(route.params, 'path', components),
    ...parametersOf(route.query, 'query', components),
    ...parametersOf(route.headers, 'header', components),
  ];
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(route.isOpen === true ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route.body, route.bodyExamples, components) }),
    responses: { ...answers(route.answers, components), ...refusals(route, components) },
  };
}

function requestBody(
  schema: NonNullable<RouteContract['body']>,
  named: RouteContract['bodyExamples'],
  components: Components,
): JsonObject {
  return {
    required: true,
    content: { 'application/json': { schema: components.use(schema), ...bodyExamples(schema, named) } },
  };
}

function bodyExamples(schema: NonNullable<RouteContract['body']>, named: RouteContract['bodyExamples']): JsonObject {
  if (named !== undefined) {
    return { examples: Object.fromEntries(Object.entries(named).map(([name, value]) => [name, { value }])) };
  }
  const examples = schema.meta()?.examples;
  const [first] = Array.isArray(examples) ? (examples as unknown[]) : [];
  return first === undefined ? {} : { example: first };
}

function parametersOf(schema: RouteContract['query'], place: 'path' | 'query' | 'header', components: Components): JsonObject[] {
  if (schema === undefined) return [];
  const { properties, required } = components.use(schema) as {
    properties: Record<string, JsonObject>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: required?.includes(name) ?? false,
    ...(description === undefined ? {} : { description }),
    schema: property,
  }));
}

/** One response a status: answers that share one differ by their media type. */
function answers(list: readonly RouteAnswer[], components: Components): JsonObject {
  const statuses = [...new Set(list.map(({ status }) => status))];
  return Object.fromEntries(
    statuses.map((status) => {
      const group = list.filter((answer) => answer.status === status);
      const contents = group.map(({ body }) => (body.kind === 'none' ? {} : contentOf(body, components)));
      const content = Object.assign({}, ...contents) as JsonObject;
      return [
        String(status),
        {
          description: group.map(({ description }) => description).join(' '),
          headers: headersOf(Object.assign({}, ...group.map(({ headers }) => headers ?? {})) as Record<string, string>),
          ...(Object.keys(content).length === 0 ? {} : { content }),
        },
      ];
    }),
  );
}

function contentOf(body: Exclude<RouteAnswer['body'], { kind: 'none' }>, components: Components): JsonObject {
  switch (body.kind) {
    case 'json':
      return { 'application/json': { schema: components.use(body.schema) } };
    case 'text':
      return { 'text/plain': { schema: { type: 'string' } } };
    case 'events':
      return {
        'text/event-stream': {
          schema: {
            type: 'string',
            description: 'Frames; `x-events` has the schema of `data` by event name.',
            'x-events': Object.fromEntries(Object.entries(body.events).map(([name, schema]) => [name, components.use(schema)])),
          },
          example: eventsExample,
        },
      };
    default:
      return body satisfies never;
  }
}

/** One response a status: codes that share one are told apart by `code`. */
function refusals(route: RouteContract, components: Components): JsonObject {
  const codes = [...new Set([...route.errors, ...(route.isOpen === true ? everywhere : guarded)])];
  const byStatus = groupByStatus(codes);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.join(', '),
        headers: headersOf(refusalHeaders(status)),
        content: {
          'application/json': {
            schema: components.use(errorEnvelope),
            examples: Object.fromEntries(group.map((code) => [code, { value: errorExample(code) }])),
          },
        },
      },
    ]),
  );
}

function groupByStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) groups.set(statusOf[code], [...(groups.get(statusOf[code]) ?? []), code]);
  return groups;
}

function refusalHeaders(status: number): Readonly<Record<string, string>> {
  if (status === 401) return { 'WWW-Authenticate': 'Always `Bearer`.' };
  if (status === 429 || status === 503) {
    return { 'Retry-After': 'Seconds until a retry may help, when known.', 'X-Backoff-Ms': 'The same in milliseconds.' };
  }
  return {};
}

function headersOf(described: Readonly<Record<string, string>>): JsonObject {
  const own = Object.entries(described).map(([name, description]) => [name, { description, schema: { type: 'string' } }]);
  return { 'X-Correlation-Id': { $ref: '#/components/headers/CorrelationId' }, ...Object.fromEntries(own) };
}
